import { ProcessPoolExecutor } from 'manyhands'

const executor = new ProcessPoolExecutor({ maxWorkers: 2 })
console.log(await executor.submit((n: number) => n * n, 7))
await executor.shutdown()
