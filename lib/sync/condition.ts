// Condition: waiting, without the lock, until another that holds the lock says that something has changed. After Python's
// multiprocessing.Condition. A monitor (monitor.ts) without words of its own, beside the lock that it goes with:
//
//   holds the lock ──wait──> WAITING ──notify, the oldest first──> GRANTED ──the lock taken again──> returns true
//                               └──time is over───────────────────────────────────────────────────> returns false
//
// The entry is made before the lock is released: no notification can fall between. A notification that reached a thread that
// died before it could go on is passed on to the next. If a thread dies that holds the lock, nobody can know whether it would
// have notified: those who wait stop waiting, and get OwnerDiedError as those who acquire do, or the lock if it was recovered.
import { inspect } from 'node:util'
import { LockError, OwnerDiedError } from '../errors.js'
import { checkTimeout, checkWaitOptions, type WaitOptions } from '../base/wait-options.js'
import { attach, makeOwnable, registerShareable } from '../transport/shareable.js'
import { Acquirable, type Guard } from './acquirable.js'
import { Lock } from './lock.js'
import { GRANTED } from './entry-table.js'
import { EntryWaiter, Monitor } from './monitor.js'
import { AsyncWaiters } from './async-waiters.js'
import { block, DONE, type TryResult } from './park.js'
import { RLock } from './rlock.js'

class NotifiedWaiter extends EntryWaiter {
  /** It was, and still has its entry: until it holds the lock, its death would lose the notification. */
  notified = false
}

class Waiters extends Monitor {
  readonly #lock: Lock | RLock

  constructor(lock: Lock | RLock, memory?: SharedArrayBuffer) {
    super(memory)
    this.#lock = lock
  }

  override take(): boolean {
    return false
  }

  override settle(find: boolean): void {
    for (const entry of this.waiters()) if (this.isOrphan(entry, find)) this.remove(entry)
    for (const entry of this.entries(GRANTED)) {
      if (!this.isOrphan(entry, find)) continue
      const [next] = this.waiters()
      if (next === undefined) this.remove(entry)
      else this.grant(next, entry, 0)
    }
  }

  override finish(waiter: NotifiedWaiter): TryResult {
    waiter.notified = true
    return DONE
  }

  override refuse(waiter: EntryWaiter): void {
    if (waiter.probing) this.#lock.refuseAbandoned(true)
  }

  /** The waiter holds the lock again. */
  forget(waiter: NotifiedWaiter): void {
    if (waiter.notified) this.exclusively(() => this.remove(waiter.index))
  }

  notify(count: number): void {
    this.settle(false)
    for (const entry of this.waiters().slice(0, count)) this.grant(entry)
  }
}

/**
 * A lock to be held while looking at shared state, and a way to wait for that to change. Without a lock of the caller's it has
 * an RLock of its own; either way it has the lock's methods. Shareable.
 */
export class Condition extends Acquirable {
  readonly #lock: Lock | RLock
  readonly #waiters: Waiters

