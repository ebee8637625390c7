// A Worker by itself, with the package or without it: the least that a pool of threads can take.
import { once } from 'node:events'
import { isMainThread, parentPort, Worker } from 'node:worker_threads'

if (isMainThread) {
  const worker = new Worker(new URL(import.meta.url))
  worker.postMessage(7)
  const [square] = (await once(worker, 'message')) as [number]
  console.log(square)
  await worker.terminate()
} else parentPort!.on('message', (n: number) => parentPort!.postMessage(n * n))
