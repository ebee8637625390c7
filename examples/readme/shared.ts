import { Array, isMainThread, Process, task, Value } from 'manyhands'

const count = task(import.meta.url, function count(total: Value<'i'>, perTen: Array<'i'>) {
  for (let n = 0; n < 1000; n++) {
    total.add(1)
    perTen.add(n % 10, 1)
  }
})

if (isMainThread) {
  const total = new Value('i', 0)
  const perTen = new Array('i', 10)
  const processes = [1, 2, 3].map(() => new Process({ target: count, args: [total, perTen] }).start())
  await Promise.all(processes.map((process) => process.join()))
  console.log(total.value, perTen.slice(0, 3)) // → 3000 [ 300, 300, 300 ]
}
