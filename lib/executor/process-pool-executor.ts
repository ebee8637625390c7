// ProcessPoolExecutor: futures for tasks that run in a pool of worker threads, after Python's concurrent.futures.
import { BrokenProcessPool, ShutdownError } from '../errors.js'
import { fromParts, partsIn } from '../base/parts.js'
import { pack, unpack } from '../transport/shareable.js'
import { refuseTooDeep } from '../process/current-process.js'
import { decodeFailure } from '../transport/error-codec.js'
import { define, refuseDuringImport } from '../task/target.js'
import type { Target } from '../task/task.js'
import type { Share } from './range/blocks.js'
import { ColumnPacker, unpackColumn, type SentColumn } from '../transport/column.js'
import {
  checkShutdown,
  extendCall,
  PLAIN_CALL,
  type Call,
  type CallOptions,
  type Executor,
  type ExecutorStats,
  type MapArguments,
  type SettledArguments,
  type SettledOptions,
  type ShutdownOptions,
} from './executor.js'
import type { JobOutcome } from './main/lease.js'
import type { Future } from './future.js'
import type { Input } from './map/inputs.js'
import { CallJob, OrderedJob, type JobOptions, type Orders } from './main/job.js'
import type { PackedColumn } from './protocol/messages.js'
import { Mapping, type ChunkResult } from './map/map.js'
import { splitMapArguments, type MapOptions, type MapResult } from './map/map-options.js'
import { openPool, type PoolState, type ProcessPoolOptions } from './pool-options.js'
import type { FunctionStats } from './main/batch-size.js'
import {
  checkCombine,
  checkParallel,
  combineParts,
  runParallel,
  type ParallelOptions,
  type Range,
  type ReduceOptions,
} from './range/range.js'
import { captureCallSite, type CallSite } from '../base/call-site.js'
import { checkStillMovable, transferredWith } from '../transport/transfer-list.js'

const SIGTERM = 15
const SIGKILL = 9

/** Chunks in flight per worker by default: one that runs, and one that is there when it ends. */
const CHUNKS_PER_WORKER = 2

/** Runs tasks in a pool of worker threads. */
export class ProcessPoolExecutor implements Executor {
  readonly #pool: PoolState
  readonly #call: Call
  #latest: JobOptions | undefined

  /** @throws TypeError, RangeError an option is not what it must be; DataCloneError `initargs` cannot be sent to a worker. */
  constructor(options: ProcessPoolOptions = {}) {
    const [pool, call] = (partsIn(options) ?? [openPool(options), PLAIN_CALL]) as [PoolState, Call]
    this.#pool = pool
    this.#call = call
  }

  submit<A extends unknown[], R>(target: Target<A, R>, ...args: NoInfer<A>): Future<Awaited<R>> {
    const definition = define(target)
    this.#refuse()
    const { scheduler } = this.#pool
    const job = new CallJob(
      scheduler.known(definition),
      args,
      this.#optionsFor(captureCallSite(this.submit, definition)),
    )
    return this.#enlist(job)
  }

