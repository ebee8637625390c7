// How long to wait: what callers may write, in one place. Time is milliseconds everywhere; Infinity waits for ever, zero and
// less does not wait.

import { inspect } from 'node:util'

/** Options of everything that waits without blocking. A plain number is the `timeout`. */
export type WaitOptions =
  | number
  | {
      /** Milliseconds; `Infinity` waits for ever, `<= 0` does not wait. @default Infinity */
      timeout?: number | undefined
      /** Aborting it rejects with the signal's reason. */
      signal?: AbortSignal | undefined
    }

/** The longest time that Node's timers take; a longer one is waited for in parts. */
export const MAX_TIMER_MS: number = 2 ** 31 - 1

/** Check a time given by a caller. @throws TypeError not a number; RangeError NaN. */
export function checkTimeout(timeout: unknown, name = 'timeout'): number {
  if (timeout === undefined) return Infinity
  if (typeof timeout !== 'number')
    throw new TypeError(`${name} must be a number of milliseconds, not ${inspect(timeout)}`)
  if (Number.isNaN(timeout)) throw new RangeError(`${name} must be a number of milliseconds or Infinity, not NaN`)
  return timeout
}

/** Check what a caller gave as wait options. @throws TypeError, RangeError */
export function checkWaitOptions(options: WaitOptions | undefined): { timeoutMs: number; signal?: AbortSignal } {
  if (options === undefined) return { timeoutMs: Infinity }
  if (typeof options === 'number') return { timeoutMs: checkTimeout(options) }
  if (options === null || typeof options !== 'object')
    throw new TypeError(`wait options must be a number or { timeout, signal }, not ${String(options)}`)
  const signal = checkSignal(options.signal)
  return { timeoutMs: checkTimeout(options.timeout), ...(signal && { signal }) }
}

/** Check an AbortSignal given by a caller. @throws TypeError */
export function checkSignal(signal: unknown): AbortSignal | undefined {
  if (signal === undefined || signal instanceof AbortSignal) return signal
  throw new TypeError(`signal must be an AbortSignal, not ${inspect(signal)}`)
}

/** A timer of any length, Infinity included. Returns what stops it. @param hold whether it holds the event loop as long as it runs */
export function startTimer(
  timeoutMs: number,
  onTime: () => void,
  { hold = true }: { hold?: boolean } = {},
): () => void {
  let timer: NodeJS.Timeout
  const endMs = performance.now() + timeoutMs
  const arm = () => {
    const leftMs = endMs - performance.now()
    timer = leftMs > MAX_TIMER_MS ? setTimeout(arm, MAX_TIMER_MS) : setTimeout(onTime, Math.ceil(Math.max(leftMs, 0)))
    if (!hold) timer.unref()
  }
  arm()
  return () => clearTimeout(timer)
}
