// RWLock: many readers or one writer. A monitor (monitor.ts) with this policy:
//
// word     field     meaning
//  POLICY  WRITER    the owner that writes (thread id + 1); 0: nobody does
// A HOLDING entry per thread that reads: COUNT times. KIND of a waiter: WRITE or not, SYNC or not.
//
//   FREE ──> read by n threads ──the last releases, or dies──> FREE ──> WRITER ──releases──> FREE
//                                                                         └──dies──recover──> held by another
//
// Served in the order of coming, neighbouring readers together; who comes while a writer waits, waits behind it. But a thread that
// blocks never waits for itself: it passes a writer if it reads already, and those who await in it, who cannot go on meanwhile.
// Not: let who awaits pass, too, where its thread reads. Readers of one busy thread would overlap, and no writer ever come.
// A reader has changed nothing, so one that dies is forgotten.
import { DeadlockError, LockError } from '../errors.js'
import { peek, poke } from '../memory/atomics.js'
import { checkTimeout, checkWaitOptions, type WaitOptions } from '../base/wait-options.js'
import { makeOwnable, registerShareable } from '../transport/shareable.js'
import { probeDead, isDead } from '../thread/liveness.js'
import { Acquirable } from './acquirable.js'
import { ME, ownerDied, type OnOwnerDeath } from './lock-word.js'
import { checkOnOwnerDeath, type LockOptions } from './lock.js'
import { ENTRY_KIND, GRANTED, HOLDING, POLICY, WAITING } from './entry-table.js'
import { EntryWaiter, Monitor } from './monitor.js'
import { AsyncWaiters } from './async-waiters.js'
import { block } from './park.js'

const WRITER = POLICY
const READ = 0
const WRITE = 1
/** Of a waiter: its thread blocks for it, or tries once. */
const SYNC = 2

class Access extends Monitor {
  readonly #onOwnerDeath: OnOwnerDeath
  /** This thread blocks for it. */
  #blocked = false

  constructor(onOwnerDeath: OnOwnerDeath, memory?: SharedArrayBuffer) {
    super(memory)
    this.#onOwnerDeath = onOwnerDeath
  }

  override take({ kind }: EntryWaiter): boolean {
    if (this.writer !== 0) return false
    const sync = (kind & SYNC) !== 0
    const isNext = !this.waiters().some((entry) => !sync || this.ownerOf(entry) !== ME)
    if (kind & WRITE) {
      if (this.#isRead() || !isNext) return false
      poke(this.words, WRITER, ME)
      return true
    }
    if (!isNext && !(sync && this.held(ME) > 0)) return false
    this.commit(...this.charge(ME, 1))
    return true
  }

  override settle(find: boolean): void {
    for (const entry of [...this.waiters(), ...this.entries(HOLDING)])
      if (this.isOrphan(entry, find)) this.remove(entry)
    for (const entry of this.entries(GRANTED)) {
      if (!this.isOrphan(entry, find)) continue
      // It ended before it knew that it might write: it has changed nothing. If it is the writer still: its death may have been
      // seen a moment ago by one who has taken its place.
      if (this.writer === this.ownerOf(entry)) this.commit(WRITER, 0, entry, 0)
      else this.remove(entry)
    }
    if (this.#onOwnerDeath === 'handOver' && this.#isWriterDead(find)) poke(this.words, WRITER, 0)
    this.#serve()
  }

  /** While this thread is blocked, those who await in it cannot go on: what is on its way to one of them is given back. */
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

  /** Whether this thread held it. */
  release(kind: number): boolean {
    if (kind === WRITE ? this.writer !== ME : this.held(ME) === 0) return false
    if (kind === WRITE) poke(this.words, WRITER, 0)
    else this.commit(...this.charge(ME, -1))
    this.#serve()
    return true
  }

  /** Take the place of a writer that died. Whether it was one. */
  recover(kind: number): boolean {
    if (!this.#isWriterDead(true)) return false
    if (kind === WRITE) poke(this.words, WRITER, ME)
    else this.commit(WRITER, 0, ...this.charge(ME, 1))
    this.#serve()
    return true
  }

  isTaken(kind: number): boolean {
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
      // Those who await in this thread were passed over for it.
      if (!taken) this.exclusively(() => this.#serve())
    }
    return taken
  }

  #serve(): void {
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
    return this.entries(HOLDING).length > 0
  }

  #isWriterDead(find: boolean): boolean {
    const { writer } = this
    return writer !== 0 && writer !== ME && (find ? probeDead(writer - 1) : isDead(writer - 1))
  }
}

/** One face of an RWLock: `read` or `write`. */
class Face extends Acquirable {
  readonly #access: Access
  readonly #kind: number

  constructor(access: Access, kind: number) {
    super()
    this.#access = access
    this.#kind = kind
  }

  override acquireSync(timeoutMs?: number): boolean {
    const limitMs = checkTimeout(timeoutMs, 'timeoutMs')
    const waiter = new EntryWaiter(this.#access, limitMs > 0, this.#kind | SYNC)
    return limitMs > 0 ? this.#access.block(waiter, limitMs) : this.#access.tryNow(waiter)
  }

  override acquire(options?: WaitOptions): Promise<boolean> {
    return new AsyncWaiters().join(new EntryWaiter(this.#access, false, this.#kind), options)
  }

  override release(): void {
    if (!this.#access.exclusively(() => this.#access.release(this.#kind)))
      throw new LockError(
        `release of an RWLock that this thread does not hold for ${this.#kind === READ ? 'reading' : 'writing'}`,
      )
  }

  override locked(): boolean {
    return this.#access.exclusively(() => this.#access.isTaken(this.#kind))
  }

  /**
   * Take it after a thread ended while it was writing.
   * @throws LockError (ERR_MANYHANDS_LOCK) none did.
   */
  recoverSync(): void {
    if (!this.#access.exclusively(() => this.#access.recover(this.#kind)))
      throw new LockError('recover of an RWLock whose writer has not died')
  }

  /** As `recoverSync`. */
  async recover(options?: WaitOptions): Promise<void> {
    checkWaitOptions(options).signal?.throwIfAborted()
    this.recoverSync()
  }
}

/** A lock that many hold for reading, or one for writing, across threads. Shareable. */
export class RWLock {
  /**
   * To hold while reading: others may read, too. Who comes while a writer waits, waits behind it; only a thread that reads already
   * and blocks for another read passes. An async function that reads must not await another read: a writer may be between.
   */
  readonly read: Acquirable & Pick<Face, 'recover' | 'recoverSync'>
  /** To hold while writing: nobody else reads or writes. */
  readonly write: Acquirable & Pick<Face, 'recover' | 'recoverSync'>

  constructor(options?: LockOptions)
  /** @internal */
  constructor(options?: LockOptions, memory?: SharedArrayBuffer)
  constructor(options: LockOptions = {}, memory?: SharedArrayBuffer) {
    const onOwnerDeath = checkOnOwnerDeath(options)
    const access = new Access(onOwnerDeath, memory)
    this.read = new Face(access, READ)
    this.write = new Face(access, WRITE)
    // Structured clone copies what is enumerable, and must find nothing but the handle.
    for (const face of ['read', 'write']) Object.defineProperty(this, face, { enumerable: false, writable: false })
    if (!memory) makeOwnable(this, 'RWLock', access.memory, onOwnerDeath)
  }
}

registerShareable('RWLock', ([, , memory, onOwnerDeath]) => {
  return new RWLock({ onOwnerDeath: onOwnerDeath as OnOwnerDeath }, memory as SharedArrayBuffer)
})