  map<T, R>(
    target: Target<[T], R>,
    iterable: Input<T>,
    options: SettledOptions,
  ): MapResult<PromiseSettledResult<Awaited<R>>>
  map<T, R>(target: Target<[T], R>, iterable: Input<T>, options?: MapOptions): MapResult<Awaited<R>>
  map<T, U, R>(
    target: Target<[T, U], R>,
    a: Input<T>,
    b: Input<U>,
    options: SettledOptions,
  ): MapResult<PromiseSettledResult<Awaited<R>>>
  map<T, U, R>(target: Target<[T, U], R>, a: Input<T>, b: Input<U>, options?: MapOptions): MapResult<Awaited<R>>
  map<A extends unknown[], R>(
    target: Target<A, R>,
    ...inputs: SettledArguments<A>
  ): MapResult<PromiseSettledResult<Awaited<R>>>
  map<A extends unknown[], R>(target: Target<A, R>, ...inputs: MapArguments<A>): MapResult<Awaited<R>>
  map(target: Target, ...iterablesAndOptions: unknown[]): MapResult<any> {
    const definition = define(target)
    const submitted = captureCallSite(this.map, definition)
    const { inputs, options } = splitMapArguments(iterablesAndOptions)
    this.#refuse()
    const { scheduler, maxWorkers } = this.#pool
    const { transfer, retries, timeoutMs } = this.#call
    const fn = scheduler.known(definition)
    // A limit is one of each call: its chunk's, where nobody asked for larger ones.
    const limited = timeoutMs === Infinity ? options : { ...options, chunksize: options.chunksize ?? 1 }
    const columns = new ColumnPacker()
    return new Mapping(inputs, limited, {
      busy: maxWorkers * CHUNKS_PER_WORKER,
      itemMs: () => fn.averageMs,
      submit: ({ items, arity, spread }, settled, onDone, onFailed) => {
        this.#refuse()
        const future: Future<ChunkResult> = this.#order(fn, submitted, {
          assign: (moved) => {
            moved.push(...transferredWith(items, transfer))
            checkStillMovable(moved)
            const value = columns.pack(items)
            return {
              kind: 'map',
              target: fn.number,
              items: value ? { value, handles: false } : (pack(items, moved) as PackedColumn),
              arity,
              spread,
              settled,
              retries,
            }
          },
          describe: () => ({ root: 'args', value: items }),
          decode: (outcome) => decodeChunk(outcome, submitted),
          salvages: true,
        })
        future.result().then(onDone, onFailed)
        return () => future.cancel()
      },
    })
  }

  async parallelFor<A extends unknown[]>(
    range: Range,
    body: Target<[start: number, end: number, ...args: A], unknown>,
    options: ParallelOptions<NoInfer<A>> = {},
  ): Promise<void> {
    await this.#compute(range, body, options, false, this.parallelFor)
  }

  async parallelReduce<R, A extends unknown[]>(
    range: Range,
    body: Target<[start: number, end: number, ...args: A], R>,
    combine: (a: Awaited<R>, b: Awaited<R>) => Awaited<R> | Promise<Awaited<R>>,
    options: ReduceOptions<NoInfer<A>, Awaited<R>> = {},
  ): Promise<Awaited<R>> {
    checkCombine(combine)
    return combineParts(await this.#compute(range, body, options, true, this.parallelReduce), combine, options.initial)
  }

  with(options: CallOptions): ProcessPoolExecutor {
    return faceOf(this.#pool, extendCall(this.#call, options))
  }

  /**
   * Take no more work. What was submitted is still done, unless `cancelFutures`. Then the workers end.
   * Shutting down twice is harmless.
   */
  async shutdown(options: ShutdownOptions = {}): Promise<void> {
    const { wait, cancelFutures } = checkShutdown(options)
    const pool = this.#pool
    pool.shutDown = true
    if (cancelFutures) for (const job of pool.scheduler.waiting()) job.cancel()
    if (pool.scheduler.idle) pool.end()
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
    const { scheduler, maxWorkers, counts } = this.#pool
    // First: it takes in what is finished, which counts.
    const working = scheduler.stats()
    return { maxWorkers, ...counts, ...working }
  }

  /** Shut down, and wait. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.shutdown()
  }

  async #endWorkers(exitcode: number): Promise<void> {
    const ended = this.shutdown({ cancelFutures: true })
    this.#pool.scheduler.terminate(exitcode)
    await ended
  }

  #refuse(): void {
    const { scheduler, shutDown } = this.#pool
    refuseDuringImport('submit work to an executor')
    refuseTooDeep('submit work to an executor')
    const { broken } = scheduler
    if (broken) throw new BrokenProcessPool(broken.message, { cause: broken.cause })
    if (shutDown) throw new ShutdownError('the executor was shut down and takes no more work')
  }

  #compute(range: Range, body: Target, options: ParallelOptions, keep: boolean, caller: Function): Promise<Share[]> {
    const definition = define(body)
    const submitted = captureCallSite(caller, definition)
    const { plan, args, signal } = checkParallel(range, this.#pool.maxWorkers, options, this.#call.transfer)
    this.#refuse()
    const fn = this.#pool.scheduler.known(definition)
    return runParallel({ plan, args, signal }, ({ memory }) =>
      this.#order<Share>(fn, submitted, {
        assign: (moved) => ({
          kind: 'blocks',
          target: fn.number,
          args: pack(args, moved),
          plan,
          claims: memory,
          keep,
        }),
        describe: () => ({ root: 'args', value: args }),
        decode: (outcome) => (outcome.kind === 'computed' ? unpack(outcome.share) : undefined),
        retries: 0, // Who comes again finds none of the blocks that it lost.
      }),
    )
  }

  /** Of a burst, all have the same. */
  #optionsFor(submitted: CallSite): JobOptions {
    if (this.#latest?.submitted === submitted) return this.#latest
    const { scheduler, counts, batch } = this.#pool
    return (this.#latest = { scheduler, counts, batch, call: this.#call, submitted })
  }

  /** Have a worker follow orders that are no mere call. */
  #order<R>(fn: FunctionStats, submitted: CallSite, orders: Orders): Future<R> {
    return this.#enlist(new OrderedJob(fn, orders, this.#optionsFor(submitted)))
  }

  #enlist<R>(job: CallJob | OrderedJob): Future<R> {
    if (!job.future.done()) this.#pool.scheduler.add(job)
    return job.future as Future<R>
  }
}

// Outside of the class: one that names itself inside is renamed by the bundler.
function faceOf(pool: PoolState, call: Call): ProcessPoolExecutor {
  return new ProcessPoolExecutor(fromParts(pool, call))
}

function decodeChunk(outcome: JobOutcome, submitted: CallSite): ChunkResult | undefined {
  if (outcome.kind === 'died') return salvageChunk(outcome, submitted)
  if (outcome.kind !== 'mapped' && outcome.kind !== 'left') return undefined
  return {
    values: unpackColumn(unpack(outcome.values) as SentColumn),
    failures: outcome.failures.map(([index, failure]) => [index, decodeFailure(failure, submitted.stack)] as const),
  }
}

/** Of a worker that could not tell any more, what it had done is lost. What it had not begun is for others. */
function salvageChunk({ error, item, left }: JobOutcome & { kind: 'died' }, submitted: CallSite): ChunkResult {
  const { values, failures } = (left && decodeChunk(left, submitted)) ?? { values: [], failures: [] }
  const lost = Array.from({ length: item + 1 - values.length }, (_, i) => [values.length + i, error] as const)
  return { values, failures: [...failures, ...lost], begun: item + 1 }
}
