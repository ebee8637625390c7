import { isMainThread, ProcessPoolExecutor, task } from 'manyhands'

export const square = task(import.meta.url, function square(n: number) {
  return n * n
})

if (isMainThread) {
  const executor = new ProcessPoolExecutor({ maxWorkers: 2 })
  console.log(await executor.submit(square, 7))
  await executor.shutdown()
}
