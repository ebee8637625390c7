// A program with idle workers, which prints the memory that its process has: idle-pool.js CONTENDER WORKERS. Each worker has run one
// task. Loads the package of its contender and no other.
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { sleep } from './pauses.js'

const TASK_MS = 300
const SETTLE_MS = 500

const [, , contender, count] = process.argv
const workers = Number(count)
const fileOf = (name: string) => new URL(`${name}.js`, import.meta.url)
const inAll = (run: () => PromiseLike<unknown>) => Promise.all(Array.from({ length: workers }, run))
const options = { filename: fileOf('pauses').href, minThreads: workers, maxThreads: workers }

/** Have each worker run a task. @returns what ends them */
const start: Record<string, () => Promise<() => unknown>> = {
  async manyhands() {
    const { ProcessPoolExecutor } = await import('manyhands')
    const executor = new ProcessPoolExecutor({ maxWorkers: workers })
    await inAll(() => executor.submit(sleep, TASK_MS))
    return () => executor.shutdown()
  },
  async piscina() {
    const { Piscina } = await import('piscina')
    const pool = new Piscina({ ...options, atomics: 'disabled' })
    await inAll(() => pool.run(TASK_MS, { name: 'sleep' }))
    return () => pool.destroy()
  },
  async tinypool() {
    const { Tinypool } = await import('tinypool')
    const pool = new Tinypool(options)
    await inAll(() => pool.run(TASK_MS, { name: 'sleep' }))
    return () => pool.destroy()
  },
  async workerpool() {
    const { default: workerpool } = await import('workerpool')
    const pool = workerpool.pool(fileURLToPath(fileOf('workerpool-pauses')), {
      maxWorkers: workers,
      workerType: 'thread',
    })
    await inAll(async () => pool.exec('sleep', [TASK_MS]))
    return () => pool.terminate()
  },
  async raw() {
    const threads = Array.from(
      { length: workers },
      () => new Worker(`require('node:worker_threads').parentPort.on('message', () => {})`, { eval: true }),
    )
    await sleep(TASK_MS)
    return () => threads.map((thread) => thread.terminate())
  },
}

const end = await start[contender!]!()
await sleep(SETTLE_MS)
console.log(process.memoryUsage.rss() / 2 ** 20)
await end()
