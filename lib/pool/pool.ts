// Pool: a thin face of ProcessPoolExecutor. After Python's multiprocessing.Pool.
//
//   OPEN ──close()──> CLOSED: takes no more work ──all work done──> the workers end
//     └───terminate()────────────────────────────────────────────> the workers end
import { inspect } from 'node:util'
import { recognizeCopies } from '../copies.js'
import { Promise } from '../base/clock.js'
import { InvalidStateError, ShutdownError } from '../errors.js'
import { fromParts } from '../base/parts.js'
import { checkCount, checkOptions, refuseExcess } from '../base/validate.js'
import { isInput, Rows, type Input } from '../executor/map/input/inputs.js'
import type { MapOptions } from '../executor/map/map-options.js'
import type { ProcessPoolOptions } from '../executor/pool-options.js'
import { ProcessPoolExecutor } from '../executor/process-pool-executor.js'
import type { Target } from '../task/task.js'
import { markUnsendable, unsendableMark } from '../transport/unsendable.js'
import { AsyncResult, checkCallbacks, type Callbacks } from './async-result.js'
import { Imap } from './imap.js'

const UNSENDABLE_POOL = unsendableMark('have the function return what is to be done here, or make a Pool there')

/** Options of a `Pool`. */
export type PoolOptions<I extends unknown[] = any[]> = Pick<
  ProcessPoolOptions<I>,
  'initializer' | 'initargs' | 'maxTasksPerChild'
>

/** Options of `map`, `starmap` and their async forms. */
export interface PoolMapOptions<R = any> extends Callbacks<R[]> {
  /** Items that go to a worker at a time, as one chunk. @default measured, as in `map` of an executor */
  chunksize?: number | undefined
}

/** Worker threads that run functions. After Python's multiprocessing.Pool. */
export class Pool {
  readonly #executor: ProcessPoolExecutor
  /** Work that is not done. Each promise resolves when it is. */
  readonly #pending = new Set<Promise<unknown>>()
  readonly #imaps = new Set<Imap<any>>()
  #state: 'open' | 'closed' | 'terminated' = 'open'
  #ended: Promise<void> | undefined

  /**
   * @param processes workers at most; they are started as work arrives. @default what `cpuCount()` gives
   * @throws TypeError, RangeError
   * @throws DataCloneError (ERR_MANYHANDS_DATA_CLONE) `initargs` cannot be sent
   */
  constructor(processes?: number, options: PoolOptions = {}) {
    markUnsendable(this, UNSENDABLE_POOL)
    checkOptions(options, 'the options of a Pool', ['initializer', 'initargs', 'maxTasksPerChild'])
    const { initializer, initargs, maxTasksPerChild } = options
    const maxWorkers = processes === undefined ? undefined : checkCount(processes, 'processes')
    this.#executor = new ProcessPoolExecutor({ maxWorkers, initializer, initargs, maxTasksPerChild })
  }

  /**
   * Call the function in a worker, and wait for its result.
   * @throws what the function throws; DataCloneError, WorkerDiedError as `submit` of an executor
   * @throws ShutdownError (ERR_MANYHANDS_SHUTDOWN) the pool was closed
   * After Python's Pool.apply.
   */
  async apply<A extends unknown[], R>(fn: Target<A, R>, args?: NoInfer<A>, ...excess: unknown[]): Promise<Awaited<R>> {
    refuseExcess(excess, 'apply(fn, args)')
    return this.applyAsync(fn, args).get()
  }

  /**
   * Call the function in a worker, and give an AsyncResult.
   * @throws TypeError; ShutdownError (ERR_MANYHANDS_SHUTDOWN) the pool was closed
   * After Python's Pool.apply_async.
   */
  applyAsync<A extends unknown[], R>(
    fn: Target<A, R>,
    args: NoInfer<A> = [] as unknown as A,
    callbacks: Callbacks<Awaited<R>> = {},
  ): AsyncResult<Awaited<R>> {
    this.#checkOpen()
    if (!Array.isArray(args)) throw new TypeError(`args must be an array, not ${inspect(args)}`)
    checkOptions(callbacks, 'the callbacks of applyAsync', ['callback', 'errorCallback'])
    checkCallbacks(callbacks)
    return this.#follow(this.#executor.submit(fn, ...args), callbacks)
  }

  /**
   * Call the function for each item, in the workers.
   * @returns the results, in the order of the items
   * @throws the first error; ShutdownError (ERR_MANYHANDS_SHUTDOWN) the pool was closed
   * After Python's Pool.map.
   */
  async map<T, R>(fn: Target<[T], R>, iterable: Input<T>, options?: PoolMapOptions<Awaited<R>>): Promise<Awaited<R>[]> {
    return this.mapAsync(fn, iterable, options).get()
  }

  /**
   * As `map`, and give an AsyncResult at once.
   * @throws TypeError, RangeError; ShutdownError (ERR_MANYHANDS_SHUTDOWN) the pool was closed
   * After Python's Pool.map_async.
   */
  mapAsync<T, R>(
    fn: Target<[T], R>,
    iterable: Input<T>,
    options: PoolMapOptions<Awaited<R>> = {},
  ): AsyncResult<Awaited<R>[]> {
    return this.#mapAll<Awaited<R>>(fn, iterable, options)
  }

