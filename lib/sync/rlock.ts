// RLock: a lock that the thread that holds it may take again. The lock word of Lock, and how often it is held.
//
// word   field          written by    meaning
//  0-1   lock word      all           see lock-word.ts
//  2     DEPTH          the owner     how often the owner has taken it; 0 while it is free, or just taken
//
// A thread takes it again and again; an async function cannot be told from another of the same thread, so that what was
// acquired asynchronously belongs to the one who got it (DEPTH is ASYNC), and the others of that thread wait. By `hold`, it belongs
// to the guard (DEPTH is GUARDED): nobody else can release it, not even its thread.
import { LockError, DeadlockError } from '../errors.js'
import { compareExchange, peek, poke, type Words } from '../memory/atomics.js'
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
import { checkOnOwnerDeath, type LockOptions } from './lock.js'
import { AsyncWaiters } from './async-waiters.js'
import { block, DONE, type TryResult } from './park.js'

const DEPTH = LOCK_WORDS
const WORDS = LOCK_WORDS + 1
const ASYNC = -1
const GUARDED = -2

/** A lock that the thread that holds it may take again, and releases as often. Only its holder releases it. Shareable. */
export class RLock extends Acquirable {
  readonly #words: Words
  readonly #onOwnerDeath: OnOwnerDeath
  readonly #queue = new AsyncWaiters()

  constructor(options?: LockOptions)
  /** @internal */
  constructor(options?: LockOptions, memory?: SharedArrayBuffer)
  constructor(options: LockOptions = {}, memory?: SharedArrayBuffer) {
    super()
    this.#onOwnerDeath = checkOnOwnerDeath(options)
    this.#words = new Int32Array(memory ?? new SharedArrayBuffer(WORDS * Int32Array.BYTES_PER_ELEMENT))
    registerThread()
    if (!memory) makeOwnable(this, 'RLock', this.#words.buffer, this.#onOwnerDeath)
  }

  override acquireSync(timeoutMs?: number): boolean {
    if (timeoutMs !== undefined) checkTimeout(timeoutMs, 'timeoutMs')
    if (compareExchange(this.#words, 0, 0, ME) !== 0) {
      if (ownerOf(this.#words, 0) === ME) return this.#acquireAgain(timeoutMs)
      if (!this.#acquireSlowly(timeoutMs)) return false
    }
    poke(this.#words, DEPTH, 1)
    return true
  }

  #acquireAgain(timeoutMs = Infinity): boolean {
    const depth = peek(this.#words, DEPTH)
    if (depth > 0) poke(this.#words, DEPTH, depth + 1)
    else if (timeoutMs > 0)
      throw new DeadlockError('this thread would block for a lock that one of its own async functions holds')
    return depth > 0
  }

  #acquireSlowly(timeoutMs = Infinity): boolean {
    if (timeoutMs <= 0) return tryAcquire(this.#words, 0, this.#onOwnerDeath)
    return block(new LockWaiter(this.#words, 0, true, this.#onOwnerDeath), timeoutMs)
  }

  override acquire(options?: WaitOptions): Promise<boolean> {
    return this.#queue.join(new AsyncOwner(this.#words, this.#onOwnerDeath), options)
  }

  override release(): void {
    const words = this.#words
    if (ownerOf(words, 0) !== ME)
      throw new LockError(`release of an RLock that ${this.locked() ? 'another thread' : 'nobody'} holds`)
    const depth = peek(words, DEPTH)
    if (depth === GUARDED) throw new LockError('release of an RLock that belongs to a guard: release the guard')
    if (depth > 1) poke(words, DEPTH, depth - 1)
    else this.#free()
  }

  protected override entrust(): () => void {
    poke(this.#words, DEPTH, GUARDED)
    return () => this.#free()
  }

  #free(): void {
    poke(this.#words, DEPTH, 0)
    release(this.#words, 0)
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
    const depth = peek(this.#words, DEPTH)
    this.#free()
    return depth
  }

  /** @internal For Condition: it is held again, as often as before. */
  restore(depth: number): void {
    poke(this.#words, DEPTH, depth)
  }

  /** @internal For Condition. @throws OwnerDiedError */
  refuseAbandoned(find: boolean): void {
    if (this.#onOwnerDeath === 'report') refuseAbandoned(this.#words, 0, find)
  }

  /**
   * Take the lock of a thread that ended while it held it, to repair what the lock protects, and to release it (once).
   * @throws LockError (ERR_MANYHANDS_LOCK) it is not such a lock.
   */
  recoverSync(): void {
    this.#recover(1)
  }

  /** As `recoverSync`, for an async function. */
  async recover(options?: WaitOptions): Promise<void> {
    checkWaitOptions(options).signal?.throwIfAborted()
    this.#recover(ASYNC)
  }

  #recover(depth: number): void {
    if (!recover(this.#words, 0)) throw new LockError('recover of an RLock whose holder has not died')
    poke(this.#words, DEPTH, depth)
  }
}

/** Takes the lock for an async function. */
class AsyncOwner extends LockWaiter {
  constructor(words: Words, onOwnerDeath: OnOwnerDeath) {
    super(words, 0, false, onOwnerDeath)
  }

  override attempt(): TryResult {
    const outcome = super.attempt()
    if (outcome === DONE) poke(this.words, DEPTH, ASYNC)
    return outcome
  }
}

registerShareable('RLock', ([, , memory, onOwnerDeath]) => {
  return new RLock({ onOwnerDeath: onOwnerDeath as OnOwnerDeath }, memory as SharedArrayBuffer)
})
