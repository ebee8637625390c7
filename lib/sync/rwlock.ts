// RWLock: many readers or one writer. A monitor (monitor.ts) with this policy:
//
// word     field     meaning
//  POLICY  WRITER    the owner that writes (thread id + 1); 0: none does
// A thread that reads has tokens (tokens.ts), or a HOLDING entry; COUNT: how many times. A token that is free means that its taker may
// read: no thread writes or waits. KIND of a waiter: READ or WRITE, SYNC or not.
//
//   FREE ──> read by n threads ──the last releases, or dies──> FREE ──> WRITER ──releases──> FREE
//                                                                         └──dies──recover──> held by another
//
// Served in the order of arrival, neighbouring readers together; a newcomer waits behind a waiting writer. But a thread that blocks
// never waits for itself: it passes a writer if it reads already, and it passes its own async functions, which cannot go on meanwhile.
// Not: let an async function pass as well where its thread reads. Readers of one busy thread would overlap, and starve the writer.
// A reader changes nothing: one that dies is forgotten.
import { recognizeCopies } from '../copies.js'
import { fromParts, partsIn } from '../base/parts.js'
import { checkTimeout, type WaitOptions } from '../base/wait-options.js'
import { DeadlockError, LockError } from '../errors.js'
import { peek, poke } from '../memory/atomics.js'
import { isDead, probeDead } from '../thread/liveness.js'
import { makeOwnable, registerShareable } from '../transport/shareable.js'
import { markUnsendable, unsendableMark } from '../transport/unsendable.js'
import { Acquirable, checkLockOptions, type LockOptions } from './acquirable.js'
import { AsyncWaiters } from './async-waiters.js'
import { ENTRY_KIND, GRANTED, HOLDING, MAX_TOKENS, POLICY, WAITING } from './entry-table.js'
import { ME, ownerDied, type OnOwnerDeath } from './lock-word.js'
import { EntryWaiter } from './monitor.js'
import { block } from './park.js'
import { Lender, TokenWaiter } from './tokens.js'

const UNSENDABLE_FACE = unsendableMark('send the RWLock, and use its read and write there')

const WRITER = POLICY
const READ = 0
const WRITE = 1
/** Its thread blocks for it, or tries once. */
const SYNC = 2

class ReadersWriter extends Lender {
  readonly #onOwnerDeath: OnOwnerDeath
  /** This thread blocks for it. */
  #blocked = false

  constructor(onOwnerDeath: OnOwnerDeath, memory?: SharedArrayBuffer) {
    super(memory)
    this.#onOwnerDeath = onOwnerDeath
    this.useTokens(MAX_TOKENS)
  }

