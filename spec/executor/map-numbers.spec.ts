// Maps of numbers, whose items and results share memory: whatever the function does, the results are those of a plain loop.
import { runInThisContext } from 'node:vm'
import { NUMBERS_PER_SLAB } from '#internals'
import { Event, ProcessPoolExecutor, TimeoutError, WorkerDiedError, type MapOptions } from 'manyhands'
import { assert, suite, thrownBy, until } from '../harness.js'
import { Gate } from './gate.js'

const test = suite('map of numbers')

/** What tasks reach by a global: a map over numbers has no other argument. */
declare let words: Int32Array
declare let store: { getStore(): unknown; enterWith(value: number): void }

const gate = new Gate()
const initializer = (shared: Int32Array): void => void Object.assign(globalThis, { words: shared })
const executor = new ProcessPoolExecutor({ maxWorkers: 2, initializer, initargs: [gate.words] })

/** Several slabs for each worker, and a part of one. */
const COUNT = 9 * NUMBERS_PER_SLAB + 12_345

const many = Array.from({ length: COUNT }, (_, n) => n)
const some = many.slice(0, 3000)
const twice = (n: number): number => n * 2

function assertSame(actual: ArrayLike<unknown>, expected: ArrayLike<unknown>, what = ''): void {
  assert.is(actual.length, expected.length, what)
  for (let at = 0; at < expected.length; at++)
    if (!Object.is(actual[at], expected[at])) assert.is(actual[at], expected[at], `${what}, at ${at}`)
}

async function taken<T>(
  results: AsyncIterable<T>,
  pause?: (count: number) => Promise<unknown> | undefined,
): Promise<T[]> {
  const values: T[] = []
  for await (const value of results) {
    values.push(value)
    if (pause) await pause(values.length)
  }
  return values
}

/** A function of `n`. */
const compiled = (body: string): ((n: number) => unknown) =>
  runInThisContext(`(n) => (${body})`) as (n: number) => unknown

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5))

test('numbers of every kind come back in their places, awaited and iterated', async () => {
  const odd = [0, -0, NaN, Infinity, -Infinity, 0.1, Number.MIN_VALUE, Number.MAX_VALUE, 2 ** 53]
  const lists = {
    integers: many,
    doubles: many.map((n) => n + 0.25),
    'odd ones': some.map((n) => odd[n % odd.length]!),
    'a Float64Array': Float64Array.from(many),
    'a Float32Array': Float32Array.from(many, (n) => n / 3),
    'an Int8Array': Int8Array.from(some),
    'shared memory': new Float64Array(new SharedArrayBuffer(8 * some.length)).map((_, n) => n),
  }
  for (const [name, list] of Object.entries(lists)) {
    const expected = Array.from(list as number[], (n) => -n)
    const before = Array.from(list as number[])
    const negative = (n: number) => -n
    assertSame(await executor.map(negative, list), expected, name)
    if (list !== many) assertSame(await taken(executor.map(negative, list)), expected, name)
    assertSame(list, before, `${name}, as they were`)
  }
})

test('the options of a map of numbers do what they do of any other', async () => {
  const variants: MapOptions[] = [
    { chunksize: 700 },
    { chunksize: NUMBERS_PER_SLAB + 1 },
    { buffersize: 5000 },
    { chunksize: 1000, buffersize: 1500 },
    { ordered: true, timeout: 60_000 },
  ]
  for (const options of variants) {
    assertSame(await executor.map(twice, many, options), many.map(twice), JSON.stringify(options))
    assertSame(await taken(executor.map(twice, some, options)), some.map(twice), JSON.stringify(options))
  }
  const sorted = (values: number[]) => values.toSorted((a, b) => a - b)
  assertSame(sorted(await executor.map(twice, many, { ordered: false })), many.map(twice))
  const settled = await executor.map(twice, some, { settled: true })
  assertSame(settled.map((entry) => (entry as PromiseFulfilledResult<number>).value), some.map(twice)) // prettier-ignore
  assertSame(await executor.with({ retries: 2 }).map(twice, some, { chunksize: 1000 }), some.map(twice))
  assertSame(
    await executor.map((a: number, b: number) => a - b, some, many),
    some.map(() => 0),
  )
  let done = 0
  await executor.map(twice, many, { onProgress: (progress) => void (done = progress.done) })
  assert.is(done, COUNT)
})

