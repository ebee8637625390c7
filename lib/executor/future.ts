// Future: the result of work that runs elsewhere. After Python's concurrent.futures.Future.
//
//               setRunningOrNotifyCancel()          setResult(), setException()
//   PENDING ──────────────────────────────> RUNNING ───────────────────────────> FINISHED
//      │  cancel()                             │  cancel({ force: true })
//      └───────────────> CANCELLED <───────────┘
//
// An executor settles its futures from PENDING. Whether the work runs is asked of the work itself (`begun`), because a worker begins
// it without a message. FINISHED and CANCELLED are final.
import { inspect } from 'node:util'
import { recognizeCopies } from '../copies.js'
import { Promise } from '../base/clock.js'
import { CancelledError, InvalidStateError } from '../errors.js'
import { checkTimeout, checkWaitOptions, type WaitOptions } from '../base/wait-options.js'
import { withTimeout } from '../base/with-timeout.js'
import { bindContext } from '../base/async-context.js'
import { keepShape } from '../base/keep-shape.js'
import { callSafely } from '../base/safe-callback.js'
import { checkFlag, checkFunction, checkOptions, refuseExcess } from '../base/validate.js'
import { markUnsendable, unsendableMark } from '../transport/unsendable.js'

const UNSENDABLE_FUTURE = unsendableMark('await it, and send its result')

/** The work of a future, as the executor that runs it presents it. */
export interface Work {
  /** Whether a worker has begun it. Never false again once it is true. */
  begun(): boolean
  /** Settle the future now, if a worker has finished the work. */
  settleFinished?(): void
  /** Take it back before a worker begins it. @returns whether that succeeded; if so, it never runs */
  withdraw(): boolean
  /** Stop it while it runs: ask it first, and end its worker `graceMs` later. Resolves when it no longer runs. */
  stop(graceMs: number): Promise<void>
  /** Called when the future is done, before its callbacks. */
  onDone?(): void
}

type FutureState = 'pending' | 'running' | 'cancelled' | 'finished'

// One function for all promises. A closure per promise would be a tenth of a future's memory.
const settleNothing = (_value: any): void => {}
const latestSettlers = { resolve: settleNothing, reject: settleNothing }
const captureSettlers = (resolve: (value: any) => void, reject: (reason: unknown) => void): void => {
  latestSettlers.resolve = resolve
  latestSettlers.reject = reject
}

/**
 * The result of work that runs elsewhere. Awaiting it gives the result, or throws what the work threw. A failure that nobody looks
 * at is silent. After Python's concurrent.futures.Future.
 */
export class Future<R = unknown> implements PromiseLike<R> {
  #state: FutureState = 'pending'
  #value: R | undefined
  #thrown: unknown
  #failed = false
  #work: Work | undefined
  /** Made when the future is first awaited. */
  #promise: Promise<R> | undefined
  #resolve: ((value: any) => void) | undefined
  #reject: ((reason: unknown) => void) | undefined
  // Of any, so that a Future<string> is a Future<unknown>. Undefined if there are none, as in most futures.
  #callbacks: ((future: Future<any>) => unknown)[] | undefined

  /** @param work what the future is for; without it, the future is settled by `setResult`, `setException` and `cancel` alone */
  constructor(work?: Work) {
    if (work !== undefined && typeof work?.withdraw !== 'function')
      throw new TypeError(`a Future has no options, not ${inspect(work)}`)
    markUnsendable(this, UNSENDABLE_FUTURE)
    this.#work = work
  }

  /**
   * Wait for the result. A timeout or an abort ends the waiting only: the work goes on.
   * @throws what the work threw; the signal's reason
   * @throws CancelledError (ERR_MANYHANDS_CANCELLED) it was cancelled
   * @throws TimeoutError (ERR_MANYHANDS_TIMEOUT) it was not done in time
   * After Python's Future.result.
   */
  result(options?: WaitOptions): Promise<R> {
    return options === undefined ? this.#settled() : this.#settledWithin(options)
  }

  /**
   * Wait until the work is done, and give what it threw; `null` if it returned.
   * @throws CancelledError (ERR_MANYHANDS_CANCELLED), TimeoutError (ERR_MANYHANDS_TIMEOUT), the signal's reason as `result`
   * After Python's Future.exception.
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
   * Cancel the work if no worker has begun it. With `force`, stop it if it runs: it is asked to stop
   * (`currentProcess().signal`, `.cancelled`), and its worker is replaced if it still runs `grace` milliseconds later.
   * @param options `grace` in milliseconds. @default { force: false, grace: 0 }
   * @returns whether it is cancelled: false if it runs or is done; between two attempts (`retries`) it runs. With `force`, a promise of that, which resolves when the work
   * no longer runs. A cancelled future ends in CancelledError (ERR_MANYHANDS_CANCELLED)
   * @throws TypeError, RangeError
   * After Python's Future.cancel.
   */
  cancel(options?: { force?: false | undefined }): boolean
  cancel(options: { force: true; grace?: number | undefined }): Promise<boolean>
  cancel(
    options: { force?: boolean | undefined; grace?: number | undefined } = {},
    ...excess: unknown[]
  ): boolean | Promise<boolean> {
    refuseExcess(excess, 'cancel(options)')
    checkOptions(options, 'the options of cancel', ['force', 'grace'])
    const { force = false, grace = 0 } = options
    checkFlag(force, 'force')
    const graceMs = checkTimeout(grace, 'grace')
    if (force) this.#work?.settleFinished?.()
    if (this.#state === 'pending' && (this.#work?.withdraw() ?? true)) {
      this.#settle('cancelled')
      this.#work = undefined // It never runs: nothing will have to be stopped.
    }
    if (!force) return this.#state === 'cancelled'
    return this.#forceCancel(graceMs)
  }

