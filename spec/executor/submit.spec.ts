import {
  DataCloneError,
  Future,
  ProcessPoolExecutor,
  task,
  TaskNotFoundError,
  tasksFrom,
  TimeoutError,
} from 'manyhands'
import { makeShareable } from '#internals'
import { assert, suite, thrownBy } from '../harness.js'
import { later, notExported, square, throwOwnError, throwTypeError } from './submit.tasks.js'

const test = suite('submit')
const executor = new ProcessPoolExecutor({ maxWorkers: 2 })
const { cube, nothing } = tasksFrom<{ cube: (n: number) => number; nothing: () => void }>(
  new URL('./submit.tasks.js', import.meta.url),
)
const threadOf = () => import('node:worker_threads').then(({ threadId }) => threadId)

test('runs tasks, exports of any module, and functions by their source, in a worker', async () => {
  const futures = [
    executor.submit(square, 7),
    executor.submit(cube, 3),
    executor.submit((a: number, b: number) => a + b, 1, 2),
    executor.submit(async function (n: number) {
      return n
    }, 4),
    executor.submit({ method: (n: number) => -n }.method, 5),
    executor.submit(later, 'first'),
    executor.submit(notExported),
  ]
  for (const future of futures) assert.instance(future, Future)
  assert.equal(await Promise.all(futures), [49, 27, 3, 4, -5, 'first, later', 'found by its name'])
  assert.is.not(await executor.submit(threadOf), await threadOf())
})

test('begins tasks in the order of their submission', async () => {
  const single = new ProcessPoolExecutor({ maxWorkers: 1 })
  const order = new Int32Array(new SharedArrayBuffer(4 * 20))
  const note = (order: Int32Array, i: number) => void (order[Atomics.add(order, 0, 1) + 1] = i)
  const futures = Array.from({ length: 19 }, (_, i) => single.submit(note, order, i))
  futures[4]!.cancel()
  await Promise.allSettled(futures)
  assert.equal(
    [...order].slice(1, 19),
    [...futures.keys()].filter((i) => i !== 4),
  )
  await single.shutdown()
})

test('refuses targets that cannot be sent, at the call', async () => {
  for (const bad of [null, 5, 'square', {}, Math.max, square.bind(null, 2), Date, Future])
    assert.instance(await thrownBy(() => executor.submit(bad as never)), TypeError)
})

test('gives arguments and results as structured clone does', async () => {
  const value = {
    date: new Date(5),
    map: new Map([[1, new Set(['a'])]]),
    bytes: new Uint8Array([1, 2]),
    big: 1n,
    u: undefined,
  }
  const back = await executor.submit((x: unknown) => x, value)
  assert.equal(back, value)
  for (const plain of [undefined, null, NaN, -0, '', false, 2n ** 70n])
    assert.ok(Object.is(await executor.submit((x: unknown) => x, plain), plain))
})

test('takes shared memory as it is', async () => {
  const words = new Int32Array(new SharedArrayBuffer(4))
  await executor.submit((w: Int32Array) => void Atomics.add(w, 0, 3), words)
  assert.is(words[0], 3)
})

test('gives an error back as one of its class, with all that belongs to it', async () => {
  const error = await thrownBy(() => executor.submit(throwTypeError))
  assert.instance(error, TypeError)
  assert.equal([error.name, error.message, error.code], ['TypeError', 'of the worker', 'E_MINE'])
  assert.equal(error.details, { answer: 42 })
  assert.instance(error.cause, RangeError)
  assert.is(error.cause.message, 'deep down')
  const own = await thrownBy(() => executor.submit(throwOwnError))
  assert.instance(own, TimeoutError)
  assert.is(own.code, 'ERR_MANYHANDS_TIMEOUT')
})

