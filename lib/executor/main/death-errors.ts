// Errors that the executor raises itself: worker death, a broken pool, arguments that cannot be sent.
import type { Transferable } from 'node:worker_threads'
import { isError } from '../../base/brands.js'
import { BrokenProcessPool, DataCloneError, TimeoutError, WorkerDiedError } from '../../errors.js'
import { explainCloneFailure } from '../../transport/clone-error.js'
import { thrownText } from '../../base/thrown-text.js'
import { publish } from '../../base/diagnostics.js'
import type { Job } from './job.js'
import type { ThreadExit } from './threads/pool-thread.js'

/** @param threadId, exit its thread, and how that ended; `undefined`: it never had one */
export function workerDied(threadId: number | undefined, exit: ThreadExit | undefined, when: string): WorkerDiedError {
  if (threadId === undefined || !exit)
    return new WorkerDiedError(`the worker could not be started, and ended ${when}`, { exitcode: 1 })
  const { exitcode, reason } = exit
  publish('task', () => ({ event: 'workerDied', pid: threadId, exitcode }))
  const message = `the worker (thread ${threadId}) died with exit code ${exitcode} ${when}`
  return new WorkerDiedError(message, { exitcode, ...(reason !== undefined && { cause: reason }) })
}

/** @param begun whether the worker had begun the task */
export function timedOut(timeoutMs: number, begun: boolean): TimeoutError {
  const late = begun || timeoutMs <= 0 ? 'ran for more than' : 'was with a worker that did not begin it within'
  return new TimeoutError(`the task ${late} ${timeoutMs} ms`)
}

/** Why a thread was never ready. */
export function bootFailure({ exitcode, reason }: ThreadExit): unknown {
  return reason ?? new WorkerDiedError(`the thread exited with code ${exitcode}`, { exitcode })
}

/** The message of an error; any other value as text. */
function reasonText(cause: unknown): string {
  return isError(cause) && typeof cause.message === 'string' ? cause.message : thrownText(cause)
}

export function brokenPool(what: string, cause: unknown): BrokenProcessPool {
  const reason = reasonText(cause)
  const message = `the executor is broken: ${what}: ${reason}`
  publish('task', () => ({ event: 'broken', message, cause }))
  return new BrokenProcessPool(message, { cause })
}

/** A broken executor's error, for one more job or call. Each has its own. */
export function copyOf({ message, cause }: BrokenProcessPool): BrokenProcessPool {
  return new BrokenProcessPool(message, { cause })
}

/** Why the message of a single job could not be sent. */
export function explainUnsent(job: Job, reason: unknown, transfer: Transferable[]): DataCloneError {
  if (reason instanceof DataCloneError) return reason
  const { root, value } = job.describe()
  try {
    return explainCloneFailure(reason, value, root, transfer)
  } catch {
    // It resists being looked at, as a revoked proxy does.
    return new DataCloneError(`${root} cannot be sent to another thread`, { path: root, cause: reason })
  }
}
