// Who is dead. A thread counts as dead only after its JavaScript has stopped, never when its end is merely asked for: a lock
// taken from a thread that still runs would be held by two. Three see the end of a thread:
//
//   who                           when                                   whom
//   its parent's 'exit' event     the parent's event loop turns          every thread
//   the reaper                    at once, in joinSync, and in any       a Process (lib/process/reaper.ts)
//                                 long wait where no system tells
//   a blocked thread that asks    within a slice of its wait             every enrolled thread, where the system tells
//   the system for it
//
// The last one is what a thread needs that is blocked by the lock of another: no event reaches it, and whoever could tell it
// may be blocked, too. A thread enrols when it makes or receives its first lock: it notes which thread of the system it is.
//
// word                   written by                 meaning
//  id >>> 5              whoever saw the end        bit id & 31: thread `id` has ended. Ids are never given out twice: it stays.
//  ENROLLED + 2 * id     thread `id`, once          its number in the system, plus one; 0: not enrolled
//  ENROLLED + 2 * id + 1 thread `id`, before that   when the system started it: tells it from a later thread of that number
//
//  CENSUS_ID             who made the table           tells it from others: the same memory is another object wherever it arrives
//
// The words reach every thread through the environment data that threads inherit. A thread that was started before its parent
// had any, has a table of its own; so every handle of something that can be held carries the table of the thread that made it,
// and whoever receives that, joins the table: enrols there, and looks there, too.
import { readFileSync } from 'node:fs'
import { getEnvironmentData, setEnvironmentData, threadId as ownId, type Worker } from 'node:worker_threads'
import { load, or, peek, poke, store, type Words } from '../memory/atomics.js'

const KEY = 'manyhands:liveness'

/** Ids beyond it count as alive. Address space only: the system backs the pages that are touched. */
const ID_LIMIT = 2 ** 20

const ENROLLED = ID_LIMIT / 32
const CENSUS_ID = ENROLLED + 2 * ID_LIMIT
const WORDS = CENSUS_ID + 1

const own: Words = (() => {
  const inherited = getEnvironmentData(KEY) as SharedArrayBuffer | undefined
  if (inherited) return new Int32Array(inherited)
  const memory = new SharedArrayBuffer(WORDS * Int32Array.BYTES_PER_ELEMENT)
  setEnvironmentData(KEY, memory)
  const words = new Int32Array(memory)
  poke(words, CENSUS_ID, 1 + Math.floor(Math.random() * (2 ** 31 - 1)))
  return words
})()

/** The tables that this thread knows, its own first. There is one, but for threads that were started before their parent's. */
const tables: Words[] = [own]

/** This thread's table, as a part of the handle of what a thread may die holding. */
export const threadTable: { readonly threadTable: SharedArrayBuffer } = { threadTable: own.buffer }

/** A handle was received. If a table is a part of it, those are in there who may die holding the object. */
export function joinThreadTable(part: unknown): void {
  if (typeof part !== 'object' || part === null || !('threadTable' in part)) return
  const table: Words = new Int32Array(part.threadTable as SharedArrayBuffer)
  const id = peek(table, CENSUS_ID)
  if (tables.some((known) => peek(known, CENSUS_ID) === id)) return
  tables.push(table)
  enrolled = false
  registerThread()
}

/** Say that a thread has ended. Only for those who saw its JavaScript stopped. */
export function markDead(threadId: number): void {
  if (threadId >= ID_LIMIT) return
  for (const table of tables) or(table, threadId >>> 5, 1 << (threadId & 31))
}

/** Whether the thread's end was seen. */
export function isDead(threadId: number): boolean {
  if (threadId >= ID_LIMIT) return false
  for (const table of tables) if (load(table, threadId >>> 5) & (1 << (threadId & 31))) return true
  return false
}

let enrolled = false

/** Note which thread of the system this thread is. Whoever might have to be found dead calls it, before that. */
export function registerThread(): void {
  if (enrolled || ownId >= ID_LIMIT) return
  enrolled = true
  const self = ask('thread-self')
  if (typeof self === 'string') return
  for (const table of tables) {
    store(table, ENROLLED + 2 * ownId + 1, self.startedAt)
    store(table, ENROLLED + 2 * ownId, self.number + 1)
  }
}

/** Whether the thread has ended, asking the system where nobody has seen the end yet. Some 20 µs: for those who have waited. */
export function probeDead(threadId: number): boolean {
  if (isDead(threadId)) return true
  if (threadId >= ID_LIMIT) return false
  const table = tables.find((one) => load(one, ENROLLED + 2 * threadId) > 0)
  if (!table) return false
  const now = ask(`self/task/${load(table, ENROLLED + 2 * threadId) - 1}`)
  if (now === 'unknown') return false
  if (now !== 'gone' && now.startedAt === load(table, ENROLLED + 2 * threadId + 1)) return false
  markDead(threadId)
  return true
}

const watches = new Set<() => void>()

/** Have `watch` called before this thread blocks for long where the system does not tell who is dead. Returns what undoes it. */
export function onLongWait(watch: () => void): () => void {
  watches.add(watch)
  return () => void watches.delete(watch)
}

/** This thread is about to block for long. */
export function runLongWaitHooks(): void {
  if (watches.size > 0 && typeof ask('thread-self') === 'string') for (const watch of watches) watch()
}

const chores = new Set<() => void>()

/** Have `chore` done every few milliseconds while this thread blocks: its event loop does nothing then. Returns what undoes it. */
export function onBlocked(chore: () => void): () => void {
  chores.add(chore)
  return () => void chores.delete(chore)
}

/** Do what the event loop does not. Whether there is more to be done in a few milliseconds. */
export function runBlockedHooks(): boolean {
  for (const chore of chores) chore()
  return chores.size > 0
}

const ASK_EVERY_MS = 5
let askedMs = 0
let askedAbout: unknown

/**
 * Whether it is time to ask the system again: for those who look again and again without waiting.
 * @param about what they look at: asking about one must not keep another from being asked about
 */
export function probeDue(about?: unknown): boolean {
  const nowMs = performance.now()
  if (about === askedAbout && nowMs - askedMs < ASK_EVERY_MS) return false
  askedAbout = about
  askedMs = nowMs
  return true
}

interface SystemThread {
  number: number
  startedAt: number
}

/** What Linux knows of a thread of this process. Other systems do not tell: there no thread ever enrols. */
function ask(who: string): SystemThread | 'gone' | 'unknown' {
  let text: string
  try {
    text = readFileSync(`/proc/${who}/stat`, 'latin1')
  } catch (failure) {
    // Not: any failure means gone. Out of file descriptors, say, everybody would seem dead.
    const { code } = failure as NodeJS.ErrnoException
    return code === 'ENOENT' || code === 'ESRCH' ? 'gone' : 'unknown'
  }
  // "4711 (name) state …": a name may hold anything, spaces and brackets too. Field 22 is the start, in ticks since boot.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return { number: Number.parseInt(text), startedAt: Number(fields[19]) | 0 }
}

// Sees the threads that others start, too. A thread's id is gone from the Worker by the time it exits: read it now.
process.on('worker', (worker: Worker) => {
  const { threadId } = worker
  worker.once('exit', () => markDead(threadId))
})
