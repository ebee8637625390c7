// manyhands and the other thread pools for Node.js, each with two workers that add 1.
import { ProcessPoolExecutor } from 'manyhands'
import { Piscina } from 'piscina'
import { FixedThreadPool } from 'poolifier'
import { Tinypool } from 'tinypool'
import workerpool from 'workerpool'

export interface PoolOfAdders {
  name: string
  /** Tasks submitted at once. Fewer for the slow pools, whose cost per task does not depend on it. */
  atOnce: number
  add(n: number): PromiseLike<number>
  close(): Promise<unknown>
}

const WORKERS = 2

export function pools(): PoolOfAdders[] {
  const file = (name: string) => new URL(name, import.meta.url)
  const options = { filename: file('inc.js').href, minThreads: WORKERS, maxThreads: WORKERS }
  const own = new ProcessPoolExecutor({ maxWorkers: WORKERS })
  const piscina = new Piscina(options)
  const tinypool = new Tinypool(options)
  const ofWorkerpool = workerpool.pool(file('workerpool.js').pathname, { maxWorkers: WORKERS, workerType: 'thread' })
  const poolifier = new FixedThreadPool<number, number>(WORKERS, file('poolifier.js').pathname)
  const inc = (n: number) => n + 1
  return [
    { name: 'manyhands', atOnce: 20_000, add: (n) => own.submit(inc, n), close: () => own.shutdown() },
    { name: 'piscina', atOnce: 5000, add: (n) => piscina.run(n) as Promise<number>, close: () => piscina.destroy() },
    { name: 'tinypool', atOnce: 5000, add: (n) => tinypool.run(n) as Promise<number>, close: () => tinypool.destroy() },
    { name: 'workerpool',
      atOnce: 5000, add: async (n) => (await ofWorkerpool.exec('inc', [n])) as number, close: async () => ofWorkerpool.terminate() }, // prettier-ignore
    { name: 'poolifier', atOnce: 5000, add: (n) => poolifier.execute(n), close: () => poolifier.destroy() },
  ]
}