  /** As `map`, where each item is an iterable of the call's arguments. After Python's Pool.starmap. */
  async starmap<A extends unknown[], R>(
    fn: Target<A, R>,
    iterable: Input<NoInfer<A>>,
    options?: PoolMapOptions<Awaited<R>>,
  ): Promise<Awaited<R>[]> {
    return this.starmapAsync(fn, iterable, options).get()
  }

  /**
   * As `starmap`, and give an AsyncResult at once.
   * @throws TypeError, RangeError; ShutdownError (ERR_MANYHANDS_SHUTDOWN) the pool was closed
   * After Python's Pool.starmap_async.
   */
  starmapAsync<A extends unknown[], R>(
    fn: Target<A, R>,
    iterable: Input<NoInfer<A>>,
    options: PoolMapOptions<Awaited<R>> = {},
  ): AsyncResult<Awaited<R>[]> {
    return this.#mapAll<Awaited<R>>(fn, new Rows(checkInput(iterable)), options)
  }

  /**
   * As `map`, and give the results one by one, in order. The input is read as results are taken; once `join` is called, it is read
   * to its end. Leaving the loop early cancels what has not begun.
   * @throws TypeError, RangeError; ShutdownError (ERR_MANYHANDS_SHUTDOWN) the pool was closed
   * After Python's Pool.imap.
   */
  imap<T, R>(
    fn: Target<[T], R>,
    iterable: Input<T>,
    options: Pick<PoolMapOptions, 'chunksize'> = {},
  ): AsyncIterableIterator<Awaited<R>, undefined, undefined> {
    return this.#iterate<Awaited<R>>(fn, iterable, options, true)
  }

  /** As `imap`, and give the results in the order in which they come. After Python's Pool.imap_unordered. */
  imapUnordered<T, R>(
    fn: Target<[T], R>,
    iterable: Input<T>,
    options: Pick<PoolMapOptions, 'chunksize'> = {},
  ): AsyncIterableIterator<Awaited<R>, undefined, undefined> {
    return this.#iterate<Awaited<R>>(fn, iterable, options, false)
  }

  /** Take no more work. What was submitted is still done; then the workers end. After Python's Pool.close. */
  close(): void
  close(...excess: unknown[]): void {
    refuseExcess(excess, 'close()')
    if (this.#state !== 'open') return
    this.#state = 'closed'
    this.#ended = this.#end()
  }

  /**
   * End the workers at once. Work that runs fails with WorkerDiedError (ERR_MANYHANDS_WORKER_DIED), exit code -15; work that waits
   * fails with CancelledError (ERR_MANYHANDS_CANCELLED). After Python's Pool.terminate.
   */
  terminate(): void
  terminate(...excess: unknown[]): void {
    refuseExcess(excess, 'terminate()')
    if (this.#state === 'terminated') return
    this.#state = 'terminated'
    this.#ended = this.#executor.terminateWorkers()
  }

  /**
   * Wait until the workers have ended.
   * @throws InvalidStateError (ERR_MANYHANDS_INVALID_STATE) the pool is open: `close` or `terminate` comes first
   * After Python's Pool.join.
   */
  join(): Promise<void>
  async join(...excess: unknown[]): Promise<void> {
    refuseExcess(excess, 'join()')
    if (this.#state === 'open') throw new InvalidStateError('the pool is open: close or terminate it before joining it')
    for (const imap of this.#imaps) imap.readAll()
    await this.#ended
  }

  /** Terminate, and wait. Like Python, leaving the block of a pool does not wait for its work. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.terminate()
    await this.join()
  }

  async #end(): Promise<void> {
    // Not: shut down at once. The executor would refuse what a map has yet to read.
    while (this.#pending.size > 0) await Promise.all(this.#pending)
    await this.#executor.shutdown()
  }

  #mapAll<R>(fn: Target, iterable: Input<unknown>, options: PoolMapOptions<R>): AsyncResult<R[]> {
    this.#checkOpen()
    checkOptions(options, 'the options of a map', ['chunksize', 'callback', 'errorCallback'])
    checkCallbacks(options)
    const { chunksize } = options
    const results = this.#executor.map(fn, checkInput(iterable), { chunksize }) as PromiseLike<R[]>
    return this.#follow(results, options)
  }

  #iterate<R>(fn: Target, iterable: Input<unknown>, options: MapOptions, ordered: boolean): Imap<R> {
    this.#checkOpen()
    checkOptions(options, 'the options of imap', ['chunksize'])
    const { chunksize } = options
    const imap = new Imap<R>(this.#executor.map(fn, checkInput(iterable), { chunksize, ordered }) as AsyncIterable<R>)
    this.#imaps.add(imap)
    void imap.ended.then(() => this.#imaps.delete(imap))
    this.#track(imap.ended)
    return imap
  }

  #follow<R>(work: PromiseLike<R>, callbacks: Callbacks<R>): AsyncResult<R> {
    const result = new AsyncResult<R>(fromParts(work, callbacks))
    this.#track(result.settled)
    return result
  }

  #track(done: Promise<unknown>): void {
    this.#pending.add(done)
    void done.then(() => this.#pending.delete(done))
  }

  #checkOpen(): void {
    if (this.#state !== 'open') throw new ShutdownError(`the pool is ${this.#state} and takes no more work`)
  }
}

function checkInput<T>(iterable: Input<T>): Input<T> {
  if (!isInput(iterable)) throw new TypeError(`an iterable is needed, not ${inspect(iterable)}`)
  return iterable
}

recognizeCopies(Pool, 'Pool')
