import { isMainThread, ProcessPoolExecutor, task } from 'manyhands'

const isPrime = task(import.meta.url, function isPrime(n: number) {
  for (let divisor = 2; divisor * divisor <= n; divisor++) if (n % divisor === 0) return false
  return n > 1
})

if (isMainThread) {
  const candidates = [112272535095293, 112582705942171, 115280095190773, 1099726899285419]
  const executor = new ProcessPoolExecutor()
  console.log(await executor.map(isPrime, candidates)) // → [ true, true, true, false ]
  await executor.shutdown()
}
