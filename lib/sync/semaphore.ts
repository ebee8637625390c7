// Semaphore and BoundedSemaphore: a number of permits. After Python's multiprocessing.Semaphore: any thread may release. A
// monitor (monitor.ts) with this policy:
//
// word     field      meaning
//  POLICY  FREE       permits that can be taken
//  +1      INITIAL    permits at first
//  +2      BOUNDED    1: FREE never exceeds INITIAL
// A thread that has permits has tokens (tokens.ts), or a HOLDING entry. COUNT: permits that it took and that nobody has released. A
// permit that is lent as a token is neither FREE nor in a HOLDING entry until the token is called in. A permit on its way to a waiter is neither FREE nor held: it exists only as the GRANTED entry, until the waiter, awake, charges itself with it. KIND of a
// waiter: HANDOFF_DUE or 0.
//
// A release wakes the first waiter with a hint, and a running thread may take the permit meanwhile: waking takes as long as thirty
// uses. A waiter that has lost the race once is granted the next permit, and no other thread gets it before.
//
// A thread that ends takes its permits with it: a thread that would then have to wait gets OwnerDiedError, until `recover` gives the
// permits back. A semaphore that only signals (it starts at 0) has no permits to lose.
import { recognizeCopies } from '../copies.js'
import { fromParts, partsIn } from '../base/parts.js'
import { checkInteger } from '../base/validate.js'
import { checkTimeout, type WaitOptions } from '../base/wait-options.js'
import { LockError } from '../errors.js'
import { peek, poke } from '../memory/atomics.js'
import { makeOwnable, registerShareable } from '../transport/shareable.js'
import { Acquirable, checkLockOptions, type LockOptions } from './acquirable.js'
import { AsyncWaiters } from './async-waiters.js'
import { ENTRY_COUNT, ENTRY_KIND, GRANTED, HOLDING, POLICY, WAITING } from './entry-table.js'
import { ME, ownerDied, type OnOwnerDeath } from './lock-word.js'
import { EntryWaiter, HINTED } from './monitor.js'
import { block, DONE, type TryResult } from './park.js'
import { Lender, TokenWaiter } from './tokens.js'

const FREE = POLICY
const INITIAL = POLICY + 1
const BOUNDED = POLICY + 2

const MAX_PERMITS = 2 ** 30

/** A waiter that woke up for a permit which another thread had taken before it. */
const HANDOFF_DUE = 1

class Permits extends Lender {
  readonly #onOwnerDeath: OnOwnerDeath

  constructor(onOwnerDeath: OnOwnerDeath, memory?: SharedArrayBuffer, initial = 0, bounded = false) {
    super(memory)
    this.#onOwnerDeath = onOwnerDeath
    if (!memory) {
      poke(this.words, FREE, initial)
      poke(this.words, INITIAL, initial)
      poke(this.words, BOUNDED, bounded ? 1 : 0)
    }
    this.useTokens(peek(this.words, INITIAL))
  }

  override take(waiter: EntryWaiter): boolean {
    const free = peek(this.words, FREE)
    if (free <= 0 || this.#handoffPending(waiter)) return false
    this.commit(FREE, free - 1, ...this.#lendOrCharge(waiter), ...(waiter.index < 0 ? [] : [waiter.index, 0]))
    return true
  }

  /** This thread has one more. Not as a token while another waiter sleeps: its return would not wake that one. */
  #lendOrCharge({ index }: EntryWaiter): number[] {
    const first = this.firstWaiter(index)
    const lent = first < 0 || this.is(first, HINTED) ? this.lend() : []
    return lent.length > 0 ? lent : this.#charge(ME)
  }

  /** Where a semaphore only signals, a token that was taken is a permit used up, which its owner may signal again. */
  protected override entered(owner: number): number[] {
    return owner === 0 ? [FREE, peek(this.words, FREE) + 1] : this.#charge(owner)
  }

  /** A semaphore that starts at 0 signals: a permit that was taken is used up, and nobody holds it. */
  #charge(owner: number): number[] {
    return peek(this.words, INITIAL) === 0 ? [] : this.charge(owner, 1)
  }

