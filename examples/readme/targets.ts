import { isMainThread, ProcessPoolExecutor, task, tasksFrom } from 'manyhands'

const square = task(import.meta.url, function square(n: number) {
  return n * n
})

const math = tasksFrom<typeof import('./math.js')>(new URL('./math.js', import.meta.url))

if (isMainThread) {
  const executor = new ProcessPoolExecutor()
  console.log(await executor.submit(square, 3)) // → 9
  console.log(await executor.submit(math.hypotenuse, 3, 4)) // → 5
  console.log(await executor.submit((n: number) => n + 1, 3)) // → 4
  await executor.shutdown()
}
