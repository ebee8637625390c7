// Shifts: the threads that have leases, one after the other, without asking piscina each time. A shift is one piscina run, which
// the first lease begins; the others come by a port of the worker's own, which costs half as much.
//
//   pool.run(lease) ──> works ──end──> rests ──lease──> works ──> …
//                         │              └── nothing to do for a while ──┐
//                         └── others wait in piscina's queue ────────────┴──> leaves: the run returns, and piscina has it back
import type { Transferable } from 'node:worker_threads'
import type { Lease, LeaseEnd } from './lease.js'
import type { KnownFunction } from './pace.js'

/** A shift that rests for so long leaves; at most twice as long. A program that has nothing else to do lives so much longer. */
const REST_MS = 10

/** A lease for whichever worker is free. */
export interface Letter {
  lease: Lease
  transfer: readonly Transferable[]
  /** The functions that its tasks call. The worker is told of those that are new to it. */
  functions: Iterable<KnownFunction>
  /** Called as a thread is chosen, before the lease is posted to it. */
  onTaken: (threadId: number) => void
}

/** A letter, and what becomes of it. */
export class Errand {
  readonly letter: Letter
  readonly ended: Promise<LeaseEnd>
  end!: (end: LeaseEnd) => void
  fail!: (failure: RunFailure) => void
  /** The one that it begins. */
  shift: Shift | undefined

  constructor(letter: Letter) {
    this.letter = letter
    this.ended = new Promise((resolve, reject) => {
      this.end = resolve
      this.fail = reject
    })
  }
}

/** Why a lease's run failed. */
export class RunFailure {
  /** Whether its message could not be made. */
  readonly unsent: boolean
  readonly reason: unknown
  constructor(unsent: boolean, reason: unknown) {
    this.unsent = unsent
    this.reason = reason
  }
}

/** A thread's stay with the executor. */
export class Shift {
  readonly threadId: number
  /** What it works at. */
  errand: Errand | undefined
  /** What waits for its end, to begin another. */
  next: Errand | undefined
  /** How often somebody has seen it rest. */
  looks = 0

  constructor(threadId: number, errand: Errand) {
    this.threadId = threadId
    this.errand = errand
  }
}

export class Shifts {
  readonly #leave: (threadId: number) => void
  readonly #byThread = new Map<number, Shift>()
  /** The last to rest is the first to work: others may leave. */
  #resting: Shift[] = []
  /** Those that have rested for long enough, until they have ended. */
  readonly #leaving = new Set<Shift>()
  #watching = false

  /** @param leave have a thread's shift end */
  constructor(leave: (threadId: number) => void) {
    this.#leave = leave
  }

  of(threadId: number): Shift | undefined {
    return this.#byThread.get(threadId)
  }

  begin(threadId: number, errand: Errand): Shift {
    const shift = new Shift(threadId, errand)
    this.#byThread.set(threadId, shift)
    return shift
  }

  /** One that rests, if its thread may work: it rests no longer. */
  wake(mayWork: (threadId: number) => boolean): Shift | undefined {
    for (let shift; (shift = this.#resting.pop());) if (mayWork(shift.threadId)) return shift
    return undefined
  }

  /** Have the errand wait for the end of one that leaves: piscina would start a thread. @returns whether there is one */
  follow(errand: Errand): boolean {
    for (const shift of this.#leaving) {
      if (shift.next) continue
      shift.next = errand
      return true
    }
    return false
  }

  rest(shift: Shift): void {
    shift.looks = 0
    this.#resting.push(shift)
    this.#watch()
  }

  /** Its run has returned, or its thread is dead. */
  end(shift: Shift): void {
    const { threadId } = shift
    this.#leaving.delete(shift)
    this.#resting = this.#resting.filter((other) => other !== shift)
    // Piscina may have begun the next one before its promise told of the end of this.
    if (this.#byThread.get(threadId) === shift) this.#byThread.delete(threadId)
  }

  #watch(): void {
    if (this.#watching) return
    this.#watching = true
    setTimeout(() => this.#look(), REST_MS).unref()
  }

  #look(): void {
    this.#watching = false
    for (const shift of this.#resting) {
      if (shift.looks++ === 0) continue
      this.#leaving.add(shift)
      this.#leave(shift.threadId)
    }
    this.#resting = this.#resting.filter((shift) => !this.#leaving.has(shift))
    if (this.#resting.length > 0) this.#watch()
  }
}
