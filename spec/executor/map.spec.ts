import { Readable } from 'node:stream'
import { CancelledError, DataCloneError, ProcessPoolExecutor, TimeoutError } from 'manyhands'
import type { MapProgress } from 'manyhands'
import { assert, runProgram, suite, thrownBy, until } from '../harness.js'
import { Gate, passGate } from './gate.js'

const test = suite('map')
const executor = new ProcessPoolExecutor({ maxWorkers: 2 })
const double = (n: number) => n * 2

async function* slowly<T>(items: Iterable<T>): AsyncGenerator<T> {
  for (const item of items) {
    await new Promise((resolve) => setTimeout(resolve, 2))
    yield item
  }
}

/** 0, 1, 2, … for ever, with a record of what was read and whether it was closed. */
class Numbers {
  read = 0
  closed = false;
  *endless(): Generator<number> {
    try {
      for (;;) yield this.read++
    } finally {
      this.closed = true
    }
  }
  async *endlessly(): AsyncGenerator<number> {
    try {
      for (;;) yield this.read++
    } finally {
      this.closed = true
    }
  }
}

async function take<T>(results: AsyncIterable<T>, count: number): Promise<T[]> {
  const taken: T[] = []
  for await (const result of results) {
    taken.push(result)
    if (taken.length === count) break
  }
  return taken
}

test('map gives an array when awaited, and a stream when iterated', async () => {
  assert.equal(await executor.map(double, [1, 2, 3]), [2, 4, 6])
  assert.equal(await take(executor.map(double, [1, 2, 3]), Infinity), [2, 4, 6])
  const mapped = executor.map(double, [1, 2, 3])
  assert.equal(
    [await mapped, await mapped],
    [
      [2, 4, 6],
      [2, 4, 6],
    ],
  )
  assert.equal(await executor.map(double, []), [])
})

test('map keeps the order of the input, whichever result comes first', async () => {
  const [gate, other] = [new Gate(), new Gate()]
  const first = executor.map((words: Int32Array, i: number, n: number) => {
    Atomics.add(words, 0, 1)
    if (i === 0) Atomics.wait(words, 1, 0)
    return n
  }, Array.from({ length: 4 }, () => gate.words), [0, 1, 2, 3], [10, 11, 12, 13]) // prettier-ignore
  await gate.begun(4)
  gate.open()
  assert.equal(await first, [10, 11, 12, 13])
  assert.is(other.count, 0)
})

test('map with ordered: false gives results as they come', async () => {
  const gate = new Gate()
  const target = (words: Int32Array, n: number) => {
    if (n === 0) Atomics.wait(words, 1, 0)
    return n
  }
  const inputs = Array.from({ length: 4 }, () => gate.words)
  const seen: number[] = []
  for await (const n of executor.map(target, inputs, [0, 1, 2, 3], { ordered: false })) {
    seen.push(n)
    if (seen.length === 3) gate.open()
  }
  assert.equal(seen, [1, 2, 3, 0])
})

test('map reads several iterables of any kind in step, until the shortest ends', async () => {
  const add = (a: number, b: number, c: number) => a + b + c
  const numbers = new Numbers()
  assert.equal(await executor.map(add, [1, 2], new Set([10, 20, 30]), numbers.endless()), [11, 23])
  assert.is(numbers.closed, true)
  // The inputs after the first that has ended are not stepped.
  assert.is(numbers.read, 2)
  const asynchronous = new Numbers()
  assert.equal(await executor.map(add, asynchronous.endlessly(), slowly([10, 20]), [100, 200, 300]), [110, 221])
  assert.is(asynchronous.closed, true)
  assert.equal(await executor.map((s: string, n: number) => s.repeat(n), 'abc', [1, 2, 3]), ['a', 'bb', 'ccc'])
})

test('map takes a last argument that is not iterable as its options', async () => {
  assert.equal(await executor.map(double, [1, 2], { chunksize: 2 }), [2, 4])
  assert.equal(await executor.map((a: number, b: number) => a + b, [1, 2], [3, 4], { chunksize: 2 }), [4, 6])
  assert.equal(await executor.map(double, [1, 2], undefined), [2, 4])
  assert.equal(await executor.map(double, [1, 2], {}), [2, 4])
  for (const bad of [[], [{}], [undefined], [5], [[1], 5], [[1], null], [[1], 5, [1]], [[1], {}, [1]]])
    assert.instance(await thrownBy(() => executor.map(double, ...(bad as [number[]]))), TypeError, JSON.stringify(bad))
})

