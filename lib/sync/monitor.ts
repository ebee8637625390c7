// A monitor: the state of a synchronization object behind a lock word of its own, and those who wait for it in a table. Each
// waiter sleeps on its own entry, so that exactly those are woken whose turn it is, in the order of their coming, and the
// others sleep on. Everything but Lock and RLock is one of these with a policy of its own.
//
// word            field       meaning
//  0-1            MUTEX       lock word; held for a few lines at a time, never while waiting, never while calling a stranger
//  2              ENTRIES     how many entries were ever in use: where looking through them ends
//  3              TICKET      the last that was given out
//  4              LOGGED      how many pairs of the log are to be written; 0: none
//  5..13          state       the policy's own
//  16..31         LOG         pairs: a word's index, its new value
//  32 + 4 * i     STATUS      entry i: state and owner (thread id + 1); 0: nobody's. Its waiter sleeps on it
//  32 + 4 * i + 1 ORDER       its ticket
//  32 + 4 * i + 2 KIND        what it waits for or holds; the policy's own
//  32 + 4 * i + 3 COUNT       the policy's own
//
//   NOBODY ──attempt──> WAITING ──its turn──> GRANTED ──attempt──> NOBODY          a waiter
//                        │ ^ └─────gives up, dies────────────────────^
//                nudged v │ attempt: nothing to be had any more
//                       WAITING|NUDGED
//   NOBODY ─────────────────────> HOLDING ───────────────────────> NOBODY          who has something (a permit, a read lock)
//
// All of it is read and written with the mutex held; only sleeping and waking need no mutex. Nobody is left behind by a death:
// - The mutex of a dead thread is handed over. What changes together is logged first (`commit`), and who inherits the mutex
//   writes what the log says, again: a change is made whole or not at all, wherever the kill lands, between two plain stores too.
// - Waiters are woken after the mutex is free. If whoever should do that dies first, they look for themselves a slice later.
// - A slice later they also ask for the dead: `settle` drops their entries, and passes on what they were granted.
import { notifyAll, peek, poke, type Words } from '../memory/atomics.js'
import { registerThread, probeDead, isDead, probeDue } from '../thread/liveness.js'
import { release, LOCK_WORDS, LockWaiter, ME, tryAcquire } from './lock-word.js'
import { block, DONE, WAIT, type TryResult, type Waiter } from './park.js'
import { AdaptiveSpin } from './adaptive-spin.js'

const ENTRIES = LOCK_WORDS
const TICKET = 3
const LOGGED = 4
/** The first of the policy's own words. */
export const STATE = 5
const LOG = 16
const FIRST_ENTRY = 32
const ENTRY_WORDS = 4
const ORDER = 1
export const KIND = 2
export const COUNT = 3

export const WAITING: number = 2 ** 28
export const GRANTED: number = 2 ** 29
export const HOLDING: number = 2 ** 30
/** A waiter that is to look whether it can have it now, before others come. Its word must change, or it could miss that. */
const NUDGED = 1 << 31
const OWNER = 2 ** 28 - 1

/** As many entries fit at first, and at most. */
const FEW = 16
const MOST = 2 ** 16

const bytesFor = (entries: number) => (FIRST_ENTRY + entries * ENTRY_WORDS) * Int32Array.BYTES_PER_ELEMENT

export abstract class Monitor {
  /** Growable: the views are of fixed length, which are fast, and renewed when it has grown. */
  readonly memory: SharedArrayBuffer
  words: Words
  readonly adaptiveSpin: AdaptiveSpin = new AdaptiveSpin()
  /** Entries to be woken when the mutex is free. */
  #toWake: number[] = []

  constructor(memory?: SharedArrayBuffer) {
    this.memory = memory ?? new SharedArrayBuffer(bytesFor(FEW), { maxByteLength: bytesFor(MOST) })
    this.words = this.#view()
    registerThread()
  }

  // What a policy says. All is called with the mutex held.

  /** Take it if that needs no waiting. @param again whether the dead were dropped just before */
  abstract take(waiter: EntryWaiter): boolean
  /** Drop the dead, finish what one of them left half done, grant what can be granted. `find`: ask the system who is dead. */
  abstract settle(find: boolean): void
  /** Throw where waiting is pointless. */
  refuse(_waiter: EntryWaiter): void {}
  /** What it means to the others that a waiter gives up. Its entry is removed after that. */
  abandon(_waiter: EntryWaiter): void {}
  /** A thread blocks, and has in vain what was granted to those who await in it. */
  reclaim(_waiter: EntryWaiter): void {}
  /** Take it for one that has waited, and remove its entry, if that is possible now. */
  takeWaiting(_waiter: EntryWaiter): boolean {
    return false
  }
  /** A waiter was nudged, and found that another had been faster. */
  missed(_entry: number): void {}
  /** What becomes of a waiter that was granted what it wanted. By default it has it, and its entry is removed. May throw. */
  finish(waiter: EntryWaiter): TryResult {
    this.remove(waiter.index)
    return DONE
  }

