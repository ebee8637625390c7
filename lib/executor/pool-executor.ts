// ProcessPoolExecutor: futures for tasks that run in a pool of worker threads, after Python's concurrent.futures.
import { availableParallelism } from 'node:os'
import { inspect } from 'node:util'
import type { ResourceLimits, Transferable } from 'node:worker_threads'
import { BrokenProcessPool, ShutdownError } from '../errors.js'
import { checkTimeout } from '../memory/deadline.js'
import { pack, unpack } from '../memory/handles.js'
import { currentProcess, refuseTooDeep } from '../process/current.js'
import { checkThreadOptions, definedIn } from '../process/reserve.js'
import { explainCloneFailure } from '../memory/clone.js'
import { decodeFailure } from '../task/failure.js'
import { define, refuseDuringImport } from '../task/target.js'
import type { Target } from '../task/task.js'
import { whenAborted } from './abort.js'
import { Dispatcher, type Job, type JobOutcome } from './dispatcher.js'
import {
  extendCall,
  PLAIN_CALL,
  type Call,
  type CallOptions,
  type Executor,
  type ExecutorStats,
  type MapArguments,
  type SettledOptions,
  type ShutdownOptions,
} from './executor.js'
import { Future } from './future.js'
import type { Input } from './inputs.js'
import type { Assignment } from './lease.js'
import { transferredWith } from './transfer.js'
import {
  checkCount,
  failedChunk,
  Mapping,
  splitMapArguments,
  type ChunkResult,
  type MapOptions,
  type MapResult,
} from './map.js'

const SIGTERM = 15
const SIGKILL = 9

/** Each worker is a thread with a heap of its own. */
const MOST_WORKERS = 4096

/** Chunks in flight per worker by default: one that runs, and one that is there when it ends. */
const CHUNKS_PER_WORKER = 2

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
}

/** What faces of one executor share. */
interface Pool {
  dispatcher: Dispatcher
  maxWorkers: number
  jobs: Set<PoolJob>
  counts: { completed: number; failed: number; cancelled: number }
  shutDown: boolean
  /** Resolves when the executor was shut down and its threads have ended. */
  ended: Promise<void>
  end: () => void
}

/** Runs tasks in a pool of worker threads. */
export class ProcessPoolExecutor implements Executor {
  readonly #pool: Pool
  readonly #call: Call

  /** @throws TypeError, RangeError an option is not what it must be; DataCloneError `initargs` cannot be sent to a worker. */
  constructor(options?: ProcessPoolOptions)
  /** @internal */
  constructor(options: ProcessPoolOptions, face: { pool: Pool; call: Call })
  constructor(options: ProcessPoolOptions = {}, face?: { pool: Pool; call: Call }) {
    this.#pool = face?.pool ?? openPool(options)
    this.#call = face?.call ?? PLAIN_CALL
  }

