// Who runs what of a lease: the shared words by which the main thread and a worker agree on it, and the strip on which the worker
// leaves what came of each task. A lease has the tasks 0 … count - 1, and the worker runs them in that order.
//
//   CLAIM   0 ──claim──> 1 ──claim──> 2 ──claim──> … count      the worker, before each task; beyond count: the lease is over
//           └─────┴──────────┴───takeBack──> CLOSED             main: what was not claimed until then never will be
//   DONE    0 ──finish──> 1 ──finish──> 2 …                     the worker, when the task's outcome lies where main finds it
//
// Each of the two steps on CLAIM is one atomic operation, so that a task is claimed or taken back, never both and never neither.
// Task i runs while DONE <= i < CLAIM. All that a worker has finished outlives it: it is on the strip, or was posted.
//
// per slot: word   field      written by   meaning
//            0     CLAIM      both         see above
//            1     DONE       worker       its store publishes the strip up to there; pairs with load(DONE) in main
//            2     CANCELLED  main         1: what runs is asked to stop; notified
//            3     ITEM       worker       the item of a map's chunk that runs; read when the worker is dead
//           32 …   TAGS       worker       what came of task i: a value of few bits, a number (in `numbers`), or posted
//
// A slot belongs to one lease until that has ended, or its worker has, and is reset for the next. Slots lie 128 bytes and more apart.
import { add, exchange, load, notifyAll, peek, poke, store, type Words } from '../../memory/atomics.js'

/** More tasks than this one lease does not have: a worker takes its time to report, and shared memory is set aside for each. */
export const MOST_TASKS = 1024

const CLAIM = 0
const DONE = 1
const CANCELLED = 2
const ITEM = 3
const TAGS = 32
const WORDS = TAGS + MOST_TASKS

/** In CLAIM: more than any lease has. The worker's `add` may still count on from here. */
const CLOSED = 2 ** 30

/** An outcome that came by a message, because it has no tag. */
const POSTED = 1
const NUMBER = 2
const FIRST_CONSTANT = 3
const CONSTANTS: readonly unknown[] = [undefined, null, false, true]

/** The memory of an executor's slots, as its workers are told of it. */
export interface SlotMemory {
  words: SharedArrayBuffer
  numbers: SharedArrayBuffer
}

export function newSlotMemory(count: number): SlotMemory {
  return {
    words: new SharedArrayBuffer(count * WORDS * Int32Array.BYTES_PER_ELEMENT),
    numbers: new SharedArrayBuffer(count * (1 + MOST_TASKS) * Float64Array.BYTES_PER_ELEMENT),
  }
}

/** The slots of an executor's leases. */
export class LeaseSlots {
  readonly #words: Words
  /** Per slot: when its first task was begun, and the numbers that tasks returned. */
  readonly #numbers: Float64Array<SharedArrayBuffer>

  constructor({ words, numbers }: SlotMemory) {
    this.#words = new Int32Array(words)
    this.#numbers = new Float64Array(numbers)
  }

  /** Main, before the lease is sent. */
  reset(slot: number): void {
    for (const field of [CLAIM, DONE, CANCELLED, ITEM]) store(this.#words, slot * WORDS + field, 0)
  }

  /** Worker: the next task to run; -1 when there is none any more. */
  claim(slot: number, count: number): number {
    const next = add(this.#words, slot * WORDS + CLAIM, 1)
    return next < count ? next : -1
  }

  /** Main: make sure that no more is claimed, once for each lease. @returns how many were */
  takeBack(slot: number, count: number): number {
    // Not: load(CLAIM), and then store. The worker may claim one in between, which would run twice.
    return Math.min(exchange(this.#words, slot * WORDS + CLAIM, CLOSED), count)
  }

  /** Main: how many were claimed until now. Only for a lease that was not closed. */
  claimed(slot: number, count: number): number {
    return Math.min(load(this.#words, slot * WORDS + CLAIM), count)
  }

  /** Worker: leave what the task returned on the strip. @returns whether it has a place there; otherwise it must be posted */
  note(slot: number, task: number, value: unknown): boolean {
    const constant = CONSTANTS.indexOf(value)
    if (constant < 0 && typeof value !== 'number') return false
    if (constant < 0) this.#numbers[slot * (1 + MOST_TASKS) + 1 + task] = value as number
    poke(this.#words, slot * WORDS + TAGS + task, constant < 0 ? NUMBER : FIRST_CONSTANT + constant)
    return true
  }

  /** Worker: what came of the task is posted, before `finish`. */
  notePosted(slot: number, task: number): void {
    poke(this.#words, slot * WORDS + TAGS + task, POSTED)
  }

  /** Worker: the outcome of the task lies where main finds it. */
  finish(slot: number, task: number): void {
    store(this.#words, slot * WORDS + DONE, task + 1)
  }

  /** Main: how many are finished; their outcomes can be read. */
  done(slot: number): number {
    return load(this.#words, slot * WORDS + DONE)
  }

  /** Main: whether the outcome of a finished task was posted. */
  isPosted(slot: number, task: number): boolean {
    return peek(this.#words, slot * WORDS + TAGS + task) === POSTED
  }

  /** Main: what a finished task returned, unless that was posted. */
  value(slot: number, task: number): unknown {
    const tag = peek(this.#words, slot * WORDS + TAGS + task)
    return tag === NUMBER ? this.#numbers[slot * (1 + MOST_TASKS) + 1 + task] : CONSTANTS[tag - FIRST_CONSTANT]
  }

  /** Worker: it begins this item of a chunk. */
  reach(slot: number, item: number): void {
    poke(this.#words, slot * WORDS + ITEM, item)
  }

  /** Main: which item a worker had begun last, once it is dead. */
  reached(slot: number): number {
    return peek(this.#words, slot * WORDS + ITEM)
  }

  /** Main: ask what runs to stop. */
  askToStop(slot: number): void {
    store(this.#words, slot * WORDS + CANCELLED, 1)
    notifyAll(this.#words, slot * WORDS + CANCELLED)
  }

  /** The word that `askToStop` sets. */
  cancellation(slot: number): [words: Words, index: number] {
    return [this.#words, slot * WORDS + CANCELLED]
  }

  /** Worker, before it claims: from now on the time of what it runs counts. */
  begin(slot: number): void {
    this.#numbers[slot * (1 + MOST_TASKS)] = clock()
  }

  /** Main: when the lease was begun, by `clock()`. Valid once a task was claimed. */
  begunAt(slot: number): number {
    return this.#numbers[slot * (1 + MOST_TASKS)]!
  }
}

/** Milliseconds on a clock that all threads share and nobody sets. */
export function clock(): number {
  const [seconds, nanoseconds] = process.hrtime()
  return seconds * 1e3 + nanoseconds / 1e6
}
