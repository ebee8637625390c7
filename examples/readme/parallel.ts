import { Array, isMainThread, ProcessPoolExecutor, task } from 'manyhands'

const squares = task(import.meta.url, function squares(start: number, end: number, out: Array<'d'>) {
  for (let n = start; n < end; n++) out.view[n] = n * n
})

const sum = task(import.meta.url, function sum(start: number, end: number, numbers: Array<'d'>) {
  return numbers.view.subarray(start, end).reduce((a, b) => a + b)
})

if (isMainThread) {
  const executor = new ProcessPoolExecutor()
  const numbers = new Array('d', 1_000_000)
  await executor.parallelFor(numbers.length, squares, { args: [numbers] })
  console.log(numbers.get(999_999)) // → 999998000001
  const total = await executor.parallelReduce({ start: 0, end: 1000 }, sum, (a, b) => a + b, { args: [numbers] })
  console.log(total) // → 332833500
  await executor.shutdown()
}