  /** Run `section` with the mutex held, then wake whom it granted something. */
  exclusively<T>(section: () => T): T {
    if (!tryAcquire(this.words, 0, 'handOver')) block(new LockWaiter(this.words, 0, true, 'handOver'), Infinity)
    try {
      // Not after the log: a change to an entry that this thread does not see yet would be lost.
      if (this.#end() > this.words.length) this.words = this.#view()
      if (peek(this.words, LOGGED) > 0) this.#replay()
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

  #settleAndTake(waiter: EntryWaiter, find: boolean): boolean {
    this.settle(find)
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
          if (this.is(waiter.index, NUDGED)) {
            this.missed(waiter.index)
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
    waiter.sleepOn(this.words, entry) // Not before it: the table may have grown.
  }

  /** @internal A waiter is out of time. Whether it was granted what it wanted just before. */
  giveUp(waiter: EntryWaiter): boolean {
    return this.exclusively(() => {
      this.settle(false) // It may have been granted by one that died before it could say so.
      if (!this.is(waiter.index, WAITING)) return this.finish(waiter) === DONE
      this.abandon(waiter)
      this.remove(waiter.index)
      this.settle(false)
      return false
    })
  }

  // The table.

  /** Make several changes as one: `[index, value, index, value, …]`, eight pairs at most. */
  commit(...pairs: number[]): void {
    const { words } = this
    for (let i = 0; i < pairs.length; i++) poke(words, LOG + i, pairs[i]!)
    poke(words, LOGGED, pairs.length)
    this.#replay()
  }

  #replay(): void {
    const { words } = this
    const end = LOG + peek(words, LOGGED)
    for (let i = LOG; i < end; i += 2) poke(words, peek(words, i), peek(words, i + 1))
    poke(words, LOGGED, 0)
  }

  /** The entries whose status has this state. An entry is the index of its first word. */
  entries(state: number): number[] {
    const found: number[] = []
    for (let entry = FIRST_ENTRY, end = this.#end(); entry < end; entry += ENTRY_WORDS)
      if (this.is(entry, state)) found.push(entry)
    return found
  }

  /** The owner's HOLDING entry; -1: it has none. */
  #holding(owner: number): number {
    for (let entry = FIRST_ENTRY, end = this.#end(); entry < end; entry += ENTRY_WORDS)
      if (peek(this.words, entry) === (HOLDING | owner)) return entry
    return -1
  }

  /** Who has waited longest; -1: nobody waits. */
  firstWaiter(): number {
    const { words } = this
    let first = -1
    for (let entry = FIRST_ENTRY, end = this.#end(); entry < end; entry += ENTRY_WORDS)
      if (this.is(entry, WAITING) && (first < 0 || ((peek(words, entry + ORDER) - peek(words, first + ORDER)) | 0) < 0))
        first = entry
    return first
  }

  /** Those who wait, the first first. */
  waiters(): number[] {
    const { words } = this
    return this.entries(WAITING).toSorted((a, b) => (peek(words, a + ORDER) - peek(words, b + ORDER)) | 0)
  }

  is(entry: number, state: number): boolean {
    return (peek(this.words, entry) & state) !== 0
  }

  ownerOf(entry: number): number {
    return peek(this.words, entry) & OWNER
  }

  /** Whether the entry's owner has ended. */
  isOrphan(entry: number, find: boolean): boolean {
    const owner = this.ownerOf(entry)
    return owner !== ME && (find ? probeDead(owner - 1) : isDead(owner - 1))
  }

  /** Make an entry. Its status comes last: until then it is nobody's. @throws RangeError there are too many */
  add(state: number, owner: number, kind: number, count: number): number {
    const entry = this.#prepare(kind, count)
    poke(this.words, entry, state | owner)
    return entry
  }

  #prepare(kind: number, count: number): number {
    const entry = this.#unused()
    const { words } = this
    const ticket = (peek(words, TICKET) + 1) | 0
    poke(words, TICKET, ticket)
    poke(words, entry + ORDER, ticket)
    poke(words, entry + KIND, kind)
    poke(words, entry + COUNT, count)
    return entry
  }

  /** How often a thread has what is had: the COUNT of its HOLDING entry. */
  held(owner: number): number {
    const entry = this.#holding(owner)
    return entry < 0 ? 0 : peek(this.words, entry + COUNT)
  }

  /** The pairs, for `commit`, that change how often a thread has it. Who has nothing, has no entry. */
  charge(owner: number, change: 1 | -1): number[] {
    const entry = this.#holding(owner)
    if (entry < 0) return [this.#prepare(0, 1), HOLDING | owner]
    const count = peek(this.words, entry + COUNT) + change
    return count === 0 ? [entry, 0] : [entry + COUNT, count]
  }

  remove(entry: number): void {
    poke(this.words, entry, 0)
  }

  /** Give the waiter what it waits for: the changes that this makes besides, in one with them. */
  grant(entry: number, ...pairs: number[]): void {
    this.#toWake.push(entry)
    this.commit(...pairs, entry, GRANTED | this.ownerOf(entry))
  }

  /** Have the waiter look again. */
  nudge(entry: number): void {
    if (this.is(entry, NUDGED)) return
    poke(this.words, entry, peek(this.words, entry) | NUDGED)
    this.#toWake.push(entry)
  }

  #wake(): void {
    const entries = this.#toWake
    this.#toWake = []
    for (const entry of entries) notifyAll(this.words, entry)
  }

  #unused(): number {
    const end = this.#end()
    for (let entry = FIRST_ENTRY; entry < end; entry += ENTRY_WORDS) if (peek(this.words, entry) === 0) return entry
    const used = peek(this.words, ENTRIES)
    if (end === this.words.length) {
      if (used === MOST) throw new RangeError(`no more than ${MOST} can use a synchronization object at the same time`)
      this.memory.grow(bytesFor(2 * used))
      this.words = this.#view()
    }
    poke(this.words, ENTRIES, used + 1)
    return end
  }

  #end(): number {
    return FIRST_ENTRY + peek(this.words, ENTRIES) * ENTRY_WORDS
  }

  #view(): Words {
    return new Int32Array(this.memory, 0, this.memory.byteLength / Int32Array.BYTES_PER_ELEMENT)
  }
}

/** Somebody who waits in a monitor. */
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
