// How much of its input a map reads ahead where items, or results, are large.
import { Pool, ProcessPoolExecutor, type MapOptions } from 'manyhands'
import { assert, runProgram, suite, until } from '../harness.js'
import { Gate } from './gate.js'

const test = suite('map bytes')
const workers = 2
const executor = new ProcessPoolExecutor({ maxWorkers: workers })

const KB64 = 2 ** 16

/** Two chunks per worker, each of a megabyte and its first item; and one that was read and did not fit. */
const MOST = 2 * workers * (2 ** 20 / KB64 + 1) + 1

/** Inputs that know how many items were read, and how many at most that were not done. */
class Counted<T> {
  read = 0
  done = 0
  peak = 0
  readonly #count: number
  readonly #item: (n: number) => T

  constructor(count: number, item: (n: number) => T) {
    this.#count = count
    this.#item = item
  }

  *sync(): Generator<T> {
    while (this.read < this.#count) {
      const n = this.read++
      this.peak = Math.max(this.peak, this.read - this.done)
      yield this.#item(n)
    }
  }

  async *async(): AsyncGenerator<T> {
    yield* this.sync()
  }

  /** Knows its length, and so may begin with large chunks. */
  sized(): Iterable<T> {
    return Object.assign({ [Symbol.iterator]: () => this.sync() }, { length: this.#count })
  }
}

function lengthBehindGate(words: Int32Array, text: string): number {
  Atomics.add(words, 0, 1)
  Atomics.wait(words, 1, 0)
  return text.length
}

/** Take all results, and rest in between until no worker has anything to do. */
async function consume(results: AsyncIterable<unknown>, counted: { done: number }, restAt: number): Promise<void> {
  for await (const _ of results) {
    counted.done++
    if (counted.done !== restAt) continue
    const isIdle = ({ running, queued } = executor.stats()) => running + queued === 0
    await until(isIdle)
    await new Promise((resolve) => setTimeout(resolve, 20)) // What came last is settled, and would be followed.
    await until(isIdle)
  }
}

const numbers = (n: number) => Array.from({ length: KB64 / 8 }, () => n)
const items: Record<string, (n: number) => unknown> = {
  buffers: () => Buffer.alloc(KB64),
  'array buffers': () => new ArrayBuffer(KB64),
  strings: (n) => String(n).padEnd(KB64),
  'objects with a buffer': (n) => ({ n, deep: { data: new Uint8Array(KB64) } }),
  'lists of numbers': numbers,
  'lists of objects': (n) =>
    Array.from({ length: KB64 / 64 }, () => ({ name: 'a name of some length', value: n, at: n })),
  Maps: (n) => new Map([['key', Buffer.alloc(KB64, n)]]),
  Sets: (n) => new Set([Buffer.alloc(KB64, n)]),
}

for (const [name, item] of Object.entries(items)) {
  test(`map reads a few megabytes ahead of its consumer where items are ${name} of 64 KB`, async () => {
    for (const kind of ['sync', 'async'] as const) {
      const counted = new Counted(400, item)
      await consume(
        executor.map((value: unknown) => [value].length, counted[kind]()),
        counted,
        200,
      )
      assert.is(counted.done, 400)
      assert.ok(counted.peak <= MOST, `${counted.peak} items were in flight, ${kind}`)
    }
  })
}

test('map reads as far ahead as results of 64 KB take a few megabytes, whatever its options', async () => {
  const variants: MapOptions[] = [{}, { ordered: false }, { settled: true }, { ordered: false, settled: true }]
  for (const options of variants) {
    const counted = new Counted(600, (n) => n)
    const results: AsyncIterable<unknown> = executor.map(() => Buffer.alloc(65536), counted.sync(), options)
    await consume(results, counted, 300)
    assert.ok(counted.peak <= MOST, `${counted.peak} items were in flight, ${JSON.stringify(options)}`)
  }
})

test('map reads as far ahead as errors of 64 KB take a few megabytes', async () => {
  const fail = (n: number) => {
    throw Object.assign(new Error('no'), { body: String(n).padEnd(65536) })
  }
  const counted = new Counted(600, (n) => n)
  await consume(executor.map(fail, counted.sync(), { settled: true }), counted, 300)
  assert.is(counted.done, 600)
  assert.ok(counted.peak <= MOST, `${counted.peak} items were in flight`)
})

test('the first chunks of a map are small, too, where results are large: after submits, and after a map', async () => {
  const make = (bytes: number) => Buffer.alloc(bytes)
  for (let n = 0; n < 50; n++) await executor.submit(make, 8)
  for (let round = 0; round < 2; round++) {
    const counted = new Counted(600, () => KB64)
    await consume(executor.map(make, counted.sized()), counted, 300)
    assert.ok(counted.peak <= MOST, `${counted.peak} items were in flight, map ${round}`)
  }
})

test('items that become large amid an input are counted as they are read', async () => {
  const firstLarge = 3000
  for (const item of [() => Buffer.alloc(KB64), () => 'x'.repeat(KB64)]) {
    let readBytes = 0
    const counted = new Counted(3400, (n) => {
      if (n < firstLarge) return n
      readBytes += KB64
      return item()
    })
    let peak = 0
    for await (const _ of executor.map((value: unknown) => typeof value, counted.sync())) {
      counted.done++
      peak = Math.max(peak, readBytes - Math.max(counted.done - firstLarge, 0) * KB64)
    }
    assert.ok(peak <= MOST * KB64, `${peak} bytes were in flight`)
  }
})

test('every item of a list is mapped, in order, where its chunks are cut short by their bytes', async () => {
  const list = Array.from({ length: 500 }, (_, n) => (n % 7 === 0 ? String(n).padEnd(2 ** (n % 18)) : n))
  const twice = [...list, ...list]
  const echo = (value: unknown) => value
  assert.equal(await executor.map(echo, twice), twice)
  assert.equal(await executor.map(echo, new Set(list)), list)
  async function* later() {
    yield* list
  }
  assert.equal(await executor.map(echo, later()), list)
  const pairs = await executor.map((a: unknown, b: unknown) => [a, b], list, later())
  assert.equal(
    pairs.flat(),
    list.flatMap((value) => [value, value]),
  )
})

test('an input that fails or ends after an item that did not fit gives that item first', async () => {
  const big = 'x'.repeat(2 ** 20)
  function* failing() {
    yield* [1, 2, 3, 4, 5, big, big, big]
    throw new RangeError('the input failed')
  }
  async function* failingLater() {
    yield* failing()
  }
  for (const input of [failing, failingLater]) {
    const lengths: number[] = []
    let thrown: unknown
    try {
      for await (const length of executor.map((value: unknown) => String(value).length, input())) lengths.push(length)
    } catch (error) {
      thrown = error
    }
    assert.instance(thrown, RangeError)
    assert.equal(lengths, [1, 1, 1, 1, 1, 2 ** 20, 2 ** 20, 2 ** 20])
  }
})

test('an object that is in every item is sent once for a chunk, and does not make chunks small', async () => {
  const table = Buffer.alloc(2 ** 22)
  const list = Array.from({ length: 2000 }, (_, n) => ({ n, table }))
  const inChunk = (item: { table: Uint8Array & { seen?: number } }) => (item.table.seen = (item.table.seen ?? 0) + 1)
  const seen = await executor.map(inChunk, list)
  assert.ok(Math.max(...seen) > 100, `a chunk had ${Math.max(...seen)} items at most`)
})

test("the caller's chunksize and buffersize are respected, whatever the bytes", async () => {
  const gate = new Gate()
  const mapped = (options: MapOptions) => {
    const counted = new Counted(200, () => 'x'.repeat(2 ** 20))
    const results = executor.map(
      lengthBehindGate,
      Array.from({ length: 200 }, () => gate.words),
      counted.sync(),
      options,
    )
    return { counted, iterator: results[Symbol.asyncIterator]() }
  }
  const reads: [number, number][] = []
  // Sync inputs are read at the call. A chunk per worker is read in any case.
  for (const [options, read] of [
    [{ chunksize: 20 }, workers * 20],
    [{ chunksize: 3 }, 4 * 3],
    [{ chunksize: 20, buffersize: 60 }, 60],
    [{ chunksize: 40, buffersize: 40 }, 40],
  ] as const) {
    const { counted, iterator } = mapped(options)
    reads.push([counted.read, read])
    await iterator.return!()
  }
  gate.open()
  for (const [read, wanted] of reads) assert.is(read, wanted)
})

test('one chunk for each worker is read, however large it is', async () => {
  const gate = new Gate()
  const counted = new Counted(8, () => 'x'.repeat(2 ** 25))
  const results = executor.map(
    lengthBehindGate,
    Array.from({ length: 8 }, () => gate.words),
    counted.sync(),
  )
  await gate.begun(workers)
  // One more was read, and waits for a chunk of its own.
  const { read } = counted
  gate.open()
  assert.ok(read <= workers + 1, `${read} were read`)
  assert.equal(
    await results,
    Array.from({ length: 8 }, () => 2 ** 25),
  )
})

test('maps of a Pool are bounded as well, and their rows', async () => {
  const done = new Int32Array(new SharedArrayBuffer(4))
  const note = (words: Int32Array, data: Uint8Array) => void Atomics.add(words, 0, Math.min(data.length, 1))
  await using pool = new Pool(workers)
  const rows = new Counted(400, () => [done, Buffer.alloc(KB64)] as [Int32Array, Buffer])
  let peak = 0
  function* watched() {
    for (const row of rows.sync()) {
      peak = Math.max(peak, rows.read - Atomics.load(done, 0))
      yield row
    }
  }
  await pool.starmap(note, watched())
  assert.is(done[0], 400)
  assert.ok(peak <= MOST, `${peak} rows were in flight`)
  const counted = new Counted(400, () => Buffer.alloc(KB64))
  for await (const _ of pool.imapUnordered((data: Uint8Array) => data, counted.sync())) counted.done++
  assert.ok(counted.peak <= MOST, `${counted.peak} items were in flight`)
})

test('a program that streams 250 MB through its workers and back keeps a few of them in memory', async () => {
  const { code, stdout, stderr } = await runProgram(`
    import { ProcessPoolExecutor } from 'manyhands'
    const executor = new ProcessPoolExecutor({ maxWorkers: 2 })
    let [taken, peak] = [0, 0]
    function* buffers() {
      for (let n = 0; n < 4000; n++) {
        peak = Math.max(peak, n + 1 - taken)
        yield Buffer.alloc(65536, n)
      }
    }
    await executor.map((data) => data, [Buffer.alloc(1)])
    const before = process.resourceUsage().maxRSS
    for await (const data of executor.map((data) => data, buffers())) {
      taken += data.length / 65536
      if (taken === 1500) await new Promise((resolve) => setTimeout(resolve, 300))
    }
    console.log(JSON.stringify({ taken, peak, mb: (process.resourceUsage().maxRSS - before) / 1024 }))
    await executor.shutdown()
  `)
  assert.is(code, 0, stderr)
  const { taken, peak, mb } = JSON.parse(stdout) as Record<'taken' | 'peak' | 'mb', number>
  assert.is(taken, 4000)
  assert.ok(peak <= MOST, `${peak} buffers were in flight`)
  // With garbage that was not collected yet. Four chunks of 512 items, and their results, take 400.
  assert.ok(mb < 300, `${mb} MB more than before`)
})

test('the executor ends', async () => {
  await executor.shutdown()
})

test.run()
