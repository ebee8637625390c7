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
export type { WaitOptions } from './memory/deadline.js'
export type {
  CallOptions,
  Executor,
  ExecutorStats,
  MapArguments,
  SettledArguments,
  SettledOptions,
  ShutdownOptions,
} from './executor/executor.js'
export { Future } from './executor/future.js'
export { InlineExecutor } from './executor/inline.js'
export type { MapOptions, MapProgress, MapResult } from './executor/map-options.js'
export { AsyncResult, type Callbacks } from './executor/async-result.js'
export type { Schedule } from './executor/blocks.js'
export { Pool, type PoolMapOptions, type PoolOptions } from './executor/pool.js'
export type { ParallelOptions, Range, ReduceOptions } from './executor/parallel.js'
export type { ProcessPoolOptions } from './executor/open-pool.js'
export { ProcessPoolExecutor } from './executor/pool-executor.js'
export {
  ALL_COMPLETED,
  asCompleted,
  FIRST_COMPLETED,
  FIRST_EXCEPTION,
  wait,
  type Completed,
  type ReturnWhen,
  type WaitForOptions,
} from './executor/waiting.js'
export { Connection, type Waitable } from './channel/connection.js'
export { Pipe, type PipeOptions } from './channel/pipe.js'
export { JoinableQueue, Queue, SimpleQueue, type QueueOptions } from './channel/queue.js'
export { Manager, type ManagerOptions } from './manager/manager.js'
export type { Remote, RemoteDict, RemoteList, RemoteNamespace } from './manager/types.js'
export { attach } from './memory/handles.js'
export { currentProcess, parentProcess, type CurrentProcess, type ParentProcess } from './process/current.js'
export { getLogger, logToStderr, type Logger, type LogLevel } from './process/logging.js'
export { activeChildren, cpuCount, Process, type ProcessOptions } from './process/process.js'
export type { Sentinel } from './process/running.js'
import './task/action.js'
export { Barrier, type BarrierOptions } from './sync/barrier.js'
export { Condition } from './sync/condition.js'
export { Event } from './sync/event.js'
export type { Acquirable, Guard } from './sync/guard.js'
export { Lock, type LockOptions } from './sync/lock.js'
export { RLock } from './sync/rlock.js'
export { Array, type ArrayOptions } from './shared/array.js'
export { Struct, StructArray, type Fields, type RecordOf } from './shared/struct.js'
export { Value } from './shared/value.js'
export type { ElementOf, TypeCode, ViewOf } from './memory/typecodes.js'
export { RWLock } from './sync/rwlock.js'
export { BoundedSemaphore, Semaphore } from './sync/semaphore.js'
export { task, tasksFrom, type ClassTask, type Target, type Task, type TasksOf } from './task/task.js'
