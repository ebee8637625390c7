// Semaphore and BoundedSemaphore: a number of permits. After Python's multiprocessing.Semaphore: any thread may release. A
// monitor (monitor.ts) with this policy:
//
// word     field      meaning
//  POLICY  FREE       permits to be had
//  +1      INITIAL    permits at first
//  +2      BOUNDED    1: FREE never exceeds INITIAL
// A HOLDING entry per thread that has any: COUNT permits that it took and that nobody has released. A permit on its way to a
// waiter is neither FREE nor held: its GRANTED entry is all there is of it, until the waiter, awake, charges itself with it.
//
// A release wakes the first who waits, and whoever runs meanwhile may be faster: waking takes as long as thirty uses. Who was
// overtaken once is granted the next permit, and nobody is let in before it.
// A thread that ends takes its permits with it: who would then have to wait gets OwnerDiedError, until `recover` gives them
// back. A semaphore that only signals (it starts at 0) has no permits to be lost.
import { inspect } from 'node:util'
import { LockError } from '../errors.js'
import { load, peek, poke } from '../memory/atomics.js'
import { checkTimeout, checkWaitOptions, type WaitOptions } from '../base/wait-options.js'
import { makeOwnable, registerShareable } from '../transport/shareable.js'
import { Acquirable } from './acquirable.js'
import { ME, ownerDied, type OnOwnerDeath } from './lock-word.js'
import { checkOnOwnerDeath, type LockOptions } from './lock.js'
import { ENTRY_COUNT, ENTRY_KIND, GRANTED, HOLDING, POLICY, WAITING } from './entry-table.js'
import { EntryWaiter, Monitor } from './monitor.js'
import { AsyncWaiters } from './async-waiters.js'
import { block, DONE, type TryResult } from './park.js'

const FREE = POLICY
const INITIAL = POLICY + 1
const BOUNDED = POLICY + 2

const MOST_PERMITS = 2 ** 30

/** The KIND of a waiter that woke up for a permit which another had taken before it. */
const HANDOFF_DUE = 1

class Permits extends Monitor {
  readonly #onOwnerDeath: OnOwnerDeath

  constructor(onOwnerDeath: OnOwnerDeath, memory?: SharedArrayBuffer) {
    super(memory)
    this.#onOwnerDeath = onOwnerDeath
  }

  override take(waiter: EntryWaiter): boolean {
    const free = peek(this.words, FREE)
    if (free <= 0 || this.#handoffPending(waiter)) return false
    this.commit(FREE, free - 1, ...this.#chargeMe(), ...(waiter.index < 0 ? [] : [waiter.index, 0]))
    return true
  }

  override takeWaiting(waiter: EntryWaiter): boolean {
    return this.take(waiter)
  }

  /** While this thread is blocked, those who await in it cannot go on: a permit on its way to one of them is free again. */
  override reclaim({ index }: EntryWaiter): void {
    for (const entry of this.entries(GRANTED))
      if (entry !== index && this.ownerOf(entry) === ME)
        this.commit(FREE, peek(this.words, FREE) + 1, entry, WAITING | ME)
  }

  /** A semaphore that starts at 0 signals: what is taken is used up, and nobody holds it. */
  #chargeMe(): number[] {
    return peek(this.words, INITIAL) === 0 ? [] : this.charge(ME, 1)
  }

  override settle(find: boolean): void {
    const { words } = this
    for (const entry of this.waiters()) if (this.isOrphan(entry, find)) this.remove(entry)
    // It ended before it knew that it had a permit.
    for (const entry of this.entries(GRANTED))
      if (this.isOrphan(entry, find)) this.commit(FREE, peek(words, FREE) + 1, entry, 0)
    if (this.#onOwnerDeath === 'handOver') for (const entry of this.#lost(find)) this.#refund(entry)
    this.#wakeNext()
  }

  /** Whether the next permit is another's, who was overtaken before. Not one of this thread that awaits while it is blocked. */
  #handoffPending({ index, blocking }: EntryWaiter): boolean {
    const first = this.firstWaiter()
    if (first < 0 || first === index || peek(this.words, first + ENTRY_KIND) !== HANDOFF_DUE) return false
    return !(blocking && this.ownerOf(first) === ME)
  }

  /** Wake as many as there are permits for. Not: grant them all. Each release would cost the time in which a thread wakes up. */
  #wakeNext(): void {
    if (this.firstWaiter() < 0) return
    let free = peek(this.words, FREE)
    for (const entry of this.waiters()) {
      if (free-- <= 0) return
      // Not: charge it to the waiter here. What it holds, and what was granted, would be given back twice when it dies.
      if (peek(this.words, entry + ENTRY_KIND) === HANDOFF_DUE) this.grant(entry, FREE, peek(this.words, FREE) - 1)
      else this.wakeHint(entry)
    }
  }

  override lostRace(entry: number): void {
    poke(this.words, entry + ENTRY_KIND, HANDOFF_DUE)
  }