  override takeWaiting(waiter: EntryWaiter): boolean {
    return this.take(waiter)
  }

  /** A permit on its way to an async function of this thread is free again. */
  override reclaim({ index }: EntryWaiter): void {
    for (const entry of this.entries(GRANTED))
      if (entry !== index && this.ownerOf(entry) === ME)
        this.commit(FREE, peek(this.words, FREE) + 1, entry, WAITING | ME)
  }

  override settle(probe: boolean): void {
    this.callIn()
    const { words } = this
    for (const entry of this.waiters()) if (this.isOrphan(entry, probe)) this.remove(entry)
    // Its owner ended before it knew that it had a permit.
    for (const entry of this.entries(GRANTED))
      if (this.isOrphan(entry, probe)) this.commit(FREE, peek(words, FREE) + 1, entry, 0)
    if (this.#onOwnerDeath === 'handOver') for (const entry of this.#lost(probe)) this.#refund(entry)
    this.#wakeNext()
  }

  /** Whether the next permit is due to another waiter. Not to one that awaits in this thread, if this waiter blocks the thread. */
  #handoffPending({ index, blocking }: EntryWaiter): boolean {
    const first = this.firstWaiter()
    if (first < 0 || first === index || peek(this.words, first + ENTRY_KIND) !== HANDOFF_DUE) return false
    return !(blocking && this.ownerOf(first) === ME)
  }

  /** Wake as many waiters as there are permits. Not: grant them all. Each release would cost the time in which a thread wakes up. */
  #wakeNext(): void {
    if (this.firstWaiter() < 0) return
    let free = peek(this.words, FREE)
    for (const entry of this.waiters()) {
      if (free-- <= 0) return
      // Not: charge it to the waiter here. What it holds and what it was granted would both be given back when it dies.
      if (peek(this.words, entry + ENTRY_KIND) === HANDOFF_DUE) this.grant(entry, FREE, peek(this.words, FREE) - 1)
      else this.wakeHint(entry)
    }
  }

  override lostRace(entry: number): void {
    poke(this.words, entry + ENTRY_KIND, HANDOFF_DUE)
  }

  override finish(waiter: EntryWaiter): TryResult {
    this.commit(waiter.index, 0, ...this.#charge(ME))
    return DONE
  }

  override refuse(waiter: EntryWaiter): void {
    if (this.#onOwnerDeath === 'handOver') return
    const [entry] = this.#lost(waiter.probing)
    if (entry !== undefined) throw ownerDied(this.ownerOf(entry))
  }

  /** Give back permits: this thread's first, then those of any other. */
  release(count: number): void {
    // Not always: threads whose tokens were called in would then call in those of others, for ever.
    if (this.held(ME) < count) this.callIn()
    const free = peek(this.words, FREE)
    if (peek(this.words, BOUNDED) === 1 && free + count > peek(this.words, INITIAL))
      throw new LockError(
        `release of ${count} with ${free} free, of a semaphore bounded to ${peek(this.words, INITIAL)}`,
      )
    if (free + count > MAX_PERMITS)
      throw new RangeError(`release of ${count} with ${free} free: a semaphore has at most ${MAX_PERMITS} permits`)
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

  /** The HOLDING entries, this thread's first, and how many permits each has. */
  #holders(): [entry: number, held: number][] {
    const holders = this.entries(HOLDING).map((entry): [number, number] => [
      entry,
      peek(this.words, entry + ENTRY_COUNT),
    ])
    return holders.toSorted(([a], [b]) => Number(this.ownerOf(b) === ME) - Number(this.ownerOf(a) === ME))
  }

  /** Give back what dead threads hold, one permit of it to this thread. @returns whether there was any */
  recover(): boolean {
    this.callIn()
    const orphans = this.#lost(true)
    if (orphans.length === 0) return false
    for (const entry of orphans) this.#refund(entry)
    this.commit(FREE, peek(this.words, FREE) - 1, ...this.charge(ME, 1))
    this.#wakeNext()
    return true
  }

  /** How many are free. */
  count(): number {
    this.callIn()
    return peek(this.words, FREE)
  }

  #lost(probe: boolean): number[] {
    return this.entries(HOLDING).filter((entry) => this.isOrphan(entry, probe))
  }

  #refund(entry: number): void {
    this.commit(FREE, peek(this.words, FREE) + peek(this.words, entry + ENTRY_COUNT), entry, 0)
  }
}

