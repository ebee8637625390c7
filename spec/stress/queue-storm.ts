// A kill storm on a queue. Some threads put numbered messages with checksums and others get them; all are terminated at any moment
// and replaced. Shared memory beside the queue notes what was acknowledged to each producer and what each consumer got, so that it
// survives them. Checked: no message is torn, doubled, out of its producer's order, or from nowhere. Of what was acknowledged, only
// messages are missing that killed consumers may have had in their hands.
import { Worker } from 'node:worker_threads'
import { Queue } from 'manyhands'
import { randomFrom } from '../transport/values.js'

const MAX_MESSAGES = 2 ** 20
const MAX_WORKERS = 512

// Each producer has an id of its own. `acknowledged[id]`: the number of the last message that was acknowledged to it.
const SOURCE = `
import { workerData } from 'node:worker_threads'
import { attach } from ${JSON.stringify(import.meta.resolve('manyhands'))}
const { queue, role, id, acknowledged, seen, counters } = attach(workerData)
const payload = (n) => n % 7 === 0 ? new Uint8Array((n * 37) % 3000).fill(n) : n % 3 === 0 ? 'x'.repeat(n % 300) : n
const sum = (value) => typeof value === 'number' ? value : typeof value === 'string' ? value.length : value.reduce((a, b) => a + b, value.length)
// Every other message is bytes: three words, then the payload.
const toBytes = ({ id, n, value, sum }) => {
  const payload = value instanceof Uint8Array ? value : Buffer.from(String(value))
  const bytes = new Uint8Array(12 + payload.length)
  new Int32Array(bytes.buffer, 0, 3).set([id, n, sum])
  bytes.set(payload, 12)
  return bytes
}
const fromBytes = (bytes) => {
  const [id, n, sum] = new Int32Array(bytes.slice(0, 12).buffer)
  const kind = payload(n)
  const rest = bytes.subarray(12)
  return { id, n, sum, value: kind instanceof Uint8Array ? rest : typeof kind === 'string' ? Buffer.from(rest).toString() : Number(Buffer.from(rest)) }
}
const view = new Uint8Array(3012)
const getInto = async () => {
  try {
    return view.subarray(0, n++ % 2 ? await queue.getInto(view) : queue.getIntoSync(view))
  } catch (reason) {
    if (!(reason instanceof TypeError)) throw reason
    return queue.getSync()
  }
}
let n = 0
async function main() {
  if (role === 'put') {
    for (let n = 1; ; n++) {
      const value = payload(n)
      const parts = { id, n, value, sum: sum(value) }
      const message = n % 2 ? toBytes(parts) : parts
      if (id % 3 === 0) await queue.put(message); else queue.putSync(message)
      Atomics.store(acknowledged, id, n)
    }
  }
  for (;;) {
    const messages = id % 4 === 0 ? [await queue.get()] : id % 4 === 1 ? [queue.getSync()] : id % 4 === 2 ? await queue.getMany(3) : [await getInto()]
    for (const received of messages) {
      const message = received instanceof Uint8Array ? fromBytes(received) : received
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
  /** Messages that were acknowledged, and neither got nor are in the queue. */
  missing: number
  /** Maximum number that may be missing: messages that killed consumers may have had in their hands. */
  excused: number
}

const headOf = ({ buffer }: Uint8Array) => {
  const [id, n] = new Int32Array(buffer, 0, 2)
  return { id: id!, n: n! }
}

/** Storm a queue. @throws Error no message is got for ten seconds */
export async function queueStorm(seed: number, durationMs: number): Promise<QueueStorm> {
  const random = randomFrom(seed)
  const queue = new Queue<{ id: number; n: number } | Uint8Array>(random() < 0.5 ? 0 : 20, {
    maxBytes: random() < 0.5 ? 10_000 : 200_000,
  })
  const acknowledged = new Int32Array(new SharedArrayBuffer(4 * MAX_WORKERS))
  const seen = new Int32Array(new SharedArrayBuffer(4 * MAX_MESSAGES * 2))
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
    else if (performance.now() - movedMs > 10_000) throw new Error(`queue, seed ${seed}: no message is got`)
  }
  while (performance.now() < endMs || Atomics.load(counters, 0) === 0) {
    await new Promise((resolve) => setTimeout(resolve, 5 + random() * 30))
    check()
    if (random() < 0.4 || nextId >= MAX_WORKERS - 1) continue
    const worker = [...workers.keys()][Math.floor(random() * workers.size)]!
    const role = workers.get(worker)!
    await end(worker)
    kills++
    add(role)
  }
  // Producers end first. This thread gets what the consumers leave.
  for (const [worker, role] of workers) if (role === 'put') await end(worker)
  for (const worker of workers.keys()) await end(worker)
  let left = 0
  const last = new Map<number, number>()
  let doubled = Atomics.load(counters, 2)
  while (!queue.empty()) {
    const message = await queue.get()
    const { id, n } = message instanceof Uint8Array ? headOf(message) : message
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
