// Pool: Python's multiprocessing.Pool, a thin face of ProcessPoolExecutor.
//
//   OPEN ──close()──> CLOSED: takes no more work ──what was given is done──> the workers end
//     └───terminate()─────────────────────────────────────────────────────> the workers end
import { inspect } from 'node:util'
import { InvalidStateError, ShutdownError } from '../errors.js'
import type { Target } from '../task/task.js'
import { AsyncResult, checkCallbacks, type Callbacks } from './async-result.js'
import { checkCount, checkOptions } from '../base/validate.js'
import { Imap } from './imap.js'
import { isInput, type Input } from '../executor/map/inputs.js'
import { Rows } from '../executor/map/read-inputs.js'
import type { MapOptions } from '../executor/map/map-options.js'
import type { ProcessPoolOptions } from '../executor/pool-options.js'
import { ProcessPoolExecutor } from '../executor/process-pool-executor.js'

export type PoolOptions<I extends unknown[] = any[]> = Pick<
  ProcessPoolOptions<I>,
  'initializer' | 'initargs' | 'maxTasksPerChild'
>

export interface PoolMapOptions<R = any> extends Callbacks<R[]> {
  /** How many items go to a worker at a time. @default as for `map` of an executor */
  chunksize?: number | undefined
}

/** Worker threads that run functions. */
export class Pool {
  readonly #executor: ProcessPoolExecutor
  /** What is not done: resolved when it is. */
  readonly #pending = new Set<Promise<unknown>>()
  readonly #imaps = new Set<Imap<any>>()
  #state: 'open' | 'closed' | 'terminated' = 'open'
  #ended: Promise<void> | undefined

  /**
   * @param processes how many workers. @default what `cpuCount()` gives
   * @throws TypeError, RangeError; DataCloneError `initargs` cannot be sent
   */
  constructor(processes?: number, options: PoolOptions = {}) {
    checkOptions(options, 'the options of a Pool', ['initializer', 'initargs', 'maxTasksPerChild'])
    const { initializer, initargs, maxTasksPerChild } = options
    const maxWorkers = processes === undefined ? undefined : checkCount(processes, 'processes')
    this.#executor = new ProcessPoolExecutor({ maxWorkers, initializer, initargs, maxTasksPerChild })
  }

  /** Call the function in a worker. @throws what it throws; ShutdownError the pool was closed */
  async apply<A extends unknown[], R>(fn: Target<A, R>, args?: NoInfer<A>): Promise<Awaited<R>> {
    return this.applyAsync(fn, args).get()
  }

  /** As `apply`, giving an AsyncResult. @throws ShutdownError the pool was closed */
  applyAsync<A extends unknown[], R>(
    fn: Target<A, R>,
    args: NoInfer<A> = [] as unknown as A,
    callbacks: Callbacks<Awaited<R>> = {},
  ): AsyncResult<Awaited<R>> {
    this.#refuse()
    if (!Array.isArray(args)) throw new TypeError(`args must be an array, not ${inspect(args)}`)
    checkCallbacks(callbacks)
    return this.#follow(this.#executor.submit(fn, ...args), callbacks)
  }

  /** Call the function for each item, in the workers. @returns the results, in order. @throws the first error; ShutdownError */
  async map<T, R>(fn: Target<[T], R>, iterable: Input<T>, options?: PoolMapOptions<Awaited<R>>): Promise<Awaited<R>[]> {
    return this.mapAsync(fn, iterable, options).get()
  }

  /** As `map`, giving an AsyncResult. @throws ShutdownError the pool was closed */
  mapAsync<T, R>(
    fn: Target<[T], R>,
    iterable: Input<T>,
    options: PoolMapOptions<Awaited<R>> = {},
  ): AsyncResult<Awaited<R>[]> {
    return this.#mapAll<Awaited<R>>(fn, iterable, options)
  }

  /** As `map`, each item being an iterable of the call's arguments. */
  async starmap<A extends unknown[], R>(
    fn: Target<A, R>,
    iterable: Input<NoInfer<A>>,
    options?: PoolMapOptions<Awaited<R>>,
  ): Promise<Awaited<R>[]> {
    return this.starmapAsync(fn, iterable, options).get()
  }

