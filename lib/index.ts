// manyhands: Python's multiprocessing and concurrent.futures for Node.js. What the public may import; nothing else.
export { isMainThread } from 'node:worker_threads'
export {
  BootstrapError,
  BrokenBarrierError,
  BrokenPipeError,
  BrokenProcessPool,
  CancelledError,
  ConnectionClosedError,
  DataCloneError,
  DeadlockError,
  EOFError,
  InvalidStateError,
  LockError,
  ManagerError,
  ManyhandsError,
  OwnerDiedError,
  ProcessError,
  QueueClosedError,
  QueueEmpty,
  QueueFull,
  QueueShutDown,
  ShutdownError,
  TaskNotFoundError,
  TimeoutError,
  WorkerDiedError,
} from './errors.js'
export type { WaitOptions } from './base/wait-options.js'
export type { CallOptions, ExecutorStats, ShutdownOptions } from './executor/call-options.js'
export type { TaskEvent } from './base/diagnostics.js'
export type { Executor } from './executor/executor.js'
export { Future } from './executor/future.js'
export { InlineExecutor } from './executor/inline-executor.js'
export type {
  Float64Arguments,
  Float64Options,
  MapArguments,
  MapOptions,
  MapProgress,
  MapResult,
  SettledArguments,
  SettledOptions,
} from './executor/map/map-options.js'
export { AsyncResult, type Callbacks } from './pool/async-result.js'
export type { Schedule } from './executor/range/blocks.js'
export { Pool, type PoolMapOptions, type PoolOptions } from './pool/pool.js'
export type { ParallelOptions, Range, ReduceOptions } from './executor/range/range.js'
export type { ProcessPoolOptions } from './executor/pool-options.js'
export { ProcessPoolExecutor } from './executor/process-pool-executor.js'
export {
  ALL_COMPLETED,
  asCompleted,
  FIRST_COMPLETED,
  FIRST_EXCEPTION,
  wait,
  type Completed,
  type ReturnWhen,
  type WaitForOptions,
} from './executor/wait.js'
export { Connection, type Waitable } from './pipe/connection.js'
export { Pipe, type PipeOptions } from './pipe/pipe.js'
export type { QueueOptions } from './queue/queue-options.js'
export { Queue } from './queue/queue.js'
export { JoinableQueue, SimpleQueue } from './queue/queue-kinds.js'
export { Manager, type ManagerOptions } from './manager/manager.js'
export type { Remote, RemoteDict, RemoteList, RemoteNamespace } from './manager/proxy-types.js'
export { attach } from './transport/pack.js'
export { currentProcess, parentProcess, type CurrentProcess, type ParentProcess } from './process/current-process.js'
export { getLogger, logToStderr, type Logger, type LogLevel } from './process/logging.js'
export { activeChildren, cpuCount, Process, type ProcessOptions } from './process/process.js'
export type { Sentinel } from './process/child.js'
export { Barrier, type BarrierOptions } from './sync/barrier.js'
export { Condition } from './sync/condition.js'
export { Event } from './sync/event.js'
export type { Acquirable, Guard, LockOptions } from './sync/acquirable.js'
export { Lock } from './sync/lock.js'
export { RLock } from './sync/rlock.js'
export { Array, type ArrayOptions } from './shared/array.js'
export { Struct, type Fields, type RecordOf } from './shared/struct.js'
export { StructArray } from './shared/struct-array.js'
export { Value } from './shared/value.js'
export type { ElementOf, TypeCode, ViewOf } from './memory/element-types.js'
export { RWLock } from './sync/rwlock.js'
export { BoundedSemaphore, Semaphore } from './sync/semaphore.js'
export { task, tasksFrom, type ClassTask, type Target, type Task, type TasksOf } from './task/task.js'
