// map with output: 'float64': what awaiting it gives, and what is refused.
import {
  DataCloneError,
  InlineExecutor,
  Pool,
  ProcessPoolExecutor,
  WorkerDiedError,
  type Executor,
  type MapOptions,
} from 'manyhands'
import { assert, suite, thrownBy } from '../harness.js'

const test = suite("map with output: 'float64'")
const executors: Executor[] = [new ProcessPoolExecutor({ maxWorkers: 2 }), new InlineExecutor()]

const float64 = { output: 'float64' } as const
const half = (n: number): number => n / 2

const countTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n)

async function* later(items: number[]): AsyncGenerator<number> {
  yield* items
}

function assertNumbers(actual: unknown, expected: Float64Array, what: string): void {
  assert.instance(actual, Float64Array, what)
  assert.instance((actual as Float64Array).buffer, ArrayBuffer, what)
  assert.is(Buffer.compare(bytesOf(actual as Float64Array), bytesOf(expected)), 0, what)
}

const bytesOf = (values: Float64Array) => new Uint8Array(values.buffer, values.byteOffset, values.byteLength)

for (const executor of executors) {
  const who = executor.constructor.name
  // Several slabs for each worker. Inline, each number is a chunk.
  const COUNT = executor instanceof InlineExecutor ? 3000 : 150_000
  const numbers = countTo(COUNT)
  const halves = Float64Array.from(numbers, half)

  test(`${who}: awaiting gives a Float64Array, whatever the input`, async () => {
    const inputs: [string, Iterable<number> | AsyncIterable<number>][] = [
      ['a Float64Array', Float64Array.from(numbers)],
      ['an Int32Array', Int32Array.from(numbers)],
      ['a list', numbers],
      ['a Set', new Set(numbers)],
      ['an iterator', numbers.values()],
    ]
    for (const [name, input] of inputs) assertNumbers(await executor.map(half, input, float64), halves, name)
    assertNumbers(
      await executor.map(half, later(numbers.slice(0, 3000)), float64),
      halves.subarray(0, 3000),
      'an async iterator',
    )
    assertNumbers(await executor.map(half, [], float64), new Float64Array(), 'nothing')
    const odd = [-0, NaN, 1e308, -Infinity]
    assertNumbers(await executor.map((n: number) => n, odd, float64), Float64Array.from(odd), 'odd numbers')
  })

  test(`${who}: other options do what they do of any map`, async () => {
    const variants: MapOptions[] = [{ chunksize: 700 }, { buffersize: 3000 }, { timeout: 60_000 }]
    for (const options of variants)
      assertNumbers(await executor.map(half, numbers, { ...options, ...float64 }), halves, JSON.stringify(options))
    const unordered = await executor.map(half, numbers, { ...float64, ordered: false })
    assertNumbers(unordered.toSorted(), halves, 'unordered')
    const sums = await executor.map((a: number, b: number) => a + b, numbers, numbers, float64)
    assertNumbers(sums, Float64Array.from(numbers, (n) => 2 * n), 'two inputs') // prettier-ignore
    const asynchronous = await executor.map(async (n: number) => n / 2, numbers.slice(0, 500), float64)
    assertNumbers(asynchronous, halves.subarray(0, 500), 'an async function')
  })

  test(`${who}: iterating gives numbers, and awaiting then the others`, async () => {
    const results = executor.map(half, numbers, float64)
    let count = 0
    for await (const value of executor.map(half, numbers, float64)) assert.is(value, count++ / 2)
    assert.is(count, COUNT)
    const iterator = results[Symbol.asyncIterator]()
    for (let n = 0; n < 10; n++) assert.is((await iterator.next()).value, n / 2)
    assertNumbers(await results, halves.subarray(10), 'the others')
  })

  test(`${who}: a result that is no number is an error that tells its item and itself, in its place`, async () => {
    const others: [unknown, string][] = [
      ['text', "'text'"],
      [undefined, 'undefined'],
      [null, 'null'],
      [10n, '10n'],
      [{ n: 1 }, '{ n: 1 }'],
    ]
    for (const at of [0, 3, 2500]) {
      for (const [other, shown] of others) {
        const fn = (n: number, item: number, value: unknown) => (n === item ? value : n) as number
        const same = <T>(value: T) => Array.from({ length: 3000 }, () => value)
        const mapped = () => executor.map(fn, numbers, same(at), same(other), float64)
        const error = await thrownBy(mapped)
        assert.instance(error, TypeError)
        assert.match(
          error.message,
          `the result of item ${at} is ${shown}, and with output: 'float64' it must be a number`,
        )
        assert.match(error.message, "'fn'")
        assert.match(error.stack, '--- submitted by ---')
        assert.match(error.stack, 'map-output.spec')
        let seen = 0
        const inLoop = await thrownBy(async () => {
          for await (const value of mapped()) assert.is(value, seen++)
        })
        assert.is(inLoop.message, error.message)
        assert.is(seen, at)
      }
    }
    // One that throws before it counts first.
    const fail = (n: number) => {
      if (n === 1) throw new RangeError('thrown')
      return (n > 1 ? 'text' : n) as number
    }
    assert.instance(await thrownBy(() => executor.map(fail, [0, 1, 2], { ...float64, chunksize: 3 })), RangeError)
    let failed = 0
    const onProgress = (progress: { failed: number }) => void (failed = progress.failed)
    await thrownBy(() => executor.map(() => 'text' as never, [1], { ...float64, onProgress }))
    assert.is(failed, 1)
  })

  test(`${who}: another output, and output beside settled, are refused at the call`, async () => {
    for (const bad of ['float32', '', null, 64, {}]) {
      const error = await thrownBy(() => executor.map(half, [1], { output: bad as never }))
      assert.instance(error, TypeError)
      assert.match(error.message, "output must be 'float64' or absent")
    }
    const both = await thrownBy(() => executor.map(half, [1], { ...float64, settled: true } as never))
    assert.instance(both, TypeError)
    assert.match(both.message, 'settled')
    assert.equal(await executor.map(half, [1], { output: undefined }), [0.5])
  })
}

test("a Pool's map gives an array, and refuses the option by its name", async () => {
  await using pool = new Pool(1)
  const error = await thrownBy(() => pool.map(half, [1], float64 as never))
  assert.instance(error, TypeError)
  assert.match(error.message, "'output'")
})

test('a worker that dies fails its item in its place', async () => {
  const exitAt = (n: number): number => {
    if (n === 5) process.exit(3)
    return n
  }
  const seen: number[] = []
  const error = await thrownBy(async () => {
    for await (const value of executors[0]!.map(exitAt, countTo(2000), { ...float64, chunksize: 1000 }))
      seen.push(value)
  })
  assert.instance(error, WorkerDiedError)
  assert.equal(seen, [0, 1, 2, 3, 4])
})

test('a result that cannot be cloned is that error', async () => {
  const unsendable = (n: number) => (n === 1 ? () => {} : n) as number
  const error = await thrownBy(() => executors[0]!.map(unsendable, [0, 1, 2], { ...float64, chunksize: 3 }))
  assert.instance(error, DataCloneError)
})

test('the executors end', async () => {
  for (const executor of executors) await executor.shutdown()
})

test.run()
