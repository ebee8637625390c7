// Future: the result of work that runs elsewhere, after Python's concurrent.futures.Future.
//
//               setRunningOrNotifyCancel()          setResult(), setException()
//   PENDING ──────────────────────────────> RUNNING ───────────────────────────> FINISHED
//      │  cancel()                             │  cancel({ force: true })
//      └───────────────> CANCELLED <───────────┘
//
// An executor settles its futures from PENDING: whether the work runs is asked of the work itself (`begun`), since a worker
// begins it without a message. FINISHED and CANCELLED are final.
import { CancelledError, InvalidStateError } from '../errors.js'
import { checkTimeout, checkWaitOptions, type WaitOptions } from '../base/wait-options.js'
import { withTimeout } from '../base/with-timeout.js'
import { keepShape } from '../base/keep-shape.js'
import { callSafely } from '../base/safe-callback.js'
import { checkFlag, checkFunction, checkOptions } from '../base/validate.js'

/** What a future asks of the executor that runs its work. */
export interface Work {
  /** Whether a worker has begun it. */
  begun(): boolean
  /** Take it back before a worker begins it. @returns whether that succeeded: if so, it will never run */
  withdraw(): boolean
  /** Stop it while it runs: ask first, and stop its worker `graceMs` later. Resolves when it no longer runs. */
  stop(graceMs: number): Promise<void>
  /** The future is done. Called before its callbacks. */
  onDone?(): void
}

type State = 'pending' | 'running' | 'cancelled' | 'finished'

// One function for all promises: a closure for each would be a tenth of what a future takes.
const settlers = { resolve: (_value: any) => {}, reject: (_reason: unknown) => {} }
const lendSettlers = (resolve: (value: any) => void, reject: (reason: unknown) => void): void => {
  settlers.resolve = resolve
  settlers.reject = reject
}

/** The result of work that runs elsewhere. Awaiting it gives the result, or throws what the work threw. */
export class Future<R = unknown> implements PromiseLike<R> {
  #state: State = 'pending'
  #value: R | undefined
  #thrown: unknown
  #failed = false
  #work: Work | undefined
  /** Made when somebody first awaits the future, for all who do. */
  #promise: Promise<R> | undefined
  #resolve: ((value: any) => void) | undefined
  #reject: ((reason: unknown) => void) | undefined
  // Of any: a Future<string> shall be a Future<unknown>, too. Most futures have one at most.
  #callbacks: ((future: Future<any>) => unknown)[] | undefined

  /** @param work who runs it; without one, the future is settled by hand, as executors and tests do. */
  constructor(work?: Work) {
    this.#work = work
  }

  /**
   * The result, when it is there. The time limits the waiting only: the work goes on.
   * @throws what the work threw; CancelledError; TimeoutError (ERR_MANYHANDS_TIMEOUT) not there in time.
   */
  result(options?: WaitOptions): Promise<R> {
    return options === undefined ? this.#settled() : this.#settledWithin(options)
  }

