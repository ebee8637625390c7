// Lock: mutual exclusion between threads, and between the async functions of one. After Python's multiprocessing.Lock: any
// thread may release it. The protocol is in lock-word.ts.
import { recognizeCopies } from '../copies.js'
import { fromParts } from '../base/parts.js'
import { refuseOptions } from '../base/validate.js'
import { checkTimeout } from '../base/wait-options.js'
import { LockError } from '../errors.js'
import { compareExchange } from '../memory/atomics.js'
import { registerShareable } from '../transport/shareable.js'
import type { LockOptions } from './acquirable.js'
import { LOCK_WORDS, ME, recover } from './lock-word.js'
import { OwnedLock } from './owned-lock.js'

/** A lock that one thread holds at a time. It survives the end of the thread that holds it. Shareable. */
export class Lock extends OwnedLock {
  constructor(options: LockOptions = {}) {
    super('Lock', LOCK_WORDS, options)
  }

  override acquireSync(timeoutMs?: number): boolean {
    if (timeoutMs !== undefined) checkTimeout(timeoutMs, 'timeoutMs')
    return compareExchange(this.words, 0, 0, ME) === 0 || this.acquireSlowly(timeoutMs)
  }

  override tryAcquire(): boolean
  override tryAcquire(options?: unknown): boolean {
    refuseOptions(options, 'tryAcquire()')
    return this.acquireSlowly(0)
  }

  override release(): void {
    if (!this.free()) throw new LockError('release of a lock that no living thread holds')
  }

  /** @internal */
  override suspend(): number {
    this.release()
    return 1
  }

  /** @internal */
  override restore(_depth: number): void {}

  override recoverSync(): void {
    if (!recover(this.words, 0)) throw new LockError('recover of a lock whose holder has not died')
  }
}

registerShareable('Lock', ([, , memory, onOwnerDeath]) => new Lock(fromParts(memory, onOwnerDeath)))
recognizeCopies(Lock, 'Lock')
