// Lock: mutual exclusion between threads, and between the async functions of one. After Python's multiprocessing.Lock: any
// thread may release it. The protocol is in lock-word.ts.
import { inspect } from 'node:util'
import { LockError } from '../errors.js'
import { compareExchange, type Words } from '../memory/atomics.js'
import { checkTimeout, checkWaitOptions, type WaitOptions } from '../base/wait-options.js'
import { makeOwnable, registerShareable } from '../transport/shareable.js'
import { registerThread } from '../thread/liveness.js'
import { Acquirable } from './acquirable.js'
import {
  release,
  LOCK_WORDS,
  LockWaiter,
  ME,
  ownerOf,
  refuseAbandoned,
  recover,
  tryAcquire,
  type OnOwnerDeath,
} from './lock-word.js'
import { AsyncWaiters } from './async-waiters.js'
import { block } from './park.js'

export interface LockOptions {
  /**
   * What becomes of the lock when a thread ends while it holds it. 'report': `acquire` and its like throw OwnerDiedError until
   * somebody calls `recover`. 'handOver': the next one gets it, as if it had been released.
   * @default 'report'
   */
  onOwnerDeath?: OnOwnerDeath | undefined
}

/** Check what a caller gave as `onOwnerDeath`. @throws TypeError */
export function checkOnOwnerDeath(options: LockOptions): OnOwnerDeath {
  if (typeof options !== 'object' || options === null)
    throw new TypeError(`lock options must be an object, not ${inspect(options)}`)
  const { onOwnerDeath = 'report' } = options
  if (onOwnerDeath !== 'report' && onOwnerDeath !== 'handOver')
    throw new TypeError(`onOwnerDeath must be 'report' or 'handOver', not ${inspect(onOwnerDeath)}`)
  return onOwnerDeath
}

/** A lock that one holds at a time, across threads. It survives the end of the thread that holds it. Shareable. */
export class Lock extends Acquirable {
  readonly #words: Words
  readonly #onOwnerDeath: OnOwnerDeath
  readonly #queue = new AsyncWaiters()

  constructor(options?: LockOptions)
  /** @internal */
  constructor(options?: LockOptions, memory?: SharedArrayBuffer)
  constructor(options: LockOptions = {}, memory?: SharedArrayBuffer) {
    super()
    this.#onOwnerDeath = checkOnOwnerDeath(options)
    this.#words = new Int32Array(memory ?? new SharedArrayBuffer(LOCK_WORDS * Int32Array.BYTES_PER_ELEMENT))
    registerThread()
    if (!memory) makeOwnable(this, 'Lock', this.#words.buffer, this.#onOwnerDeath)
  }

  override acquireSync(timeoutMs?: number): boolean {
    if (timeoutMs !== undefined) checkTimeout(timeoutMs, 'timeoutMs')
    return compareExchange(this.#words, 0, 0, ME) === 0 || this.#acquireSlowly(timeoutMs)
  }

  #acquireSlowly(timeoutMs = Infinity): boolean {
    if (timeoutMs <= 0) return this.tryAcquire()
    return block(new LockWaiter(this.#words, 0, true, this.#onOwnerDeath), timeoutMs)
  }

  override tryAcquire(): boolean {
    return tryAcquire(this.#words, 0, this.#onOwnerDeath)
  }

  override acquire(options?: WaitOptions): Promise<boolean> {
    return this.#queue.join(new LockWaiter(this.#words, 0, false, this.#onOwnerDeath), options)
  }

  override release(): void {
    if (!release(this.#words, 0)) throw new LockError('release of a lock that nobody holds')
    if (!this.#queue.empty) this.#queue.run()
  }

  override locked(): boolean {
    return ownerOf(this.#words, 0) !== 0
  }

  /** @internal For Condition. */
  isHeldHere(): boolean {
    return ownerOf(this.#words, 0) === ME
  }

  /** @internal For Condition: give it up, however often it is held. What `restore` needs to know. */
  suspend(): number {
    this.release()
    return 1
  }

  /** @internal For Condition: it is held again, as often as before. */
  restore(_depth: number): void {}

  /** @internal For Condition. @throws OwnerDiedError */
  refuseAbandoned(find: boolean): void {
    if (this.#onOwnerDeath === 'report') refuseAbandoned(this.#words, 0, find)
  }

  /**
   * Take the lock of a thread that ended while it held it, to repair what the lock protects, and to release it.
   * @throws LockError (ERR_MANYHANDS_LOCK) it is not such a lock.
   */
  recoverSync(): void {
    if (!recover(this.#words, 0)) throw new LockError('recover of a lock whose holder has not died')
  }

  /** As `recoverSync`. */
  async recover(options?: WaitOptions): Promise<void> {
    checkWaitOptions(options).signal?.throwIfAborted()
    this.recoverSync()
  }
}

registerShareable('Lock', ([, , memory, onOwnerDeath]) => {
  return new Lock({ onOwnerDeath: onOwnerDeath as OnOwnerDeath }, memory as SharedArrayBuffer)
})
