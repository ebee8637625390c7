// The timer for leases whose progress no message reports: tasks that lie behind a slow one, or in a worker that does not begin
// them. What is looked at, and what is done about it, is up to lease.ts and scheduler.ts. It looks every few milliseconds, less
// often while nothing moves, and not at all while each worker runs the last task it has. A program that waits for one long task
// is not woken.
import { clearTimeout, setTimeout } from '../../base/clock.js'

/** Delay of the first look. A finished task with another behind it is settled at the next look. */
const MIN_PERIOD_MS = 2

/** Reached by doubling while nothing moves. */
const MAX_PERIOD_MS = 64

/** What a look has found; of several leases, the greatest counts. */
export type Look = typeof NOTHING_TO_WATCH | typeof UNMOVED | typeof MOVED
export const NOTHING_TO_WATCH = 0
export const UNMOVED = 1
export const MOVED = 2

export class Watchdog {
  readonly #look: () => Look
  #periodMs = MIN_PERIOD_MS
  #timer: NodeJS.Timeout | undefined

  constructor(look: () => Look) {
    this.#look = look
  }

  /** A lease was sent: look at it soon. */
  wake(): void {
    if (this.#timer && this.#periodMs > MIN_PERIOD_MS) {
      clearTimeout(this.#timer)
      this.#timer = undefined
    }
    this.#periodMs = MIN_PERIOD_MS
    this.#timer ??= setTimeout(() => this.#onTimer(), MIN_PERIOD_MS)
  }

  #onTimer(): void {
    this.#timer = undefined
    const found = this.#look()
    if (found === NOTHING_TO_WATCH) return
    this.#periodMs = found === MOVED ? MIN_PERIOD_MS : Math.min(2 * this.#periodMs, MAX_PERIOD_MS)
    this.#timer ??= setTimeout(() => this.#onTimer(), this.#periodMs)
  }
}
