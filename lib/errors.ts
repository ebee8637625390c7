// The package's error classes. Each has a stable `code`; `instanceof` and `code` both survive the way from thread to thread.
// Bad arguments throw TypeError or RangeError instead.
import { recognizeCopies } from './copies.js'

/** The base class of this package's errors. */
export abstract class ManyhandsError extends Error {
  /** `ERR_MANYHANDS_…`: stable, unlike the message. */
  abstract readonly code: string
}

/** ERR_MANYHANDS_BOOTSTRAP: work was started while a worker was still importing the module that starts it. */
export class BootstrapError extends ManyhandsError {
  readonly code = 'ERR_MANYHANDS_BOOTSTRAP'
}

/** ERR_MANYHANDS_TASK_NOT_FOUND: the task's module was imported, but has no task of that name. */
export class TaskNotFoundError extends ManyhandsError {
  readonly code = 'ERR_MANYHANDS_TASK_NOT_FOUND'
}

/** ERR_MANYHANDS_PROCESS: a Process in the wrong state for a call: not started, started before, closed, running, joined by itself. */
export class ProcessError extends ManyhandsError {
  readonly code = 'ERR_MANYHANDS_PROCESS'
}

/** ERR_MANYHANDS_CANCELLED: the work was cancelled, or asked to stop. After Python's concurrent.futures.CancelledError. */
export class CancelledError extends ManyhandsError {
  readonly code = 'ERR_MANYHANDS_CANCELLED'
}

/** ERR_MANYHANDS_TIMEOUT: a time limit has passed: of a wait, or of a task that was submitted with one. */
export class TimeoutError extends ManyhandsError {
  readonly code = 'ERR_MANYHANDS_TIMEOUT'
}

/**
 * ERR_MANYHANDS_INVALID_STATE: another object in the wrong state for a call: a Future settled twice, `successful` before the result
 * is there, `join` of an open Pool, `taskDone` more often than there were tasks.
 */
export class InvalidStateError extends ManyhandsError {
  readonly code = 'ERR_MANYHANDS_INVALID_STATE'
}

/** ERR_MANYHANDS_SHUTDOWN: the executor was shut down, or the Pool closed, and takes no more work. */
export class ShutdownError extends ManyhandsError {
  readonly code = 'ERR_MANYHANDS_SHUTDOWN'
}

/** ERR_MANYHANDS_BROKEN_POOL: the executor's workers cannot run anything; see the `cause` chain. After Python's BrokenProcessPool. */
export class BrokenProcessPool extends ManyhandsError {
  readonly code = 'ERR_MANYHANDS_BROKEN_POOL'
}

/** ERR_MANYHANDS_WORKER_DIED: the worker thread ended while it ran the task. The `cause` is what ended it, if that is known. */
export class WorkerDiedError extends ManyhandsError {
  readonly code = 'ERR_MANYHANDS_WORKER_DIED'
  /** The thread's exit code; -15 if the executor terminated it, -9 if the executor killed it. */
  readonly exitcode: number
  constructor(message: string, options: ErrorOptions & { exitcode: number }) {
    super(message, options)
    this.exitcode = options.exitcode
  }
}

/** ERR_MANYHANDS_DATA_CLONE: a value cannot be sent to another thread, or a received message cannot be read in this one. */
export class DataCloneError extends ManyhandsError {
  readonly code = 'ERR_MANYHANDS_DATA_CLONE'
  /** The place of the value as an expression: `args[0].callback`, `result.get('x')`; `message` for a received message. */
  readonly path: string
  constructor(message: string, options: ErrorOptions & { path: string }) {
    super(message, options)
    this.path = options.path
  }
}

/**
 * ERR_MANYHANDS_LOCK: a lock is misused: released while free, by a thread that does not hold it, or too often; a Condition notified
 * without its lock; `recover` where no holder has died; `getLock` where there is no lock.
 */
export class LockError extends ManyhandsError {
  readonly code = 'ERR_MANYHANDS_LOCK'
}