test('results that are no numbers, from any item on, come back in their places', async () => {
  for (const from of [0, 1, 1500, 2999]) {
    const others: [(n: number) => unknown, string][] = [
      [compiled(`n < ${from} ? -n : 'text'`), 'text'],
      [compiled(`n < ${from} ? -n : undefined`), 'undefined'],
      [compiled(`n === ${from} ? { n } : -n`), 'one object'],
      [compiled(`n < ${from} ? -n : 5n`), 'bigints'],
      [compiled(`n < ${from} ? -n : Promise.resolve(n + 1)`), 'promises'],
    ]
    for (const [fn, name] of others) {
      const expected = await Promise.all(some.map(fn))
      const actual = await executor.map(fn, some, { chunksize: 1000 })
      for (const [at, value] of expected.entries())
        if (typeof value !== 'object') assert.is(Object.is(actual[at], value), true, `${name} from ${from}, at ${at}`)
        else assert.equal(actual[at], value)
    }
  }
})

test('an async function maps numbers', async () => {
  const later = async (n: number) => {
    if (n % 500 === 0) await new Promise((resolve) => setTimeout(resolve, 1))
    return -n
  }
  assertSame(await executor.map(later, some, { chunksize: 1000 }), some.map((n) => -n)) // prettier-ignore
})

test('an item that throws fails in its place, with the results before it', async () => {
  const fail = (n: number) => {
    if (n === 1700) throw new RangeError(`at ${n}`)
    return -n
  }
  const seen: number[] = []
  const error = await thrownBy(async () => {
    for await (const value of executor.map(fail, some, { chunksize: 1000 })) seen.push(value)
  })
  assert.instance(error, RangeError)
  assert.match(error.stack, 'fail (sent by source)')
  assertSame(seen, some.slice(0, 1700).map((n) => -n)) // prettier-ignore
  assert.is((await thrownBy(() => executor.map(fail, some, { chunksize: 1000 }))).message, 'at 1700')
  const settled = await executor.map(fail, some, { chunksize: 1000, settled: true })
  for (const [at, entry] of settled.entries())
    if (entry.status === 'fulfilled') assert.is(entry.value, 0 - at)
    else assert.is(at, 1700)
})

test('items that are no numbers, amid a list of numbers, are mapped as well, and each is read once', async () => {
  const kind = (value: unknown) => typeof value
  for (const at of [0, 1, 600, 2999]) {
    const list: unknown[] = [...some]
    list[at] = 'text'
    let reads = 0
    for (const n of [2, 700])
      Object.defineProperty(list, n, { get: () => ++reads, enumerable: true, configurable: true })
    Reflect.deleteProperty(list, 1200)
    const expected = some.map((n) => (n === at ? 'string' : n === 1200 ? 'undefined' : 'number'))
    assertSame(await executor.map(kind, list, { chunksize: 1500 }), expected, `text at ${at}`)
    assert.is(reads, 2)
  }
})

test('the results of a map that is read slowly are its own, whatever is mapped meanwhile', async () => {
  const pause = (count: number) => (count % 20_000 === 0 ? turn() : undefined)
  const [slow, ...others] = await Promise.all([
    taken(executor.map(twice, many), pause),
    executor.map((n: number) => n + 1, many),
    executor.map((n: number) => n - 1, Float64Array.from(many)),
    taken(
      executor.map((n: number) => n / 3, some),
      pause,
    ),
  ])
  assertSame(slow, many.map(twice), 'read slowly')
  assertSame(others[0], many.map((n) => n + 1), 'awaited') // prettier-ignore
  assertSame(others[1], many.map((n) => n - 1), 'of a Float64Array') // prettier-ignore
  assertSame(others[2], some.map((n) => n / 3)) // prettier-ignore
})

test('a map that is awaited after some results were taken, or while one is, gives the others', async () => {
  const results = executor.map(twice, many)
  const iterator = results[Symbol.asyncIterator]()
  for (let n = 0; n < 700; n++) assert.is((await iterator.next()).value, 2 * n)
  const pending = [iterator.next(), iterator.next()]
  const rest = await results
  assert.equal((await Promise.all(pending)).map(({ value }) => value), [1400, 1402]) // prettier-ignore
  assertSame(rest, many.slice(702).map(twice))
  assert.is((await iterator.next()).done, true)
})

test('while its thread blocks, leases of a map come and go, and no result is lost', async () => {
  const results = executor.map(twice, many, { chunksize: 1000, buffersize: 200_000 })
  new Event().waitSync(200)
  const pause = (count: number) => (count % 50_000 === 0 ? (new Event().waitSync(20), turn()) : undefined)
  assertSame(await taken(results, pause), many.map(twice))
  const all = executor.map(twice, many).then((list) => list)
  for (let round = 0; round < 5; round++) {
    new Event().waitSync(10)
    await turn()
  }
  assertSame(await all, many.map(twice))
})

