// The lock word: a mutex that survives the death of its owner, in two words. Used by Lock and RLock, and inside the monitors. After
// Drepper's "Futexes are tricky" (mutex 2), with the owner in the word, as in Linux's robust futexes.
//
// word   field    meaning
//  at    LOCK     bits 0-27: the owner's thread id + 1, 0 when free; CONTENDED: threads may sleep on this word;
//                 AWAITED: async functions may await the other word
//  at+1  TURNS    changed when an AWAITED lock is released. Only threads that await sleep on it: a pending waitAsync that nobody
//                 needs any more would absorb the wake-up of a blocked thread
//
//   FREE ──acquire──> HELD ──a second acquire──> HELD|CONTENDED (or |AWAITED)
//     ^                │                          │
//     └────release─────┴──release, wakes one──────┘        any HELD, its owner dead ──recover, or hand over──> HELD by the next
//
// A thread that slept on the word takes it as CONTENDED: others may be asleep, and only the release that cleared the mark knew of them.
//
// A waiter that finds the owner dead reads the word again. The owner may have released the lock after the first read, and ended
// before the waiter asked. A dead thread writes nothing, so the second read tells whether it died holding the lock.
import { threadId } from 'node:worker_threads'
import { publish } from '../base/diagnostics.js'
import { DeadlockError, OwnerDiedError } from '../errors.js'
import { add, compareExchange, load, notifyAll, notifyOne, or, type Words } from '../memory/atomics.js'
import { isDead, probeDead, probeDue } from '../thread/liveness.js'
import { spinWhile } from './adaptive-spin.js'
import { AGAIN, DONE, WAIT, type TryResult, type Waiter } from './park.js'

/** This thread as an owner. */
export const ME: number = threadId + 1

export const OWNER_MASK: number = 2 ** 28 - 1
const AWAITED = 2 ** 28
const CONTENDED = 2 ** 29
const TURNS = 1

/** How many words a lock takes. */
export const LOCK_WORDS = 2

/** What happens to a lock whose owner has died. */
export type OnOwnerDeath = 'report' | 'handOver'

/** The owner, a thread id + 1; 0: the lock is free. */
export function ownerOf(words: Words, at: number): number {
  return load(words, at) & OWNER_MASK
}

/** A waiter for the lock. */
export class LockWaiter implements Waiter {
  readonly words: Words
  readonly at: number
  readonly index: number
  readonly blocking: boolean
  readonly onOwnerDeath: OnOwnerDeath
  seen = 0
  probing = false
  slept = false
  spun = false

  constructor(words: Words, at: number, blocking: boolean, onOwnerDeath: OnOwnerDeath) {
    this.words = words
    this.at = at
    this.index = blocking ? at : at + TURNS
    this.blocking = blocking
    this.onOwnerDeath = onOwnerDeath
  }

  /** @throws OwnerDiedError, DeadlockError */
  attempt(): TryResult {
    const { words, at, blocking } = this
    // Not after LOCK: a release between the two would go unnoticed.
    const turns = blocking ? 0 : load(words, at + TURNS)
    const word = load(words, at)
    const owner = word & OWNER_MASK
    if (owner === 0 || this.#isDead(owner)) {
      if (owner !== 0 && this.onOwnerDeath === 'report') {
        if (load(words, at) !== word) return AGAIN
        throw ownerDied(owner)
      }
      const taken = (word & ~OWNER_MASK) | ME | (this.slept ? CONTENDED : 0)
      return compareExchange(words, at, word, taken) === word ? DONE : AGAIN
    }
    if (blocking && owner === ME) throw new DeadlockError('this thread would block for a lock that it holds itself')
    if (blocking && !this.spun && (word & CONTENDED) === 0) {
      // Not when it is contended: the sleepers come first, and the lock will not be free in a moment.
      this.spun = true
      spinWhile(words, at, word)
      return AGAIN
    }
    const mark = blocking ? CONTENDED : AWAITED
    // Not by compareExchange: while many threads use the lock its owner has always changed, and no waiter would ever fall asleep.
    const marked = or(words, at, mark)
    if ((marked & OWNER_MASK) === 0) return AGAIN
    this.seen = blocking ? marked | mark : turns
    this.slept = blocking
    return WAIT
  }

  giveUp(): boolean {
    return false // Its mark stays. It costs the next release a wake-up for nobody.
  }

  #isDead(owner: number): boolean {
    return this.probing ? probeDead(owner - 1) : isDead(owner - 1)
  }
}

/** The error for a lock whose owner is dead. */
export function ownerDied(owner: number): OwnerDiedError {
  const pid = owner - 1
  publish('lock', () => ({ event: 'abandoned', pid }))
  return new OwnerDiedError(`thread ${pid} ended while it held the lock; recover() takes the lock over`, { pid })
}

/** @param probe ask the system. @throws OwnerDiedError the owner is dead */
export function refuseAbandoned(words: Words, at: number, probe: boolean): void {
  const owner = ownerOf(words, at)
  if (owner === 0 || owner === ME || !(probe ? probeDead(owner - 1) : isDead(owner - 1))) return
  if (ownerOf(words, at) === owner) throw ownerDied(owner)
}

/** Take the lock if that needs no waiting. @throws OwnerDiedError */
export function tryAcquire(words: Words, at: number, onOwnerDeath: OnOwnerDeath): boolean {
  for (;;) {
    const word = load(words, at)
    const owner = word & OWNER_MASK
    if (owner !== 0) {
      if (owner === ME || !(probeDue(owner) ? probeDead(owner - 1) : isDead(owner - 1))) return false
      if (onOwnerDeath === 'report') {
        if (load(words, at) !== word) continue
        throw ownerDied(owner)
      }
    }
    if (compareExchange(words, at, word, (word & ~OWNER_MASK) | ME) === word) return true
  }
}

/** Take the lock of a dead owner. @returns whether its owner was dead */
export function recover(words: Words, at: number): boolean {
  for (;;) {
    const word = load(words, at)
    const owner = word & OWNER_MASK
    if (owner === 0 || !probeDead(owner - 1)) return false
    if (compareExchange(words, at, word, (word & ~OWNER_MASK) | ME) !== word) continue
    publish('lock', () => ({ event: 'recovered' }))
    return true
  }
}

/** Release the lock, whichever living thread holds it, and wake the next. @returns whether a living thread held it */
export function release(words: Words, at: number): boolean {
  return compareExchange(words, at, ME, 0) === ME || releaseSlowly(words, at)
}

function releaseSlowly(words: Words, at: number): boolean {
  for (;;) {
    const word = load(words, at)
    const owner = word & OWNER_MASK
    if (owner === 0 || (owner !== ME && probeDead(owner - 1))) return false
    if (compareExchange(words, at, word, 0) !== word) continue
    if (word & CONTENDED) notifyOne(words, at)
    if (word & AWAITED) {
      add(words, at + TURNS, 1)
      notifyAll(words, at + TURNS)
    }
    return true
  }
}
