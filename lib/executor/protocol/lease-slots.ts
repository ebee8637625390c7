// Which task of a lease runs: the shared words by which the main thread and a worker agree on it, and the result slots in which
// the worker leaves what each task returned. A lease has the tasks 0 … count - 1, and its worker runs them in that order.
//
//   CLAIM   0 ──claim──> 1 ──claim──> 2 ──claim──> … count      the worker, before each task; beyond count: the lease is over
//           └─────┴──────────┴───takeBack──> CLOSED             main: a task that was not claimed until then never will be
//   RAN     0 ──finish──> 1 ──finish──> 2 …                     the worker, when the task's result lies where main finds it
//
//   LOADING  0 ──beginLoad──> i + 1 ──endLoad──> 0              the worker, from before it claims task i until it has imported its module
//                             └─────refuse─────> REFUSED         main: the task is not called
//
// Both steps on CLAIM are single atomic operations, and so are those out of LOADING: each task is either claimed or taken back, never both and never neither.
// Task i runs while RAN <= i < CLAIM. A finished task's result outlives its worker: it is in a result slot, or was posted.
//
// per worker:  word   field      written by   meaning
//               0     CLAIM      both         see above
//               1     RAN        worker       its store publishes the result slots up to there; pairs with load(RAN) in main
//               2     CANCELLED  main         1: the running task is asked to stop; notified
//               3     ITEM       worker       the item of a map's chunk that runs
//               4     LOADING    both         see above: one past the index of the task; -1: REFUSED
//              32 …   TAGS       worker       task i: a value of a few bits, a number (in `numbers`), or posted
//
// A worker has one set of words as long as its thread lives, and holds one lease at a time. For each lease the first five
// words are reset.
// Two workers' words lie at least 128 bytes apart, so that they share no cache line.
import { hrtime } from '../../base/clock.js'
import { add, compareExchange, exchange, load, notifyAll, peek, poke, store, type Words } from '../../memory/atomics.js'

/** Maximum tasks per lease. Bounds how long a worker stays silent, and the shared memory per worker. */
export const MAX_TASKS_PER_LEASE = 1024

const CLAIM = 0
const RAN = 1
const CANCELLED = 2
const ITEM = 3
const LOADING = 4
const TAGS = 32
const WORDS = TAGS + MAX_TASKS_PER_LEASE
/** Float64 values per worker: when its lease began, and the numbers that tasks returned. */
const NUMBERS = 1 + MAX_TASKS_PER_LEASE

/** In CLAIM: more than any lease has. The worker's `add` may still count on from here. */
const CLOSED = 2 ** 30

/** In LOADING: the task was taken back. */
const REFUSED = -1

/** The result was posted. */
const POSTED = 1
const NUMBER = 2
const FIRST_CONSTANT = 3
const CONSTANTS: readonly unknown[] = [undefined, null, false, true]

/** The memory behind the slots of one executor. Its workers receive it as they boot. */
export interface SlotMemory {
  words: SharedArrayBuffer
  numbers: SharedArrayBuffer
}

/** @param count how many workers there may be at a time */
export function newSlotMemory(count: number): SlotMemory {
  return {
    words: new SharedArrayBuffer(count * WORDS * Int32Array.BYTES_PER_ELEMENT),
    numbers: new SharedArrayBuffer(count * NUMBERS * Float64Array.BYTES_PER_ELEMENT),
  }
}

/** The slots of one executor, one per worker. Each method says which side calls it. */
export class LeaseSlots {
  readonly #words: Words
  readonly #numbers: Float64Array<SharedArrayBuffer>

  constructor({ words, numbers }: SlotMemory) {
    this.#words = new Int32Array(words)
    this.#numbers = new Float64Array(numbers)
  }

