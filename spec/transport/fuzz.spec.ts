// Generated values through the codec, a Queue and a Pipe, compared with what structuredClone gives.
import { anything, assert, property } from 'fast-check'
import { Pipe, Process, ProcessPoolExecutor, Queue, type Connection } from 'manyhands'
import { suite } from '../harness.js'
import { assertSame } from './same.js'
import { throughCodec } from './through-codec.js'
import { randomFrom, Values } from './values.js'

const test = suite('generated values')

const COUNT = 12_000
const seed = Date.now() % 2 ** 31
console.log(`\n# seed ${seed}`)

test('generated values come back from the codec as from structuredClone', () => {
  const values = new Values(randomFrom(seed))
  for (let n = 0; n < COUNT; n++) {
    const value = values.next()
    try {
      assertSame(throughCodec(value), structuredClone(value))
    } catch (cause) {
      throw new Error(`seed ${seed}, value ${n}: ${(cause as Error).message}`, { cause })
    }
  }
})

test('generated values come back from a Queue that holds many as from structuredClone', () => {
  const values = new Values(randomFrom(seed + 1))
  const queue = new Queue()
  for (let n = 0; n < COUNT; n += 20) {
    const batch = Array.from({ length: 20 }, () => values.next())
    for (const value of batch) queue.putSync(value)
    for (const value of batch) assertSame(queue.getSync(), structuredClone(value))
  }
})

test('generated values come back from another thread through two Queues', async () => {
  const values = new Values(randomFrom(seed + 2))
  const [there, back] = [new Queue(), new Queue()]
  const echo = new Process({
    target: async (from: Queue, to: Queue) => {
      for await (const value of from) to.putSync(value)
    },
    args: [there, back],
  }).start()
  for (let n = 0; n < 2000; n += 50) {
    const batch = Array.from({ length: 50 }, () => values.next())
    await there.putMany(batch)
    // Two clones: the first may change a value (its class), the second does not.
    for (const value of batch) assertSame(await back.get(), structuredClone(structuredClone(value)))
  }
  there.shutdown()
  await echo.join()
})

test('generated values come through a Pipe, and back from another thread, as from structuredClone', async () => {
  const values = new Values(randomFrom(seed + 3))
  // A Buffer is sent with its whole ArrayBuffer, as by structuredClone; in the shared pool, that would change meanwhile.
  Buffer.poolSize = 0
  const [a, b] = Pipe()
  for (let n = 0; n < COUNT; n += 20) {
    const batch = Array.from({ length: 20 }, () => values.next())
    for (const value of batch) a.send(value)
    for (const value of batch) assertSame(b.recvSync(), structuredClone(value))
  }
  const echo = new Process({
    target: async (end: Connection) => {
      for await (const value of end) end.send(value)
    },
    args: [b],
  }).start()
  for (let n = 0; n < 2000; n += 50) {
    const batch = Array.from({ length: 50 }, () => values.next())
    const expected = batch.map((value) => structuredClone(structuredClone(value)))
    for (const value of batch) a.send(value)
    for (const value of expected) assertSame(await a.recv(), value)
  }
  a.close()
  await echo.join()
})

test('values of fast-check come back from the codec as from structuredClone', () => {
  const values = anything({ withBigInt: true, withDate: true, withMap: true, withSet: true, withTypedArray: true, withSparseArray: true, withNullPrototype: true, withBoxedValues: true }) // prettier-ignore
  assert(
    property(values, (value) => assertSame(throughCodec(value), structuredClone(value))),
    { numRuns: 2000, seed },
  )
})

test('generated values come back from a map that returns them', async () => {
  const values = new Values(randomFrom(seed + 4))
  await using executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  for (let n = 0; n < 2000; n += 50) {
    const items = Array.from({ length: 50 }, () => ({ value: values.next() }))
    const chunksize = 1 + (n % 7)
    const back = await executor.map((item: { value: unknown }) => item, items, { chunksize })
    for (const [i, item] of items.entries()) assertSame(back[i], structuredClone(structuredClone(item)))
  }
})

test.run()