test('map refuses bad and unknown options at the call', async () => {
  for (const name of ['chunksize', 'buffersize']) {
    for (const bad of [0, -1, 1.5, NaN, Infinity])
      assert.instance(await thrownBy(() => executor.map(double, [1], { [name]: bad })), RangeError)
    for (const bad of ['2', null, {}])
      assert.instance(await thrownBy(() => executor.map(double, [1], { [name]: bad })), TypeError)
  }
  assert.instance(await thrownBy(() => executor.map(double, [1], { timeout: NaN })), RangeError)
  for (const name of ['ordered', 'settled'])
    assert.match((await thrownBy(() => executor.map(double, [1], { [name]: 'no' }))).message, `${name} must be true`)
  for (const bad of [{ timeout: '5' }, { signal: {} }, { onProgress: 5 }, { ordered: 0 }, { settled: null }])
    assert.instance(await thrownBy(() => executor.map(double, [1], bad as never)), TypeError)
  assert.instance(await thrownBy(() => executor.map('double' as never, [1])), TypeError)
  const unknown = await thrownBy(() => executor.map(double, [1], { chunkSize: 5 } as never))
  assert.instance(unknown, TypeError)
  assert.match(unknown.message, "'chunkSize'")
})

test('map begins at the call, and reads at most buffersize items ahead of the consumer', async () => {
  for (const make of ['endless', 'endlessly'] as const) {
    for (const [chunksize, atOnce] of [
      [1, 5],
      [2, 4],
      [9, 5],
    ] as const) {
      const numbers = new Numbers()
      const results = executor.map(double, numbers[make](), { buffersize: 5, chunksize })[Symbol.asyncIterator]()
      await until(() => numbers.read >= atOnce)
      for (let taken = 0; taken <= 20; taken++) {
        assert.ok(numbers.read <= taken + 5, `${numbers.read} were read when ${taken} had been taken`)
        assert.is((await results.next()).value, taken * 2)
        await new Promise((resolve) => setImmediate(resolve))
      }
      await results.return!()
      assert.is(numbers.closed, true)
    }
  }
})

test('map without buffersize reads only as much as keeps the workers busy', async () => {
  const numbers = new Numbers()
  const results = executor.map(double, numbers.endless())
  assert.ok(numbers.read >= 2 && numbers.read <= 8, `${numbers.read} were read at the call`)
  const chunked = new Numbers()
  assert.equal(await take(executor.map(double, chunked.endless(), { chunksize: 50 }), 500), Array.from({ length: 500 }, (_, n) => n * 2)) // prettier-ignore
  assert.ok(chunked.read >= 500 && chunked.read <= 900, `${chunked.read} were read`)
  assert.equal(await take(results, 3), [0, 2, 4])
  assert.is(numbers.closed, true)
})

test('map sends chunks of chunksize to the end', async () => {
  const own = new ProcessPoolExecutor({ maxWorkers: 2 })
  const input = Array.from({ length: 1005 }, (_, n) => n)
  let chunks = 0
  const onProgress = () => void chunks++
  assert.equal(await own.map(double, input, { chunksize: 100, onProgress }), input.map(double))
  assert.is(chunks, 11)
  assert.equal(await own.map(double, input, { chunksize: 100, buffersize: 10, onProgress }), input.map(double))
  assert.is(chunks, 11 + 101)
  await own.shutdown()
})

