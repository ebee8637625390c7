import { isMainThread, Pool, task } from 'manyhands'

const power = task(import.meta.url, function power(base: number, exponent: number) {
  return base ** exponent
})

if (isMainThread) {
  const pool = new Pool(2)
  console.log(await pool.apply(power, [7, 2])) // → 49
  console.log(await pool.map((n: number) => n + 1, [1, 2, 3])) // → [ 2, 3, 4 ]
  console.log(
    await pool.starmap(power, [
      [2, 8],
      [3, 3],
    ]),
  ) // → [ 256, 27 ]
  for await (const square of pool.imap((n: number) => n * n, [4, 5])) console.log(square)
  // → 16
  // → 25

  const result = pool.applyAsync(power, [2, 10], { callback: (value) => console.log('called back with', value) })
  await result.wait({ timeout: 10_000 })
  // → called back with 1024
  console.log(result.ready(), result.successful(), await result.get()) // → true true 1024

  pool.close()
  await pool.join()
}
