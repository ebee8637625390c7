// A lease: the work that one message carries to a worker, and the shared words by which main thread and worker agree on
// whether it was begun. Both sides decide by one compare-exchange on CLAIM, so that work runs or is taken back, never both.
//
//             worker claims                       per slot of eight words:
//   WAITING ─────────────────> CLAIMED            word   field        written by     meaning
//      │                                           0     CLAIM        both           the state at the left
//      └─────────────────────> WITHDRAWN           1     TAKER        worker         threadId + 1 of who received the lease; 0: nobody
//          main takes back                         2     CANCELLED    main           1: asked to stop; notified
//                                                 4, 5   BEGUN_MS     worker         float64, see clock(); stored before CLAIM
//
// A slot belongs to one lease until piscina has settled its run, and is reset for the next.
import { threadId, type MessagePort } from 'node:worker_threads'
import { compareExchange, load, notifyAll, store, type Words } from '../memory/atomics.js'
import type { Packed } from '../memory/handles.js'
import type { Failure } from '../task/failure.js'
import type { Definition } from '../task/target.js'
import type { Plan } from './blocks.js'

/** What a worker is told to do. */
export type Assignment =
  | { kind: 'call'; target: Definition; args: Packed }
  /** Call the target once per item, an item being the arguments of one call. Stops at the first failure, unless `settled`. */
  | { kind: 'map'; target: Definition; items: Packed; settled: boolean }
  /** Compute blocks of a range with others who were told the same: see blocks.ts. */
  | { kind: 'blocks'; target: Definition; args: Packed; plan: Plan; claims: SharedArrayBuffer; keep: boolean }

export interface Lease {
  slot: number
  assignment: Assignment
}

/** What became of a lease. */
export type Outcome =
  | { kind: 'returned'; value: Packed }
  /** The values of a map, and what was thrown in place of some: `[index, failure]`. */
  | { kind: 'mapped'; values: Packed; failures: [number, Failure][] }
  | { kind: 'threw'; failure: Failure }
  /** No task can run in this worker: its initializer failed, or a task's module cannot be imported. */
  | { kind: 'broken'; what: string; failure: Failure }
  /** The worker did not begin it: it was taken back. */
  | { kind: 'unclaimed' }
  /** The outcome proper comes by a message of the worker's own, which could be checked for what cannot be cloned. */
  | { kind: 'posted' }

/** A worker's only message on its parent port, which tasks may use, too: the port for all others, which is the worker's own. */
export interface Hello {
  kind: 'manyhands:hello'
  threadId: number
  port: MessagePort
}

/** A worker's own messages to the executor. */
export type WorkerMessage = { kind: 'ready' } | { kind: 'outcome'; slot: number; outcome: Outcome }

const CLAIM = 0
const TAKER = 1
const CANCELLED = 2
const BEGUN_MS = 2 // in float64s
const WORDS = 8

const WAITING = 0
const CLAIMED = 1
const WITHDRAWN = 2

/** The slots of an executor's leases. */
export class Slots {
  readonly memory: SharedArrayBuffer
  readonly #words: Words
  readonly #begun: Float64Array<SharedArrayBuffer>

  constructor(memory: SharedArrayBuffer) {
    this.memory = memory
    this.#words = new Int32Array(memory)
    this.#begun = new Float64Array(memory)
  }

  static bytesFor(count: number): number {
    return count * WORDS * Int32Array.BYTES_PER_ELEMENT
  }

  /** Main, before the lease is sent. */
  reset(slot: number): void {
    for (const field of [CLAIM, TAKER, CANCELLED]) store(this.#words, slot * WORDS + field, 0)
  }

  /** Main: make sure that no worker begins it. */
  withdraw(slot: number): boolean {
    return compareExchange(this.#words, slot * WORDS + CLAIM, WAITING, WITHDRAWN) !== CLAIMED
  }

  begun(slot: number): boolean {
    return load(this.#words, slot * WORDS + CLAIM) === CLAIMED
  }

  /** When it was begun, by `clock()`. Valid once `begun`. */
  begunAt(slot: number): number {
    return this.#begun[(slot * WORDS) / 2 + BEGUN_MS]!
  }

  /** The thread that received it, if one has. */
  taker(slot: number): number | undefined {
    const taker = load(this.#words, slot * WORDS + TAKER)
    return taker === 0 ? undefined : taker - 1
  }

  /** Main: ask the running work to stop. */
  askToStop(slot: number): void {
    store(this.#words, slot * WORDS + CANCELLED, 1)
    notifyAll(this.#words, slot * WORDS + CANCELLED)
  }

  /** Worker: say who has it. */
  take(slot: number): void {
    store(this.#words, slot * WORDS + TAKER, threadId + 1)
  }

  /** Worker: begin it, unless it was taken back. */
  claim(slot: number): boolean {
    this.#begun[(slot * WORDS) / 2 + BEGUN_MS] = clock()
    return compareExchange(this.#words, slot * WORDS + CLAIM, WAITING, CLAIMED) === WAITING
  }

  /** The word that `askToStop` sets. */
  cancellation(slot: number): [words: Words, index: number] {
    return [this.#words, slot * WORDS + CANCELLED]
  }
}

/** Milliseconds on a clock that all threads share and nobody sets. */
export function clock(): number {
  const [seconds, nanoseconds] = process.hrtime()
  return seconds * 1e3 + nanoseconds / 1e6
}
