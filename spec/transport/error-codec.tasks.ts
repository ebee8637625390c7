// What failure.spec.ts has processes throw.
import { ProcessError, task, type Task } from 'manyhands'
import { runInNewContext } from 'node:vm'

class Mine extends RangeError {
  readonly detail = { at: [1, 2] }
  constructor(first: string, second: string) {
    super(first + second)
  }
}

class Renamed extends Error {
  override name = 'RenamedByField'
}

class TimeoutError extends Error {}

class Headers503 {
  retryAfter = 5
  get broken(): never {
    throw new Error('a getter')
  }
  toJSON = (): number => 1
}

/** By name, since what is thrown may be impossible to send as an argument. */
export const throwables: Record<string, () => unknown> = {
  Error: () => new Error('m'),
  TypeError: () => new TypeError('m'),
  RangeError: () => new RangeError('m'),
  SyntaxError: () => new SyntaxError('m'),
  ReferenceError: () => new ReferenceError('m'),
  EvalError: () => new EvalError('m'),
  URIError: () => new URIError('m'),
  own: () => new Mine('a', 'b'),
  renamed: () => new Renamed('m'),
  namesake: () => new TimeoutError('not of this package'),
  ofThisPackage: () => new ProcessError('m'),
  foreignRealm: () => runInNewContext(`Object.assign(new TypeError('m'), { code: 'EFOREIGN' })`),
  DOMException: () =>
    Object.assign(new DOMException('m', 'AbortError'), { extra: 1, cause: new RangeError('why it was aborted') }),
  aggregate: () => new AggregateError([new TypeError('one'), 'two', new Mine('th', 'ree')], 'all failed'),
  chain: () => new Error('outer', { cause: new TypeError('middle', { cause: new Mine('in', 'ner') }) }),
  valueAsCause: () => new Error('outer', { cause: { code: 5 } }),
  undefinedAsCause: () => new Error('outer', { cause: undefined }),
  functionAsCause: () => new Error('outer', { cause: () => 1 }),
  cycle: () => {
    const [outer, inner] = [new Error('outer'), new TypeError('inner')]
    outer.cause = inner
    inner.cause = outer
    return outer
  },
  wideCycle: () => {
    const errors: Error[] = []
    const all = new AggregateError(errors, 'all')
    all.errors = Array.from({ length: 50 }, (_, i) => new Error(`${i}`, { cause: all }))
    return all
  },
  longChain: () => {
    let error = new Error('innermost')
    for (let i = 0; i < 5000; i++) error = new Error(`${i}`, { cause: error })
    return error
  },
  properties: () =>
    Object.defineProperty(
      Object.assign(new Error('m'), {
        code: 'ECODE',
        errno: -2,
        nothing: undefined,
        list: new Map([['k', new Set([1n])]]),
        inner: Object.assign(new TypeError('inner'), { code: 'EINNER' }),
        callback: () => 1,
        port: new MessageChannel().port1,
      }),
      'hidden',
      { value: 'not enumerable' },
    ),
  hostile: () =>
    Object.defineProperties(new Error('m'), {
      cause: {
        get() {
          throw new Error('a getter of the cause')
        },
      },
      trap: {
        enumerable: true,
        get() {
          throw new Error('a getter')
        },
      },
      name: { value: 5 },
    }),
  httpClient: () => {
    const request = { path: '/x', socket: new MessageChannel().port1, on() {} }
    const response = { status: 503, headers: new Headers503(), request, data: { items: [1, () => 2, 3] } }
    const error = Object.assign(new Error('Request failed'), {
      response,
      request,
      config: { url: 'http://x/', validateStatus() {}, signal: Symbol('s') },
      seen: new Map<unknown, unknown>([
        ['fn', () => 1],
        ['n', new Set([1, () => 2])],
      ]),
    })
    return Object.assign(error, {
      self: { error },
      inner: { list: [Object.assign(new TypeError('deep'), { code: 'EDEEP' })] },
    })
  },
  causeWithFunction: () =>
    new AggregateError([{ status: 1, retry() {} }, new Error('x', { cause: { status: 2, retry() {} } })], 'all', {
      cause: { status: 3, retry() {} },
    }),
  undefined: () => undefined,
  null: () => null,
  zero: () => 0,
  empty: () => '',
  text: () => 'text',
  symbol: () => Symbol('mark'),
  function: () => function thrown() {},
  object: () => ({ code: 7, list: [1, { deep: true }] }),
  uncloneable: () => ({ list: [1, { deep: () => 1 }] }),
  revokedProxy: () => {
    const { proxy, revoke } = Proxy.revocable({}, {})
    revoke()
    return proxy
  },
}

export const throwIt: Task<[kind: string]> = task(import.meta.url, function throwsFromHere(kind: string) {
  throw throwables[kind]!()
})

export const rejectLater: Task = task(import.meta.url, async function rejectLater() {
  await Promise.resolve()
  throw new TypeError('rejected')
})

export const rejectUnhandled: Task = task(import.meta.url, function rejectUnhandled() {
  void Promise.reject(new RangeError('nobody awaits it'))
})

export const throwInTimer: Task = task(import.meta.url, function throwInTimer() {
  setTimeout(() => {
    throw new RangeError('in a timer')
  }, 1)
})

/** Errors of which a tool of the program makes the stacks: `kind` says what it makes of them. */
export const throwWithPreparedStack: Task<[kind: string]> = task(
  import.meta.url,
  function preparesStacks(kind: string) {
    const { prepareStackTrace, stackTraceLimit } = Error
    const fails = () => {
      throw new Error('the tool fails')
    }
    if (kind === 'sites') Error.prepareStackTrace = (_, sites) => sites
    else if (kind === 'object') Error.prepareStackTrace = () => ({ frames: 1 })
    else if (kind === 'throws') Error.prepareStackTrace = fails
    else if (kind === 'no limit') Reflect.deleteProperty(Error, 'stackTraceLimit')
    else Error.stackTraceLimit = 0
    // Put back in the next turn: the stack is read in this one.
    setImmediate(() => Object.assign(Error, { prepareStackTrace, stackTraceLimit }))
    throw new RangeError('m')
  },
)
