import { isMainThread, Process, Queue, task } from 'manyhands'

const square = task(import.meta.url, function square(numbers: Queue<number>, squares: Queue<number>) {
  for (let n = numbers.getSync(); n > 0; n = numbers.getSync()) squares.putSync(n * n)
  squares.shutdown()
})

if (isMainThread) {
  const numbers = new Queue<number>(100) // holds a hundred; then put waits
  const squares = new Queue<number>()
  const worker = new Process({ target: square, args: [numbers, squares] }).start()
  await numbers.putMany([1, 2, 3, 0])
  for await (const n of squares) console.log(n)
  // → 1
  // → 4
  // → 9
  await worker.join()
}
