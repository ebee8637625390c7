// Spinning: looking at a word for a moment before sleeping on it. A thread that sleeps runs again some 35 µs after it was woken, on
// an idle machine, and sleeping and waking cost both sides 8 µs. A thread that spins sees the change within 2 µs, but costs a core.
//
//   waiter                      spins                                    because
//   of a lock (lock-word.ts),   once, 100 looks (0.2 µs); not where a    most sections are shorter than a wake-up; behind sleepers
//   of a token (tokens.ts)      thread sleeps on the lock                the lock will not be free in a moment
//   of a queue                  once per wait, 15,000 looks (20 µs)      the next message, or room for one, often comes in a moment:
//   (queue/event-count.ts)                                               then no thread has to be woken
//   of a monitor or a Pipe      50 µs before each sleep, or not at all   as long as a wake-up takes; spinning in vain is learnt from
//   (park.ts, AdaptiveSpin)
//
// A spin is a hint: no algorithm relies on what it says. With one core nothing changes meanwhile, and nothing spins.
import { availableParallelism } from 'node:os'
import { performance } from '../base/clock.js'
import { peek, type Words } from '../memory/atomics.js'

const LOOKS = availableParallelism() > 1 ? 100 : 0
const ROUNDS = 150
const SPIN_MS = 0.05
const MAX_SKIPPED_SPINS = 64

/** Spin for 100 looks, or until the word changes. */
export function spinWhile(words: Words, index: number, seen: number): void {
  for (let looks = LOOKS; looks > 0 && peek(words, index) === seen; looks--);
}

/** Spin for 150 times as long. @returns whether the word has changed */
export function changesSoon(words: Words, index: number): boolean {
  const before = peek(words, index)
  for (let rounds = ROUNDS; rounds > 0 && peek(words, index) === before; rounds--) spinWhile(words, index, before)
  return peek(words, index) !== before
}

function changesWithin(words: Words, index: number, seen: number, timeoutMs: number): boolean {
  if (LOOKS === 0) return false
  const endMs = performance.now() + timeoutMs
  do {
    spinWhile(words, index, seen)
    if (peek(words, index) !== seen) return true
  } while (performance.now() < endMs)
  return false
}

/**
 * What the waiters of one object have learnt from spinning. After a spin in vain the next wait does not spin, then the next two,
 * four, up to 64 do not; after one that saw the change every wait spins.
 */
export class AdaptiveSpin {
  #skipAfterFailure = 1
  #skipsLeft = 0

  /** Spin, or not. @returns whether the word has changed; `false` says nothing */
  spin(words: Words, index: number, seen: number): boolean {
    if (this.#skipsLeft > 0) {
      this.#skipsLeft--
      return false
    }
    if (changesWithin(words, index, seen, SPIN_MS)) {
      this.#skipAfterFailure = 1
      return true
    }
    this.#skipsLeft = this.#skipAfterFailure
    this.#skipAfterFailure = Math.min(2 * this.#skipAfterFailure, MAX_SKIPPED_SPINS)
    return false
  }
}
