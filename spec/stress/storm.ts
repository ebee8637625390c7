// A kill storm: more threads than cores use a lock as fast as they can, and are terminated at any moment. Checked: never are two inside
// (of an RWLock: none beside a writer), and every survivor goes on. A seed reproduces the decisions made here (which thread is killed
// after how long); the threads themselves run as the system lets them.
import { Worker } from 'node:worker_threads'
import { Condition, Lock, RLock, RWLock, Semaphore } from 'manyhands'
import { randomFrom } from '../transport/values.js'

const HANG_MS = 20_000
const THREADS = 4096

const OVERLAPS = 0
const SLOTS = 1

const makers: Record<string, () => object> = {
  Lock: () => new Lock(),
  'Lock, handed over': () => new Lock({ onOwnerDeath: 'handOver' }),
  RLock: () => new RLock(),
  Semaphore: () => new Semaphore(1),
  RWLock: () => new RWLock(),
  'RWLock, handed over': () => new RWLock({ onOwnerDeath: 'handOver' }),
  'Condition as a lock': () => new Condition(new Lock()),
}

/** The kinds of locks that can be stormed. */
export const stormed: string[] = Object.keys(makers)

// Each thread has a slot of its own. `inside`: 1 it reads, 2 it writes. A thread killed inside leaves its mark there, which is no
// overlap: the storm marks its victims in `doomed` before.
const SOURCE = `
import { workerData } from 'node:worker_threads'
import { attach } from ${JSON.stringify(import.meta.resolve('manyhands'))}
const { shared, words, inside, doomed, uses, slot } = attach(workerData)
async function take(lock) {
  for (;;) {
    try { if (slot % 3 === 0 ? await lock.acquire({ timeout: 50 }) : lock.acquireSync(slot % 2 ? 5 : undefined)) return } catch (error) {
      if (error.code !== 'ERR_MANYHANDS_OWNER_DIED') throw error
      try { lock.recoverSync(); return } catch (lost) { if (lost.code !== 'ERR_MANYHANDS_LOCK') throw lost }
    }
  }
}
async function main() {
  for (let n = slot; ; n++) {
    const reads = shared.read && n % 3 !== 0
    const lock = reads ? shared.read : shared.write ?? shared
    await take(lock)
    Atomics.store(inside, slot, reads ? 1 : 2)
    for (let other = 0, end = Atomics.load(words, ${SLOTS}); other < end; other++) {
      const mark = other === slot ? 0 : Atomics.load(inside, other)
      if (mark + (reads ? 0 : 1) >= 2 && Atomics.load(doomed, other) === 0) Atomics.add(words, ${OVERLAPS}, 1)
    }
    Atomics.add(uses, slot, 1)
    Atomics.store(inside, slot, 0)
    lock.release()
  }
}
main()`

export interface Storm {
  uses: number
  kills: number
  overlaps: number
}

/** Storm one kind of lock. Throws when a survivor does not go on. */
export async function storm(kind: string, seed: number, durationMs: number, threads = 5): Promise<Storm> {
  const random = randomFrom(seed)
  const shared = makers[kind]!()
  const shares = () => new Int32Array(new SharedArrayBuffer(4 * THREADS))
  const [words, inside, doomed, uses] = [shares(), shares(), shares(), shares()]
  const workers = new Map<Worker, number>()
  let failure: unknown
  const add = () => {
    const slot = Atomics.add(words, SLOTS, 1)
    const worker = new Worker(SOURCE, {
      eval: true,
      execArgv: ['--input-type=module'],
      workerData: { shared, words, inside, doomed, uses, slot },
    })
    workers.set(
      worker.on('error', (error) => (failure ??= error)),
      slot,
    )
  }
  const check = () => {
    if (failure) throw failure as Error
  }
  for (let i = 0; i < threads; i++) add()
  const endMs = performance.now() + durationMs
  let kills = 0
  try {
    while (performance.now() < endMs) {
      await new Promise((resolve) => setTimeout(resolve, 2 + random() * 30))
      check()
      if (random() < 0.5 || Atomics.load(words, SLOTS) === THREADS) continue
      const [victim, slot] = [...workers][Math.floor(random() * workers.size)]!
      Atomics.store(doomed, slot, 1)
      await victim.terminate()
      workers.delete(victim)
      kills++
      add()
    }
    // No more kills: every survivor gets the lock, whatever the dead were doing.
    const before = uses.slice()
    const hangMs = performance.now() + HANG_MS
    for (const slot of workers.values())
      while (Atomics.load(uses, slot) === before[slot]) {
        await new Promise((resolve) => setTimeout(resolve, 2))
        check()
        if (performance.now() > hangMs) throw new Error(`${kind}, seed ${seed}: thread ${slot} does not go on`)
      }
  } finally {
    await Promise.all([...workers.keys()].map((worker) => worker.terminate()))
  }
  return { uses: uses.reduce((a, b) => a + b, 0), kills, overlaps: Atomics.load(words, OVERLAPS) }
}
