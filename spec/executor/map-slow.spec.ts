// A map whose first item takes long: who awaits all results has the rest mapped meanwhile, who takes them one by one keeps the bound.
import { ProcessPoolExecutor, type MapOptions } from 'manyhands'
import { assert, suite, until } from '../harness.js'
import { Gate } from './gate.js'

const test = suite('map with a slow item')
const ITEMS = 2000

/** Item 0 waits at the gate. The others are counted there. */
function behindGate(n: number, words: Int32Array): number {
  if (n === 0) Atomics.wait(words, 1, 0)
  else Atomics.add(words, 0, 1)
  return n
}

function* forever<T>(value: T): Generator<T> {
  for (;;) yield value
}

const numbers = (): number[] => Array.from({ length: ITEMS }, (_, n) => n)

const inputs: Record<string, () => Iterable<number> | AsyncIterable<number>> = {
  'a list': numbers,
  'an iterator': () => numbers().values(),
  'an async iterator': async function* () {
    yield* numbers()
  },
}

/** An executor that has measured nothing: its first chunks have one item. */
async function withExecutor(use: (executor: ProcessPoolExecutor) => Promise<void>): Promise<void> {
  const executor = new ProcessPoolExecutor({ maxWorkers: 2 })
  try {
    await use(executor)
  } finally {
    await executor.terminateWorkers()
  }
}

for (const [name, make] of Object.entries(inputs)) {
  test(`a map of ${name} that is awaited has every other chunk mapped while the first is not settled`, async () => {
    for (const options of [{}, { chunksize: 1 }, { ordered: false }, { chunksize: 1, ordered: false }]) {
      await withExecutor(async (executor) => {
        const gate = new Gate()
        const mapped = executor.map(behindGate, make(), forever(gate.words), options).then((results) => results)
        await gate.begun(ITEMS - 1)
        gate.open()
        const expected = numbers()
        if (options.ordered === false) expected.push(expected.shift()!)
        assert.equal(await mapped, expected, JSON.stringify(options))
      })
    }
  })
}

test('a map that is awaited after some of its results were taken goes on behind a slow item', async () => {
  await withExecutor(async (executor) => {
    const gate = new Gate()
    const items = [1, 2, ...numbers()]
    const results = executor.map(behindGate, items, forever(gate.words), { chunksize: 1 })
    const iterator = results[Symbol.asyncIterator]()
    assert.equal([await iterator.next(), await iterator.next()].map(({ value }) => value), [1, 2]) // prettier-ignore
    const rest = results.then((values) => values)
    await gate.begun(items.length - 1)
    gate.open()
    assert.equal(await rest, numbers())
  })
})

test('a map that is iterated reads no further than its bound past a slow item', async () => {
  const bounds: [options: MapOptions, most: number, firstChunk: number][] = [
    [{}, 4, 1],
    [{ chunksize: 3 }, 12, 3],
    [{ buffersize: 10 }, 10, 1],
  ]
  for (const [options, most, firstChunk] of bounds) {
    await withExecutor(async (executor) => {
      const gate = new Gate()
      let read = 0
      function* counted() {
        for (const n of numbers()) {
          read++
          yield n
        }
      }
      const results = executor.map(behindGate, counted(), forever(gate.words), options)
      const first = results[Symbol.asyncIterator]().next()
      await gate.begun(1)
      await until(() => executor.stats().queued + executor.stats().running === firstChunk)
      assert.ok(read <= most, `${read} were read, ${JSON.stringify(options)}`)
      gate.open()
      assert.equal(await first, { done: false, value: 0 })
      assert.equal(await results, numbers().slice(1))
    })
  }
})

test('a map that is awaited keeps the buffersize of its caller', async () => {
  await withExecutor(async (executor) => {
    const gate = new Gate()
    const results = executor.map(behindGate, numbers(), forever(gate.words), { buffersize: 10, chunksize: 1 })
    const mapped = results.then((values) => values)
    await gate.begun(9)
    await until(() => executor.stats().queued + executor.stats().running === 1)
    assert.is(gate.count, 9)
    gate.open()
    assert.equal(await mapped, numbers())
  })
})

test.run()