/** ERR_MANYHANDS_DEADLOCK: the thread would block for a lock that it holds itself. */
export class DeadlockError extends ManyhandsError {
  readonly code = 'ERR_MANYHANDS_DEADLOCK'
}

/** ERR_MANYHANDS_OWNER_DIED: a thread ended while it held the lock, perhaps in the middle of a change; `recover` takes the lock. */
export class OwnerDiedError extends ManyhandsError {
  readonly code = 'ERR_MANYHANDS_OWNER_DIED'
  /** The `pid` (thread id) of the thread that ended. */
  readonly pid: number
  constructor(message: string, options: ErrorOptions & { pid: number }) {
    super(message, options)
    this.pid = options.pid
  }
}

/** ERR_MANYHANDS_BROKEN_BARRIER: the barrier was aborted or reset, a party died or ran out of time, or the action threw. */
export class BrokenBarrierError extends ManyhandsError {
  readonly code = 'ERR_MANYHANDS_BROKEN_BARRIER'
}

/** ERR_MANYHANDS_EOF: the other end of the Pipe is closed, or its thread has ended, and everything it sent was received. */
export class EOFError extends ManyhandsError {
  readonly code = 'ERR_MANYHANDS_EOF'
}

/** ERR_MANYHANDS_BROKEN_PIPE: the other end of the Pipe is closed, or its thread has ended: a message would never be received. */
export class BrokenPipeError extends ManyhandsError {
  readonly code = 'ERR_MANYHANDS_BROKEN_PIPE'
}

/** ERR_MANYHANDS_CONNECTION_CLOSED: this end of the Pipe was closed, or moved to another thread. */
export class ConnectionClosedError extends ManyhandsError {
  readonly code = 'ERR_MANYHANDS_CONNECTION_CLOSED'
}

/** ERR_MANYHANDS_QUEUE_EMPTY: no message came in time. After Python's queue.Empty. */
export class QueueEmpty extends ManyhandsError {
  readonly code = 'ERR_MANYHANDS_QUEUE_EMPTY'
}

/** ERR_MANYHANDS_QUEUE_FULL: there was no room in time. After Python's queue.Full. */
export class QueueFull extends ManyhandsError {
  readonly code = 'ERR_MANYHANDS_QUEUE_FULL'
}

/** ERR_MANYHANDS_QUEUE_SHUT_DOWN: `put` after `shutdown`, or `get` once the queue is drained. After Python's queue.ShutDown. */
export class QueueShutDown extends ManyhandsError {
  readonly code = 'ERR_MANYHANDS_QUEUE_SHUT_DOWN'
}

/** ERR_MANYHANDS_QUEUE_CLOSED: this thread has closed the queue and uses it. */
export class QueueClosedError extends ManyhandsError {
  readonly code = 'ERR_MANYHANDS_QUEUE_CLOSED'
}

/** ERR_MANYHANDS_MANAGER: the manager was shut down, has died, no longer has the object, or cannot be reached from this thread. */
export class ManagerError extends ManyhandsError {
  readonly code = 'ERR_MANYHANDS_MANAGER'
}

/** The classes by name, for rebuilding errors that come from another thread. */
export const errorClasses: ReadonlyMap<string, Function & { prototype: Error }> = new Map(
  Object.entries({
    BootstrapError,
    TaskNotFoundError,
    ProcessError,
    CancelledError,
    TimeoutError,
    InvalidStateError,
    ShutdownError,
    BrokenProcessPool,
    WorkerDiedError,
    DataCloneError,
    LockError,
    DeadlockError,
    OwnerDiedError,
    BrokenBarrierError,
    EOFError,
    BrokenPipeError,
    ConnectionClosedError,
    QueueEmpty,
    QueueFull,
    QueueShutDown,
    QueueClosedError,
    ManagerError,
  }),
)

// `name` is on the prototype, as with the built-in classes: the first line of `stack` is written before a constructor's body runs.
for (const [name, errorClass] of errorClasses) {
  Object.defineProperty(errorClass.prototype, 'name', { value: name, writable: true, configurable: true })
  recognizeCopies(errorClass, name)
}
recognizeCopies(ManyhandsError, 'ManyhandsError')
