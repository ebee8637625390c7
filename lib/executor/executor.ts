// What all executors have in common: their interface, and the base class that implements of it what does not depend on where
// tasks run. After Python's concurrent.futures.Executor.
import { CancelledError } from '../errors.js'
import { captureCallSite } from '../base/call-site.js'
import { define, type Definition } from '../task/target.js'
import type { Target } from '../task/task.js'
import { markUnsendable, unsendableMark } from '../transport/unsendable.js'
import {
  extendCall,
  type Call,
  type CallOptions,
  type Counts,
  type ExecutorStats,
  type ShutdownOptions,
} from './call-options.js'
import type { Future } from './future.js'
import type { Input } from './map/input/inputs.js'
import type { PlanLimits } from './map/chunk-plan.js'
import { HeldMap } from './map/held-map.js'
import { Mapping } from './map/map.js'
import { UNMEASURED, type MapAverages, type MapRunner } from './map/map-runner.js'
import type { Chunk, ChunkResult } from './map/map-chunk.js'
import {
  splitMapArguments,
  type Float64Arguments,
  type Float64Options,
  type Float64Result,
  type Float64Target,
  type MapArguments,
  type MapOptions,
  type MapResult,
  type SettledArguments,
  type SettledOptions,
} from './map/map-options.js'
import {
  checkCombine,
  checkParallel,
  combineParts,
  runParallel,
  type ParallelOptions,
  type Range,
  type RangeTask,
  type ReduceOptions,
} from './range/range.js'
import type { Share } from './range/run-blocks.js'
import { explainWith, type TaskOrigin } from './task-events.js'

const UNSENDABLE_EXECUTOR = unsendableMark(
  'have the task return what is to be submitted here, or make an executor there',
)

