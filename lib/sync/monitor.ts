// A monitor: the state of a synchronization object behind a mutex, and its waiters in a table (entry-table.ts). Each waiter sleeps on
// its own entry. So exactly the waiters whose turn it is are woken, in the order of their arrival, and the others sleep on. Every
// synchronization object except Lock and RLock is a monitor with a policy of its own.
//
//   UNUSED ──attempt──> WAITING ──its turn──> GRANTED ──attempt──> UNUSED          a waiter
//                        │ ^ └─────gives up, dies────────────────────^
//                 hinted v │ attempt: another thread was faster
//                     WAITING|HINTED
//   UNUSED ─────────────────────> HOLDING ───────────────────────> UNUSED          a holder (of a permit, of a read lock)
//
// Waiters are woken after the mutex is free. If the thread that should wake them dies first, they look for themselves a slice later.
// A slice later they also probe for dead threads: `settle` drops the entries of those, and passes on what they were granted.
import { notifyAll, peek, poke, type Words } from '../memory/atomics.js'
import { probeDue, registerThread } from '../thread/liveness.js'
import { AdaptiveSpin } from './adaptive-spin.js'
import { EntryTable, GRANTED, WAITING } from './entry-table.js'
import { LockWaiter, ME, release, tryAcquire } from './lock-word.js'
import { block, DONE, WAIT, type TryResult, type Waiter } from './park.js'

/** A waiter is to try now, before others do. Its word must change: it may not be asleep yet, and would miss the wake-up. */
export const HINTED: number = 1 << 31

export abstract class Monitor extends EntryTable {
  readonly adaptiveSpin: AdaptiveSpin = new AdaptiveSpin()
  /** Entries to be woken when the mutex is free. */
  #toWake: number[] = []

  constructor(memory?: SharedArrayBuffer) {
    super(memory)
    registerThread()
  }

  // The policy. All of it is called with the mutex held.

  /** Take it if that needs no waiting. */
  abstract take(waiter: EntryWaiter): boolean
  /** Drop the dead, finish what one of them left half done, grant what can be granted. @param probe ask the system who is dead */
  abstract settle(probe: boolean): void
  /** Throw where waiting is pointless. */
  refuse(_waiter: EntryWaiter): void {}
  /** A waiter gives up: do what that means to the others. Its entry is removed after that. */
  abandon(_waiter: EntryWaiter): void {}
  /** This thread blocks: take back what was granted to its async functions, which cannot go on meanwhile. */
  reclaim(_waiter: EntryWaiter): void {}
  /** Take it for a waiter that has an entry, and remove the entry, if that is possible now. */
  takeWaiting(_waiter: EntryWaiter): boolean {
    return false
  }
  /** A waiter followed a wake-up hint, and another thread had been faster. */
  lostRace(_entry: number): void {}
  /** A waiter was granted what it wanted. By default it has it, and its entry is removed. May throw. */
  finish(waiter: EntryWaiter): TryResult {
    this.remove(waiter.index)
    return DONE
  }

  /** Run `section` with the mutex held, then wake the waiters that it granted something. */
  exclusively<T>(section: () => T): T {
    if (!tryAcquire(this.words, 0, 'handOver')) block(new LockWaiter(this.words, 0, true, 'handOver'), Infinity)
    try {
      this.catchUp()
      return section()
    } finally {
      release(this.words, 0)
      if (this.#toWake.length > 0) this.#wake()
    }
  }

  /** Take it without waiting. */
  tryNow(waiter: EntryWaiter): boolean {
    return this.exclusively(() => this.take(waiter) || this.#settleAndTake(waiter, probeDue(this)))
  }

  #settleAndTake(waiter: EntryWaiter, probe: boolean): boolean {
    this.settle(probe)
    if (this.take(waiter)) return true
    this.refuse(waiter)
    return false
  }

  /** @internal One try of a waiter. */
  attempt(waiter: EntryWaiter): TryResult {
    return this.exclusively(() => {
      if (waiter.index < 0) {
        if (this.take(waiter)) return DONE
        if (waiter.blocking) this.reclaim(waiter)
        if (this.#settleAndTake(waiter, waiter.probing)) return DONE
        this.wait(waiter)
        return WAIT
      }
      if (this.is(waiter.index, WAITING)) {
        if (waiter.blocking) this.reclaim(waiter)
        this.settle(waiter.probing)
        if (this.is(waiter.index, WAITING)) {
          if (this.takeWaiting(waiter)) return DONE
          this.#refuseWaiting(waiter)
          if (this.is(waiter.index, HINTED)) {
            this.lostRace(waiter.index)
            poke(this.words, waiter.index, WAITING | ME)
          }
          return WAIT
        }
      }
      return this.finish(waiter)
    })
  }

  #refuseWaiting(waiter: EntryWaiter): void {
    try {
      this.refuse(waiter)
    } catch (reason) {
      this.remove(waiter.index)
      throw reason
    }
  }

  /** Make the waiter's entry. */
  protected wait(waiter: EntryWaiter): void {
    const entry = this.add(WAITING, ME, waiter.kind, waiter.count)
    waiter.sleepOn(this.words, entry) // Not before `add`: the table may have grown.
  }

  /** @internal A waiter is out of time. @returns whether it was granted what it wanted just before */
  giveUp(waiter: EntryWaiter): boolean {
    return this.exclusively(() => {
      this.settle(false) // A thread may have made it possible, and died before it granted it.
      if (!this.is(waiter.index, WAITING)) return this.finish(waiter) === DONE
      this.abandon(waiter)
      this.remove(waiter.index)
      this.settle(false)
      return false
    })
  }

  /** Give a waiter what it waits for. @param pairs changes to be made in one with that, as for `commit` */
  grant(entry: number, ...pairs: number[]): void {
    this.#toWake.push(entry)
    this.commit(...pairs, entry, GRANTED | this.ownerOf(entry))
  }

  /** Have a waiter try now. It gets nothing by that: another thread may be faster. */
  wakeHint(entry: number): void {
    if (this.is(entry, HINTED)) return
    poke(this.words, entry, peek(this.words, entry) | HINTED)
    this.#toWake.push(entry)
  }

  #wake(): void {
    const entries = this.#toWake
    this.#toWake = []
    for (const entry of entries) notifyAll(this.words, entry)
  }
}

/** Something that waits in a monitor. */
export class EntryWaiter implements Waiter {
  kind: number
  count: number
  readonly blocking: boolean
  readonly #monitor: Monitor
  words!: Words
  /** Its entry, once it has one. */
  index = -1
  seen = 0
  probing = false
  /** What it got. */
  result = 0

  constructor(monitor: Monitor, blocking: boolean, kind = 0, count = 0) {
    this.#monitor = monitor
    this.blocking = blocking
    this.kind = kind
    this.count = count
  }

  get adaptiveSpin(): AdaptiveSpin {
    return this.#monitor.adaptiveSpin
  }

  sleepOn(words: Words, entry: number): void {
    this.words = words
    this.index = entry
    this.seen = WAITING | ME
  }

  attempt(): TryResult {
    return this.#monitor.attempt(this)
  }

  giveUp(): boolean {
    return this.#monitor.giveUp(this)
  }
}
