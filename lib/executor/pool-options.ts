// Opening a pool: its options, checked, and what the faces of one executor share.
import { availableParallelism } from 'node:os'
import { inspect } from 'node:util'
import type { ResourceLimits, Transferable } from 'node:worker_threads'
import { checkTimeout } from '../base/wait-options.js'
import { pack } from '../transport/shareable.js'
import { currentProcess } from '../process/current-process.js'
import { checkThreadOptions, definedIn } from '../process/warm-threads.js'
import { explainCloneFailure } from '../transport/clone-error.js'
import { define } from '../task/target.js'
import type { Target } from '../task/task.js'
import { checkCount, checkOptions } from '../base/validate.js'
import { Scheduler } from './main/scheduler.js'
import type { Counts } from './main/job.js'

/** Each worker is a thread with a heap of its own. */
const MOST_WORKERS = 4096

export interface ProcessPoolOptions<I extends unknown[] = any[]> {
  /** Threads at most; they are started as work arrives. @default what `cpuCount()` gives */
  maxWorkers?: number | undefined
  /** Runs once in each worker, before its first task. If it fails, the executor is broken. */
  initializer?: Target<I, unknown> | undefined
  /** Its arguments. @default [] */
  initargs?: I | undefined
  /** A worker that has run so many tasks is replaced. @default Infinity */
  maxTasksPerChild?: number | undefined
  /** Limits of each thread's heap and stack, as of `worker_threads`. */
  resourceLimits?: ResourceLimits | undefined
  /** Replaces the environment of the workers. @default a copy of the parent's `process.env` */
  env?: NodeJS.ProcessEnv | undefined
  /** Milliseconds after which idle workers, except one, are ended. @default Infinity */
  idleTimeout?: number | undefined
  /** `'auto'`: many calls of a short function go to a worker by one message. `false`: each call by one of its own. @default 'auto' */
  batch?: 'auto' | false | undefined
}

/** What faces of one executor share. */
export interface PoolState {
  scheduler: Scheduler
  maxWorkers: number
  batch: boolean
  counts: Counts
  shutDown: boolean
  /** Resolves when the executor was shut down and its threads have ended. */
  ended: Promise<void>
  end: () => void
}

export function openPool(options: ProcessPoolOptions): PoolState {
  checkOptions(options, 'the options of a ProcessPoolExecutor', [
    'maxWorkers',
    'initializer',
    'initargs',
    'maxTasksPerChild',
    'resourceLimits',
    'env',
    'idleTimeout',
    'batch',
  ])
  const {
    initializer,
    initargs = [],
    maxTasksPerChild = Infinity,
    idleTimeout = Infinity,
    env,
    resourceLimits,
  } = options
  const maxWorkers = checkCount(options.maxWorkers ?? availableParallelism(), 'maxWorkers')
  if (!Array.isArray(initargs)) throw new TypeError(`initargs must be an array, not ${inspect(initargs)}`)
  if (checkTimeout(idleTimeout, 'idleTimeout') < 0)
    throw new RangeError(`idleTimeout must not be negative, not ${idleTimeout}`)
  if (maxWorkers > MOST_WORKERS) throw new RangeError(`maxWorkers must be ${MOST_WORKERS} at most, not ${maxWorkers}`)
  checkThreadOptions({ env, resourceLimits })
  const { name, pid, numbers } = currentProcess()
  let end!: () => void
  const pool: PoolState = {
    maxWorkers,
    batch: checkBatch(options.batch),
    counts: { completed: 0, failed: 0, cancelled: 0 },
    shutDown: false,
    ended: new Promise((resolve) => (end = resolve)),
    end: () => void pool.scheduler.destroy().then(end),
    scheduler: new Scheduler(
      {
        maxWorkers,
        idleTimeout,
        env: env && definedIn(env),
        resourceLimits,
        setup: {
          creator: { numbers, parent: { name, pid } },
          initializer: initializer && { target: define(initializer), args: packInitargs(initargs) },
          maxTasks: maxTasksPerChild === Infinity ? Infinity : checkCount(maxTasksPerChild, 'maxTasksPerChild'),
        },
      },
      () => {
        if (pool.shutDown) pool.end()
      },
    ),
  }
  return pool
}

/** They go to every worker that is ever started: whether they can is better known now. */
function packInitargs(initargs: unknown[]): ReturnType<typeof pack> {
  const transfer: Transferable[] = []
  const packed = pack(initargs, transfer)
  try {
    structuredClone(initargs)
  } catch (failure) {
    throw explainCloneFailure(failure, initargs, 'initargs')
  }
  return packed
}

function checkBatch(batch: unknown = 'auto'): boolean {
  if (batch === 'auto' || batch === false) return batch === 'auto'
  throw new TypeError(`batch must be 'auto' or false, not ${inspect(batch)}`)
}
