// Condition: waiting, without the lock, until a thread that holds the lock notifies that something has changed. After Python's
// multiprocessing.Condition. A monitor (monitor.ts) without words of its own, beside its lock:
//
//   holds the lock ──wait──> WAITING ──notify, oldest first──> GRANTED ──the lock acquired again──> returns true
//                               └──time is over──────────────────────────────────────────────────> returns false
//
// The entry is made before the lock is released: no notification can fall between. A notification that reached a thread which died
// before it could go on is passed to the next. If a thread dies that holds the lock, nobody can know whether it would have notified:
// the waiters stop waiting, and get OwnerDiedError as every `acquire` does, or the lock if it was recovered.
import { inspect } from 'node:util'
import { recognizeCopies } from '../copies.js'
import { performance } from '../base/clock.js'
import { afterTurn } from '../base/loop-turn.js'
import { fromParts, partsIn } from '../base/parts.js'
import { checkInteger, refuseExcess } from '../base/validate.js'
import { checkTimeout, checkWaitOptions, type WaitOptions } from '../base/wait-options.js'
import { LockError, OwnerDiedError } from '../errors.js'
import { attach } from '../transport/pack.js'
import { makeOwnable, registerShareable } from '../transport/shareable.js'
import { Acquirable, type Guard } from './acquirable.js'
import { runAwaiting, untilDone } from './async-waiters.js'
import { GRANTED, WAITING } from './entry-table.js'
import { Lock } from './lock.js'
import { EntryWaiter, Monitor } from './monitor.js'
import type { OwnedLock } from './owned-lock.js'
import { DONE, perform, runBlocking, type Operation, type TryResult } from './park.js'
import { RLock } from './rlock.js'

class NotifiedWaiter extends EntryWaiter {
  /** It was, and keeps its entry until it holds the lock: before that, its death would lose the notification. */
  notified = false
}

class Notifications extends Monitor {
  readonly #lock: OwnedLock

  constructor(lock: OwnedLock, memory?: SharedArrayBuffer) {
    super(memory)
    this.#lock = lock
  }

  override take(): boolean {
    return false
  }