test('map loses nothing of a last chunk that comes late', async () => {
  async function* input() {
    yield* [1, 2]
    await new Promise((resolve) => setTimeout(resolve, 20))
    yield 3
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  assert.equal(await executor.map(double, input(), { chunksize: 2 }), [2, 4, 6])
})

test('map ends with an error in its place, and cancels what has not begun', async () => {
  const runs = new Int32Array(new SharedArrayBuffer(4 * 100))
  const failAt3 = (runs: Int32Array, n: number) => {
    Atomics.add(runs, n, 1)
    if (n === 3) throw new RangeError(`at ${n}`)
    return n
  }
  const numbers = new Numbers()
  const everyRuns = (function* () {
    for (;;) yield runs
  })()
  const seen: unknown[] = []
  const single = new ProcessPoolExecutor({ maxWorkers: 1 })
  const results = single.map(failAt3, everyRuns, numbers.endless(), { buffersize: 50 })
  const error = await thrownBy(async () => {
    for await (const n of results) seen.push(n)
  })
  assert.instance(error, RangeError)
  assert.is(error.message, 'at 3')
  assert.equal(seen, [0, 1, 2])
  assert.is(numbers.closed, true)
  await single.shutdown()
  const begun = [...runs].reduce((sum, n) => sum + n)
  // The next chunk may have been sent when the error came.
  assert.ok(begun === 4 || begun === 5, `${begun} were run`)
  assert.is(
    await results[Symbol.asyncIterator]()
      .next()
      .then(({ done }) => done),
    true,
  )
})

test('map fails with a thrown undefined', async () => {
  const future = executor.map(() => {
    throw undefined
  }, [1])
  assert.is(await thrownBy(() => future), undefined)
})

test('map fails an item or a result that cannot be cloned, alone and in its place', async () => {
  const target = (n: number) => (n === 2 ? { fn: () => {} } : { n })
  for (const chunksize of [1, 4]) {
    const seen: unknown[] = []
    const error = await thrownBy(async () => {
      for await (const result of executor.map(target, [0, 1, 2, 3], { chunksize })) seen.push(result)
    })
    assert.instance(error, DataCloneError)
    assert.is(error.path, 'result.fn')
    assert.equal(seen, [{ n: 0 }, { n: 1 }])
    const settled = await executor.map(target, [0, 1, 2, 3], { chunksize, settled: true })
    assert.equal(settled.map(({ status }) => status), ['fulfilled', 'fulfilled', 'rejected', 'fulfilled']) // prettier-ignore
  }
  const argument = await thrownBy(() => executor.map((x: unknown) => x, [1, () => {}]))
  assert.instance(argument, DataCloneError)
})

test('map with settled: true gives every result or error in order, and goes on after errors', async () => {
  const odd = (n: number) => {
    if (n % 2) throw new RangeError(`${n} is odd`)
    return n
  }
  for (const chunksize of [1, 2, 5]) {
    const results = await executor.map(odd, [0, 1, 2, 3], { settled: true, chunksize })
    assert.is(results.length, 4)
    assert.equal([results[0], results[2]], [{ status: 'fulfilled', value: 0 }, { status: 'fulfilled', value: 2 }]) // prettier-ignore
    for (const n of [1, 3]) {
      const result = results[n] as PromiseRejectedResult
      assert.is(result.status, 'rejected')
      assert.instance(result.reason, RangeError)
      assert.is(result.reason.message, `${n} is odd`)
    }
  }
})

test('leaving the loop of a map early closes its input and cancels what has not begun', async () => {
  const single = new ProcessPoolExecutor({ maxWorkers: 1 })
  for (const make of ['endless', 'endlessly'] as const) {
    const numbers = new Numbers()
    const gate = new Gate()
    const words = (function* () {
      for (;;) yield gate.words
    })()
    const target = (words: Int32Array, n: number) => {
      Atomics.add(words, 0, 1)
      if (n === 3) Atomics.wait(words, 1, 0)
      return n
    }
    const { cancelled } = single.stats()
    const results = single.map(target, words, numbers[make](), { buffersize: 20 })
    assert.equal(await take(results, 2), [0, 1])
    assert.is(numbers.closed, true)
    const { read } = numbers
    gate.open()
    assert.is(await single.submit(() => 'next'), 'next')
    assert.is(numbers.read, read)
    assert.equal([single.stats().queued, single.stats().running], [0, 0])
    // Four may have begun: the fourth waits at the gate.
    assert.ok(gate.count <= 4, `${gate.count} were run`)
    // An item that was read when the loop was left may not have been submitted.
    if (make === 'endless') assert.is(single.stats().cancelled - cancelled, read - gate.count)
  }
  await single.shutdown()
})

test('leaving a map before its first result closes its input', async () => {
  const numbers = new Numbers()
  await executor.map(double, numbers.endless())[Symbol.asyncIterator]().return!()
  assert.is(numbers.closed, true)
})

test('map gives what its input throws in its place', async () => {
  function* input() {
    yield 1
    yield 2
    throw new RangeError('of the input')
  }
  async function* asyncInput() {
    yield* input()
  }
  for (const make of [input, asyncInput]) {
    for (const options of [{}, { chunksize: 5 }, { ordered: false }, { settled: true as boolean }]) {
      const seen: unknown[] = []
      const error = await thrownBy(async () => {
        for await (const n of executor.map(double, make(), options)) seen.push(n)
      })
      assert.instance(error, RangeError)
      assert.is(error.message, 'of the input')
      assert.is(seen.length, 2)
    }
  }
})

test('map gives what reading an array throws in its place', async () => {
  const fail = (): never => {
    throw new RangeError('by the accessor')
  }
  const withAccessor = (count: number, at: number) =>
    Object.defineProperty(Array<number>(count).fill(1), at, { get: fail })
  const get = (list: number[], key: string) => (key === '2' ? fail() : Reflect.get(list, key))
  const lists = [withAccessor(3, 2), withAccessor(3000, 2), new Proxy([1, 1, 1, 1], { get })]
  for (const list of lists) {
    const seen: unknown[] = []
    const error = await thrownBy(async () => {
      for await (const n of executor.map(double, list)) seen.push(n)
    })
    assert.is(error.message, 'by the accessor')
    assert.equal(seen, [2, 2])
  }
  const late = withAccessor(40_000, 30_000)
  const seen = await take(executor.map(double, late), 30_000)
  assert.is(seen.length, 30_000)
  assert.is((await thrownBy(() => executor.map(double, late))).message, 'by the accessor')
})

test('map reads an instance of a subclass of an array by its iterator, and makes none', async () => {
  class Point extends Float32Array {
    constructor(x: number, y: number) {
      super([x, y])
    }
  }
  class Odd extends Float64Array {
    static get [Symbol.species]() {
      return Uint8Array
    }
  }
  class Sliced extends Array<number> {
    override slice(): number[] {
      return []
    }
  }
  assert.equal(await executor.map(double, new Point(1, 2)), [2, 4])
  assert.equal(await executor.map(double, Odd.of(0.5, -1)), [1, -2])
  assert.equal(await executor.map(double, Sliced.of(1, 2)), [2, 4])
  assert.equal(await executor.map(double, Buffer.of(1, 2)), [2, 4])
})

test('a map whose array is moved away fails, and its executor can be shut down', async () => {
  const own = new ProcessPoolExecutor({ maxWorkers: 1 })
  for (const count of [10, 200_000]) {
    const list = new Float64Array(count).fill(1)
    const mapped = own.map(double, list, { chunksize: 5, buffersize: 5 })
    structuredClone(list.buffer, { transfer: [list.buffer] })
    assert.instance(await thrownBy(() => mapped), TypeError)
    assert.instance(await thrownBy(() => own.map(double, list)), TypeError)
  }
  await own.shutdown()
})

test('map times out, closes its input and cancels what has not begun', async () => {
  const gate = new Gate()
  const numbers = new Numbers()
  const target = (words: Int32Array, n: number) => {
    if (n === 1) Atomics.wait(words, 1, 0)
    return n
  }
  const seen: number[] = []
  const words = (function* () {
    for (;;) yield gate.words
  })()
  const error = await thrownBy(async () => {
    for await (const n of executor.map(target, words, numbers.endless(), { timeout: 300 })) seen.push(n)
  })
  assert.instance(error, TimeoutError)
  assert.match(error.message, '300 ms')
  assert.ok(seen.length <= 1)
  assert.is(numbers.closed, true)
  gate.open()
  assert.equal(await executor.map(double, [1], { timeout: 60_000 }), [2])
})

test('the timeout of map counts from the call, and not from each step', async () => {
  const gate = new Gate()
  const sleep = (ms: number) => new Promise<string>((resolve) => setTimeout(() => resolve(`after ${ms} ms`), ms))
  const results = executor.map(passGate<number>, [gate.words], [1], { timeout: 100 })[Symbol.asyncIterator]()
  await gate.begun()
  await sleep(101)
  const step = thrownBy(() => results.next()).then(String)
  // A step with a time limit of its own would end after this sleep.
  const first = await Promise.race([step, sleep(90)])
  const all = await thrownBy(() => executor.map(passGate<number>, [gate.words], [1], { timeout: 20 }))
  gate.open()
  assert.match(first, 'ms after map was called')
  assert.instance(all, TimeoutError)
})

test("an error of map shows the worker's stack, and then the stack of map's caller", async () => {
  const failInWorker = () => {
    throw new RangeError('no')
  }
  const mapHere = () => executor.map(failInWorker, [1])
  const { stack } = await thrownBy(mapHere)
  const [worker, caller] = [stack.indexOf('failInWorker (sent by source)'), stack.indexOf('at mapHere')]
  assert.ok(worker > 0 && caller > worker, stack)
})

test("map ends with its signal's reason, closes its input and cancels what has not begun", async () => {
  const controller = new AbortController()
  const gate = new Gate()
  const numbers = new Numbers()
  const words = (function* () {
    for (;;) yield gate.words
  })()
  const { cancelled } = executor.stats()
  const results = executor.map(passGate<number>, words, numbers.endless(), { signal: controller.signal, buffersize: 9 })
  const error = thrownBy(() => results)
  await gate.begun(2)
  controller.abort('enough')
  assert.is(await error, 'enough')
  assert.is(numbers.closed, true)
  assert.is(executor.stats().cancelled - cancelled, 7)
  gate.open()
  const aborted = new Numbers()
  const never = executor.map(double, aborted.endless(), { signal: AbortSignal.abort('before') })
  assert.is(await thrownBy(() => never), 'before')
  assert.equal([aborted.read, aborted.closed], [0, false])
})

test('map reports its progress', async () => {
  const told: MapProgress[] = []
  const onProgress = (progress: MapProgress) => void told.push(progress)
  await executor.map(double, [1, 2, 3, 4, 5], { chunksize: 2, onProgress })
  assert.equal(told.map(({ total, failed }) => [total, failed]), [[5, 0], [5, 0], [5, 0]]) // prettier-ignore
  assert.is(told.at(-1)!.done, 5)
  told.length = 0
  const odd = (n: number) => {
    if (n % 2) throw n
    return n
  }
  await executor.map(odd, new Set([0, 1, 2, 3]), { settled: true, onProgress })
  assert.equal(told.at(-1), { done: 4, total: 4, failed: 2 })
  assert.equal(
    told.map(({ done }) => done),
    [1, 2, 3, 4],
  )
  told.length = 0
  await executor.map(double, slowly([1, 2]), { onProgress })
  assert.equal(told.at(-1), { done: 2, total: undefined, failed: 0 })
  told.length = 0
  // Items after an error in the same chunk do not count.
  const mixed = (n: number) => (n === 1 ? () => {} : n)
  await thrownBy(() => executor.map(mixed, [0, 1, 2, 3], { chunksize: 4, onProgress }))
  assert.equal(told, [{ done: 2, total: 4, failed: 1 }])
})

test('map prints what onProgress throws, and goes on', async () => {
  const { code, stdout, stderr } = await runProgram(`
    import { ProcessPoolExecutor } from 'manyhands'
    const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
    const onProgress = () => { throw new RangeError('of onProgress') }
    console.log(await executor.map((n) => n * 2, [1, 2], { onProgress }))
    await executor.shutdown()
  `)
  assert.equal([code, stdout], [0, '[ 2, 4 ]\n'])
  assert.is(stderr.match(/RangeError: of onProgress/g)?.length, 2)
})

test('map reads from streams, and can be read as one', async () => {
  const input = Readable.from(['a', 'b', 'c'])
  const upper = Readable.from(executor.map((s: string) => s.toUpperCase(), input))
  assert.equal(await upper.toArray(), ['A', 'B', 'C'])
  const endless = new Numbers()
  const stream = Readable.from(executor.map(double, endless.endless()))
  const closed = new Promise((resolve) => stream.once('close', resolve))
  for await (const n of stream) if (n === 10) break
  await closed
  await until(() => endless.closed)
})

test('map has read as far as its buffer goes before a shutdown right after the call', async () => {
  const ending = new ProcessPoolExecutor({ maxWorkers: 1 })
  const results = ending.map(double, [1, 2, 3, 4, 5], { buffersize: 5 })
  const ended = ending.shutdown()
  assert.equal(await results, [2, 4, 6, 8, 10])
  await ended
})

test('a shutdown with cancelFutures cancels what waits of a map', async () => {
  const ending = new ProcessPoolExecutor({ maxWorkers: 1 })
  const gate = new Gate()
  const results = ending.map(passGate<number>, [gate.words, gate.words], [1, 2])
  await gate.begun()
  const ended = ending.shutdown({ cancelFutures: true })
  gate.open()
  const iterator = results[Symbol.asyncIterator]()
  assert.is((await iterator.next()).value, 1)
  assert.instance(await thrownBy(() => iterator.next()), CancelledError)
  await ended
})

test('the executors of these specs shut down', async () => {
  await until(() => executor.stats().queued === 0)
  await executor.shutdown()
})

test.run()
