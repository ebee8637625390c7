// Who is dead: one bitmap for the whole process, a bit per threadId. Thread ids are never given out twice, so a bit that is
// set stays true. A bit is set only after the thread's JavaScript has stopped (its Worker's 'exit' event, or the reaper),
// never when its end is merely asked for: a lock taken from a thread that still runs would be held by two.
//
// word   bit     written by                      meaning
//  i     b       whoever saw the end, once       thread i * 32 + b has ended
//
// The bitmap reaches every thread through the environment data that threads inherit.
import { getEnvironmentData, setEnvironmentData, type Worker } from 'node:worker_threads'
import { load, or, type Words } from './atomics.js'

const KEY = 'manyhands:liveness'

/** Ids beyond it count as alive. 8 MiB of address space, of which the system backs only the pages that are touched. */
const THREAD_LIMIT = 2 ** 26

const bitmap: Words = (() => {
  let memory = getEnvironmentData(KEY) as SharedArrayBuffer | undefined
  if (!memory) setEnvironmentData(KEY, (memory = new SharedArrayBuffer(THREAD_LIMIT / 8)))
  return new Int32Array(memory)
})()

/** Say that a thread has ended. Only for those who saw its JavaScript stopped. */
export function markDead(threadId: number): void {
  if (threadId < THREAD_LIMIT) or(bitmap, threadId >>> 5, 1 << (threadId & 31))
}

/** Whether the thread's end was seen. */
export function isDead(threadId: number): boolean {
  return threadId < THREAD_LIMIT && (load(bitmap, threadId >>> 5) & (1 << (threadId & 31))) !== 0
}

// Sees the threads that others start, too. A thread's id is gone from the Worker by the time it exits: read it now.
process.on('worker', (worker: Worker) => {
  const { threadId } = worker
  worker.once('exit', () => markDead(threadId))
})
