// An event count, after Dmitry Vyukov: where threads wait until a queue has a message for them, or room. A change notifies it, which
// costs one load while nobody waits.
//
// word     field          meaning
//  at      WAITERS        BLOCKED_EPOCH, AWAITED_EPOCH: threads may sleep on the word at that offset. Set before a waiter's last
//                         look, cleared by a notification
//  at + 1  BLOCKED_EPOCH  changed by a notification; threads that block sleep on it
//  at + 2  AWAITED_EPOCH  the same for threads that await: a pending waitAsync would absorb the wake-ups of those that block
//
// Invariant: a waiter loads its epoch, sets its mark in WAITERS, and then looks once more before it sleeps. A change that this look
// did not see finds the mark.
import { add, compareExchange, load, notifyAll, notifyOne, type Words } from '../memory/atomics.js'
import { changesSoon } from '../sync/adaptive-spin.js'
import { DONE, WAIT, type TryResult, type Waiter } from '../sync/park.js'

const BLOCKED_EPOCH = 1
const AWAITED_EPOCH = 2

/** Wake one of the threads that block, and all that await. They look for themselves. */
export function wakeOne(words: Words, at: number): void {
  if (load(words, at) !== 0) wakeSlowly(words, at, false)
}

/** Wake all waiters. */
export function wakeAll(words: Words, at: number): void {
  if (load(words, at) !== 0) wakeSlowly(words, at, true)
}

function wakeSlowly(words: Words, at: number, all: boolean): void {
  let marks = load(words, at)
  for (let seen; (seen = compareExchange(words, at, marks, 0)) !== marks;) marks = seen
  if (marks & BLOCKED_EPOCH) {
    add(words, at + BLOCKED_EPOCH, 1)
    if (all) notifyAll(words, at + BLOCKED_EPOCH)
    else notifyOne(words, at + BLOCKED_EPOCH)
  }
  if (marks & AWAITED_EPOCH) {
    add(words, at + AWAITED_EPOCH, 1)
    notifyAll(words, at + AWAITED_EPOCH)
  }
}

/** A waiter that looks for what it needs, and waits at an event count while there is nothing. */
export abstract class EventCountWaiter implements Waiter {
  readonly words: Words
  readonly at: number
  readonly index: number
  readonly blocking: boolean
  /** A word that changes whenever there is something new: the epochs stand still while nobody waits. */
  readonly watched: number
  seen = 0
  probing = false
  spun = false
  slept = false

  constructor(words: Words, at: number, watched: number, blocking: boolean) {
    this.words = words
    this.at = at
    this.watched = watched
    this.blocking = blocking
    this.index = at + (blocking ? BLOCKED_EPOCH : AWAITED_EPOCH)
  }

  /** Take what it waits for, if that is there. May throw. */
  abstract look(): boolean
  /** Wake another waiter, if there may be something for it as well. */
  abstract passOn(): void

  attempt(): TryResult {
    const { words, at, index } = this
    if (this.blocking && !this.spun && this.#spin()) return DONE
    this.seen = load(words, index)
    mark(words, at, index - at)
    if (this.look()) {
      // It was woken alone while others may sleep: the mark that it has just set is theirs, and so is what is left.
      if (this.slept) this.passOn()
      return DONE
    }
    this.slept = this.blocking
    return WAIT
  }

  #spin(): boolean {
    this.spun = true
    return changesSoon(this.words, this.watched) && this.look()
  }

  giveUp(): boolean {
    return false // Its mark stays. It costs the next notification a wake-up for nobody.
  }
}

function mark(words: Words, at: number, bit: number): void {
  for (let marks = 0; (marks & bit) === 0;) {
    const seen = compareExchange(words, at, marks, marks | bit)
    if (seen === marks) return
    marks = seen
  }
}
