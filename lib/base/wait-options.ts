// How long to wait: what callers may write, checked in one place. Time is in milliseconds everywhere; Infinity waits for ever,
// zero and less does not wait.
import { inspect } from 'node:util'
import { checkOptions } from './validate.js'

/** Options of everything that waits without blocking. A plain number is the `timeout`. */
export type WaitOptions =
  | number
  | {
      /** Milliseconds; `Infinity` waits for ever, `<= 0` does not wait. @default Infinity */
      timeout?: number | undefined
      /** Aborting it rejects with the signal's reason. */
      signal?: AbortSignal | undefined
    }

/** Check a time given by a caller. @throws TypeError not a number; RangeError NaN */
export function checkTimeout(timeout: unknown, name = 'timeout'): number {
  if (timeout === undefined) return Infinity
  if (typeof timeout !== 'number')
    throw new TypeError(`${name} must be a number of milliseconds, not ${inspect(timeout)}`)
  if (Number.isNaN(timeout)) throw new RangeError(`${name} must be a number of milliseconds or Infinity, not NaN`)
  return timeout
}

/** Check wait options given by a caller. @throws TypeError, RangeError */
export function checkWaitOptions(options: WaitOptions | undefined): { timeoutMs: number; signal?: AbortSignal } {
  if (options === undefined) return { timeoutMs: Infinity }
  if (typeof options === 'number') return { timeoutMs: checkTimeout(options) }
  if (options === null || typeof options !== 'object')
    throw new TypeError(`wait options must be a number or { timeout, signal }, not ${inspect(options)}`)
  checkOptions(options, 'wait options', ['timeout', 'signal'])
  const signal = checkSignal(options.signal)
  return { timeoutMs: checkTimeout(options.timeout), ...(signal && { signal }) }
}

/** Check an AbortSignal given by a caller. @throws TypeError */
export function checkSignal(signal: unknown): AbortSignal | undefined {
  if (signal === undefined || isAbortSignal(signal)) return signal
  throw new TypeError(`signal must be an AbortSignal, not ${inspect(signal)}`)
}

/** By what is used of it: jsdom and polyfills have classes of their own. */
function isAbortSignal(value: unknown): value is AbortSignal {
  const { aborted, addEventListener } = (value ?? {}) as Partial<AbortSignal>
  return typeof aborted === 'boolean' && typeof addEventListener === 'function'
}
