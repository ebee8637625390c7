import { isMainThread, ProcessPoolExecutor, task } from 'manyhands'

const parse = task(import.meta.url, function parse(text: string) {
  return JSON.parse(text) as unknown
})

if (isMainThread) {
  const executor = new ProcessPoolExecutor()
  for await (const value of executor.map(parse, ['1', '"two"', '[3]'])) console.log(value)
  // → 1
  // → two
  // → [ 3 ]

  const entries = await executor.map(parse, ['1', 'two'], { settled: true })
  console.log(entries.map(({ status }) => status)) // → [ 'fulfilled', 'rejected' ]

  const sums = await executor.map((a: number, b: number) => a + b, [1, 2, 3], [10, 20, 30])
  console.log(sums) // → [ 11, 22, 33 ]
  await executor.shutdown()
}
