// Looking for a moment before sleeping. A thread that sleeps is back some 35 µs after it was woken, on a machine with nothing
// else to do; what is answered at once is there after 2. But looking costs a core what sleeping would have saved. So a wait looks
// for as long as sleeping takes, and those who looked in vain look less often: not at the next wait, then not at the next two,
// four, up to 64; once it was worth it, always.
import { changesWithin, type Words } from '../memory/atomics.js'

const LOOK_MS = 0.05
const MOST_SKIPPED = 64

/** What those who wait at one place have learnt of looking. */
export class AdaptiveSpin {
  #skipped = 1
  #toSkip = 0

  /** Whether the word has changed within a moment. `false` says nothing. */
  spin(words: Words, index: number, seen: number): boolean {
    if (this.#toSkip > 0) {
      this.#toSkip--
      return false
    }
    if (changesWithin(words, index, seen, LOOK_MS)) {
      this.#skipped = 1
      return true
    }
    this.#toSkip = this.#skipped
    this.#skipped = Math.min(2 * this.#skipped, MOST_SKIPPED)
    return false
  }
}