  override finish(waiter: EntryWaiter): TryResult {
    this.commit(waiter.index, 0, ...this.#chargeMe())
    return DONE
  }

  override refuse(waiter: EntryWaiter): void {
    if (this.#onOwnerDeath === 'handOver') return
    const [entry] = this.#lost(waiter.probing)
    if (entry !== undefined) throw ownerDied(this.ownerOf(entry))
  }

  /** Give back permits: one's own first, then whosoever's. */
  release(count: number): void {
    const free = peek(this.words, FREE)
    if (peek(this.words, BOUNDED) === 1 && free + count > peek(this.words, INITIAL))
      throw new LockError(
        `release of ${count} with ${free} free, of a semaphore bounded to ${peek(this.words, INITIAL)}`,
      )
    if (free + count > MOST_PERMITS)
      throw new RangeError(`release of ${count} with ${free} free: a semaphore has at most ${MOST_PERMITS} permits`)
    let left = count
    for (const holder of this.#holders()) {
      if (left === 0) break
      const [entry, held] = holder
      const given = Math.min(held, left)
      this.commit(
        FREE,
        peek(this.words, FREE) + given,
        ...(given === held ? [entry, 0] : [entry + ENTRY_COUNT, held - given]),
      )
      left -= given
    }
    poke(this.words, FREE, peek(this.words, FREE) + left)
    this.#wakeNext()
  }

  /** The HOLDING entries, one's own first, and how many permits each has. */
  #holders(): [entry: number, held: number][] {
    const holders = this.entries(HOLDING).map((entry): [number, number] => [
      entry,
      peek(this.words, entry + ENTRY_COUNT),
    ])
    return holders.toSorted(([a], [b]) => Number(this.ownerOf(b) === ME) - Number(this.ownerOf(a) === ME))
  }

  /** Give back what the dead hold, one of it to this thread. Whether there was any. */
  recover(): boolean {
    const orphans = this.#lost(true)
    if (orphans.length === 0) return false
    for (const entry of orphans) this.#refund(entry)
    this.commit(FREE, peek(this.words, FREE) - 1, ...this.charge(ME, 1))
    this.#wakeNext()
    return true
  }

  #lost(find: boolean): number[] {
    return this.entries(HOLDING).filter((entry) => this.isOrphan(entry, find))
  }

  #refund(entry: number): void {
    this.commit(FREE, peek(this.words, FREE) + peek(this.words, entry + ENTRY_COUNT), entry, 0)
  }
}

/** A number of permits, across threads. `acquire` takes one, or waits for one; `release` gives some back. Shareable. */
export class Semaphore extends Acquirable {
  readonly #permits: Permits

  /** @param value how many permits there are at first. @default 1. @throws RangeError it is negative. */
  constructor(value?: number, options?: LockOptions)
  /** @internal */
  constructor(value?: number, options?: LockOptions, memory?: SharedArrayBuffer, bounded?: boolean)
  constructor(value = 1, options: LockOptions = {}, memory?: SharedArrayBuffer, bounded = false) {
    super()
    checkCount(value, 'the value of a semaphore', 0)
    const onOwnerDeath = checkOnOwnerDeath(options)
    this.#permits = new Permits(onOwnerDeath, memory)
    if (memory) return
    const { words } = this.#permits
    poke(words, FREE, value)
    poke(words, INITIAL, value)
    poke(words, BOUNDED, bounded ? 1 : 0)
    makeOwnable(this, bounded ? 'BoundedSemaphore' : 'Semaphore', this.#permits.memory, onOwnerDeath)
  }

  override acquireSync(timeoutMs?: number): boolean {
    const limitMs = checkTimeout(timeoutMs, 'timeoutMs')
    const waiter = new EntryWaiter(this.#permits, true)
    return limitMs <= 0 ? this.#permits.tryNow(waiter) : block(waiter, limitMs)
  }

  override acquire(options?: WaitOptions): Promise<boolean> {
    return new AsyncWaiters().join(new EntryWaiter(this.#permits, false), options)
  }

  /**
   * Give back `n` permits.
   * @throws LockError (ERR_MANYHANDS_LOCK) a BoundedSemaphore would have more than at first; RangeError more than 2^30 would be
   * free. None is given back then.
   */
  override release(n = 1): void {
    checkCount(n, 'the number of permits to release', 1)
    this.#permits.exclusively(() => this.#permits.release(n))
  }

  /** How many permits are free now. */
  get value(): number {
    return load(this.#permits.words, FREE)
  }

  override locked(): boolean {
    return this.value === 0
  }

  /**
   * Give back the permits of threads that have ended, and take one of them.
   * @throws LockError (ERR_MANYHANDS_LOCK) there are none.
   */
  recoverSync(): void {
    if (!this.#permits.exclusively(() => this.#permits.recover()))
      throw new LockError('recover of a semaphore of which no holder has died')
  }

  /** As `recoverSync`. */
  async recover(options?: WaitOptions): Promise<void> {
    checkWaitOptions(options).signal?.throwIfAborted()
    this.recoverSync()
  }
}

/** A Semaphore that never has more permits than at first. */
export class BoundedSemaphore extends Semaphore {
  constructor(value?: number, options?: LockOptions)
  /** @internal */
  constructor(value?: number, options?: LockOptions, memory?: SharedArrayBuffer)
  constructor(value?: number, options?: LockOptions, memory?: SharedArrayBuffer) {
    super(value, options, memory, true)
  }
}

function checkCount(count: number, what: string, least: number): void {
  if (typeof count !== 'number') throw new TypeError(`${what} must be a number, not ${inspect(count)}`)
  if (!Number.isInteger(count) || count < least || count > MOST_PERMITS)
    throw new RangeError(`${what} must be an integer from ${least} to ${MOST_PERMITS}, not ${count}`)
}

registerShareable('Semaphore', ([, , memory, onOwnerDeath]) => {
  return new Semaphore(0, { onOwnerDeath: onOwnerDeath as OnOwnerDeath }, memory as SharedArrayBuffer)
})

registerShareable('BoundedSemaphore', ([, , memory, onOwnerDeath]) => {
  return new BoundedSemaphore(0, { onOwnerDeath: onOwnerDeath as OnOwnerDeath }, memory as SharedArrayBuffer)
})