  async #forceCancel(graceMs: number): Promise<boolean> {
    // Settled before it is stopped: what the work still returns comes too late.
    const work = this.#work
    if (!this.done() && work) this.#settle('cancelled')
    if (this.#state !== 'cancelled') return false
    await work?.stop(graceMs)
    this.#work = undefined
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

  /** @internal What it returned, if it has. */
  get value(): R | undefined {
    return this.#value
  }

  /** @internal What it threw, if it has. */
  get thrown(): unknown {
    return this.#thrown
  }

  /**
   * Whether a worker has begun it, and it is not done. Work that is queued, or waits in a worker behind other work, does not run.
   * States only go forward: pending, running, done.
   */
  running(): boolean {
    return this.#state === 'running' || (this.#state === 'pending' && (this.#work?.begun() ?? false))
  }

  /** Whether it has returned, thrown, or been cancelled. */
  done(): boolean {
    return this.#state === 'finished' || this.#state === 'cancelled'
  }

  /**
   * Call `fn` with this future when it is done: at once if it is. Callbacks run in the order in which they were added, each in the
   * async context (AsyncLocalStorage) in which it was added. What one throws is printed to stderr and ignored.
   * @throws TypeError
   * After Python's Future.add_done_callback.
   */
  addDoneCallback(fn: (future: Future<R>) => unknown): void {
    checkFunction(fn, 'a done callback')
    if (this.done()) this.#call(fn)
    else this.whenDone(bindContext(fn))
  }

  /** @internal As `addDoneCallback`, for callbacks of this package, which need no context of their own. */
  whenDone(fn: (future: Future<R>) => unknown): void {
    if (this.done()) this.#call(fn)
    else if (this.#callbacks) this.#callbacks.push(fn)
    else this.#callbacks = [fn]
  }

  /** @internal Remove a callback of `whenDone`, when its owner no longer waits. */
  removeDoneCallback(fn: (future: Future<R>) => unknown): void {
    this.#callbacks = this.#callbacks?.filter((other) => other !== fn)
  }

  /** As a promise's `then`. */
  // oxlint-disable-next-line unicorn/no-thenable -- awaiting a future is what it is for
  then<A = R, B = never>(
    onResult?: ((value: R) => A | PromiseLike<A>) | null,
    onError?: ((reason: any) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#settled().then(onResult, onError)
  }

  /** As a promise's `catch`. */
  catch<B = never>(onError?: ((reason: any) => B | PromiseLike<B>) | null): Promise<R | B> {
    return this.#settled().catch(onError)
  }

  /** As a promise's `finally`. */
  finally(onSettled?: (() => void) | null): Promise<R> {
    return this.#settled().finally(onSettled)
  }

  /**
   * For executors and tests: the work begins to run, unless it was cancelled.
   * @returns false if it was cancelled
   * @throws InvalidStateError (ERR_MANYHANDS_INVALID_STATE) it has begun before
   * After Python's Future.set_running_or_notify_cancel.
   */
  setRunningOrNotifyCancel(): boolean {
    if (this.#state === 'cancelled') return false
    if (this.#state !== 'pending') throw new InvalidStateError(`a ${this.#state} future cannot begin to run`)
    this.#state = 'running'
    return true
  }

  /** For executors and tests: the work returned. @throws InvalidStateError (ERR_MANYHANDS_INVALID_STATE) the future is done */
  setResult(value: R): void {
    this.#refuseDone()
    this.#value = value
    this.#settle('finished')
  }

  /** For executors and tests: the work threw. @throws InvalidStateError (ERR_MANYHANDS_INVALID_STATE) the future is done */
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
    // Frees the arguments, though the future may be kept. Not of a cancelled one: its work may have to be stopped first.
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
    const promise = new Promise<R>(captureSettlers)
    this.#promise = promise
    this.#resolve = latestSettlers.resolve
    this.#reject = latestSettlers.reject
    latestSettlers.resolve = latestSettlers.reject = settleNothing // They refer to the promise, and so to its result.
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

  /** Shown by `console.log`: the future's state. */
  get [Symbol.toStringTag](): string {
    return `Future ${this.running() ? 'running' : this.#state}`
  }
}

keepShape(new Future())

recognizeCopies(Future, 'Future')
