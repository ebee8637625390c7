// A gate: where those wait for whom the queue has nothing, or no room. Who changes that opens the gate, which costs one load
// while nobody waits. An event count, after Dmitry Vyukov.
//
// word     field    meaning
//  at      WAITING  BLOCKED, AWAITED: somebody may sleep on the word of that name. Set before the last look, cleared by `wakeOne`
//  at + 1  BLOCKED  changed when the gate is opened; those sleep on it who block their thread
//  at + 2  AWAITED  the same, for those who await: a pending waitAsync would absorb the wake-ups of those who block
//
// Invariant: whoever sleeps has loaded the word, then set its mark, then looked again and found nothing. A change that this look
// did not see finds the mark.
import { add, compareExchange, load, notifyAll, notifyOne, peek, spinWhile, type Words } from '../memory/atomics.js'
import { DONE, WAIT, type TryResult, type Waiter } from './park.js'

/** Sleeping and being woken costs both sides 8 µs: worth as much looking, which a lock's waiter does for a tenth of it. */
const SPIN_ROUNDS = 150

const BLOCKED = 1
const AWAITED = 2

/** Wake one of those who block, and all who await. They look for themselves. */
export function wakeOne(words: Words, at: number): void {
  if (load(words, at) !== 0) wakeSlowly(words, at, false)
}

/** Wake everybody. */
export function wakeAll(words: Words, at: number): void {
  if (load(words, at) !== 0) wakeSlowly(words, at, true)
}

function wakeSlowly(words: Words, at: number, wide: boolean): void {
  let marks = load(words, at)
  for (let seen; (seen = compareExchange(words, at, marks, 0)) !== marks;) marks = seen
  if (marks & BLOCKED) {
    add(words, at + BLOCKED, 1)
    if (wide) notifyAll(words, at + BLOCKED)
    else notifyOne(words, at + BLOCKED)
  }
  if (marks & AWAITED) {
    add(words, at + AWAITED, 1)
    notifyAll(words, at + AWAITED)
  }
}

/** Somebody who looks, and waits at a gate as long as there is nothing. */
export abstract class EventCountWaiter implements Waiter {
  readonly words: Words
  readonly gate: number
  readonly index: number
  readonly blocking: boolean
  /** The word that changes when there is something: the gate's own do not while nobody sleeps. */
  readonly watched: number
  seen = 0
  probing = false
  spun = false
  slept = false

  constructor(words: Words, gate: number, watched: number, blocking: boolean) {
    this.words = words
    this.gate = gate
    this.watched = watched
    this.blocking = blocking
    this.index = gate + (blocking ? BLOCKED : AWAITED)
  }

  /** Take what it waits for, if it is there. May throw. */
  abstract look(): boolean
  /** There may be more for another who waits. */
  abstract passOn(): void

  attempt(): TryResult {
    const { words, gate, index } = this
    if (this.blocking && !this.spun && this.#spin()) return DONE
    this.seen = load(words, index)
    mark(words, gate, index - gate)
    if (this.look()) {
      // It was woken alone, and others may sleep: the mark that it has just set is for them, and so is what else there is.
      if (this.slept) this.passOn()
      return DONE
    }
    this.slept = this.blocking
    return WAIT
  }

  /** Something often comes in a moment: then nobody has to be woken. */
  #spin(): boolean {
    const { words, watched } = this
    this.spun = true
    const before = peek(words, watched)
    for (let rounds = SPIN_ROUNDS; rounds > 0 && peek(words, watched) === before; rounds--)
      spinWhile(words, watched, before)
    return peek(words, watched) !== before && this.look()
  }

  giveUp(): boolean {
    return false // Its mark stays, and costs the next `wakeOne` a wake-up for nobody.
  }
}

function mark(words: Words, gate: number, bit: number): void {
  for (let marks = 0; (marks & bit) === 0;) {
    const seen = compareExchange(words, gate, marks, marks | bit)
    if (seen === marks) return
    marks = seen
  }
}
