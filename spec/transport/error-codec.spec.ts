import { DataCloneError, ProcessError, ProcessPoolExecutor, TimeoutError } from 'manyhands'
import { decodeFailure, encodeFailure } from '#internals'
import { once } from 'node:events'
import { inspect } from 'node:util'
import { assert, suite, thrownBy } from '../harness.js'
import { ended } from '../process/replies.js'
import {
  rejectLater,
  rejectUnhandled,
  throwables,
  throwInTimer,
  throwIt,
  throwWithPreparedStack,
} from './error-codec.tasks.js'

const test = suite('errors across threads')

/** What of a throwable arrives as the `.error` of the process that throws it. */
async function errorOf(kind: string): Promise<any> {
  const { error, exitcode } = await ended(throwIt, { args: [kind] })
  assert.is(exitcode, 1, kind)
  return error
}

/** The same, without a process between. */
const across = (thrown: unknown): any => decodeFailure(structuredClone(encodeFailure(thrown)))

test('every built-in class arrives as itself', async () => {
  const classes = { Error, TypeError, RangeError, SyntaxError, ReferenceError, EvalError, URIError }
  await Promise.all(
    Object.entries(classes).map(async ([name, errorClass]) => {
      const error = await errorOf(name)
      assert.is(Object.getPrototypeOf(error), errorClass.prototype, name)
      assert.is(error.name, name)
      assert.is(error.message, 'm')
      assert.match(error.stack, `${name}: m`)
      assert.match(error.stack, 'throwsFromHere')
      assert.match(error.stack, 'error-codec.tasks')
      assert.equal(Object.keys(error), [])
    }),
  )
})

test('a class of the program arrives as the built-in class that it extends, with its properties', async () => {
  const own = await errorOf('own')
  assert.is(Object.getPrototypeOf(own), RangeError.prototype)
  assert.is(own.message, 'ab')
  assert.equal(own.detail, { at: [1, 2] })
  assert.is((await errorOf('renamed')).name, 'RenamedByField')
})

test('a class of the program with the name of one of this package is not taken for it', async () => {
  const error = await errorOf('namesake')
  assert.not.instance(error, TimeoutError)
  assert.is(error.message, 'not of this package')
  assert.is(error.code, undefined)
})

test('a class of this package arrives as itself', async () => {
  const error = await errorOf('ofThisPackage')
  assert.is(Object.getPrototypeOf(error), ProcessError.prototype)
  assert.is(error.code, 'ERR_MANYHANDS_PROCESS')
  const cloneError = across(new DataCloneError('m', { path: 'args[0]' }))
  assert.instance(cloneError, DataCloneError)
  assert.is(cloneError.path, 'args[0]')
})

test('an error of another realm arrives as the same class of this one', async () => {
  const error = await errorOf('foreignRealm')
  assert.instance(error, TypeError)
  assert.is(error.code, 'EFOREIGN')
})

test('a DOMException keeps its name, code, cause and properties', async () => {
  const error = await errorOf('DOMException')
  assert.instance(error, DOMException)
  assert.is(error.name, 'AbortError')
  assert.is(error.code, DOMException.ABORT_ERR)
  assert.is(error.extra, 1)
  assert.instance(error.cause, RangeError)
})

test('an AggregateError brings its errors, each of its class', async () => {
  const error = await errorOf('aggregate')
  assert.instance(error, AggregateError)
  const [one, two, three] = error.errors
  assert.instance(one, TypeError)
  assert.is(two, 'two')
  assert.instance(three, RangeError)
  assert.equal(three.detail, { at: [1, 2] })
  assert.is(Object.prototype.propertyIsEnumerable.call(error, 'errors'), false)
})

test('a chain of causes arrives whole, each of its class', async () => {
  const { cause } = await errorOf('chain')
  assert.instance(cause, TypeError)
  assert.is(cause.message, 'middle')
  assert.instance(cause.cause, RangeError)
  assert.equal(cause.cause.detail, { at: [1, 2] })
  assert.is(Object.prototype.propertyIsEnumerable.call(cause, 'cause'), false)
})

test('a cause need not be an error', async () => {
  assert.equal((await errorOf('valueAsCause')).cause, { code: 5 })
  const withUndefined = await errorOf('undefinedAsCause')
  assert.is(Object.hasOwn(withUndefined, 'cause'), true)
  assert.is(Object.hasOwn(await errorOf('Error'), 'cause'), false)
  assert.instance((await errorOf('functionAsCause')).cause, DataCloneError)
})

test('causes that are a cycle stay one', async () => {
  const error = await errorOf('cycle')
  assert.instance(error.cause, TypeError)
  assert.is(error.cause.cause, error)
  const wide = await errorOf('wideCycle')
  assert.is(wide.errors.length, 50)
  for (const one of wide.errors) assert.is(one.cause, wide)
})

