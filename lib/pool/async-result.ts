// AsyncResult: what a Pool gives for work that it does later, after Python's multiprocessing.pool.AsyncResult.
import { inspect } from 'node:util'
import { InvalidStateError, TimeoutError } from '../errors.js'
import { checkWaitOptions, type WaitOptions } from '../base/wait-options.js'
import { withTimeout } from '../base/with-timeout.js'
import { callSafely } from '../base/safe-callback.js'
import { checkOptions } from '../base/validate.js'

export interface Callbacks<R = any> {
  /** Called with the result. */
  callback?: ((result: R) => unknown) | undefined
  /** Called with what was thrown. */
  errorCallback?: ((thrown: any) => unknown) | undefined
}

/** @throws TypeError */
export function checkCallbacks(callbacks: Callbacks): void {
  checkOptions(callbacks, 'the callbacks', ['callback', 'errorCallback'])
  const { callback, errorCallback } = callbacks
  for (const [name, fn] of Object.entries({ callback, errorCallback }))
    if (fn !== undefined && typeof fn !== 'function')
      throw new TypeError(`${name} must be a function, not ${inspect(fn)}`)
}

/** The result of work that a `Pool` does. Made by `applyAsync`, `mapAsync` and `starmapAsync`. */
export class AsyncResult<R = unknown> {
  readonly #result: Promise<R>
  readonly #settled: Promise<unknown>
  #outcome: 'none' | 'returned' | 'threw' = 'none'

  /** @internal */
  constructor(result: PromiseLike<R>, { callback, errorCallback }: Callbacks<R>) {
    const onResult = (value: R) => {
      this.#outcome = 'returned'
      if (callback) callSafely('a callback of a Pool', callback, value)
      return value
    }
    const onError = (thrown: unknown) => {
      this.#outcome = 'threw'
      if (errorCallback) callSafely('an errorCallback of a Pool', errorCallback, thrown)
      throw thrown
    }
    this.#result = Promise.resolve(result.then(onResult, onError))
    // As in Python, work that fails is silent if nobody asks for its result.
    this.#settled = Promise.allSettled([this.#result])
  }

  /**
   * The result, when it is there. The time limits the waiting only: the work goes on.
   * @throws what the work threw; TimeoutError (ERR_MANYHANDS_TIMEOUT) not there in time
   */
  async get(options?: WaitOptions): Promise<R> {
    const { timeoutMs, signal } = checkWaitOptions(options)
    if (this.ready()) return this.#result
    return withTimeout(this.#result, timeoutMs, signal, () => `the result was not there within ${timeoutMs} ms`)
  }

  /** Wait until the work has returned or thrown, or the time is over, which is no error. */
  async wait(options?: WaitOptions): Promise<void> {
    const { timeoutMs, signal } = checkWaitOptions(options)
    if (this.ready()) return
    try {
      await withTimeout(this.#settled, timeoutMs, signal)
    } catch (thrown) {
      if (!(thrown instanceof TimeoutError) || thrown === signal?.reason) throw thrown
    }
  }

  /** @internal Resolves when it is ready, and the callbacks were called. */
  get settled(): Promise<unknown> {
    return this.#settled
  }

  /** Whether the work has returned or thrown. */
  ready(): boolean {
    return this.#outcome !== 'none'
  }

  /** Whether the work returned. @throws InvalidStateError (ERR_MANYHANDS_INVALID_STATE) it is not ready */
  successful(): boolean {
    if (!this.ready()) throw new InvalidStateError('the result is not ready: whether it succeeds is not known')
    return this.#outcome === 'returned'
  }
}