test('a worker that dies amid a chunk of numbers fails the item that ran, and no other', async () => {
  const exitAt = (n: number) => {
    if (n === 1700) process.exit(3)
    return -n
  }
  const own = new ProcessPoolExecutor({ maxWorkers: 2 })
  const settled = await own.map(exitAt, some, { chunksize: 1000, settled: true })
  assert.is(settled.length, some.length)
  for (const [at, entry] of settled.entries())
    if (entry.status === 'fulfilled') assert.is(entry.value, 0 - at)
    else {
      assert.is(at, 1700)
      assert.instance(entry.reason, WorkerDiedError)
    }
  assertSame(await own.map(twice, many), many.map(twice))
  await own.shutdown()
})

test('a worker that retires amid its chunks leaves the rest to others', async () => {
  const own = new ProcessPoolExecutor({ maxWorkers: 1, maxTasksPerChild: 900 })
  assertSame(await own.map(twice, some, { chunksize: 800 }), some.map(twice))
  await own.shutdown()
})

test('a chunk tells which of its numbers runs', async () => {
  gate.close()
  const wait = (n: number) => {
    if (n === 600) {
      Atomics.add(words, 0, 1)
      Atomics.wait(words, 1, 0)
    }
    return n
  }
  const before = gate.count
  const results = executor.map(wait, some.slice(0, 1000), { chunksize: 1000 })
  await until(() => gate.count > before)
  const { running, queued } = executor.stats()
  gate.open()
  assertSame(await results, some.slice(0, 1000))
  assert.equal([running, queued], [1, 399])
})

test('a worker that goes on in its time of grace does not write into what other workers are sent', async () => {
  gate.close()
  const stubborn = (n: number) => {
    if (n === 3) {
      Atomics.add(words, 0, 1)
      Atomics.wait(words, 1, 0)
    }
    if (n === 999) Atomics.add(words, 0, 1)
    return -1
  }
  // Comes to the gate with its items in place, and goes on when the other has ended.
  const patient = (n: number) => {
    if (n === 0) {
      const before = Atomics.add(words, 0, 1) + 1
      while (Atomics.load(words, 0) === before) Atomics.wait(words, 0, before, 5)
    }
    return n
  }
  const first = gate.count
  const numbers = some.slice(0, 1000)
  const stopped = executor.with({ timeout: 100, grace: 60_000 }).map(stubborn, numbers, { chunksize: 1000 })
  await until(() => gate.count === first + 1)
  assert.instance(await thrownBy(() => stopped), TimeoutError)
  const results = executor.map(patient, numbers, { chunksize: 1000 }).then((list) => list)
  await until(() => gate.count === first + 2)
  gate.open()
  assertSame(await results, numbers)
})

test('each number of a chunk begins with the same async context', async () => {
  const own = new ProcessPoolExecutor({ maxWorkers: 1, initializer: makeStore })
  const enter = (n: number) => {
    const entered = store.getStore()
    if (n % 3 === 0) store.enterWith(n)
    return entered === undefined ? n : NaN
  }
  assertSame(await own.map(enter, some, { chunksize: 1000 }), some)
  await own.shutdown()
})

async function makeStore(): Promise<void> {
  const { AsyncLocalStorage } = await import('node:async_hooks')
  Object.assign(globalThis, { store: new AsyncLocalStorage() })
}

test('many functions map numbers, each by itself', async () => {
  const functions = Array.from({ length: 40 }, (_, k) => compiled(`n * ${k}`) as (n: number) => number)
  const maps = await Promise.all(functions.map((fn) => executor.map(fn, some, { chunksize: 1000 })))
  for (const [k, results] of maps.entries()) assertSame(results, some.map((n) => n * k), `times ${k}`) // prettier-ignore
})

test('inputs that tell a wrong length, or change it, are mapped as they are', async () => {
  const lying = (length: number) => Object.assign(new Set(some), { length })
  for (const length of [0, 1, 5000, -1, 0.5, NaN, Infinity, 2 ** 40])
    assertSame(await executor.map(twice, lying(length)), some.map(twice), `length ${length}`)
  const growing = [...some]
  const results = executor.map(twice, growing, { chunksize: 600, buffersize: 600 })
  growing.push(...some)
  assertSame(await results, growing.map(twice))
  const shrinking = [...some]
  const fewer = executor.map(twice, shrinking, { chunksize: 600, buffersize: 600 })
  shrinking.length = 1000
  assertSame(await fewer, shrinking.map(twice))
})

test('the executor ends', async () => {
  await executor.shutdown()
})

test.run()