  override take({ kind }: EntryWaiter): boolean {
    if (this.writer !== 0) return false
    const sync = (kind & SYNC) !== 0
    const waits = this.firstWaiter() >= 0
    const isNext = !waits || (sync && this.waiters().every((entry) => this.ownerOf(entry) === ME))
    if (kind & WRITE) {
      this.callIn()
      if (this.#isRead() || !isNext) return false
      poke(this.words, WRITER, ME)
      return true
    }
    if (!isNext && !(sync && this.held(ME) > 0)) return false
    const lent = waits ? [] : this.lend()
    this.commit(...(lent.length > 0 ? lent : this.charge(ME, 1)))
    return true
  }

  protected override entered(owner: number): number[] {
    return owner === 0 ? [] : this.charge(owner, 1)
  }

  override settle(probe: boolean): void {
    for (const entry of [...this.waiters(), ...this.entries(HOLDING)])
      if (this.isOrphan(entry, probe)) this.remove(entry)
    for (const entry of this.entries(GRANTED)) {
      if (!this.isOrphan(entry, probe)) continue
      // It ended before it knew that it might write: it has changed nothing.
      if (this.writer === this.ownerOf(entry)) this.commit(WRITER, 0, entry, 0)
      else this.remove(entry)
    }
    if (this.#onOwnerDeath === 'handOver' && this.#isWriterDead(probe)) poke(this.words, WRITER, 0)
    this.#serve()
  }

  /** What is on its way to an async function of this thread is given back. */
  override reclaim({ index }: EntryWaiter): void {
    for (const entry of this.entries(GRANTED)) {
      if (entry === index || this.ownerOf(entry) !== ME) continue
      const writes = (peek(this.words, entry + ENTRY_KIND) & WRITE) !== 0
      this.commit(...(writes ? [WRITER, 0] : this.charge(ME, -1)), entry, WAITING | ME)
    }
  }

  override refuse({ kind, blocking, probing }: EntryWaiter): void {
    if (this.#isWriterDead(probing)) throw ownerDied(this.writer)
    if (!blocking) return
    if (this.writer === ME) throw new DeadlockError('this thread would block for an RWLock that it holds for writing')
    if (kind & WRITE && this.held(ME) > 0)
      throw new DeadlockError('this thread would block to write under an RWLock that it holds for reading')
  }

  /** @returns whether this thread held it */
  release(kind: number): boolean {
    if (kind === READ && this.held(ME) === 0) this.callIn()
    if (kind === WRITE ? this.writer !== ME : this.held(ME) === 0) return false
    if (kind === WRITE) poke(this.words, WRITER, 0)
    else this.commit(...this.charge(ME, -1))
    this.#serve()
    return true
  }

  /** Take the place of a writer that died. @returns whether one did */
  recover(kind: number): boolean {
    if (!this.#isWriterDead(true)) return false
    if (kind === WRITE) poke(this.words, WRITER, ME)
    else this.commit(WRITER, 0, ...this.charge(ME, 1))
    this.#serve()
    return true
  }

  isTaken(kind: number): boolean {
    if (kind === WRITE) this.callIn()
    return this.writer !== 0 || (kind === WRITE && this.#isRead())
  }

  get writer(): number {
    return peek(this.words, WRITER)
  }

  /** Block this thread until it has it. */
  block(waiter: EntryWaiter, timeoutMs: number): boolean {
    let taken = false
    this.#blocked = true
    try {
      taken = block(waiter, timeoutMs)
    } finally {
      this.#blocked = false
      // The async functions of this thread were passed over for it.
      if (!taken) this.exclusively(() => this.#serve())
    }
    return taken
  }

  #serve(): void {
    if (this.firstWaiter() < 0) return
    const waiters = this.waiters()
    const blocked = new Set(waiters.filter((entry) => this.#isSync(entry)).map((entry) => this.ownerOf(entry)))
    if (this.#blocked) blocked.add(ME)
    for (const entry of waiters) {
      if (this.writer !== 0) return
      const sync = this.#isSync(entry)
      const owner = this.ownerOf(entry)
      if (!sync && blocked.has(owner)) continue
      if ((peek(this.words, entry + ENTRY_KIND) & WRITE) === 0) this.grant(entry, ...this.charge(owner, 1))
      else if (this.#isRead()) return
      else this.grant(entry, WRITER, owner)
    }
  }

  #isSync(entry: number): boolean {
    return (peek(this.words, entry + ENTRY_KIND) & SYNC) !== 0
  }

  #isRead(): boolean {
    return this.any(HOLDING)
  }

  /** Whether a thread died writing. Not: before it knew that it might. The next `settle` gives that to others. */
  #isWriterDead(probe: boolean): boolean {
    const { writer } = this
    if (writer === 0 || writer === ME || !(probe ? probeDead(writer - 1) : isDead(writer - 1))) return false
    return !this.entries(GRANTED).some((entry) => this.ownerOf(entry) === writer)
  }
}

/** One face of an RWLock: `read` or `write`. */
class RWLockFace extends Acquirable {
  readonly #lock: ReadersWriter
  readonly #kind: number

  constructor(lock: ReadersWriter, kind: number) {
    super()
    markUnsendable(this, UNSENDABLE_FACE)
    this.#lock = lock
    this.#kind = kind
  }

  override acquireSync(timeoutMs?: number): boolean {
    if (timeoutMs !== undefined) checkTimeout(timeoutMs, 'timeoutMs')
    return (this.#kind === READ && this.#lock.takeToken()) || this.#acquireSlowly(timeoutMs)
  }

  #acquireSlowly(timeoutMs = Infinity): boolean {
    if (this.#kind === READ && timeoutMs > 0 && this.#lock.awaitToken()) return true
    const waiter = new EntryWaiter(this.#lock, timeoutMs > 0, this.#kind | SYNC)
    return timeoutMs > 0 ? this.#lock.block(waiter, timeoutMs) : this.#lock.tryNow(waiter)
  }

  override acquire(options?: WaitOptions): Promise<boolean> {
    const waiter = this.#kind === READ ? new TokenWaiter(this.#lock) : new EntryWaiter(this.#lock, false, WRITE)
    return new AsyncWaiters().join(waiter, options)
  }

  override release(): void {
    if (this.#kind === READ && this.#lock.giveTokenBack()) return
    if (!this.#lock.exclusively(() => this.#lock.release(this.#kind)))
      throw new LockError(
        `release of an RWLock that this thread does not hold for ${this.#kind === READ ? 'reading' : 'writing'}`,
      )
  }

  override locked(): boolean {
    return this.#lock.exclusively(() => this.#lock.isTaken(this.#kind))
  }

  override recoverSync(): void {
    if (!this.#lock.exclusively(() => this.#lock.recover(this.#kind)))
      throw new LockError('recover of an RWLock whose writer has not died')
  }
}

/** A lock that many threads hold for reading, or one for writing. Shareable. */
export class RWLock {
  /**
   * To be held while reading: others may read, too. A newcomer waits behind a waiting writer; only a thread that reads already and
   * blocks for another read passes it. An async function that reads must not await another read: a writer may be between.
   */
  readonly read: Acquirable
  /** To be held while writing: no other thread reads or writes. */
  readonly write: Acquirable

  constructor(options: LockOptions = {}) {
    const parts = partsIn(options) as [SharedArrayBuffer, OnOwnerDeath] | undefined
    const [memory, onOwnerDeath] = parts ?? [undefined, checkLockOptions(options)]
    const lock = new ReadersWriter(onOwnerDeath, memory)
    this.read = new RWLockFace(lock, READ)
    this.write = new RWLockFace(lock, WRITE)
    // Structured clone copies what is enumerable, and must find nothing but the handle.
    for (const face of ['read', 'write']) Object.defineProperty(this, face, { enumerable: false, writable: false })
    if (!parts) makeOwnable(this, 'RWLock', lock.memory, onOwnerDeath)
  }
}

registerShareable('RWLock', ([, , memory, onOwnerDeath]) => new RWLock(fromParts(memory, onOwnerDeath)))
recognizeCopies(RWLock, 'RWLock')
