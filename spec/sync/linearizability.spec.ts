// Recorded histories of real threads: is there an order of all operations that explains them? After Wing and Gong, with Lowe's memory
// of the states seen, as porcupine does it.
import { Condition, Event, Lock, Process, RLock, Semaphore } from 'manyhands'
import { assert, suite } from '../harness.js'

const test = suite('histories of locks')

/** One operation: when it began and ended, by a clock that all threads share, and what it did. */
interface Operation {
  thread: number
  began: number
  ended: number
  take: boolean
  succeeded: boolean
}

/** Whether an order of the operations is right for this many permits, and keeps those apart that did not overlap. */
function isLinearizable(history: Operation[], permits: number): boolean {
  const operations = history.toSorted((a, b) => a.began - b.began)
  const seen = new Set<string>()
  const search = (done: bigint, free: number): boolean => {
    if (done === (1n << BigInt(operations.length)) - 1n) return true
    const key = `${done} ${free}`
    if (seen.has(key)) return false
    seen.add(key)
    let firstEnd = Infinity
    for (const [i, { ended }] of operations.entries())
      if (!(done & (1n << BigInt(i)))) firstEnd = Math.min(firstEnd, ended)
    for (const [i, { began, take, succeeded }] of operations.entries()) {
      if (done & (1n << BigInt(i))) continue
      if (began > firstEnd) break
      if (take && succeeded !== free > 0) continue
      const left = take && succeeded ? free - 1 : take ? free : free + 1
      if (left <= permits && search(done | (1n << BigInt(i)), left)) return true
    }
    return false
  }
  return search(0n, permits)
}

/** Take and release, trying only, stamped by a shared counter. The history is left in `log`. */
const record = (
  lock: { tryAcquire(): boolean; release(): void },
  start: Event,
  clock: Int32Array,
  log: Int32Array,
  thread: number,
  rounds: number,
) => {
  start.waitSync()
  let at = thread * rounds * 8
  const note = (began: number, take: number, succeeded: number) => {
    log.set([began, Atomics.add(clock, 0, 1) + 1, take + 1, succeeded], at)
    at += 4
  }
  for (let round = 0; round < rounds; round++) {
    let began = Atomics.add(clock, 0, 1) + 1
    const succeeded = lock.tryAcquire()
    note(began, 1, succeeded ? 1 : 0)
    if (!succeeded) continue
    began = Atomics.add(clock, 0, 1) + 1
    lock.release()
    note(began, 0, 1)
  }
}

async function history(lock: object, threads: number, rounds: number): Promise<Operation[]> {
  const log = new Int32Array(new SharedArrayBuffer(4 * threads * rounds * 8))
  const clock = new Int32Array(new SharedArrayBuffer(4))
  const start = new Event()
  const processes = Array.from({ length: threads }, (_, thread) =>
    new Process({ target: record as never, args: [lock, start, clock, log, thread, rounds] }).start(),
  )
  start.set()
  for (const process of processes) await process.join()
  const operations: Operation[] = []
  for (let at = 0; at < log.length; at += 4) {
    const [began, ended, take, succeeded] = log.subarray(at, at + 4)
    const thread = Math.floor(at / (rounds * 8))
    if (began) operations.push({ thread, began, ended: ended!, take: take === 2, succeeded: succeeded === 1 })
  }
  return operations
}

const kinds: [name: string, make: () => object, permits: number][] = [
  ['Lock', () => new Lock(), 1],
  ['RLock', () => new RLock(), 1],
  ['Semaphore(1)', () => new Semaphore(1), 1],
  ['Semaphore(2)', () => new Semaphore(2), 2],
  ['Condition', () => new Condition(new Lock()), 1],
]

for (const [name, make, permits] of kinds)
  test(`${name}: what three threads saw can be explained by an order`, async () => {
    for (let run = 0; run < 3; run++) {
      const operations = await history(make(), 3, 12)
      assert.ok(operations.length > 30)
      assert.ok(isLinearizable(operations, permits))
    }
  })

test('the checker refuses a history in which two hold a lock at the same time', () => {
  const take = (thread: number, began: number, ended: number) => ({ thread, began, ended, take: true, succeeded: true })
  assert.ok(!isLinearizable([take(0, 1, 2), take(1, 3, 4)], 1))
  assert.ok(isLinearizable([take(0, 1, 2), take(1, 3, 4)], 2))
  // A try that failed although the lock was free.
  assert.ok(!isLinearizable([{ ...take(0, 1, 2), succeeded: false }], 1))
})

test.run()
