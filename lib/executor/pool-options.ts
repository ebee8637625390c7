// The options of a ProcessPoolExecutor, checked, and what all faces of one executor (`with`) share.
import { availableParallelism } from 'node:os'
import { inspect } from 'node:util'
import type { ResourceLimits, Transferable } from 'node:worker_threads'
import { Promise, queueMicrotask } from '../base/clock.js'
import { warnDropped } from '../thread/dropped.js'
import { checkCount, checkInteger, checkOptions } from '../base/validate.js'
import { checkTimeout } from '../base/wait-options.js'
import { currentProcess } from '../process/current-process.js'
import { checkThreadOptions, definedIn } from '../thread/boot.js'
import { define } from '../task/target.js'
import type { Target } from '../task/task.js'
import { cloneOf, explainCloneFailure } from '../transport/clone-error.js'
import { pack } from '../transport/pack.js'
import type { Counts } from './call-options.js'
import { Scheduler } from './main/scheduler.js'
import { NumberSlabs } from './map/number-slabs.js'
import { OpenMaps } from './map/open-maps.js'

/** Workers of one executor. Each is a thread with a heap of its own. */
const MAX_WORKERS = 4096

/** Chunks of a map in flight per worker, by default: one that runs, and one that is ready when it ends. */
export const CHUNKS_PER_WORKER = 2

/** Options of a `ProcessPoolExecutor`. */
export interface ProcessPoolOptions<I extends unknown[] = any[]> {
  /** Threads at most; they are started as work arrives. @default what `cpuCount()` gives */
  maxWorkers?: number | undefined
  /** Runs once in each worker, before its first task. If it fails, the executor is broken. */
  initializer?: Target<I, unknown> | undefined
  /**
   * Runs once in each worker that ends by itself, after its last task: at `shutdown`, when it was idle for `idleTimeout`, and when
   * it has run `maxTasksPerChild` tasks. A promise that it returns is awaited; what it throws is printed to stderr. Then handlers of
   * `process.on('exit')` run. A worker that has not ended after 5 seconds is terminated, with a warning.
   */
  finalizer?: Target<I, unknown> | undefined
  /** Arguments of the initializer and the finalizer. Cloned for each worker. @default [] */
  initargs?: I | undefined
  /**
   * A worker that has run this many tasks is replaced. Each item of a map counts, and so does each attempt at a task with
   * `retries`; a worker's part in a range counts as one. @default Infinity
   */
  maxTasksPerChild?: number | undefined
  /** Limits of each thread's heap and stack, as in `worker_threads`. */
  resourceLimits?: ResourceLimits | undefined
  /** Environment of the workers. @default a copy of this thread's `process.env` */
  env?: NodeJS.ProcessEnv | undefined
  /** Milliseconds after which idle workers, except one, are ended. @default Infinity */
  idleTimeout?: number | undefined
  /** `'auto'`: calls of a short function go to a worker many in one message. `false`: each has its own message. @default 'auto' */
  batch?: 'auto' | false | undefined
}

/** What all faces of one executor share. */
export interface PoolState {
  scheduler: Scheduler
  maxWorkers: number
  /** How many tasks a worker runs at most. */
  maxTasks: number
  /** Whether calls may share a message. */
  batch: boolean
  counts: Counts
  shutDown: boolean
  /** Resolves when the executor was shut down and its threads have ended. */
  ended: Promise<void>
  /** Maps that are not done. */
  maps: OpenMaps
  /** Memory for the numbers of maps. */
  slabs: NumberSlabs
  /** End the threads, if the executor was shut down and all its work is done. */
  endIfDone: () => void
}

/**
 * An object that all faces of the executor hold, and nothing else does: the pool is shut down when it has been collected. What was
 * submitted is still done, maps included.
 */
export function holdPool(pool: PoolState): object {
  const hold = {}
  droppedPools.register(hold, pool, pool)
  void pool.ended.then(() => droppedPools.unregister(pool)) // The registry would keep it until the last face is collected.
  return hold
}

const droppedPools = new FinalizationRegistry<PoolState>((pool) => {
  if (pool.shutDown) return
  pool.shutDown = true
  if (pool.scheduler.stats().workers > 0) warnDropped('an executor or a Pool')
  pool.maps.finish()
  pool.endIfDone()
})

/** @throws TypeError, RangeError; DataCloneError `initargs` cannot be sent */
export function openPool(options: ProcessPoolOptions): PoolState {
  checkOptions(options, 'the options of a ProcessPoolExecutor', [
    'maxWorkers',
    'initializer',
    'finalizer',
    'initargs',
    'maxTasksPerChild',
    'resourceLimits',
    'env',
    'idleTimeout',
    'batch',
  ])
  const {
    maxWorkers = availableParallelism(),
    initializer,
    finalizer,
    initargs = [],
    maxTasksPerChild = Infinity,
    idleTimeout = Infinity,
    env,
    resourceLimits,
  } = options
  checkInteger(maxWorkers, 'maxWorkers', 1, MAX_WORKERS)
  if (!Array.isArray(initargs)) throw new TypeError(`initargs must be an array, not ${inspect(initargs)}`)
  if (maxTasksPerChild !== Infinity) checkCount(maxTasksPerChild, 'maxTasksPerChild')
  if (checkTimeout(idleTimeout, 'idleTimeout') < 0)
    throw new RangeError(`idleTimeout must be 0 or more milliseconds, not ${idleTimeout}`)
  checkThreadOptions({ env, resourceLimits })
  const { name, pid, numbers } = currentProcess()
  let end!: () => void
  const pool: PoolState = {
    maxWorkers,
    maxTasks: maxTasksPerChild,
    batch: checkBatch(options.batch),
    counts: { completed: 0, failed: 0, cancelled: 0 },
    shutDown: false,
    ended: new Promise((resolve) => (end = resolve)),
    maps: new OpenMaps(() => pool.endIfDone()),
    slabs: new NumberSlabs(maxWorkers * CHUNKS_PER_WORKER),
    endIfDone() {
      if (pool.shutDown && pool.scheduler.idle && pool.maps.isEmpty) void pool.scheduler.end().then(end)
    },
    scheduler: new Scheduler(
      {
        maxWorkers,
        idleTimeout,
        env: env && definedIn(env),
        resourceLimits,
        setup: {
          creator: { numbers, parent: { name, pid } },
          initializer: initializer && define(initializer),
          finalizer: finalizer && define(finalizer),
          initargs: packInitargs(initargs),
          maxTasks: maxTasksPerChild,
        },
      },
      // In a microtask: a job that has failed while this thread blocked is settled, or run again, in one.
      () => {
        if (pool.shutDown) queueMicrotask(pool.endIfDone)
      },
    ),
  }
  return pool
}

/** Pack and clone the arguments once now: the caller learns here that they cannot be sent, and not from a broken executor. */
function packInitargs(initargs: unknown[]): ReturnType<typeof pack> {
  const transfer: Transferable[] = []
  const packed = pack(initargs, transfer)
  if (initargs.length === 0) return packed
  try {
    cloneOf(initargs)
  } catch (failure) {
    throw explainCloneFailure(failure, initargs, 'initargs')
  }
  return packed
}

function checkBatch(batch: unknown = 'auto'): boolean {
  if (batch === 'auto' || batch === false) return batch === 'auto'
  throw new TypeError(`batch must be 'auto' or false, not ${inspect(batch)}`)
}