test("shows the worker's stack, and then the submitter's", async () => {
  const submitHere = () => executor.submit(throwTypeError)
  const { stack } = await thrownBy(submitHere)
  const worker = stack.indexOf('at throwTypeError')
  const submitter = stack.indexOf('at submitHere')
  assert.ok(worker > 0 && submitter > worker, stack)
  assert.match(stack, 'submit.tasks.')
})

test('delivers whatever was thrown as it was thrown', async () => {
  for (const thrown of [undefined, null, 0, '', 'text', 5n, { plain: [1] }]) {
    const future = executor.submit((value: unknown) => {
      throw value
    }, thrown)
    assert.equal(await thrownBy(() => future), thrown)
    assert.equal(await future.exception(), thrown)
  }
  const error = await thrownBy(() => executor.submit(async () => Promise.reject('late')))
  assert.is(error, 'late')
})

test('delivers something for a thrown value that no thread can be sent', async () => {
  const error = await thrownBy(() =>
    executor.submit(() => {
      throw () => {}
    }),
  )
  assert.instance(error, DataCloneError)
})

test('advises whoever left a variable behind', async () => {
  const outside = 5
  const error = await thrownBy(() => executor.submit(() => outside))
  assert.instance(error, ReferenceError)
  assert.match(error.message, /outside is not defined.*task\(/)
})

test('fails the one task whose argument cannot be cloned, and says where it is', async () => {
  const bad = executor.submit((x: unknown) => x, { list: [1, { callback: () => {} }] })
  const good = executor.submit(square, 2)
  const error = await thrownBy(() => bad)
  assert.instance(error, DataCloneError)
  assert.is(error.code, 'ERR_MANYHANDS_DATA_CLONE')
  assert.is(error.path, 'args[0].list[1].callback')
  assert.match(error.message, 'args[0].list[1].callback')
  assert.ok(error.cause)
  assert.is(await good, 4)
})

test('fails the one task whose result cannot be cloned, and says where it is', async () => {
  const single = new ProcessPoolExecutor({ maxWorkers: 1 })
  const thread = await single.submit(threadOf)
  const error = await thrownBy(() => single.submit(() => ({ a: new Map([['key', () => {}]]) })))
  assert.instance(error, DataCloneError)
  assert.is(error.path, "result.a.get('key')")
  for (const bad of [() => () => {}, () => Symbol('s'), () => new WeakMap(), () => new Proxy({}, {})])
    assert.instance(await thrownBy(() => single.submit(bad)), DataCloneError)
  assert.is(await single.submit(threadOf), thread)
  assert.is(single.stats().workersLost, 0)
  await single.shutdown()
})

test('fails the one task whose result or error resists being looked at', async () => {
  const single = new ProcessPoolExecutor({ maxWorkers: 1 })
  const thread = await single.submit(threadOf)
  const revoked = () => {
    const { proxy, revoke } = Proxy.revocable({}, {})
    revoke()
    return proxy
  }
  const resisting = () =>
    new Proxy(
      {},
      {
        ownKeys() {
          throw new Error('hands off')
        },
      },
    )
  const getter = () => ({
    get property() {
      throw new Error('hands off')
    },
  })
  const throwing = () => {
    const { proxy, revoke } = Proxy.revocable({}, {})
    revoke()
    throw proxy
  }
  for (const target of [revoked, resisting, getter, throwing])
    assert.instance(await thrownBy(() => single.submit(target)), Error)
  assert.is(await single.submit(threadOf), thread)
  await single.shutdown()
})

test('fails the one task whose argument resists being looked at', async () => {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  const getter = {
    get property() {
      throw new Error('hands off')
    },
  }
  for (const resisting of [proxy, getter])
    assert.instance(await thrownBy(() => executor.submit((x: unknown) => x, resisting)), Error)
  assert.is(await executor.submit(square, 3), 9)
})

test('looks for shareable objects without being stopped by what resists', async () => {
  // A thread in which a shareable was made looks through all that it sends.
  makeShareable({}, 'spec')
  const getter = {
    get property(): never {
      throw new RangeError('hands off')
    },
  }
  const single = new ProcessPoolExecutor({ maxWorkers: 1 })
  assert.instance(await thrownBy(() => single.submit((x: unknown) => x, getter)), DataCloneError)
  const error = await thrownBy(() =>
    single.submit(
      async (module: string) => {
        ;(await import(module)).makeShareable({}, 'spec')
        return {
          get property(): never {
            throw new RangeError('hands off')
          },
        }
      },
      import.meta.resolve('#internals'),
    ),
  )
  assert.instance(error, DataCloneError)
  assert.is(error.path, 'result.property')
  assert.is(await single.submit(square, 3), 9)
  await single.shutdown()
})

test('fails the one task whose result is of a class that this thread has not', async () => {
  const single = new ProcessPoolExecutor({ maxWorkers: 1 })
  const error = await thrownBy(() =>
    single.submit(
      async (module: string) => {
        const shareable = {}
        ;(await import(module)).makeShareable(shareable, 'of the worker alone')
        return shareable
      },
      import.meta.resolve('#internals'),
    ),
  )
  assert.instance(error, TypeError)
  assert.match(error.message, 'of the worker alone')
  assert.is(await single.submit(square, 3), 9)
  await single.shutdown()
})

test('fails the one task whose name its module does not know', async () => {
  const error = await thrownBy(() => executor.submit(nothing))
  assert.instance(error, TaskNotFoundError)
  assert.is(error.code, 'ERR_MANYHANDS_TASK_NOT_FOUND')
  assert.match(error.message, 'submit.tasks.js')
  assert.match(error.message, 'nothing')
  assert.match(error.message, 'cube')
  const ghost = task(new URL('./submit.tasks.js', import.meta.url), function ghost() {})
  const unregistered = await thrownBy(() => executor.submit(ghost))
  assert.instance(unregistered, TaskNotFoundError)
  assert.match(unregistered.message, /ghost.*it has .*square/)
  assert.is(await executor.submit(square, 3), 9)
})

test('runs tasks that submit work to executors of their own', async () => {
  const nested = async (n: number): Promise<number> => {
    const { ProcessPoolExecutor } = await import('manyhands')
    const inner = new ProcessPoolExecutor({ maxWorkers: 1 })
    const result = await inner.submit((x: number) => x + 1, n)
    await inner.shutdown()
    return result
  }
  assert.is(await executor.submit(nested, 1), 2)
})

test('ends', () => executor.shutdown())

test('a result or an argument that is nested too deeply for a stack fails its task alone', async () => {
  await using executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  const nest = (depth: number) => {
    let value: unknown = null
    for (let i = 0; i < depth; i++) value = new Map([[1, value]])
    return value
  }
  // A worker has a larger stack than this thread: it can send what cannot be read here.
  const futures = [10, 8000, 10].map((depth) => executor.submit(nest, depth))
  const errors = await Promise.all(futures.map((future) => future.exception()))
  assert.equal(
    errors.map((error) => (error instanceof DataCloneError ? error.path : error)),
    [null, 'result', null],
  )
  const settled = await executor.map(nest, [8000, 10], { settled: true, chunksize: 2 })
  assert.equal(
    settled.map(({ status }) => status),
    ['rejected', 'rejected'],
  )
  assert.is((await thrownBy(() => executor.submit((value: unknown) => value, nest(50_000)))).path, 'args')
  assert.is(await executor.submit(() => 1), 1)
  // Here it is the worker that cannot read it.
  await using small = new ProcessPoolExecutor({ maxWorkers: 1, resourceLimits: { stackSizeMb: 0.3 } })
  const sent = [executor, small].map((one) => one.submit((value: unknown) => typeof value, nest(900)).exception())
  const [here, there] = (await Promise.all(sent)) as ({ path?: string } | null)[]
  assert.equal([here, there?.path], [null, 'args'])
  assert.is(await small.submit(() => 1), 1)
})

test.run()