  override settle(probe: boolean): void {
    for (const entry of this.waiters()) if (this.isOrphan(entry, probe)) this.remove(entry)
    for (const entry of this.entries(GRANTED)) {
      if (!this.isOrphan(entry, probe)) continue
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

  /** The waiter holds the lock again, or never will. */
  forget(waiter: NotifiedWaiter): void {
    if (waiter.notified) this.exclusively(() => this.remove(waiter.index))
  }

  /** Whether nobody waits. Asked without the mutex, by a thread that holds the lock: waiters make their entries while they hold it. */
  nobodyWaits(): boolean {
    return !this.outgrown() && !this.any(WAITING)
  }

  notify(count: number): void {
    this.settle(false)
    for (const entry of this.waiters().slice(0, count)) this.grant(entry)
  }
}

/**
 * A lock to be held while looking at shared state, and a way to wait for that state to change. Has its lock's methods. Shareable.
 */
export class Condition extends Acquirable {
  readonly #lock: Lock | RLock
  readonly #notifications: Notifications

  /** @param lock the lock to be held while the condition is used. @default an RLock of its own */
  constructor(lock?: Lock | RLock)
  constructor(lock?: Lock | RLock, ...excess: unknown[]) {
    super()
    refuseExcess(excess, 'new Condition(lock)')
    const parts = partsIn(lock) as [Lock | RLock, SharedArrayBuffer] | undefined
    const [own, memory] = parts ?? [lock ?? new RLock()]
    if (!(own instanceof Lock || own instanceof RLock))
      throw new TypeError(`the lock of a Condition must be a Lock or an RLock, not ${inspect(own)}`)
    this.#lock = own
    this.#notifications = new Notifications(own, memory)
    if (!parts) makeOwnable(this, 'Condition', this.#notifications.memory, own)
  }

  /**
   * Release the lock, wait to be notified, and acquire the lock again.
   * @returns whether it was notified: false when the time was over before
   * @throws LockError (ERR_MANYHANDS_LOCK) this thread does not hold the lock; OwnerDiedError (ERR_MANYHANDS_OWNER_DIED) a
   * thread ended while it held the lock (which is then not held)
   */
  async wait(options?: WaitOptions): Promise<boolean> {
    const { timeoutMs, signal } = checkWaitOptions(options)
    return await runAwaiting(this.#wait(false, timeoutMs, signal))
  }

  /** As `wait`, blocking the thread. @param timeoutMs milliseconds; Infinity waits for ever. @default Infinity */
  waitSync(timeoutMs?: number): boolean {
    return runBlocking(this.#wait(true, checkTimeout(timeoutMs, 'timeoutMs')))
  }

  *#wait(blocking: boolean, timeoutMs: number, signal?: AbortSignal): Operation<boolean> {
    signal?.throwIfAborted()
    this.#refuseWithoutLock('wait')
    const waiter = new NotifiedWaiter(this.#notifications, blocking)
    waiter.attempt()
    const depth = this.#lock.suspend()
    let notified = true
    let aborted: { reason: unknown } | undefined
    try {
      notified = yield* untilDone(waiter, timeoutMs, signal)
    } catch (reason) {
      // Not: throw OwnerDiedError. If the lock was recovered meanwhile, the caller would have both the error and the lock.
      if (!(reason instanceof OwnerDiedError)) aborted = { reason }
    }
    try {
      yield* perform({ block: () => this.#lock.acquireSync(), wait: () => this.#lock.acquire() })
    } finally {
      this.#notifications.forget(waiter)
    }
    this.#lock.restore(depth)
    if (aborted) throw aborted.reason
    return notified
  }

  /**
   * Wait until `predicate`, called with the lock held, returns something truthy.
   * @returns what it returned last: something falsy when the time was over before
   * @throws as `wait`
   */
  async waitFor<T>(predicate: () => T, options?: WaitOptions): Promise<T> {
    const { timeoutMs, signal } = checkWaitOptions(options)
    return afterTurn(await runAwaiting(this.#waitFor(predicate, false, timeoutMs, signal)))
  }

  /** As `waitFor`, blocking the thread. @param timeoutMs milliseconds; Infinity waits for ever. @default Infinity */
  waitForSync<T>(predicate: () => T, timeoutMs?: number): T {
    return runBlocking(this.#waitFor(predicate, true, checkTimeout(timeoutMs, 'timeoutMs')))
  }

  *#waitFor<T>(predicate: () => T, blocking: boolean, timeoutMs: number, signal?: AbortSignal): Operation<T> {
    const endMs = performance.now() + timeoutMs
    for (;;) {
      const result = predicate()
      const leftMs = endMs - performance.now()
      if (result || leftMs <= 0) return result
      yield* this.#wait(blocking, leftMs, signal)
    }
  }

  /**
   * Let the `n` waiters that have waited longest go on when the lock is released.
   * @param n Infinity: all. @default 1
   * @throws LockError (ERR_MANYHANDS_LOCK) this thread does not hold the lock.
   */
  notify(n = 1): void {
    this.#refuseWithoutLock('notify')
    if (n !== Infinity) checkInteger(n, 'the number of waiters to notify')
    if (!this.#notifications.nobodyWaits()) this.#notifications.exclusively(() => this.#notifications.notify(n))
  }

  /** Let all waiters go on. @throws LockError (ERR_MANYHANDS_LOCK) this thread does not hold the lock. */
  notifyAll(): void {
    this.notify(Infinity)
  }

  #refuseWithoutLock(use: string): void {
    if (!this.#lock.isHeldHere()) throw new LockError(`${use} of a Condition whose lock this thread does not hold`)
  }

  // The methods of the lock.

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

registerShareable('Condition', ([, , memory, lock]) => new Condition(fromParts(attach(lock), memory)))
recognizeCopies(Condition, 'Condition')
