// What does a large amount of work cost the program that submits it? Measures the time per item of a map of 10^4 to 10^6 items, the
// delay of the event loop while 200,000 objects, and a million numbers, stream through `map`, the memory that each of 100,000 futures takes before it is done,
// and what is left after 300,000.
import { isMainThread, ProcessPoolExecutor } from 'manyhands'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { goal, measure, report } from './measure.js'

const ROUNDS = 7

if (isMainThread) {
  setFlagsFromString('--expose-gc')
  const gc = runInNewContext('gc') as () => void
  const executor = new ProcessPoolExecutor({ maxWorkers: 2 })
  const inc = (n: number) => n + 1

  // First: what the others leave behind may go meanwhile.
  const futures: PromiseLike<number>[] = Array.from({ length: 100_000 })
  await executor.submit(inc, 0)
  gc()
  const empty = process.memoryUsage().heapUsed
  for (const n of futures.keys()) futures[n] = executor.submit(inc, n)
  const all = Promise.all(futures)
  gc() // In the turn in which they were submitted: none is done.
  const bytes = (process.memoryUsage().heapUsed - empty) / futures.length
  goal('bytes a future, with what Promise.all adds', bytes, { atMost: 600 })
  await all

  const sizes = [1e4, 1e5, 1e6].map((size) => {
    const numbers = Array.from({ length: size }, (_, n) => n)
    const mapAll = async () => {
      const startMs = performance.now()
      await executor.map(inc, numbers)
      return ((performance.now() - startMs) * 1e6) / size
    }
    return { name: `${size} numbers`, measure: mapAll }
  })
  for (const { measure } of sizes) await measure()
  report(await measure(sizes, ROUNDS), 'ns an item', '10000 numbers')

  const streamed = async (results: () => AsyncIterable<unknown>) => {
    const delay = monitorEventLoopDelay({ resolution: 1 })
    delay.enable()
    for await (const _ of results());
    delay.disable()
    return delay.percentile(99) / 1e6
  }
  function* names() {
    for (let n = 0; n < 200_000; n++) yield { n, name: `item ${n}` }
  }
  const numbers = Array.from({ length: 1e6 }, (_, n) => n)
  const streams = await measure(
    [
      {
        name: '200,000 objects stream',
        measure: () => streamed(() => executor.map(({ n }: { n: number }) => ({ n }), names())),
      },
      { name: '1,000,000 numbers stream', measure: () => streamed(() => executor.map(inc, numbers)) },
    ],
    ROUNDS,
  )
  report(streams, 'ms of delay, p99', '')
  for (const { name, median } of streams) goal(`delay while ${name}, ms`, median, { atMost: 20 })

  const submit = async () => {
    await Promise.all(Array.from({ length: 300_000 }, (_, n) => executor.submit(inc, n)))
  }
  const heapMb = async () => {
    for (let turn = 0; turn < 3; turn++) {
      gc()
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    return process.memoryUsage().heapUsed / 2 ** 20
  }
  await submit()
  const before = await heapMb()
  await submit()
  console.log(`heap before 300,000 futures ${before.toFixed(2)} MB, after ${(await heapMb()).toFixed(2)} MB`)
  await executor.shutdown()
}
