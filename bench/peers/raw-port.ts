// The limit of one task at a time: a bare Worker that adds 1, and a port that carries no more than a short call and its answer.
import { MessageChannel, Worker } from 'node:worker_threads'
import type { PoolOfAdders } from './pools.js'

const CODE = `
  const { workerData } = require('node:worker_threads')
  workerData.on('message', ([fn, n]) => workerData.postMessage([fn, n + 1]))
`

/** For one task at a time only. */
export function rawPort(): Pick<PoolOfAdders, 'name' | 'add' | 'close'> {
  const { port1, port2 } = new MessageChannel()
  const worker = new Worker(CODE, { eval: true, workerData: port2, transferList: [port2] })
  let resolve: (sum: number) => void
  port1.on('message', ([, sum]: [fn: number, sum: number]) => resolve(sum))
  const add = (n: number) =>
    new Promise<number>((resolveCall) => {
      resolve = resolveCall
      port1.postMessage([0, n])
    })
  return { name: 'a raw port', add, close: () => worker.terminate() }
}
