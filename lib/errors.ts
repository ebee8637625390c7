// Every error that the package throws by a class of its own. Bad arguments throw TypeError or RangeError instead.
// Each class has a stable `code`; `instanceof` and `code` both survive the way from one thread to another.

/** What all errors of this package share: a stable `code` that starts with `ERR_MANYHANDS_`. */
export abstract class ManyhandsError extends Error {
  /** Stable, whatever the message says: `ERR_MANYHANDS_…`. */
  abstract readonly code: string
}

/** ERR_MANYHANDS_BOOTSTRAP: work was started while a worker was still importing the module that starts it. */
export class BootstrapError extends ManyhandsError {
  readonly code = 'ERR_MANYHANDS_BOOTSTRAP'
}

/** ERR_MANYHANDS_TASK_NOT_FOUND: the module was imported, but has no task of that name. */
export class TaskNotFoundError extends ManyhandsError {
  readonly code = 'ERR_MANYHANDS_TASK_NOT_FOUND'
}

/** ERR_MANYHANDS_PROCESS: a Process used in a state that does not allow it: not started, started twice, closed, still running, joined by itself. */
export class ProcessError extends ManyhandsError {
  readonly code = 'ERR_MANYHANDS_PROCESS'
}

/** ERR_MANYHANDS_CANCELLED: the work was cancelled, and so has no result. */
export class CancelledError extends ManyhandsError {
  readonly code = 'ERR_MANYHANDS_CANCELLED'
}

/** ERR_MANYHANDS_TIMEOUT: it was not there in time. */
export class TimeoutError extends ManyhandsError {
  readonly code = 'ERR_MANYHANDS_TIMEOUT'
}

/** ERR_MANYHANDS_INVALID_STATE: a future settled that is settled already, or `taskDone` called more often than there were tasks. */
export class InvalidStateError extends ManyhandsError {
  readonly code = 'ERR_MANYHANDS_INVALID_STATE'
}

/** ERR_MANYHANDS_SHUTDOWN: the executor was shut down and takes no more work. */
export class ShutdownError extends ManyhandsError {
  readonly code = 'ERR_MANYHANDS_SHUTDOWN'
}

/** ERR_MANYHANDS_BROKEN_POOL: the executor's workers cannot run anything; the reason is in the `cause` chain. */
export class BrokenProcessPool extends ManyhandsError {
  readonly code = 'ERR_MANYHANDS_BROKEN_POOL'
}

/** ERR_MANYHANDS_WORKER_DIED: the worker thread ended while it ran this task. What ended it, where it is known, is the `cause`. */
export class WorkerDiedError extends ManyhandsError {
  readonly code = 'ERR_MANYHANDS_WORKER_DIED'
  /** The thread's exit code; -15 and -9 where the executor itself terminated or killed it. */
  readonly exitcode: number
  constructor(message: string, options: ErrorOptions & { exitcode: number }) {
    super(message, options)
    this.exitcode = options.exitcode
  }
}

/** ERR_MANYHANDS_DATA_CLONE: a value cannot be sent to another thread, or a message that came cannot be read in this one. */
export class DataCloneError extends ManyhandsError {
  readonly code = 'ERR_MANYHANDS_DATA_CLONE'
  /** Where the value is, as one would write it: `args[0].callback`, `result.get('x')`; `message` for one that came. */
  readonly path: string
  constructor(message: string, options: ErrorOptions & { path: string }) {
    super(message, options)
    this.path = options.path
  }
}

/** ERR_MANYHANDS_LOCK: a lock misused: released while free, released by another than its owner or too often, notified without holding it. */
export class LockError extends ManyhandsError {
  readonly code = 'ERR_MANYHANDS_LOCK'
}

/** ERR_MANYHANDS_DEADLOCK: the thread would block, waiting for a lock that it holds itself. */
export class DeadlockError extends ManyhandsError {
  readonly code = 'ERR_MANYHANDS_DEADLOCK'
}

/** ERR_MANYHANDS_OWNER_DIED: a thread ended while it held the lock; what the lock protects may be half done. See `recover()`. */
export class OwnerDiedError extends ManyhandsError {
  readonly code = 'ERR_MANYHANDS_OWNER_DIED'
  /** The `pid` (thread id) of the thread that ended. */
  readonly pid: number
  constructor(message: string, options: ErrorOptions & { pid: number }) {
    super(message, options)
    this.pid = options.pid
  }
}

/** ERR_MANYHANDS_BROKEN_BARRIER: the barrier was aborted or reset, a party gave up waiting or died, or its action threw. */
export class BrokenBarrierError extends ManyhandsError {
  readonly code = 'ERR_MANYHANDS_BROKEN_BARRIER'
}

/** ERR_MANYHANDS_EOF: the other end of the connection is closed or its thread has ended, and all that it sent was received. */
export class EOFError extends ManyhandsError {
  readonly code = 'ERR_MANYHANDS_EOF'
}

/** ERR_MANYHANDS_BROKEN_PIPE: nobody will receive what is sent: the other end is closed, or its thread has ended. */
export class BrokenPipeError extends ManyhandsError {
  readonly code = 'ERR_MANYHANDS_BROKEN_PIPE'
}

/** ERR_MANYHANDS_CONNECTION_CLOSED: this end of the connection was closed, or moved to another thread. */
export class ConnectionClosedError extends ManyhandsError {
  readonly code = 'ERR_MANYHANDS_CONNECTION_CLOSED'
}

/** ERR_MANYHANDS_QUEUE_EMPTY: nothing came in time. */
export class QueueEmpty extends ManyhandsError {
  readonly code = 'ERR_MANYHANDS_QUEUE_EMPTY'
}

/** ERR_MANYHANDS_QUEUE_FULL: there was no room in time. */
export class QueueFull extends ManyhandsError {
  readonly code = 'ERR_MANYHANDS_QUEUE_FULL'
}

/** ERR_MANYHANDS_QUEUE_SHUT_DOWN: the queue was shut down: nothing can be put any more, or got once it is drained. */
export class QueueShutDown extends ManyhandsError {
  readonly code = 'ERR_MANYHANDS_QUEUE_SHUT_DOWN'
}

/** ERR_MANYHANDS_QUEUE_CLOSED: the queue is used by the thread that has closed it. */
export class QueueClosedError extends ManyhandsError {
  readonly code = 'ERR_MANYHANDS_QUEUE_CLOSED'
}

/** ERR_MANYHANDS_MANAGER: the manager that owns the object was shut down, has died, or cannot be reached from this thread. */
export class ManagerError extends ManyhandsError {
  readonly code = 'ERR_MANYHANDS_MANAGER'
}

/** Every class above by its name: errors that cross threads are rebuilt from it. */
export const errorClasses: ReadonlyMap<string, Function & { prototype: Error }> = new Map(
  [
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
  ].map((errorClass) => [errorClass.name, errorClass]),
)

// On the prototype, as the built-in classes have it: the first line of `stack` is written before a constructor's body runs.
for (const [name, errorClass] of errorClasses)
  Object.defineProperty(errorClass.prototype, 'name', { value: name, writable: true, configurable: true })