/** Runs tasks somewhere, and gives futures for their results. After Python's concurrent.futures.Executor. */
export interface Executor extends AsyncDisposable {
  /**
   * Run the target with these arguments.
   * @returns a future, which fails with what the target throws, with DataCloneError (ERR_MANYHANDS_DATA_CLONE) if an argument or
   * the result cannot be cloned, or with WorkerDiedError (ERR_MANYHANDS_WORKER_DIED)
   * @throws TypeError the target cannot be sent
   * @throws ShutdownError (ERR_MANYHANDS_SHUTDOWN) the executor was shut down
   * @throws BrokenProcessPool (ERR_MANYHANDS_BROKEN_POOL) no worker can run tasks
   * @throws BootstrapError (ERR_MANYHANDS_BOOTSTRAP) this thread is a worker that still imports its module
   * After Python's Executor.submit.
   */
  submit<A extends unknown[], R>(target: Target<A, R>, ...args: NoInfer<A>): Future<Awaited<R>>
  /**
   * Run the target once for each item; with several iterables, once for each tuple, until the shortest ends. It begins at the
   * call, and reads ahead of the consumer by at most `buffersize` items; by default, by what keeps the workers busy, and by about
   * 32 megabytes of items and results together, or one chunk for each worker if that is more. Leaving the loop early closes the
   * inputs and cancels what has not begun. The options are the last argument.
   * @returns the results: iterate over them with `for await`, or await them all, as an array or, with `output: 'float64'`, as a
   * Float64Array. They end with the first error, in its place, unless `settled`; and with TimeoutError (ERR_MANYHANDS_TIMEOUT)
   * when `timeout` is over
   * @throws TypeError, RangeError; ShutdownError, BrokenProcessPool, BootstrapError as `submit`
   * Items and results are cloned in chunks; chunks of numbers are cheapest. After Python's Executor.map.
   */
  map<T>(target: Float64Target<[T]>, iterable: Input<T>, options: Float64Options): Float64Result
  map<A extends unknown[]>(target: Float64Target<A>, ...inputs: Float64Arguments<A>): Float64Result
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
  /**
   * Compute a range, block by block, in all workers that are or become free. Made for shared memory: the body writes its part
   * of a shared `Array`. If a block fails, the others stop after their current blocks.
   * @param range a length, or `{ start, end }`: integers, `end` not included
   * @param body called as `body(start, end, ...args)`, once for each block of the range
   * @throws TypeError, RangeError; ShutdownError, BrokenProcessPool, BootstrapError before any block is computed, as `submit`
   * @throws what the first block that failed threw; the signal's reason
   * @throws DataCloneError (ERR_MANYHANDS_DATA_CLONE), WorkerDiedError (ERR_MANYHANDS_WORKER_DIED)
   * Costs one message per worker, however many blocks there are. After OpenMP's `parallel for`.
   */
  parallelFor<A extends unknown[]>(
    range: Range,
    body: Target<[start: number, end: number, ...args: A], unknown>,
    options?: ParallelOptions<NoInfer<A>>,
  ): Promise<void>
  /**
   * Compute a range as `parallelFor` does, and combine what the body returns for its blocks.
   *
   * `combine` runs in this thread, from left to right in the order of the range: it must be associative, and need not be
   * commutative. The blocks follow from the range, `schedule`, `grain` and `maxWorkers` alone, and not from timing: sums of
   * floats are the same each time.
   * @param combine called as `combine(a, b)`; a promise that it returns is awaited
   * @throws TypeError the range is empty and there is no `initial`; what `combine` throws; and as `parallelFor`
   */
  parallelReduce<R, A extends unknown[]>(
    range: Range,
    body: Target<[start: number, end: number, ...args: A], R>,
    combine: (a: Awaited<R>, b: Awaited<R>) => Awaited<R> | Promise<Awaited<R>>,
    options?: ReduceOptions<NoInfer<A>, Awaited<R>>,
  ): Promise<Awaited<R>>
  /**
   * The same executor, with these options for what is submitted through it. Of two time limits the shorter counts, each of two
   * signals aborts, and the other options replace.
   * @throws TypeError, RangeError
   */
  with(options: CallOptions): Executor
  /**
   * Take no more work. What was submitted is still done, unless `cancelFutures`: maps to the end of their inputs, too. A map over an
   * async input, or one that seems endless (its length is not known, and it has not ended after a million items, 512 megabytes or a
   * second), ends with ShutdownError after what was read before. Harmless when repeated.
   * @throws TypeError
   * After Python's Executor.shutdown.
   */
  shutdown(options?: ShutdownOptions): Promise<void>
  /** Figures of this moment. */
  stats(): ExecutorStats
}

/** A function that was submitted, with its options. */
export interface Submission extends TaskOrigin {
  target: Target
  call: Call
}

/**
 * What all executors do alike. Subclasses run a call, a chunk of a map and, if their workers share memory with this thread, one
 * worker's part in a range. `Face` is the class itself: what `with` returns.
 */
export abstract class BaseExecutor<Face extends BaseExecutor<Face>> implements Executor {
  readonly #call: Call
  #latest: Submission | undefined

  /** @param call the options of what is submitted through this face */
  protected constructor(call: Call) {
    markUnsendable(this, UNSENDABLE_EXECUTOR)
    this.#call = call
  }

  abstract shutdown(options?: ShutdownOptions): Promise<void>
  abstract stats(): ExecutorStats

  protected abstract get capacity(): PlanLimits
  /** Tasks that are done. Subclasses count calls and items of chunks in it. */
  protected abstract get counts(): Counts
  /** Maps that are not done. */
  protected abstract get maps(): MapRunner['maps']
  /** Memory for chunks of numbers, if the workers share it with this thread. */
  protected get slabs(): MapRunner['slabs'] {
    return undefined
  }

  /** @throws ShutdownError, BrokenProcessPool, BootstrapError no work can be submitted now */
  protected abstract checkOpen(): void
  /** @throws BrokenProcessPool */
  protected checkUsable(): void {}

  /** Run one call. */
  protected abstract runCall(submission: Submission, args: readonly unknown[]): Future
  /** Map a chunk. @param settled whether to go on after a failure */
  protected abstract runChunk(submission: Submission, chunk: Chunk, settled: boolean): Future<ChunkResult>
  /** Have one worker compute blocks until none is left. Absent if the workers share no memory with this thread. */
  protected runRange?(submission: Submission, task: RangeTask): Future<Share>
  /** The same executor, with other options of calls. @param isHeld whether it keeps the workers from being given back */
  protected abstract faceWith(call: Call, isHeld: boolean): Face

