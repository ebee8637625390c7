// A lock word as an object: what Lock and RLock have in common, and what a Condition needs of its lock. Shared memory, one lock word
// (lock-word.ts) at its beginning, and the async functions of this thread that await it.
import { partsIn } from '../base/parts.js'
import type { WaitOptions } from '../base/wait-options.js'
import type { Words } from '../memory/atomics.js'
import { registerThread } from '../thread/liveness.js'
import { makeOwnable } from '../transport/shareable.js'
import { Acquirable, checkLockOptions, type LockOptions } from './acquirable.js'
import { AsyncWaiters } from './async-waiters.js'
import { LockWaiter, ME, ownerOf, refuseAbandoned, release, tryAcquire, type OnOwnerDeath } from './lock-word.js'
import { block } from './park.js'

export abstract class OwnedLock extends Acquirable {
  readonly #words: Words
  readonly #onOwnerDeath: OnOwnerDeath
  readonly #asyncWaiters = new AsyncWaiters()

  /** @internal @param options or the parts of a lock that exists: its memory, its `onOwnerDeath` */
  constructor(kind: string, wordCount: number, options: LockOptions) {
    super()
    const parts = partsIn(options) as [SharedArrayBuffer, OnOwnerDeath] | undefined
    const [memory, onOwnerDeath] = parts ?? [
      new SharedArrayBuffer(wordCount * Int32Array.BYTES_PER_ELEMENT),
      checkLockOptions(options),
    ]
    this.#words = new Int32Array(memory)
    this.#onOwnerDeath = onOwnerDeath
    registerThread()
    if (!parts) makeOwnable(this, kind, memory, onOwnerDeath)
  }

  override locked(): boolean {
    return ownerOf(this.#words, 0) !== 0
  }

  /** @internal */
  protected get words(): Words {
    return this.#words
  }

  /** @internal */
  protected acquireSlowly(timeoutMs = Infinity): boolean {
    if (timeoutMs <= 0) return tryAcquire(this.#words, 0, this.#onOwnerDeath)
    return block(new LockWaiter(this.#words, 0, true, this.#onOwnerDeath), timeoutMs)
  }

  override acquire(options?: WaitOptions): Promise<boolean> {
    return this.#asyncWaiters.join(this.newAsyncWaiter(this.#onOwnerDeath), options)
  }

  /** @internal */
  protected newAsyncWaiter(onOwnerDeath: OnOwnerDeath): LockWaiter {
    return new LockWaiter(this.#words, 0, false, onOwnerDeath)
  }

  /** @internal Release the lock word. @returns whether a living thread held it */
  protected free(): boolean {
    if (!release(this.#words, 0)) return false
    if (!this.#asyncWaiters.empty) this.#asyncWaiters.run()
    return true
  }

  // For a Condition.

  /** @internal */
  isHeldHere(): boolean {
    return ownerOf(this.#words, 0) === ME
  }

  /** @internal Release it, however often it is held. @returns the depth for `restore` */
  abstract suspend(): number

  /** @internal It was acquired again: set how often it is held. */
  abstract restore(depth: number): void

  /** @internal @param probe ask the system. @throws OwnerDiedError */
  refuseAbandoned(probe: boolean): void {
    if (this.#onOwnerDeath === 'report') refuseAbandoned(this.#words, 0, probe)
  }
}
