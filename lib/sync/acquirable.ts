// What all locks have in common: they are acquired, held for a block, released, and recovered after the death of their holder.
import { inspect } from 'node:util'
import { checkOptions, refuseOptions } from '../base/validate.js'
import { checkTimeout, checkWaitOptions, type WaitOptions } from '../base/wait-options.js'
import { TimeoutError } from '../errors.js'
import type { OnOwnerDeath } from './lock-word.js'
import { markUnsendable, unsendableMark } from '../transport/unsendable.js'

const UNSENDABLE_GUARD = unsendableMark('send the lock')

/** A lock that is held, to be released at the end of a block: `using guard = lock.holdSync()`. Releasing it twice is harmless. */
export class Guard {
  #release: (() => void) | undefined

  /** @internal */
  constructor(release: () => void) {
    markUnsendable(this, UNSENDABLE_GUARD)
    this.#release = release
  }

  /** Release the lock. Only the first call does anything. */
  release(): void {
    const release = this.#release
    this.#release = undefined
    release?.()
  }

  [Symbol.dispose](): void {
    this.release()
  }
}

/** Something that one thread holds at a time, or a few. */
export abstract class Acquirable {
  /**
   * Take it, waiting without blocking the thread.
   * @returns whether it was taken: false when the time is over
   * @throws OwnerDiedError (ERR_MANYHANDS_OWNER_DIED) a thread ended while it held it; the signal's reason, if that aborts
   */
  abstract acquire(options?: WaitOptions): Promise<boolean>

  /**
   * Take it, blocking the thread: on the main thread prefer `acquire`.
   * @param timeoutMs milliseconds; Infinity waits for ever, 0 does not wait. @default Infinity
   * @returns whether it was taken: false when the time is over
   * @throws OwnerDiedError (ERR_MANYHANDS_OWNER_DIED) a thread ended while it held it; DeadlockError (ERR_MANYHANDS_DEADLOCK)
   * this thread holds it
   */
  abstract acquireSync(timeoutMs?: number): boolean

  /** Give it back. @throws LockError (ERR_MANYHANDS_LOCK) it is not held, or not by this thread where that matters. */
  abstract release(): void

  /** Whether an `acquire` would have to wait. */
  abstract locked(): boolean

  /**
   * Take over what a thread held when it ended, to repair what it protects, and to release it.
   * @throws LockError (ERR_MANYHANDS_LOCK) no holder has died.
   */
  abstract recoverSync(): void

  /** As `recoverSync`, for an async function. */
  async recover(options?: WaitOptions): Promise<void> {
    checkWaitOptions(options).signal?.throwIfAborted()
    this.recoverSync()
  }

  /** Take it if that needs no waiting. @throws OwnerDiedError (ERR_MANYHANDS_OWNER_DIED) a thread ended while it held it. */
  tryAcquire(): boolean
  tryAcquire(options?: unknown): boolean {
    refuseOptions(options, 'tryAcquire()')
    return this.acquireSync(0)
  }

  /** `acquire`, for a block: `using guard = await lock.hold()`. @throws TimeoutError (ERR_MANYHANDS_TIMEOUT), and as `acquire`. */
  async hold(options?: WaitOptions): Promise<Guard> {
    const { timeoutMs } = checkWaitOptions(options)
    if (!(await this.acquire(options))) throw notAcquired(timeoutMs)
    return new Guard(this.entrust())
  }

  /** It was acquired for a guard. @returns what the guard does to release it */
  protected entrust(): () => void {
    return () => this.release()
  }

  /** `acquireSync`, for a block: `using guard = lock.holdSync()`. @throws TimeoutError (ERR_MANYHANDS_TIMEOUT), and as `acquireSync`. */
  holdSync(timeoutMs?: number): Guard {
    if (!this.acquireSync(timeoutMs)) throw notAcquired(checkTimeout(timeoutMs))
    return new Guard(() => this.release())
  }
}

function notAcquired(timeoutMs: number): TimeoutError {
  return new TimeoutError(`the lock could not be acquired within ${Math.max(timeoutMs, 0)} ms`)
}

export interface LockOptions {
  /**
   * What happens to the lock when a thread ends while it holds it. 'report': `acquire` and its like throw OwnerDiedError until
   * somebody calls `recover`. 'handOver': the next thread gets it, as if it had been released.
   * @default 'report'
   */
  onOwnerDeath?: OnOwnerDeath | undefined
}

/** @throws TypeError */
export function checkLockOptions(options: LockOptions): OnOwnerDeath {
  checkOptions(options, 'the options of a lock', ['onOwnerDeath'])
  const { onOwnerDeath = 'report' } = options
  if (onOwnerDeath !== 'report' && onOwnerDeath !== 'handOver')
    throw new TypeError(`onOwnerDeath must be 'report' or 'handOver', not ${inspect(onOwnerDeath)}`)
  return onOwnerDeath
}