  /** Main, before the lease is sent. */
  reset(slot: number): void {
    for (const field of [CLAIM, RAN, CANCELLED, ITEM, LOADING]) store(this.#words, slot * WORDS + field, 0)
  }

  /** Worker: claim the next task. @returns its index; -1: there is none left */
  claim(slot: number, count: number): number {
    const next = add(this.#words, slot * WORDS + CLAIM, 1)
    return next < count ? next : -1
  }

  /** Main, once per lease: keep the worker from claiming more. @returns how many tasks it has claimed */
  takeBack(slot: number, count: number): number {
    // Not: load(CLAIM), then store. The worker could claim a task in between, and that task would run twice.
    return Math.min(exchange(this.#words, slot * WORDS + CLAIM, CLOSED), count)
  }

  /** Main: how many tasks are claimed so far. Only for a lease that was not taken back. */
  claimed(slot: number, count: number): number {
    return Math.min(load(this.#words, slot * WORDS + CLAIM), count)
  }

  /** Worker: leave a returned value in the task's result slot. @returns false: it has no place there and must be posted */
  putValue(slot: number, index: number, value: unknown): boolean {
    const constant = CONSTANTS.indexOf(value)
    if (constant < 0 && typeof value !== 'number') return false
    if (constant < 0) this.#numbers[slot * NUMBERS + 1 + index] = value as number
    poke(this.#words, slot * WORDS + TAGS + index, constant < 0 ? NUMBER : FIRST_CONSTANT + constant)
    return true
  }

  /** Worker: the task's result was posted. Before `finish`. */
  markPosted(slot: number, index: number): void {
    poke(this.#words, slot * WORDS + TAGS + index, POSTED)
  }

  /** Worker: publish the task's result. */
  finish(slot: number, index: number): void {
    store(this.#words, slot * WORDS + RAN, index + 1)
  }

  /** Main: how many tasks are finished. Their results can be read. */
  done(slot: number): number {
    return load(this.#words, slot * WORDS + RAN)
  }

  /** Main: whether the result of a finished task was posted. */
  isPosted(slot: number, index: number): boolean {
    return peek(this.#words, slot * WORDS + TAGS + index) === POSTED
  }

  /** Main: what a task returned. It must be below the last `done()`, in the lease of now, and not posted. */
  value(slot: number, index: number): unknown {
    const tag = peek(this.#words, slot * WORDS + TAGS + index)
    return tag === NUMBER ? this.#numbers[slot * NUMBERS + 1 + index] : CONSTANTS[tag - FIRST_CONSTANT]
  }

  /** Worker: it begins this item of a chunk. */
  beginItem(slot: number, item: number): void {
    poke(this.#words, slot * WORDS + ITEM, item)
  }

  /** Worker: the word that `beginItem` sets. */
  itemWord(slot: number): [words: Words, index: number] {
    return [this.#words, slot * WORDS + ITEM]
  }

  /** Both: the item that the worker began last. Certain once it is dead. */
  lastItem(slot: number): number {
    return peek(this.#words, slot * WORDS + ITEM)
  }

  /** Worker, before it claims the task: its module is not imported yet. Until `endLoad`, the task has not begun. */
  beginLoad(slot: number, index: number): void {
    // Not after the claim: the task would seem to have begun, and then not to have.
    store(this.#words, slot * WORDS + LOADING, index + 1)
  }

  /** Worker: it has imported the module of the task that it has claimed. @returns whether it may call the task */
  endLoad(slot: number): boolean {
    return exchange(this.#words, slot * WORDS + LOADING, 0) !== REFUSED
  }

  /** Main: whether the worker imports the module of this task, or is about to. */
  isLoading(slot: number, index: number): boolean {
    return load(this.#words, slot * WORDS + LOADING) === index + 1
  }

  /** Main: take back a claimed task whose module the worker imports. @returns whether that succeeded */
  refuse(slot: number, index: number): boolean {
    return compareExchange(this.#words, slot * WORDS + LOADING, index + 1, REFUSED) === index + 1
  }

  /** Main: whether the worker still imports the module of the task that was refused last. */
  isRefused(slot: number): boolean {
    return load(this.#words, slot * WORDS + LOADING) === REFUSED
  }

  /** Main: ask the running task to stop. */
  askToStop(slot: number): void {
    store(this.#words, slot * WORDS + CANCELLED, 1)
    notifyAll(this.#words, slot * WORDS + CANCELLED)
  }

  /** The word that `askToStop` sets. */
  cancellation(slot: number): [words: Words, index: number] {
    return [this.#words, slot * WORDS + CANCELLED]
  }

  /** Worker, before it claims: the time of the lease starts. */
  begin(slot: number): void {
    this.#numbers[slot * NUMBERS] = clock()
  }

  /** Main: when the lease began, by `clock()`. Valid once a task is claimed. */
  begunAt(slot: number): number {
    return this.#numbers[slot * NUMBERS]!
  }
}

/** Milliseconds of the process-wide monotonic clock. */
export function clock(): number {
  const [seconds, nanoseconds] = hrtime()
  return seconds * 1e3 + nanoseconds / 1e6
}
