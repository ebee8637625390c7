import { ProcessPoolExecutor } from 'manyhands'
import { Readable } from 'node:stream'
import { assert, runProgram, suite, thrownBy, until } from '../harness.js'
import { Gate } from './gate.js'

const test = suite('map in chunks')
const executor = new ProcessPoolExecutor({ maxWorkers: 2 })
const identity = <T>(value: T) => value

test('map gives numbers back as they were, packed or among other values', async () => {
  const numbers = Array.from({ length: 5000 }, (_, n) => [n, -0, NaN, Infinity, 0.1, -n, 2 ** 53][n % 7]!)
  for (const options of [{}, { chunksize: 1000 }, { chunksize: 3 }]) {
    const same = await executor.map(identity<number>, numbers, options)
    assert.ok(same.every((n, i) => Object.is(n, numbers[i])) && same.length === 5000)
    const mixed = await executor.map(
      (n: number) => (n === 0.1 ? 'text' : n === 2 ** 53 ? undefined : n),
      numbers,
      options,
    )
    assert.ok(
      mixed.every((n, i) =>
        Object.is(n, numbers[i] === 0.1 ? 'text' : numbers[i] === 2 ** 53 ? undefined : numbers[i]),
      ),
    )
  }
  const others = numbers.map((n, i) => (i === 4000 ? `${n}` : n))
  assert.equal((await executor.map(identity<unknown>, others))[4000], others[4000])
})

test('map takes typed arrays, and several iterables of numbers', async () => {
  const length = 3000
  for (const Typed of [Float64Array, Float32Array, Int8Array, Uint32Array, BigInt64Array]) {
    const typed = new Typed(length)
    typed[7] = (Typed === BigInt64Array ? 9n : 9) as never
    const back = await executor.map(identity<unknown>, typed as Iterable<unknown>)
    assert.equal([back.length, back[7], back[8]], [length, typed[7], typed[8]])
  }
  const shared = new Int32Array(new SharedArrayBuffer(4 * length)).map((_, i) => i)
  assert.equal(await executor.map(identity<number>, shared), [...shared])
  const counts = Array.from({ length }, (_, i) => i)
  assert.equal(
    await executor.map((a: number, b: number) => a * b, counts, shared),
    counts.map((n) => n * n),
  )
})

test('map sends many short items at a time, and few slow ones', async () => {
  const own = new ProcessPoolExecutor({ maxWorkers: 2 })
  let chunks = 0
  const onProgress = () => void chunks++
  await own.map(
    identity<number>,
    Array.from({ length: 50_000 }, (_, n) => n),
    { onProgress },
  )
  assert.ok(chunks < 5000, `${chunks} chunks of 50,000 short items`)
  chunks = 0
  const slow = (n: number) => new Promise<number>((resolve) => setTimeout(resolve, 4, n))
  await own.map(
    slow,
    Array.from({ length: 30 }, (_, n) => n),
    { onProgress },
  )
  assert.ok(chunks >= 20, `${chunks} chunks of 30 slow items`)
  await own.shutdown()
})

test('an item of a chunk that cannot be sent, or whose result cannot, fails alone', async () => {
  await executor.map(
    identity<unknown>,
    Array.from({ length: 3000 }, (_, n) => `${n}`),
  )
  const items = Array.from({ length: 600 }, (_, n) => (n === 333 ? { fn: () => {} } : n % 2 ? `${n}` : n))
  for (const options of [{}, { chunksize: 100 }]) {
    const seen: unknown[] = []
    const error = await thrownBy(async () => {
      for await (const item of executor.map(identity<unknown>, items, options)) seen.push(item)
    })
    assert.is(error.code, 'ERR_MANYHANDS_DATA_CLONE')
    assert.equal(seen, items.slice(0, 333))
    const settled = await executor.map(identity<unknown>, items, { ...options, settled: true })
    assert.equal(settled.map(({ status }, i) => status === 'rejected' && i).filter(Boolean), [333]) // prettier-ignore
  }
})

test('map sends what a slow input gave, without waiting for a full chunk', async () => {
  const gate = new Gate()
  let open!: () => void
  const opened = new Promise<void>((resolve) => (open = resolve))
  async function* input() {
    for (let n = 0; n < 3000; n++) yield n
    await opened
    yield 3000
  }
  let seen = 0
  for await (const n of executor.map(identity<number>, input())) {
    assert.is(n, seen++)
    if (seen === 3000) open()
  }
  assert.is(seen, 3001)
  assert.is(gate.count, 0)
})

test('map streams from and to any readable stream', async () => {
  const lines = Array.from({ length: 2000 }, (_, n) => `line ${n}`)
  const source = new ReadableStream<string>({
    pull(controller) {
      const line = lines.shift()
      if (line === undefined) controller.close()
      else controller.enqueue(line)
    },
  })
  const lengths = Readable.from(executor.map((line: string) => line.length, source as AsyncIterable<string>))
  let sum = 0
  for await (const length of lengths) sum += length as number
  assert.is(sum, 2000 * 5 + 10 + 90 * 2 + 900 * 3 + 1000 * 4)
})

test('map over an endless input takes constant memory', async () => {
  const { code, stdout, stderr } = await runProgram(
    `
    import { ProcessPoolExecutor } from 'manyhands'
    const executor = new ProcessPoolExecutor({ maxWorkers: 2 })
    function* endless() { for (let n = 0; ; n++) yield { n, text: 'x'.repeat(100) } }
    let [taken, before] = [0, 0]
    const heap = () => { gc(); return process.memoryUsage().heapUsed / 2 ** 20 }
    for await (const n of executor.map(({ n }) => n, endless())) {
      if (n !== taken++) throw new Error('out of order')
      if (taken === 20_000) before = heap()
      if (taken === 120_000) break
    }
    console.log(heap() - before < 5)
    await executor.shutdown()
  `,
    ['--expose-gc'],
  )
  assert.equal([code, stdout, stderr], [0, 'true\n', ''])
})

test('concurrent calls of next of a map get their results in turn, and its end', async () => {
  const iterator = executor.map(identity<number>, [1, 2, 3])[Symbol.asyncIterator]()
  const steps = await Promise.all(Array.from({ length: 5 }, () => iterator.next()))
  assert.equal(steps.map(({ value }) => value), [1, 2, 3, undefined, undefined]) // prettier-ignore
  assert.equal(steps.map(({ done }) => done), [false, false, false, true, true]) // prettier-ignore
})

test('the executors of these specs shut down', async () => {
  await until(() => executor.stats().queued === 0)
  await executor.shutdown()
})

test.run()
