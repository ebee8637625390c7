import workerpool from 'workerpool'

const pool = workerpool.pool({ maxWorkers: 2, workerType: 'thread' })
console.log(await pool.exec((n: number) => n * n, [7]))
await pool.terminate()
