// A kill storm: threads that use a lock as fast as they can, and are terminated at any moment, more of them than there are
// cores. What is checked: never two inside, and every survivor goes on. A seed reproduces the order of what is decided here
// (which thread is killed after how long, and what takes its place); the threads themselves run as the system lets them.
import { Worker } from 'node:worker_threads'
import { Condition, Lock, RLock, RWLock, Semaphore } from 'manyhands'

const INSIDE = 0
const USES = 1
const OVERLAPS = 2

const makers: Record<string, () => object> = {
  Lock: () => new Lock(),
  'Lock, handed over': () => new Lock({ onOwnerDeath: 'handOver' }),
  RLock: () => new RLock(),
  Semaphore: () => new Semaphore(1),
  RWLock: () => new RWLock(),
  Condition: () => new Condition(new Lock()),
}

/** Names of what can be stormed. */
export const stormed: string[] = Object.keys(makers)

// One that is killed inside leaves its id there: no overlap. Whom it is about to kill, the storm writes into `doomed` before.
const SOURCE = `
import { workerData, threadId } from 'node:worker_threads'
import { attach } from ${JSON.stringify(import.meta.resolve('manyhands'))}
const { shared, words, doomed } = attach(workerData)
const lock = shared.write ?? shared
const asyncToo = threadId % 3 === 0
async function take() {
  for (;;) {
    try { if (asyncToo ? await lock.acquire({ timeout: 50 }) : lock.acquireSync(threadId % 2 ? 5 : undefined)) return } catch (error) {
      if (error.code !== 'ERR_MANYHANDS_OWNER_DIED') throw error
      try { lock.recoverSync(); return } catch (lost) { if (lost.code !== 'ERR_MANYHANDS_LOCK') throw lost }
    }
  }
}
for (;;) {
  await take()
  const other = Atomics.exchange(words, ${INSIDE}, threadId)
  if (other !== 0 && Atomics.load(doomed, other % doomed.length) !== other) Atomics.add(words, ${OVERLAPS}, 1)
  Atomics.add(words, ${USES}, 1)
  if (shared.notify && threadId % 4 === 0) { shared.notify(1) }
  Atomics.compareExchange(words, ${INSIDE}, threadId, 0)
  lock.release()
}`

export interface Storm {
  uses: number
  kills: number
  overlaps: number
}

/** Storm one kind of lock. Throws when nobody gets on for ten seconds. */
export async function storm(kind: string, seed: number, durationMs: number, threads = 5): Promise<Storm> {
  const random = randomFrom(seed)
  const shared = makers[kind]!()
  const words = new Int32Array(new SharedArrayBuffer(64))
  const doomed = new Int32Array(new SharedArrayBuffer(4 * 4096))
  const workers = new Set<Worker>()
  let failure: unknown
  const add = () => {
    const worker = new Worker(SOURCE, {
      eval: true,
      execArgv: ['--input-type=module'],
      workerData: { shared, words, doomed },
    })
    workers.add(worker.on('error', (error) => (failure ??= error)))
  }
  for (let i = 0; i < threads; i++) add()
  const endMs = performance.now() + durationMs
  let [kills, usesBefore, movedMs] = [0, -1, performance.now()]
  while (performance.now() < endMs || Atomics.load(words, USES) === 0) {
    await new Promise((resolve) => setTimeout(resolve, 2 + random() * 30))
    if (failure) throw failure as Error
    const uses = Atomics.load(words, USES)
    if (uses !== usesBefore) [usesBefore, movedMs] = [uses, performance.now()]
    else if (performance.now() - movedMs > 10_000) throw new Error(`${kind}, seed ${seed}: nobody gets on`)
    if (random() < 0.5) continue
    const victim = [...workers][Math.floor(random() * workers.size)]!
    const id = victim.threadId
    Atomics.store(doomed, id % doomed.length, id)
    await victim.terminate()
    workers.delete(victim)
    kills++
    add()
  }
  await Promise.all([...workers].map((worker) => worker.terminate()))
  return { uses: Atomics.load(words, USES), kills, overlaps: Atomics.load(words, OVERLAPS) }
}

/** A generator of numbers from 0 to 1 (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
