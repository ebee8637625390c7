// Does one long task hold up the short ones beside it? Two workers run 10,000 tasks of 20 us and one of 300 ms among them, as futures
// and as the items of a map. Measures the time until all are done, beside the least possible time, and the time until the last of
// the short ones is done.
import { isMainThread, ProcessPoolExecutor } from 'manyhands'
import { measure, report } from './measure.js'

const SHORT = 10_000
const SHORT_US = 20
const LONG_MS = 300
const ROUNDS = 7

const spin = (us: number) => {
  const endMs = performance.now() + us / 1000
  while (performance.now() < endMs);
  return us
}

if (isMainThread) {
  const executor = new ProcessPoolExecutor({ maxWorkers: 2 })
  const run = async (place: number) => {
    const startMs = performance.now()
    let lastShortMs = 0
    const futures = Array.from({ length: SHORT + 1 }, (_, n) => {
      const future = executor.submit(spin, n === place ? LONG_MS * 1000 : SHORT_US)
      if (n !== place) future.addDoneCallback(() => (lastShortMs = performance.now() - startMs))
      return future
    })
    await Promise.all(futures)
    return { all: performance.now() - startMs, lastShort: lastShortMs }
  }
  const mapAll = async (place: number) => {
    const startMs = performance.now()
    await executor.map(
      spin,
      Array.from({ length: SHORT + 1 }, (_, n) => (n === place ? LONG_MS * 1000 : SHORT_US)),
    )
    return performance.now() - startMs
  }
  await run(0)
  const shortMs = (SHORT * SHORT_US) / 1000
  const least = Math.max(LONG_MS, (LONG_MS + shortMs) / 2)
  // In the middle: the workers have done half of the short ones when the long one begins.
  const leastInTheMiddle = shortMs / 4 + Math.max(LONG_MS, shortMs / 2)
  const contenders = [
    { name: 'least, the long one first', measure: async () => least },
    { name: 'map, the long one first', measure: () => mapAll(0) },
    { name: 'the long one first', measure: async () => (await run(0)).all },
    { name: 'last short one, the long one first', measure: async () => (await run(0)).lastShort },
    { name: 'least, the long one in the middle', measure: async () => leastInTheMiddle },
    { name: 'map, the long one in the middle', measure: () => mapAll(SHORT / 2) },
    { name: 'the long one in the middle', measure: async () => (await run(SHORT / 2)).all },
  ]
  report(await measure(contenders, ROUNDS), 'ms', 'least, the long one first')
  await executor.shutdown()
}