  /** What is known of the calls of a function. */
  protected averagesOf(_definition: Definition): MapAverages {
    return UNMEASURED
  }

  submit<A extends unknown[], R>(target: Target<A, R>, ...args: NoInfer<A>): Future<Awaited<R>> {
    const submission = this.#submission(target, this.submit)
    this.checkOpen()
    return this.runCall(submission, args) as Future<Awaited<R>>
  }

  map<T>(target: Float64Target<[T]>, iterable: Input<T>, options: Float64Options): Float64Result
  map<A extends unknown[]>(target: Float64Target<A>, ...inputs: Float64Arguments<A>): Float64Result
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
  map(target: Target, ...iterablesAndOptions: unknown[]): MapResult<any, any> {
    const submission = this.#submission(target, this.map)
    const { inputs, settings } = splitMapArguments(iterablesAndOptions)
    this.checkOpen()
    // A time limit is one of each call: chunks have one item, unless the caller asks for larger ones.
    const chunksize = settings.chunksize ?? (this.#call.timeoutMs === Infinity ? undefined : 1)
    // The pool has the map in its list, and must not have this executor by it.
    const unheld = this.faceWith(this.#call, false)
    const mapping = new Mapping<any, any>(
      inputs,
      { ...settings, chunksize },
      {
        limits: this.capacity,
        averages: this.averagesOf(submission.definition),
        maps: this.maps,
        slabs: this.slabs,
        explain: (error) => explainWith(submission, error, true),
        // Also after a shutdown: the map was submitted before it.
        submit(chunk, settled) {
          unheld.checkUsable()
          return unheld.runChunk(submission, chunk, settled)
        },
      },
    )
    return new HeldMap(mapping, this)
  }

  async parallelFor<A extends unknown[]>(
    range: Range,
    body: Target<[start: number, end: number, ...args: A], unknown>,
    options: ParallelOptions<NoInfer<A>> = {},
  ): Promise<void> {
    await this.#compute(this.#submission(body, this.parallelFor), range, options, false)
  }

  async parallelReduce<R, A extends unknown[]>(
    range: Range,
    body: Target<[start: number, end: number, ...args: A], R>,
    combine: (a: Awaited<R>, b: Awaited<R>) => Awaited<R> | Promise<Awaited<R>>,
    options: ReduceOptions<NoInfer<A>, Awaited<R>> = {},
  ): Promise<Awaited<R>> {
    checkCombine(combine)
    const shares = await this.#compute(this.#submission(body, this.parallelReduce), range, options, true)
    return combineParts(shares, combine, options.initial)
  }

  with(options: CallOptions): Face {
    return this.faceWith(extendCall(this.#call, options), true)
  }

  /** Shut down, and wait. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.shutdown()
  }

  /** @param api the method that the caller called */
  #submission(target: Target, api: Function): Submission {
    const definition = define(target)
    const callSite = captureCallSite(api, definition)
    // A burst shares its call site.
    if (this.#latest?.callSite !== callSite) this.#latest = { target, definition, call: this.#call, callSite }
    return this.#latest
  }

  #compute(submission: Submission, range: Range, options: ParallelOptions, keep: boolean): Promise<Share[]> {
    const limits = { workers: this.capacity.workers, transfer: this.#call.transfer, keep }
    const { plan, args, signal } = checkParallel(range, options, limits)
    this.checkOpen()
    if (!this.runRange)
      throw new TypeError('parallelFor and parallelReduce need workers that share memory with this thread')
    const shares = runParallel(plan, signal, (counter) => this.runRange!(submission, { plan, args, counter, keep }))
    const { counts } = this
    shares.then(
      () => counts.completed++,
      (thrown) => counts[thrown instanceof CancelledError && !signal?.aborted ? 'cancelled' : 'failed']++,
    )
    return shares
  }
}
