// One thread that piscina has started for an executor, and how it ends.
import type { Worker } from 'node:worker_threads'
import type { WorkerHandle } from './worker-handle.js'

/** How a thread ended. */
export interface ThreadExit {
  exitcode: number
  /** The uncaught error, where there was one. */
  reason: unknown
}

/** A thread that piscina has started. */
export interface PoolThread {
  readonly worker: Worker
  handle: WorkerHandle | undefined
  /** It has thrown, or is being ended: it gets no handle, and its handle no lease. */
  isDying: boolean
  /** It is ended from here, on purpose. */
  isExpected: boolean
  /** The exit code to report, where that is not the real one. */
  exitcode: number | undefined
  /** The uncaught error. */
  reason: unknown
  exited: Promise<void>
}

/** No job goes to the thread any more. @param isExpected it is ended from here, on purpose */
export function setDying(thread: PoolThread, isExpected: boolean = thread.isExpected): void {
  thread.isDying = true
  thread.isExpected = isExpected
  thread.worker.ref() // Jobs may wait for its slot.
  if (thread.handle) thread.handle.isDying = true
}