  /**
   * What the work threw, when it is settled; `null` if it returned.
   * @throws CancelledError; TimeoutError (ERR_MANYHANDS_TIMEOUT) not there in time.
   */
  async exception(options?: WaitOptions): Promise<unknown> {
    try {
      await this.result(options)
      return null
    } catch (thrown) {
      if (this.#failed && Object.is(thrown, this.#thrown)) return thrown
      throw thrown
    }
  }

  /**
   * Cancel the work if no worker has begun it.
   * @returns whether it is cancelled: false once it runs or is done. With `force`, running work is stopped, too: its worker is
   * asked to stop (`currentProcess().signal`, `.cancelled`) and replaced `grace` milliseconds later; the promise resolves when
   * it no longer runs, and the future ends in CancelledError.
   * @throws TypeError, RangeError
   */
  cancel(options?: { force?: false | undefined }): boolean
  cancel(options: { force: true; grace?: number | undefined }): Promise<boolean>
  cancel(options: { force?: boolean | undefined; grace?: number | undefined } = {}): boolean | Promise<boolean> {
    checkOptions(options, 'the options of cancel', ['force', 'grace'])
    const { force = false, grace = 0 } = options
    checkFlag(force, 'force')
    const graceMs = checkTimeout(grace, 'grace')
    if (this.#state === 'pending' && (this.#work?.withdraw() ?? true)) this.#settle('cancelled')
    if (!force) return this.#state === 'cancelled'
    return this.#forceCancel(graceMs)
  }

  async #forceCancel(graceMs: number): Promise<boolean> {
    // Settled first, so that whatever the work still returns comes too late.
    const work = this.#work
    if (!this.done() && work) this.#settle('cancelled')
    if (this.#state !== 'cancelled') return false
    await work?.stop(graceMs)
    return true
  }

  /** Whether it was cancelled. */
  cancelled(): boolean {
    return this.#state === 'cancelled'
  }

  /** @internal Whether it ended by throwing. */
  get failed(): boolean {
    return this.#failed
  }

  /** Whether a worker runs it at this moment. Merely queued, or waiting in a worker, is not running. */
  running(): boolean {
    return this.#state === 'running' || (this.#state === 'pending' && (this.#work?.begun() ?? false))
  }

  /** Whether it has returned, thrown, or been cancelled. */
  done(): boolean {
    return this.#state === 'finished' || this.#state === 'cancelled'
  }

  /**
   * Call `fn` with this future when it is done: at once if it is. Callbacks run in the order in which they were added; one that
   * throws is printed to stderr and ignored.
   */
  addDoneCallback(fn: (future: Future<R>) => unknown): void {
    checkFunction(fn, 'a done callback')
    if (this.done()) this.#call(fn)
    else if (this.#callbacks) this.#callbacks.push(fn)
    else this.#callbacks = [fn]
  }

  /** @internal For those who wait for several: they go when their time is over. */
  removeDoneCallback(fn: (future: Future<R>) => unknown): void {
    this.#callbacks = this.#callbacks?.filter((other) => other !== fn)
  }

  // oxlint-disable-next-line unicorn/no-thenable -- awaiting a future is what it is for
  then<A = R, B = never>(
    onResult?: ((value: R) => A | PromiseLike<A>) | null,
    onError?: ((reason: any) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#settled().then(onResult, onError)
  }

  catch<B = never>(onError?: ((reason: any) => B | PromiseLike<B>) | null): Promise<R | B> {
    return this.#settled().catch(onError)
  }

  finally(onSettled?: (() => void) | null): Promise<R> {
    return this.#settled().finally(onSettled)
  }

  /** For executors: the work begins, unless it was cancelled. @returns false if it was. @throws InvalidStateError it ran before. */
  setRunningOrNotifyCancel(): boolean {
    if (this.#state === 'cancelled') return false
    if (this.#state !== 'pending') throw new InvalidStateError(`a ${this.#state} future cannot begin to run`)
    this.#state = 'running'
    return true
  }

  /** For executors: the work returned. @throws InvalidStateError the future is done already. */
  setResult(value: R): void {
    this.#refuseDone()
    this.#value = value
    this.#settle('finished')
  }

  /** For executors: the work threw. @throws InvalidStateError the future is done already. */
  setException(thrown: unknown): void {
    this.#refuseDone()
    this.#thrown = thrown
    this.#failed = true
    this.#settle('finished')
  }

  #refuseDone(): void {
    if (this.done()) throw new InvalidStateError(`the future is ${this.#state} already`)
  }

  #settle(state: 'cancelled' | 'finished'): void {
    this.#state = state
    this.#work?.onDone?.()
    // What it carried goes, though the future may stay. A cancelled one may yet have to be stopped.
    if (state === 'finished') this.#work = undefined
    if (this.#promise) this.#settlePromise()
    const callbacks = this.#callbacks
    if (!callbacks) return
    this.#callbacks = undefined
    for (const callback of callbacks) this.#call(callback)
  }

  #settlePromise(): void {
    if (this.#state === 'cancelled') this.#reject!(new CancelledError('the future was cancelled'))
    else if (this.#failed) this.#reject!(this.#thrown)
    else this.#resolve!(this.#value)
    this.#resolve = this.#reject = undefined
  }

  #settled(): Promise<R> {
    if (this.#promise) return this.#promise
    const promise = new Promise<R>(lendSettlers)
    this.#promise = promise
    this.#resolve = settlers.resolve
    this.#reject = settlers.reject
    if (this.done()) this.#settlePromise()
    return promise
  }

  #call(fn: (future: Future<R>) => unknown): void {
    callSafely('a done callback of a future', fn, this)
  }

  async #settledWithin(options: WaitOptions): Promise<R> {
    const { timeoutMs, signal } = checkWaitOptions(options)
    if (this.done()) return this.#settled()
    return withTimeout(this.#settled(), timeoutMs, signal, () => `the future was not done within ${timeoutMs} ms`)
  }

  /** What `console.log` shows of it. */
  get [Symbol.toStringTag](): string {
    return `Future ${this.running() ? 'running' : this.#state}`
  }
}

keepShape(new Future())