  submit<A extends unknown[], R>(target: Target<A, R>, ...args: NoInfer<A>): Future<Awaited<R>> {
    const submitted = siteOf(this.submit)
    const definition = define(target)
    this.#refuse()
    const transfer = this.#call.transfer
    const future: Future<Awaited<R>> = this.#enlist({
      assign: (moved) => {
        moved.push(...transfer)
        return { kind: 'call', target: definition, args: pack(args, moved) }
      },
      describe: () => ({ root: 'args', value: args }),
      decode: (outcome) => (outcome.kind === 'returned' ? unpack(outcome.value) : undefined),
      submitted,
    })
    return future
  }

  map<T, R>(
    target: Target<[T], R>,
    iterable: Input<T>,
    options: SettledOptions,
  ): MapResult<PromiseSettledResult<Awaited<R>>>
  map<T, R>(target: Target<[T], R>, iterable: Input<T>, options?: MapOptions): MapResult<Awaited<R>>
  map<T, U, R>(target: Target<[T, U], R>, a: Input<T>, b: Input<U>, options?: MapOptions): MapResult<Awaited<R>>
  map<A extends unknown[], R>(target: Target<A, R>, ...inputs: MapArguments<A>): MapResult<Awaited<R>>
  map(target: Target, ...iterablesAndOptions: unknown[]): MapResult<any> {
    const submitted = siteOf(this.map)
    const definition = define(target)
    const { inputs, options } = splitMapArguments(iterablesAndOptions)
    this.#refuse()
    const { transfer } = this.#call
    return new Mapping(inputs, options, this.#pool.maxWorkers * CHUNKS_PER_WORKER, (items, settled, onDone) => {
      this.#refuse()
      const future: Future<ChunkResult> = this.#enlist({
        assign: (moved) => {
          moved.push(...transferredWith(items, transfer))
          return { kind: 'map', target: definition, items: pack(items, moved), settled }
        },
        describe: () => ({ root: 'args', value: items.length === 1 ? items[0] : items }),
        decode: (outcome) => decodeChunk(outcome, submitted),
        submitted,
      })
      future.addDoneCallback(() => {
        future.result().then(onDone, (thrown: unknown) => onDone(failedChunk(items.length, settled, thrown)))
      })
      return () => future.cancel()
    })
  }

  with(options: CallOptions): ProcessPoolExecutor {
    return faceOf(this.#pool, extendCall(this.#call, options))
  }

  /**
   * Take no more work. What was submitted is still done, unless `cancelFutures`. Then the workers end.
   * Shutting down twice is harmless.
   */
  async shutdown({ wait = true, cancelFutures = false }: ShutdownOptions = {}): Promise<void> {
    const pool = this.#pool
    pool.shutDown = true
    if (cancelFutures) for (const job of pool.jobs) job.future.cancel()
    if (pool.dispatcher.idle) pool.end()
    if (wait) await pool.ended
  }

  /** Shut down and end all workers at once. What they run fails with WorkerDiedError, exit code -15; what waits is cancelled. */
  terminateWorkers(): Promise<void> {
    return this.#endWorkers(-SIGTERM)
  }

  /** As `terminateWorkers`, with exit code -9. */
  killWorkers(): Promise<void> {
    return this.#endWorkers(-SIGKILL)
  }

  stats(): ExecutorStats {
    const { dispatcher, maxWorkers, counts } = this.#pool
    return { maxWorkers, ...counts, ...dispatcher.stats() }
  }

  /** Shut down, and wait. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.shutdown()
  }

  async #endWorkers(exitcode: number): Promise<void> {
    const ended = this.shutdown({ cancelFutures: true })
    this.#pool.dispatcher.terminate(exitcode)
    await ended
  }

  #refuse(): void {
    const { dispatcher, shutDown } = this.#pool
    refuseDuringImport('submit work to an executor')
    refuseTooDeep('submit work to an executor')
    const { broken } = dispatcher
    if (broken) throw new BrokenProcessPool(broken.message, { cause: broken.cause })
    if (shutDown) throw new ShutdownError('the executor was shut down and takes no more work')
  }

  #enlist<R>(orders: Orders): Future<R> {
    const job = new PoolJob(this.#pool, orders, this.#call)
    if (!job.future.done()) this.#pool.dispatcher.add(job)
    return job.future as Future<R>
  }
}

// Outside of the class: one that names itself inside is renamed by the bundler.
function faceOf(pool: Pool, call: Call): ProcessPoolExecutor {
  return new ProcessPoolExecutor({}, { pool, call })
}

/** What distinguishes one kind of job from another. */
interface Orders extends Pick<Job, 'describe'> {
  assign(transfer: Transferable[]): Assignment
  /** The future's result. */
  decode(outcome: JobOutcome): unknown
  /** The submitter's stack. */
  submitted: Site
}

/** A job and its future. */
class PoolJob implements Job {
  readonly future: Future
  readonly timeoutMs: number
  readonly describe: Orders['describe']
  readonly assign: Orders['assign']
  readonly #pool: Pool
  readonly #orders: Orders
  readonly #stopListening: () => void

  constructor(pool: Pool, orders: Orders, { timeoutMs, signal }: Call) {
    this.#pool = pool
    this.#orders = orders
    this.timeoutMs = timeoutMs
    this.describe = orders.describe
    this.assign = orders.assign
    const { dispatcher } = pool
    this.future = new Future({
      begun: () => dispatcher.begun(this),
      withdraw: () => dispatcher.withdraw(this),
      stop: (graceMs) => dispatcher.stop(this, graceMs),
    })
    const onAbort = () => {
      if (this.future.done()) return
      this.future.setException(signal!.reason)
      if (!dispatcher.withdraw(this)) void dispatcher.stop(this, 0)
    }
    this.#stopListening = whenAborted(signal, onAbort)
    pool.jobs.add(this)
    this.future.addDoneCallback(() => this.#onDone())
    if (signal?.aborted) onAbort()
  }

  settle(outcome: JobOutcome): void {
    const { decode, submitted } = this.#orders
    let result: unknown
    try {
      if (outcome.kind === 'failed') throw outcome.error
      if (outcome.kind === 'threw') throw decodeFailure(outcome.failure, submitted.stack)
      result = decode(outcome)
    } catch (thrown) {
      return this.future.setException(thrown)
    }
    this.future.setResult(result)
  }

  #onDone(): void {
    const { jobs, counts } = this.#pool
    this.#stopListening()
    jobs.delete(this)
    counts[this.future.cancelled() ? 'cancelled' : this.future.failed ? 'failed' : 'completed']++
  }
}

function openPool(options: ProcessPoolOptions): Pool {
  if (typeof options !== 'object' || options === null)
    throw new TypeError(`the options of a ProcessPoolExecutor must be an object, not ${inspect(options)}`)
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
  const pool: Pool = {
    maxWorkers,
    jobs: new Set(),
    counts: { completed: 0, failed: 0, cancelled: 0 },
    shutDown: false,
    ended: new Promise((resolve) => (end = resolve)),
    end: () => void pool.dispatcher.destroy().then(end),
    dispatcher: new Dispatcher(
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

function decodeChunk(outcome: JobOutcome, submitted: Site): ChunkResult | undefined {
  if (outcome.kind !== 'mapped') return undefined
  return {
    values: unpack(outcome.values) as unknown[],
    failures: outcome.failures.map(([index, failure]) => [index, decodeFailure(failure, submitted.stack)] as const),
  }
}

/** A stack that is formatted when it is first read. */
interface Site {
  readonly stack: string
}

/** The caller's stack, from the caller of `api` on. */
function siteOf(api: Function): Site {
  const site = { stack: '' }
  Error.captureStackTrace(site, api)
  return site
}
