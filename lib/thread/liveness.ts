// Which threads are dead. A thread counts as dead only after its JavaScript has stopped, never when its end is merely requested:
// a lock taken from a thread that still runs would have two holders. A death is seen in four ways:
//
//   seen by                       when                                       of
//   the parent's 'exit' event     the parent's event loop turns              every thread
//   the 'close' of a port         the parent's event loop turns, earlier     a Process that ends by itself (lib/process/child.ts)
//   the reaper                    at once, in joinSync, and in any long      a Process (lib/process/reaper.ts)
//                                 wait where the system reports none
//   a blocked thread that probes  within a slice of its wait                 every registered thread, where the
//                                                                          system reports deaths
//
// The last is for a thread that blocks for another thread's lock: it receives no events, and the thread that would tell it may
// block as well. A thread registers when it makes or receives its first lock: it writes down which thread of the system it is.
//
// word                     written by                  meaning
//  id >>> 5                threads that saw the end    bit id & 31: thread `id` has ended. It stays set: ids are never reused
//  REGISTERED + 2 * id     thread `id`, once           its number in the system, plus one; 0: not registered
//  REGISTERED + 2 * id + 1 thread `id`, before that    when the system started it: distinguishes later threads of that number
//  TABLE_ID                the maker of the table      identifies it: in another thread the same memory is another object
//
// Threads inherit the table through their environment data. A thread that started before its parent had a table has its own. So
// the handle of every object that a thread can hold carries the table of the thread that made it, and a receiver joins that table:
// it registers there, and looks there, too.
import { getEnvironmentData, setEnvironmentData, threadId as ownId, type Worker } from 'node:worker_threads'
import { MAJOR, perThread } from '../copies.js'
import { performance } from '../base/clock.js'
import { load, or, peek, poke, store, type Words } from '../memory/atomics.js'
import { readThreadStat } from './os-thread.js'

const TABLE_KEY = `manyhands@${MAJOR}:liveness`

/** Threads with this id or a greater one count as alive. Costs address space only: the system backs the pages that are touched. */
const MAX_THREADS = 2 ** 20

const REGISTERED = MAX_THREADS / 32
const TABLE_ID = REGISTERED + 2 * MAX_THREADS
const TABLE_WORDS = TABLE_ID + 1

const ownTable: Words = (() => {
  const inherited = getEnvironmentData(TABLE_KEY) as SharedArrayBuffer | undefined
  if (inherited) return new Int32Array(inherited)
  const memory = new SharedArrayBuffer(TABLE_WORDS * Int32Array.BYTES_PER_ELEMENT)
  setEnvironmentData(TABLE_KEY, memory)
  const table = new Int32Array(memory)
  poke(table, TABLE_ID, 1 + Math.floor(Math.random() * (2 ** 31 - 1)))
  return table
})()

/** The tables that this thread knows, its own first. There is one, unless a thread started before its parent had a table. */
const tables = perThread('liveness tables', (): Words[] => [ownTable])

/** This thread's table, as a part of the handle of an object that a thread may die holding. */
export const threadTable: { readonly threadTable: SharedArrayBuffer } = { threadTable: ownTable.buffer }

/** A handle was received. If the part is a table, the threads that may die holding the object are registered there. */
export function joinThreadTable(part: unknown): void {
  if (typeof part !== 'object' || part === null || !('threadTable' in part)) return
  const table: Words = new Int32Array(part.threadTable as SharedArrayBuffer)
  const id = peek(table, TABLE_ID)
  if (tables.some((known) => peek(known, TABLE_ID) === id)) return
  tables.push(table)
  registration.done = false
  registerThread()
}

/** A thread has ended. Only for callers that saw its JavaScript stopped. */
export function markDead(threadId: number): void {
  if (threadId >= MAX_THREADS) return
  for (const table of tables) or(table, threadId >>> 5, 1 << (threadId & 31))
}

/** Whether the end of the thread was seen. */
export function isDead(threadId: number): boolean {
  if (threadId >= MAX_THREADS) return false
  for (const table of tables) if (load(table, threadId >>> 5) & (1 << (threadId & 31))) return true
  return false
}

const registration = perThread('liveness registration', () => ({ done: false }))

/** Write down which thread of the system this thread is. To be called before this thread holds anything. */
export function registerThread(): void {
  if (registration.done || ownId >= MAX_THREADS) return
  registration.done = true
  const self = readThreadStat('self')
  if (typeof self === 'string') return
  for (const table of tables) {
    store(table, REGISTERED + 2 * ownId + 1, self.startedAt)
    store(table, REGISTERED + 2 * ownId, self.number + 1)
  }
}

/** Whether the thread has ended; asks the system if no thread has seen the end yet. Costs some 20 µs: for threads that have waited. */
export function probeDead(threadId: number): boolean {
  if (isDead(threadId)) return true
  if (threadId >= MAX_THREADS) return false
  const table = tables.find((one) => load(one, REGISTERED + 2 * threadId) > 0)
  if (!table) return false
  const stat = readThreadStat(load(table, REGISTERED + 2 * threadId) - 1)
  if (stat === 'unknown') return false
  if (stat !== 'gone' && stat.startedAt === load(table, REGISTERED + 2 * threadId + 1)) return false
  markDead(threadId)
  return true
}

const PROBE_INTERVAL_MS = 5
let probedMs = 0
let probedObject: unknown

/**
 * Whether it is time to ask the system again: for callers that try again and again without waiting.
 * @param object what they try: probing for one object must not keep another from being probed for
 */
export function probeDue(object?: unknown): boolean {
  const nowMs = performance.now()
  if (object === probedObject && nowMs - probedMs < PROBE_INTERVAL_MS) return false
  probedObject = object
  probedMs = nowMs
  return true
}

// Sees threads that others start, too. A Worker has lost its thread id by the time it exits: read it now.
process.on('worker', (worker: Worker) => {
  const { threadId } = worker
  worker.once('exit', () => markDead(threadId))
})
