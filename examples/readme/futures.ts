import { setTimeout as sleep } from 'node:timers/promises'
import { asCompleted, isMainThread, ProcessPoolExecutor, task } from 'manyhands'

const pause = task(import.meta.url, async function pause(ms: number) {
  await sleep(ms)
  return `paused for ${ms} ms`
})

if (isMainThread) {
  const executor = new ProcessPoolExecutor({ maxWorkers: 2 })
  const long = executor.submit(pause, 1500)
  const short = executor.submit(pause, 10)
  for await (const future of asCompleted([long, short])) console.log(future === long, await future.result())
  // → false paused for 10 ms
  // → true paused for 1500 ms
  await executor.shutdown()
}
