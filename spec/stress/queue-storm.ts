// A kill storm on a queue: threads that put numbered messages with checksums, threads that get them, all terminated at any moment
// and replaced. What a producer acknowledged and what a consumer got is noted in shared memory beside the queue, so that it
// survives them. What is checked: no message torn, doubled, out of its producer's order or from nowhere; of what was acknowledged,
// at most one message is missing for each consumer that was killed (it had it, and died before it could say so).
import { Worker } from 'node:worker_threads'
import { Queue } from 'manyhands'
import { randomFrom } from '../transport/values.js'

const MOST = 2 ** 20
const WORKERS = 512

// Each producer has an id of its own. word [id]: how many were acknowledged; [WORKERS + id * …]: not needed by anybody else.
const SOURCE = `
import { workerData } from 'node:worker_threads'
import { attach } from ${JSON.stringify(import.meta.resolve('manyhands'))}
const { queue, role, id, acknowledged, seen, counters } = attach(workerData)
const payload = (n) => n % 7 === 0 ? new Uint8Array((n * 37) % 3000).fill(n) : n % 3 === 0 ? 'x'.repeat(n % 300) : n
const sum = (value) => typeof value === 'number' ? value : typeof value === 'string' ? value.length : value.reduce((a, b) => a + b, value.length)
async function main() {
  if (role === 'put') {
    for (let n = 1; ; n++) {
      const value = payload(n)
      const message = { id, n, value, sum: sum(value) }
      if (id % 3 === 0) await queue.put(message); else queue.putSync(message)
      Atomics.store(acknowledged, id, n)
    }
  }
  for (;;) {
    const messages = id % 3 === 0 ? [await queue.get()] : id % 3 === 1 ? [queue.getSync()] : await queue.getMany(3)
    for (const message of messages) {
      const number = message.id * 4096 + message.n % 4096
      if (message.sum !== sum(message.value)) Atomics.add(counters, 1, 1)
      else if (Atomics.exchange(seen, number, message.n) >= message.n) Atomics.add(counters, 2, 1)
      Atomics.add(counters, 0, 1)
    }
  }
}
main()`

export interface QueueStorm {
  messages: number
  kills: number
  torn: number
  doubled: number
  /** Acknowledged and neither got nor in the queue. */
  missing: number
  /** As many may be missing: what the killed consumers may have had in their hands. */
  excused: number
}

/** Storm a queue. Throws when nobody gets on for ten seconds. */
export async function queueStorm(seed: number, durationMs: number): Promise<QueueStorm> {
  const random = randomFrom(seed)
  const queue = new Queue<{ id: number; n: number }>(random() < 0.5 ? 0 : 20, {
    maxBytes: random() < 0.5 ? 10_000 : 200_000,
  })
  const acknowledged = new Int32Array(new SharedArrayBuffer(4 * WORKERS))
  const seen = new Int32Array(new SharedArrayBuffer(4 * MOST * 2))
  const counters = new Int32Array(new SharedArrayBuffer(16))
  const workers = new Map<Worker, 'put' | 'get'>()
  let failure: unknown
  let nextId = 1
  let excused = 0
  const add = (role: 'put' | 'get') => {
    const worker = new Worker(SOURCE, {
      eval: true,
      execArgv: ['--input-type=module'],
      workerData: { queue, role, id: nextId++, acknowledged, seen, counters },
    })
    workers.set(
      worker.on('error', (error) => (failure ??= error)),
      role,
    )
  }
  const end = async (worker: Worker) => {
    if (workers.get(worker) === 'get') excused += 3
    await worker.terminate()
    workers.delete(worker)
  }
  for (const role of ['put', 'put', 'get', 'get'] as const) add(role)
  const endMs = performance.now() + durationMs
  let [kills, before, movedMs] = [0, -1, performance.now()]
  const check = () => {
    if (failure) throw failure as Error
    const messages = Atomics.load(counters, 0)
    if (messages !== before) [before, movedMs] = [messages, performance.now()]
    else if (performance.now() - movedMs > 10_000) throw new Error(`queue, seed ${seed}: nobody gets on`)
  }
  while (performance.now() < endMs || Atomics.load(counters, 0) === 0) {
    await new Promise((resolve) => setTimeout(resolve, 5 + random() * 30))
    check()
    if (random() < 0.4 || nextId >= WORKERS - 1) continue
    const worker = [...workers.keys()][Math.floor(random() * workers.size)]!
    const role = workers.get(worker)!
    await end(worker)
    kills++
    add(role)
  }
  // The producers end first; those that get go on until it is empty, or this thread does it for them.
  for (const [worker, role] of workers) if (role === 'put') await end(worker)
  for (const worker of workers.keys()) await end(worker)
  let left = 0
  const last = new Map<number, number>()
  let doubled = Atomics.load(counters, 2)
  while (!queue.empty()) {
    const { id, n } = await queue.get()
    if ((last.get(id) ?? 0) >= n) doubled++
    last.set(id, n)
    left++
  }
  const put = acknowledged.reduce((a, b) => a + b, 0)
  const messages = Atomics.load(counters, 0)
  return {
    messages,
    kills,
    torn: Atomics.load(counters, 1),
    doubled,
    missing: Math.max(put - messages - left, 0),
    excused,
  }
}