  /** As `starmap`, giving an AsyncResult. @throws ShutdownError the pool was closed */
  starmapAsync<A extends unknown[], R>(
    fn: Target<A, R>,
    iterable: Input<NoInfer<A>>,
    options: PoolMapOptions<Awaited<R>> = {},
  ): AsyncResult<Awaited<R>[]> {
    return this.#mapAll<Awaited<R>>(fn, new Rows(checkInput(iterable)), options)
  }

  /**
   * As `map`, giving the results one by one, in order. Inputs are read as results are taken, and at once where `join` waits.
   * Leaving the loop early cancels what has not begun. @throws ShutdownError the pool was closed
   */
  imap<T, R>(
    fn: Target<[T], R>,
    iterable: Input<T>,
    options: Pick<PoolMapOptions, 'chunksize'> = {},
  ): AsyncIterableIterator<Awaited<R>, undefined, undefined> {
    return this.#iterate<Awaited<R>>(fn, iterable, options, true)
  }

  /** As `imap`, giving the results as they come. @throws ShutdownError the pool was closed */
  imapUnordered<T, R>(
    fn: Target<[T], R>,
    iterable: Input<T>,
    options: Pick<PoolMapOptions, 'chunksize'> = {},
  ): AsyncIterableIterator<Awaited<R>, undefined, undefined> {
    return this.#iterate<Awaited<R>>(fn, iterable, options, false)
  }

  /** Take no more work. What was given is done; then the workers end. */
  close(): void {
    if (this.#state !== 'open') return
    this.#state = 'closed'
    this.#ended = this.#end()
  }

  /** End the workers at once. What they run fails with WorkerDiedError (exit code -15); what waits, with CancelledError. */
  terminate(): void {
    if (this.#state === 'terminated') return
    this.#state = 'terminated'
    this.#ended = this.#executor.terminateWorkers()
  }

  /** Wait until the workers have ended. @throws InvalidStateError (ERR_MANYHANDS_INVALID_STATE) before `close` or `terminate` */
  async join(): Promise<void> {
    if (this.#state === 'open') throw new InvalidStateError('the pool is open: close or terminate it before joining it')
    for (const imap of this.#imaps) imap.readAll()
    await this.#ended
  }

  /** Terminate, and wait. As in Python, leaving the block of a pool does not wait for its work. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.terminate()
    await this.join()
  }

  async #end(): Promise<void> {
    // Not at once: an executor that was shut down would refuse what a map has yet to read.
    while (this.#pending.size > 0) await Promise.all(this.#pending)
    await this.#executor.shutdown()
  }

  #mapAll<R>(fn: Target, iterable: Input<unknown>, options: PoolMapOptions<R>): AsyncResult<R[]> {
    this.#refuse()
    checkOptions(options, 'the options of a map', ['chunksize', 'callback', 'errorCallback'])
    const { chunksize, callback, errorCallback } = options
    checkCallbacks({ callback, errorCallback })
    const results = this.#executor.map(fn, checkInput(iterable), { chunksize }) as PromiseLike<R[]>
    return this.#follow(results, options)
  }

  #iterate<R>(fn: Target, iterable: Input<unknown>, options: MapOptions, ordered: boolean): Imap<R> {
    this.#refuse()
    checkOptions(options, 'the options of imap', ['chunksize'])
    const { chunksize } = options
    const imap = new Imap<R>(this.#executor.map(fn, checkInput(iterable), { chunksize, ordered }) as AsyncIterable<R>)
    this.#imaps.add(imap)
    void imap.ended.then(() => this.#imaps.delete(imap))
    this.#track(imap.ended)
    return imap
  }

  #follow<R>(work: PromiseLike<R>, callbacks: Callbacks<R>): AsyncResult<R> {
    const result = new AsyncResult(work, callbacks)
    this.#track(result.settled)
    return result
  }

  #track(done: Promise<unknown>): void {
    this.#pending.add(done)
    void done.then(() => this.#pending.delete(done))
  }

  #refuse(): void {
    if (this.#state !== 'open') throw new ShutdownError(`the pool is ${this.#state} and takes no more work`)
  }
}

function checkInput<T>(iterable: Input<T>): Input<T> {
  if (!isInput(iterable)) throw new TypeError(`an iterable is needed, not ${inspect(iterable)}`)
  return iterable
}
