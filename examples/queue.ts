// Five processes count to N and put their subtotals on a queue. When they have ended, the parent puts a sentinel behind the subtotals
// and sums them up to the sentinel. Once for a small N, once for an N that keeps the processes busy.
//   node .build/examples/queue.js [N …]
import { isMainThread, Process, Queue, task } from 'manyhands'

const PROCESSES = 5

const count = task(import.meta.url, function count(to: number, subtotals: Queue<number | 'exit'>) {
  let subtotal = 0
  for (let i = 0; i < to; i++) subtotal += 1
  subtotals.putSync(subtotal)
})

async function countWithAll(to: number): Promise<number> {
  const subtotals = new Queue<number | 'exit'>()
  const processes = Array.from({ length: PROCESSES }, () =>
    new Process({ target: count, args: [to, subtotals] }).start(),
  )
  for (const process of processes) await process.join()

  await subtotals.put('exit')
  let total = 0
  for (let next; (next = await subtotals.get()) !== 'exit';) total += next
  return total
}

if (isMainThread) {
  const numbers = process.argv.length > 2 ? process.argv.slice(2).map(Number) : [10_000, 100_000_000]
  for (const to of numbers) {
    const startedMs = performance.now()
    const total = await countWithAll(to)
    const seconds = (performance.now() - startedMs) / 1000
    console.log(`${PROCESSES} processes counted to ${to}: ${total} in ${seconds.toFixed(2)} s`)
  }
}
