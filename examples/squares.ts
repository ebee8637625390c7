// Nine processes each pause and then compute a square. Side by side, they take as long as one pause, not nine.
import { setTimeout as sleep } from 'node:timers/promises'
import { currentProcess, isMainThread, Process, ProcessPoolExecutor, task } from 'manyhands'

const PAUSE_MS = 1000
const numbers = [1, 2, 3, 4, 5, 6, 7, 8, 9]

const square = task(import.meta.url, async function square(i: number) {
  await sleep(PAUSE_MS)
  const { pid, name } = currentProcess()
  console.log(`process ${pid}, ${name}: the square of ${i} is ${i * i}`)
  return i * i
})

async function measured(what: string, run: () => Promise<void>): Promise<void> {
  const startMs = performance.now()
  await run()
  const seconds = ((performance.now() - startMs) / 1000).toFixed(2)
  console.log(`${what}: ${seconds} s, where nine pauses one after another take ${(9 * PAUSE_MS) / 1000} s`)
}

if (isMainThread) {
  await measured('nine processes', async () => {
    const processes = numbers.map((i) => new Process({ target: square, args: [i], name: `name${i}` }))
    for (const process of processes) process.start()
    for (const process of processes) await process.join()
  })

  await measured('an executor with nine workers', async () => {
    await using executor = new ProcessPoolExecutor({ maxWorkers: 9 })
    console.log(`squares: ${(await executor.map(square, numbers)).join(', ')}`)
  })
}
