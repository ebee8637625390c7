// RLock: a re-entrant lock. The thread that holds it may acquire it again. The lock word of Lock, and how often it is held.
//
// word   field          written by    meaning
//  0-1   lock word      all           see lock-word.ts
//  2     DEPTH          the owner     how often the owner holds it; 0 while it is free, or just taken
//
// A thread takes it again and again. An async function cannot be told from another of the same thread: so what was acquired
// asynchronously belongs to the function that acquired it (DEPTH is ASYNC), and the others of that thread wait. What was acquired by
// `hold` belongs to the guard (DEPTH is GUARDED): nothing else can release it, not even its thread.
import { recognizeCopies } from '../copies.js'
import { fromParts } from '../base/parts.js'
import { checkTimeout, checkWaitOptions, type WaitOptions } from '../base/wait-options.js'
import { DeadlockError, LockError } from '../errors.js'
import { compareExchange, peek, poke, type Words } from '../memory/atomics.js'
import { registerShareable } from '../transport/shareable.js'
import type { LockOptions } from './acquirable.js'
import { LOCK_WORDS, LockWaiter, ME, ownerOf, recover, type OnOwnerDeath } from './lock-word.js'
import { OwnedLock } from './owned-lock.js'
import { DONE, type TryResult } from './park.js'

const DEPTH = LOCK_WORDS
const RLOCK_WORDS = LOCK_WORDS + 1
const ASYNC = -1
const GUARDED = -2

/** A lock that its holder may take again, and releases as often. Only its holder releases it. Shareable. */
export class RLock extends OwnedLock {
  constructor(options: LockOptions = {}) {
    super('RLock', RLOCK_WORDS, options)
  }

  override acquireSync(timeoutMs?: number): boolean {
    if (timeoutMs !== undefined) checkTimeout(timeoutMs, 'timeoutMs')
    const { words } = this
    if (compareExchange(words, 0, 0, ME) !== 0) {
      if (ownerOf(words, 0) === ME) return this.#acquireAgain(timeoutMs)
      if (!this.acquireSlowly(timeoutMs)) return false
    }
    poke(words, DEPTH, 1)
    return true
  }

  #acquireAgain(timeoutMs = Infinity): boolean {
    const depth = peek(this.words, DEPTH)
    if (depth > 0) poke(this.words, DEPTH, depth + 1)
    else if (timeoutMs > 0)
      throw new DeadlockError('this thread would block for a lock that one of its own async functions holds')
    return depth > 0
  }

  /** @internal */
  protected override newAsyncWaiter(onOwnerDeath: OnOwnerDeath): LockWaiter {
    return new AsyncOwner(this.words, onOwnerDeath)
  }

  override release(): void {
    const { words } = this
    if (ownerOf(words, 0) !== ME)
      throw new LockError(`release of an RLock that ${this.locked() ? 'another thread' : 'nobody'} holds`)
    const depth = peek(words, DEPTH)
    if (depth === GUARDED) throw new LockError('release of an RLock that belongs to a guard: release the guard')
    if (depth > 1) poke(words, DEPTH, depth - 1)
    else this.#releaseAll()
  }

  protected override entrust(): () => void {
    poke(this.words, DEPTH, GUARDED)
    return () => this.#releaseAll()
  }

  #releaseAll(): void {
    poke(this.words, DEPTH, 0)
    this.free()
  }

  /** @internal */
  override suspend(): number {
    const depth = peek(this.words, DEPTH)
    this.#releaseAll()
    return depth
  }

  /** @internal */
  override restore(depth: number): void {
    poke(this.words, DEPTH, depth)
  }

  /** As `Acquirable.recoverSync`. It is held once after that. */
  override recoverSync(): void {
    this.#recover(1)
  }

  override async recover(options?: WaitOptions): Promise<void> {
    checkWaitOptions(options).signal?.throwIfAborted()
    this.#recover(ASYNC)
  }

  #recover(depth: number): void {
    if (!recover(this.words, 0)) throw new LockError('recover of an RLock whose holder has not died')
    poke(this.words, DEPTH, depth)
  }
}

/** Takes the lock for an async function. */
class AsyncOwner extends LockWaiter {
  constructor(words: Words, onOwnerDeath: OnOwnerDeath) {
    super(words, 0, false, onOwnerDeath)
  }

  override attempt(): TryResult {
    const result = super.attempt()
    if (result === DONE) poke(this.words, DEPTH, ASYNC)
    return result
  }
}

registerShareable('RLock', ([, , memory, onOwnerDeath]) => new RLock(fromParts(memory, onOwnerDeath)))
recognizeCopies(RLock, 'RLock')
