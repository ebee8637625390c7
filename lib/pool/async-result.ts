// AsyncResult: the result of work that a Pool does in the background. After Python's multiprocessing.pool.AsyncResult.
import { recognizeCopies } from '../copies.js'
import { Promise } from '../base/clock.js'
import { InvalidStateError, TimeoutError } from '../errors.js'
import { settledAfterTurn, turnIfDue } from '../base/loop-turn.js'
import { partsIn } from '../base/parts.js'
import { callSafely } from '../base/safe-callback.js'
import { checkFunction } from '../base/validate.js'
import { checkWaitOptions, type WaitOptions } from '../base/wait-options.js'
import { withTimeout } from '../base/with-timeout.js'
import { markUnsendable, unsendableMark } from '../transport/unsendable.js'

const UNSENDABLE_RESULT = unsendableMark('await its get(), and send the result')

/** Called when work of a Pool is done. What a callback throws is printed to stderr and ignored. */
export interface Callbacks<R = any> {
  /** Called with the result. */
  callback?: ((result: R) => unknown) | undefined
  /** Called with what was thrown. */
  errorCallback?: ((thrown: any) => unknown) | undefined
}

/** @throws TypeError */
export function checkCallbacks({ callback, errorCallback }: Callbacks): void {
  if (callback !== undefined) checkFunction(callback, 'callback')
  if (errorCallback !== undefined) checkFunction(errorCallback, 'errorCallback')
}

/**
 * The result of work that a `Pool` does. Made by `applyAsync`, `mapAsync` and `starmapAsync`. A failure that nobody looks at is
 * silent. After Python's multiprocessing.pool.AsyncResult.
 */
export class AsyncResult<R = unknown> {
  readonly #result: Promise<R>
  readonly #settled: Promise<unknown>
  #state: 'pending' | 'returned' | 'threw' = 'pending'

  /** @throws TypeError only a Pool makes it */
  constructor(parts?: undefined) {
    const given = partsIn(parts)
    if (!given) throw new TypeError('an AsyncResult is made by a Pool: use applyAsync, mapAsync or starmapAsync')
    markUnsendable(this, UNSENDABLE_RESULT)
    const [work, { callback, errorCallback }] = given as [PromiseLike<R>, Callbacks<R>]
    const onResult = (value: R) => {
      this.#state = 'returned'
      if (callback) callSafely('a callback of a Pool', callback, value)
      return value
    }
    const onError = (thrown: unknown) => {
      this.#state = 'threw'
      if (errorCallback) callSafely('an errorCallback of a Pool', errorCallback, thrown)
      throw thrown
    }
    this.#result = Promise.resolve(work.then(onResult, onError))
    // Handles the rejection: like Python, work that fails is silent if nobody asks for its result.
    this.#settled = Promise.allSettled([this.#result])
  }

  /**
   * Wait for the result. A timeout or an abort ends the waiting only: the work goes on.
   * @throws what the work threw; the signal's reason
   * @throws TimeoutError (ERR_MANYHANDS_TIMEOUT) it was not there in time
   * After Python's AsyncResult.get.
   */
  async get(options?: WaitOptions): Promise<R> {
    const { timeoutMs, signal } = checkWaitOptions(options)
    if (this.ready()) return settledAfterTurn(this.#result)
    return withTimeout(this.#result, timeoutMs, signal, () => `the result was not there within ${timeoutMs} ms`)
  }

  /**
   * Wait until the work has returned or thrown, or the time is over, which is no error.
   * @throws the signal's reason
   * After Python's AsyncResult.wait.
   */
  async wait(options?: WaitOptions): Promise<void> {
    const { timeoutMs, signal } = checkWaitOptions(options)
    if (this.ready()) return turnIfDue()
    try {
      await withTimeout(this.#settled, timeoutMs, signal)
    } catch (thrown) {
      if (!(thrown instanceof TimeoutError) || thrown === signal?.reason) throw thrown
    }
  }

  /** @internal Resolves when it is ready, after the callbacks were called. */
  get settled(): Promise<unknown> {
    return this.#settled
  }

  /** Whether the work has returned or thrown. */
  ready(): boolean {
    return this.#state !== 'pending'
  }

  /**
   * Whether the work returned.
   * @throws InvalidStateError (ERR_MANYHANDS_INVALID_STATE) it is not ready
   * After Python's AsyncResult.successful.
   */
  successful(): boolean {
    if (!this.ready()) throw new InvalidStateError('the result is not ready: whether the work succeeds is not known')
    return this.#state === 'returned'
  }
}

recognizeCopies(AsyncResult, 'AsyncResult')
