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
import { isThenable } from '../base/brands.js'
import { CancelledError, InvalidStateError } from '../errors.js'
import { checkTimeout, checkWaitOptions, type WaitOptions } from '../base/wait-options.js'
import { withTimeout } from '../base/with-timeout.js'
import { bindContext } from '../base/async-context.js'
import { keepShape } from '../base/keep-shape.js'
import { callSafely } from '../base/safe-callback.js'
import { checkFlag, checkFunction, checkOptions, refuseExcess } from '../base/validate.js'
import { showPromise } from '../transport/shown.js'
import { markAllUnsendable, unsendableMark } from '../transport/unsendable.js'

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

/** `failed`: finished by throwing. */
type FutureState = 'pending' | 'running' | 'cancelled' | 'finished' | 'failed'

// One function for all futures. A closure for each would be a tenth of its memory. So is the function that rejects, which is let go:
// to fail, a future takes over a promise that is rejected.
const settleNothing = (_value: any): void => {}
const latestSettler = { resolve: settleNothing }
const captureResolve = (resolve: (value: any) => void): void => {
  latestSettler.resolve = resolve
}

/**
 * The result of work that runs elsewhere: a promise of it. Awaiting it gives the result, or throws what the work threw. A failure
 * that nobody looks at is silent. What `then`, `catch` and `finally` give are plain promises. After Python's
 * concurrent.futures.Future.
 */
export class Future<R = unknown> extends Promise<R> {
  /** Promises derived from one are plain, those from an instance of a subclass as well. */
  static override get [Symbol.species](): PromiseConstructor {
    return Promise
  }

  #state: FutureState = 'pending'
  /** What it returned or threw, once it has. */
  #outcome: unknown
  #work: Work | undefined
  #resolve: ((value: any) => void) | undefined = latestSettler.resolve
  // Of any, so that a Future<string> is a Future<unknown>. Undefined if there are none, as in most futures.
  #callbacks: ((future: Future<any>) => unknown)[] | undefined

  /** @param work what the future is for; without it, the future is settled by `setResult`, `setException` and `cancel` alone */
  constructor(work?: Work) {
    super(captureResolve)
    latestSettler.resolve = settleNothing // It refers to the future, and so to its result.
    if (typeof work === 'function')
      throw new TypeError(
        'a Future is not made of a function: use those of Promise, such as Promise.all, which take futures',
      )
    if (work !== undefined && typeof work?.withdraw !== 'function')
      throw new TypeError(`a Future has no options, not ${inspect(work)}`)
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
    // Not the future itself: its failure is silent, and that of what was asked for is not.
    return options === undefined ? this.then(null) : this.#settledWithin(options)
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
      if (this.failed && Object.is(thrown, this.#outcome)) return thrown
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
    return this.#state === 'failed'
  }

  /** @internal What it returned, if it has. */
  get value(): R | undefined {
    return this.#state === 'finished' ? (this.#outcome as R) : undefined
  }

  /** @internal What it threw, if it has. */
  get thrown(): unknown {
    return this.#state === 'failed' ? this.#outcome : undefined
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
    return this.#state !== 'pending' && this.#state !== 'running'
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

  /**
   * For executors and tests: the work begins to run, unless it was cancelled.
   * @returns false if it was cancelled
   * @throws InvalidStateError (ERR_MANYHANDS_INVALID_STATE) it has begun before
   * After Python's Future.set_running_or_notify_cancel.
   */
  setRunningOrNotifyCancel(): boolean {
    if (this.#state === 'cancelled') return false
    if (this.#state !== 'pending') throw new InvalidStateError(`a ${this.#word} future cannot begin to run`)
    this.#state = 'running'
    return true
  }

  /** For executors and tests: the work returned. @throws InvalidStateError (ERR_MANYHANDS_INVALID_STATE) the future is done */
  setResult(value: R): void {
    this.#refuseDone()
    this.#outcome = value
    this.#settle('finished')
  }

  /** For executors and tests: the work threw. @throws InvalidStateError (ERR_MANYHANDS_INVALID_STATE) the future is done */
  setException(thrown: unknown): void {
    this.#refuseDone()
    this.#outcome = thrown
    this.#settle('failed')
  }

  #refuseDone(): void {
    if (this.done()) throw new InvalidStateError(`the future is ${this.#word} already`)
  }

  /** The state in one word: a failed future is finished. */
  get #word(): string {
    return this.#state === 'failed' ? 'finished' : this.#state
  }

  #settle(state: 'cancelled' | 'finished' | 'failed'): void {
    this.#state = state
    this.#work?.onDone?.()
    // Frees the arguments, though the future may be kept. Not of a cancelled one: its work may have to be stopped first.
    if (state !== 'cancelled') this.#work = undefined
    this.#settlePromise()
    const callbacks = this.#callbacks
    if (!callbacks) return
    this.#callbacks = undefined
    for (const callback of callbacks) this.#call(callback)
  }

  #settlePromise(): void {
    const resolve = this.#resolve!
    this.#resolve = undefined
    // A rejection counts as looked at, whether it is or not. Who awaits it has a promise of his own, whose rejection is not silent.
    if (this.#state !== 'finished' || mayReject(this.#outcome)) this.then(undefined, settleNothing)
    if (this.#state === 'finished') resolve(this.#outcome)
    else
      resolve(Promise.reject(this.#state === 'failed' ? this.#outcome : new CancelledError('the future was cancelled')))
  }

  #call(fn: (future: Future<R>) => unknown): void {
    callSafely('a done callback of a future', fn, this)
  }

  async #settledWithin(options: WaitOptions): Promise<R> {
    const { timeoutMs, signal } = checkWaitOptions(options)
    if (this.done()) return this.then(null)
    return withTimeout(this, timeoutMs, signal, () => `the future was not done within ${timeoutMs} ms`)
  }

  /** Shown by `console.log`: the future's state. */
  override get [Symbol.toStringTag](): string {
    return `Future ${this.running() ? 'running' : this.#word}`
  }
}

/** Whether a promise that is resolved with the value may be rejected. */
function mayReject(value: unknown): boolean {
  try {
    return isThenable(value)
  } catch {
    return true
  }
}

showPromise('Future', Future.prototype)
markAllUnsendable(Future.prototype, unsendableMark('await it, and send its result'))

// What has this constructor, `await` and Promise.all take as it is. Anything else they wrap in a second promise with resolvers of its
// own, which costs half of a future's memory and settles two turns of the microtask queue later.
Reflect.defineProperty(Future.prototype, 'constructor', { value: Promise, writable: true, configurable: true })

keepShape(new Future())

recognizeCopies(Future, 'Future')
