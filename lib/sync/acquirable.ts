// What everything that can be acquired and released has in common: the `hold` forms, and the guard that they give.
import { TimeoutError } from '../errors.js'
import { checkTimeout, checkWaitOptions, type WaitOptions } from '../base/wait-options.js'

/** A lock that is held, to be released at the end of a block: `using guard = lock.holdSync()`. Releasing it twice is harmless. */
export class Guard {
  #release: (() => void) | undefined

  /** @internal */
  constructor(release: () => void) {
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

/** Something that threads hold, one or a few at a time. */
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

  /** Take it if that needs no waiting. @throws OwnerDiedError (ERR_MANYHANDS_OWNER_DIED) a thread ended while it held it. */
  tryAcquire(): boolean {
    return this.acquireSync(0)
  }

  /** `acquire`, for a block: `using guard = await lock.hold()`. @throws TimeoutError (ERR_MANYHANDS_TIMEOUT), and as `acquire`. */
  async hold(options?: WaitOptions): Promise<Guard> {
    const { timeoutMs } = checkWaitOptions(options)
    if (!(await this.acquire(options))) throw late(timeoutMs)
    return new Guard(this.entrust())
  }

  /** It was acquired for a guard. @returns what the guard does to release it */
  protected entrust(): () => void {
    return () => this.release()
  }

  /** `acquireSync`, for a block: `using guard = lock.holdSync()`. @throws TimeoutError (ERR_MANYHANDS_TIMEOUT), and as `acquireSync`. */
  holdSync(timeoutMs?: number): Guard {
    if (!this.acquireSync(timeoutMs)) throw late(checkTimeout(timeoutMs))
    return new Guard(() => this.release())
  }
}

function late(timeoutMs: number): TimeoutError {
  return new TimeoutError(`the lock could not be taken within ${Math.max(timeoutMs, 0)} ms`)
}