  /** @param lock the lock to be held while it is used. @default an RLock of its own */
  constructor(lock?: Lock | RLock)
  /** @internal */
  constructor(lock?: Lock | RLock, memory?: SharedArrayBuffer)
  constructor(lock: Lock | RLock = new RLock(), memory?: SharedArrayBuffer) {
    super()
    if (!(lock instanceof Lock || lock instanceof RLock))
      throw new TypeError(`the lock of a Condition must be a Lock or an RLock, not ${inspect(lock)}`)
    this.#lock = lock
    this.#waiters = new Waiters(lock, memory)
    if (!memory) makeOwnable(this, 'Condition', this.#waiters.memory, lock)
  }

  /**
   * Release the lock, wait to be notified, and take the lock again.
   * @returns whether it was notified: false when the time was over before
   * @throws LockError (ERR_MANYHANDS_LOCK) this thread does not hold the lock; OwnerDiedError (ERR_MANYHANDS_OWNER_DIED) a
   * thread ended while it held the lock (which is then not held)
   */
  async wait(options?: WaitOptions): Promise<boolean> {
    checkWaitOptions(options).signal?.throwIfAborted()
    const { waiter, depth } = this.#beginWait(false)
    const { notified, reason } = await new AsyncWaiters().join(waiter, options).then(
      (notified) => ({ notified, reason: undefined }),
      (reason: unknown) => ({ notified: true, reason }),
    )
    try {
      await this.#lock.acquire()
    } finally {
      this.#waiters.forget(waiter)
    }
    this.#lock.restore(depth)
    if (reason !== undefined && !(reason instanceof OwnerDiedError)) throw reason
    return notified
  }

  /** As `wait`, blocking the thread. @param timeoutMs milliseconds; Infinity waits for ever. @default Infinity */
  waitSync(timeoutMs?: number): boolean {
    const limitMs = checkTimeout(timeoutMs, 'timeoutMs')
    const { waiter, depth } = this.#beginWait(true)
    let notified = true
    try {
      notified = block(waiter, limitMs)
    } catch (reason) {
      // Not: throw it. If somebody has recovered the lock meanwhile, the caller would have the error and the lock.
      if (!(reason instanceof OwnerDiedError)) throw reason
    }
    try {
      this.#lock.acquireSync()
    } finally {
      this.#waiters.forget(waiter)
    }
    this.#lock.restore(depth)
    return notified
  }

  #beginWait(blocking: boolean): { waiter: NotifiedWaiter; depth: number } {
    this.#refuseWithoutLock('wait')
    const waiter = new NotifiedWaiter(this.#waiters, blocking)
    waiter.attempt()
    return { waiter, depth: this.#lock.suspend() }
  }

  /**
   * Wait until `predicate`, called with the lock held, returns something truthy.
   * @returns what it returned last: something falsy when the time was over before
   */
  async waitFor<T>(predicate: () => T, options?: WaitOptions): Promise<T> {
    const { timeoutMs, signal } = checkWaitOptions(options)
    const endMs = performance.now() + timeoutMs
    for (;;) {
      const result = predicate()
      const timeout = endMs - performance.now()
      if (result || timeout <= 0) return result
      await this.wait({ timeout, signal })
    }
  }

  /** As `waitFor`, blocking the thread. */
  waitForSync<T>(predicate: () => T, timeoutMs?: number): T {
    const endMs = performance.now() + checkTimeout(timeoutMs, 'timeoutMs')
    for (;;) {
      const result = predicate()
      const leftMs = endMs - performance.now()
      if (result || leftMs <= 0) return result
      this.waitSync(leftMs)
    }
  }

  /**
   * Let the `n` that have waited longest go on, when the lock is released.
   * @throws LockError (ERR_MANYHANDS_LOCK) this thread does not hold the lock.
   */
  notify(n = 1): void {
    this.#refuseWithoutLock('notify')
    if (typeof n !== 'number') throw new TypeError(`the number to notify must be a number, not ${inspect(n)}`)
    if (!(n >= 0)) throw new RangeError(`the number to notify must not be negative, or NaN: ${n}`)
    this.#waiters.exclusively(() => this.#waiters.notify(n))
  }

  /** Let all go on that wait. @throws LockError (ERR_MANYHANDS_LOCK) this thread does not hold the lock. */
  notifyAll(): void {
    this.notify(Infinity)
  }

  #refuseWithoutLock(use: string): void {
    if (!this.#lock.isHeldHere()) throw new LockError(`${use} of a Condition whose lock this thread does not hold`)
  }

  // The lock's.

  override acquire(options?: WaitOptions): Promise<boolean> {
    return this.#lock.acquire(options)
  }

  override acquireSync(timeoutMs?: number): boolean {
    return this.#lock.acquireSync(timeoutMs)
  }

  override hold(options?: WaitOptions): Promise<Guard> {
    return this.#lock.hold(options)
  }

  override release(): void {
    this.#lock.release()
  }

  override locked(): boolean {
    return this.#lock.locked()
  }

  override recover(options?: WaitOptions): Promise<void> {
    return this.#lock.recover(options)
  }

  override recoverSync(): void {
    this.#lock.recoverSync()
  }
}

registerShareable('Condition', ([, , memory, lock]) => {
  return new Condition(attach(lock) as Lock | RLock, memory as SharedArrayBuffer)
})
