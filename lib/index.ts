// manyhands: Python's multiprocessing and concurrent.futures for Node.js. What the public may import; nothing else.
export { isMainThread } from 'node:worker_threads'
export {
  BootstrapError,
  BrokenProcessPool,
  CancelledError,
  DataCloneError,
  InvalidStateError,
  ManyhandsError,
  ProcessError,
  ShutdownError,
  TaskNotFoundError,
  TimeoutError,
  WorkerDiedError,
} from './errors.js'
export type { WaitOptions } from './memory/deadline.js'
export { attach } from './memory/handles.js'
export { currentProcess, parentProcess, type CurrentProcess, type ParentProcess } from './process/current.js'
export { activeChildren, cpuCount, Process, type ProcessOptions } from './process/process.js'
export type { Sentinel } from './process/running.js'
export { task, tasksFrom, type Target, type Task, type TasksOf } from './task/task.js'