test('a very long chain of causes is cut', async () => {
  let error = await errorOf('longChain')
  assert.is(error.message, '4999')
  let length = 0
  while ((error = error.cause)) length++
  assert.is(length, 100)
})

test('own properties arrive as far as they can be sent', async () => {
  const error = await errorOf('properties')
  assert.is(error.code, 'ECODE')
  assert.is(error.errno, -2)
  assert.is('nothing' in error, true)
  assert.equal(error.list, new Map([['k', new Set([1n])]]))
  assert.instance(error.inner, TypeError)
  assert.is(error.inner.code, 'EINNER')
  assert.is(error.hidden, 'not enumerable')
  assert.equal(Object.keys(error), ['code', 'errno', 'nothing', 'list', 'inner'])
})

test('a property keeps all of it that can be sent, at any depth', async () => {
  const error = await errorOf('httpClient')
  assert.equal(error.response.headers, { retryAfter: 5 })
  assert.is(error.response.status, 503)
  assert.equal(error.response.data, { items: [1, undefined, 3] })
  assert.equal(error.request, { path: '/x' })
  assert.is(error.response.request, error.request, 'one object stays one')
  assert.equal(error.config, { url: 'http://x/' })
  assert.equal(error.seen, new Map([['n', new Set([1])]]))
  assert.is(error.self.error, error, 'a cycle stays one')
  assert.instance(error.inner.list[0], TypeError)
  assert.is(error.inner.list[0].code, 'EDEEP')
})

test('causes and the errors of an AggregateError keep what can be sent of them', async () => {
  const error = await errorOf('causeWithFunction')
  assert.equal(error.cause, { status: 3 })
  assert.equal(error.errors[0], { status: 1 })
  assert.instance(error.errors[1], Error)
  assert.equal(error.errors[1].cause, { status: 2 })
})

test('the error of a real request arrives with what it says of the request', async () => {
  const { globalAgent, request } = await import('node:http')
  const made = request({ host: '127.0.0.1', port: 1 })
  const [error] = (await once(made, 'error')) as [Error]
  const arrived = across(Object.assign(error, { request: made, config: { agent: globalAgent } }))
  assert.is(arrived.code, 'ECONNREFUSED')
  assert.is(arrived.request.method, 'GET')
  assert.is(arrived.request.path, '/')
  assert.is(arrived.config.agent.defaultPort, 80)
})

test('what hangs on an error is bounded in depth and number, the nearest first', () => {
  const fn = () => 1
  let deep: object = { fn }
  for (let i = 0; i < 5000; i++) deep = { deep }
  const wide = Array.from({ length: 50_000 }, (_, i) => ({ i, fn }))
  const error = across(Object.assign(new Error('m'), { deep, wide, near: { fn, status: 5 } }))
  let depth = 0
  for (let at = error.deep; at; at = at.deep) depth++
  assert.ok(depth >= 100 && depth < 200, `${depth} levels`)
  assert.equal(error.wide[5000], { i: 5000 })
  assert.is(error.wide.length, 50_000)
  assert.is(error.wide[49_999], undefined)
  assert.ok(error.near === undefined || error.near.status === 5)
  const endless = (n: number): Error => Object.defineProperties(new Error(`${n}`), {
    a: { get: () => endless(n + 1), enumerable: true },
    b: { get: () => [endless(n + 1)], enumerable: true },
  }) // prettier-ignore
  assert.is(across(endless(0)).a.a.a.message, '3')
})

test('what can be cloned arrives whole, however large', () => {
  const rows = Array.from({ length: 50_000 }, (_, i) => ({ i }))
  assert.equal(across(Object.assign(new Error('m'), { rows })).rows[49_999], { i: 49_999 })
})

test('a message, name or stack that is no text does no harm, and arrives where it can', () => {
  const error = across(Object.assign(new Error('m'), { message: { detail: 5 }, name: 7, stack: 9 }))
  assert.equal(error.message, { detail: 5 })
  assert.is(error.name, 7)
  assert.is(error.stack, 'Error')
  const getters = Object.defineProperties(new TypeError('m'), {
    stack: { get: () => { throw new Error('no stack') } },
    message: { get: () => 'made' },
  }) // prettier-ignore
  assert.is(across(getters).stack, 'TypeError: made')
})

