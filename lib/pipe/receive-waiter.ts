// Somebody who waits at one end of a Pipe.
import type { Words } from '../memory/atomics.js'
import { DONE, WAIT, type TryResult, type Waiter } from '../sync/park.js'
import type { AdaptiveSpin } from '../sync/adaptive-spin.js'
import { NOTHING, type Wire } from './pipe-end.js'

/** Waits until there is something to receive, and takes it or leaves it. */
export class Arrival implements Waiter {
  readonly words: Words
  readonly index: number
  readonly adaptiveSpin: AdaptiveSpin
  seen = 0
  probing = false
  message: unknown = NOTHING
  readonly #attempt: (arrival: Arrival) => boolean

  /** @param attempt whether there is something; it sets `seen` before it looks, and `message` to what it takes */
  constructor({ words, index }: Wire, adaptiveSpin: AdaptiveSpin, attempt: (arrival: Arrival) => boolean) {
    this.words = words
    this.index = index
    this.adaptiveSpin = adaptiveSpin
    this.#attempt = attempt
  }

  attempt(): TryResult {
    return this.#attempt(this) ? DONE : WAIT
  }

  giveUp(): boolean {
    return false
  }

  /** What it took; it has nothing then. */
  handOver(): unknown {
    const { message } = this
    this.message = NOTHING
    return message
  }
}