/** A number of permits, across threads. `acquire` takes one, or waits for one; `release` gives some back. Shareable. */
export class Semaphore extends Acquirable {
  readonly #permits: Permits

  /**
   * @param value how many permits there are at first; 0: it only signals. @default 1
   * @throws RangeError the value is negative or greater than 2^30
   */
  constructor(value = 1, options: LockOptions = {}) {
    super()
    const parts = partsIn(value) as [SharedArrayBuffer, OnOwnerDeath] | undefined
    if (parts) {
      const [memory, onOwnerDeath] = parts
      this.#permits = new Permits(onOwnerDeath, memory)
      return
    }
    checkInteger(value, 'the value of a semaphore', 0, MAX_PERMITS)
    const onOwnerDeath = checkLockOptions(options)
    const bounded = this instanceof BoundedSemaphore
    this.#permits = new Permits(onOwnerDeath, undefined, value, bounded)
    makeOwnable(this, bounded ? 'BoundedSemaphore' : 'Semaphore', this.#permits.memory, onOwnerDeath)
  }

  override acquireSync(timeoutMs?: number): boolean {
    if (timeoutMs !== undefined) checkTimeout(timeoutMs, 'timeoutMs')
    return this.#permits.takeToken() || this.#acquireSlowly(timeoutMs)
  }

  #acquireSlowly(timeoutMs = Infinity): boolean {
    if (timeoutMs > 0 && this.#permits.awaitToken()) return true
    const waiter = new EntryWaiter(this.#permits, true)
    return timeoutMs > 0 ? block(waiter, timeoutMs) : this.#permits.tryNow(waiter)
  }

  override acquire(options?: WaitOptions): Promise<boolean> {
    return new AsyncWaiters().join(new TokenWaiter(this.#permits), options)
  }

  /**
   * Give back `n` permits, all or none.
   * @param n @default 1
   * @throws LockError (ERR_MANYHANDS_LOCK) a BoundedSemaphore would have more than at first; RangeError more than 2^30 would be free
   */
  override release(n = 1): void {
    if (n === 1 && this.#permits.giveTokenBack()) return
    checkInteger(n, 'the number of permits to release', 1, MAX_PERMITS)
    this.#permits.exclusively(() => this.#permits.release(n))
  }

  /** How many permits are free now. */
  get value(): number {
    return this.#permits.exclusively(() => this.#permits.count())
  }

  override locked(): boolean {
    return this.value === 0
  }

  /**
   * Give back the permits of threads that have ended, and take one of them.
   * @throws LockError (ERR_MANYHANDS_LOCK) there are none.
   */
  override recoverSync(): void {
    if (!this.#permits.exclusively(() => this.#permits.recover()))
      throw new LockError('recover of a semaphore none of whose holders has died')
  }
}

/** A Semaphore that never has more permits than at first. */
export class BoundedSemaphore extends Semaphore {}

registerShareable('Semaphore', ([, , memory, onOwnerDeath]) => new Semaphore(fromParts(memory, onOwnerDeath)))

registerShareable('BoundedSemaphore', ([, , memory, onOwnerDeath]) => {
  return new BoundedSemaphore(fromParts(memory, onOwnerDeath))
})

recognizeCopies(Semaphore, 'Semaphore')
recognizeCopies(BoundedSemaphore, 'BoundedSemaphore')