test('a tool of the program may make anything of stacks, in the worker', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  for (const kind of ['sites', 'object', 'throws', 'no limit', 'limit 0']) {
    const error = (await executor.submit(throwWithPreparedStack, kind).exception()) as Error
    assert.instance(error, RangeError, kind)
    assert.is(error.message, 'm', kind)
    assert.match(error.stack!, /^RangeError: m/, kind)
    if (kind === 'sites' || kind === 'throws') assert.match(error.stack!, /at preparesStacks.*error-codec\.tasks/, kind)
    assert.match(error.stack!, /--- submitted by ---\n +at .*error-codec\.spec/, kind)
  }
  await executor.shutdown()
})

test('a tool of the program may make anything of stacks, in the thread that submits', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  const { prepareStackTrace, stackTraceLimit } = Error
  const prepared: Record<string, () => unknown> = {
    sites: () => (Error.prepareStackTrace = (_, sites) => sites),
    object: () => (Error.prepareStackTrace = () => ({ frames: 1 })),
    throws: () =>
      (Error.prepareStackTrace = () => {
        throw new Error('the tool fails')
      }),
    'no limit': () => Reflect.deleteProperty(Error, 'stackTraceLimit'),
    'limit 0': () => (Error.stackTraceLimit = 0),
  }
  for (const [kind, prepare] of Object.entries(prepared)) {
    prepare()
    const error = (await executor.submit(throwIt, 'TypeError').exception()) as Error
    const { error: ofProcess } = await ended(throwIt, { args: ['TypeError'] })
    Object.assign(Error, { prepareStackTrace, stackTraceLimit })
    assert.instance(error, TypeError, kind)
    assert.match(error.stack!, 'throwsFromHere', kind)
    assert.is(error.stack!.includes('submitted by'), kind === 'sites' || kind === 'throws', kind)
    assert.instance(ofProcess, TypeError, kind)
  }
  await executor.shutdown()
})

test('getters that throw and fields of wrong types do no harm', async () => {
  const error = await errorOf('hostile')
  assert.instance(error, Error)
  assert.is(error.message, 'm')
  assert.instance(await errorOf('revokedProxy'), Error)
})

test('whatever else is thrown arrives as thrown', async () => {
  for (const kind of ['undefined', 'null', 'zero', 'empty', 'text', 'object'])
    assert.equal(await errorOf(kind), throwables[kind]!(), kind)
  for (const value of [undefined, null, 0, -0, NaN, '', false, 5n, [1], new Date(5), new Map([[1, 2]])])
    assert.equal(across(value), value)
})

test('what is thrown and cannot be sent arrives as a DataCloneError that says what it was', async () => {
  for (const [kind, path, what] of [
    ['symbol', 'thrown value', 'a symbol (mark)'],
    ['function', 'thrown value', 'a function (thrown)'],
    ['uncloneable', 'thrown value.list[1].deep', 'a function (deep)'],
  ] as const) {
    const error = await errorOf(kind)
    assert.instance(error, DataCloneError)
    assert.is(error.code, 'ERR_MANYHANDS_DATA_CLONE')
    assert.is(error.path, path)
    assert.match(error.message, `${path} is ${what}`)
  }
})

test('a rejection, an unhandled one, and an error in a timer end the process alike', async () => {
  for (const [target, message] of [
    [rejectLater, 'rejected'],
    [rejectUnhandled, 'nobody awaits it'],
    [throwInTimer, 'in a timer'],
  ] as const) {
    const { error, exitcode } = await ended(target)
    assert.is((error as Error).message, message)
    assert.is(exitcode, 1)
  }
})

test('the stack is the worker’s, followed by that of whoever asked', () => {
  const asked = new Error('asked here')
  const error = decodeFailure(encodeFailure(new TypeError('m')), asked.stack) as Error
  const [workers, submitters] = error.stack!.split('\n    --- submitted by ---\n')
  assert.match(workers!, 'TypeError: m')
  assert.match(submitters!, /^ +at .*error-codec\.spec/)
  assert.not.match(submitters!, 'asked here')
})

test('every error of this package has a code and a name', async () => {
  const everything: Record<string, unknown> = await import('manyhands')
  const classes = Object.values(everything).filter(
    (value): value is new (message: string, options: object) => Error & { code: string } =>
      typeof value === 'function' && value.prototype instanceof Error && value.name !== 'ManyhandsError',
  )
  assert.ok(classes.length >= 10)
  for (const errorClass of classes) {
    const made = new errorClass('m', { cause: 5, exitcode: 1, path: 'p' })
    const { code, name } = made
    assert.match(code, /^ERR_MANYHANDS_[A-Z_]+$/)
    assert.is(name, errorClass.name)
    assert.match(inspect(made), `${name}: m`)
    const arrived = across(made)
    assert.instance(arrived, errorClass)
    assert.is(arrived.code, code)
    assert.is(arrived.cause, 5)
  }
  assert.is(await thrownBy(() => Promise.reject(5)), 5)
})

test.run()
