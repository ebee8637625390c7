// Timers of any length.
import { clearTimeout, performance, setTimeout } from './clock.js'

/** The longest time that Node's timers take. `startTimer` waits for a longer one in parts. */
export const MAX_TIMER_MS: number = 2 ** 31 - 1

/**
 * Start a timer of any length, Infinity included.
 * @param hold whether it holds the event loop while it runs
 * @returns what stops it
 */
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
