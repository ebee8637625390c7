// A machine with as many cores as threads, for the shipped code (traffic.ts): time is virtual, and what costs time is the movement of
// cache lines. Every access to shared memory comes here; the thread whose clock is least goes on, all others are blocked. So a run
// gives the same figures each time, on any computer.
//
// The model of a line is MESI without the memory behind it: one core has written it last and has it alone, or several have a copy.
//   read    a core that has it: a hit. Any other: a transfer, after which it has a copy
//   write   (a compareExchange that fails, too) a core that has it alone: a hit. Any other: a transfer, and all others lose it
// A line that no core has had costs nothing to have. The transfers of one line come one after the other. A core that waits for one
// does nothing else meanwhile: real ones look ahead at plain reads, and write later.
//
// Spinning costs nothing while the line stays: such a thread is WATCHING, and goes on when another core writes the line.
import type { Controller } from './bundle.js'

/** What things cost, in nanoseconds. */
export interface Costs {
  /** A line comes from another core of the same socket. */
  transfer: number
  /** … from another socket. */
  farTransfer: number
  coresPerSocket: number
  /** 64, or 128 where two neighbouring lines travel together. */
  lineBytes: number
  /** A plain access, or an atomic load, of a line that the core has. */
  plain: number
  /** Any other atomic operation on such a line. */
  atomic: number
  /** One look of a spin. */
  look: number
  /** To go to sleep; to wake a thread, for the one that wakes; until the one that was woken runs; to find that nobody sleeps. */
  sleep: number
  wake: number
  wakeUp: number
  notify: number
}

/** Intel servers: transfers by github.com/nviennot/core-to-core-latency. The others as measured here, but for the wake-up: bare metal. */
export const COSTS: Costs = {
  transfer: 50,
  farTransfer: 130,
  coresPerSocket: 64,
  lineBytes: 64,
  plain: 1,
  atomic: 10,
  look: 1.5,
  sleep: 2000,
  wake: 2000,
  wakeUp: 8000,
  notify: 50,
}

export const MAX_CORES = 64
/** Each object's memory has as many lines, so that the number of a line tells the object. */
export const LINES_OF_OBJECT = 2 ** 14
const MAX_OBJECTS = 2
/** V8 keeps the sleepers of all words in one list, behind one mutex. */
export const FUTEX_LINE: number = MAX_OBJECTS * LINES_OF_OBJECT
const LINES = FUTEX_LINE + 1

const RUNS = 0
const WATCHING = 1
const ASLEEP = 2

/** What the threads of one run share. */
export class MachineMemory {
  /** The time of each core; of one that waits, the end of its patience. */
  readonly clocks = new Float64Array(new SharedArrayBuffer(8 * MAX_CORES))
  readonly transferNs = new Float64Array(new SharedArrayBuffer(8 * MAX_CORES))
  readonly asleepNs = new Float64Array(new SharedArrayBuffer(8 * MAX_CORES))
  readonly states = new Int32Array(new SharedArrayBuffer(4 * MAX_CORES))
  /** The line that is watched, or the word that is slept on. */
  readonly places = new Int32Array(new SharedArrayBuffer(4 * MAX_CORES))
  readonly asleepSince = new Float64Array(new SharedArrayBuffer(8 * MAX_CORES))
  readonly woken = new Int32Array(new SharedArrayBuffer(4 * MAX_CORES))
  readonly turns = new Int32Array(new SharedArrayBuffer(4 * MAX_CORES))
  /** For each line: when its last transfer ends, which cores have it (two words), who had it last, how many transfers. */
  readonly freeAt = new Float64Array(new SharedArrayBuffer(8 * LINES))
  readonly holders = new Int32Array(new SharedArrayBuffer(8 * LINES))
  readonly last = new Int32Array(new SharedArrayBuffer(4 * LINES))
  readonly transfers = new Int32Array(new SharedArrayBuffer(4 * LINES))
  /** Threads that have come; sleeps. */
  readonly counts = new Int32Array(new SharedArrayBuffer(8))
}
export const ARRIVED = 0
export const SLEEPS = 1

/** A core, as the thread that runs on it has it. */
export class Core implements Pick<
  Controller,
  'load' | 'store' | 'add' | 'or' | 'exchange' | 'compareExchange' | 'peek' | 'poke' | 'waitOn' | 'notify' | 'now'
> {
  readonly threadId: number
  readonly #memory: MachineMemory
  readonly #objects: SharedArrayBuffer[]
  readonly #threads: number
  readonly #costs: Costs
  readonly #lineShift: number
  #arrived = false

  constructor(memory: MachineMemory, objects: SharedArrayBuffer[], threadId: number, threads: number, costs: Costs) {
    this.#memory = memory
    this.#objects = objects
    this.threadId = threadId
    this.#threads = threads
    this.#costs = costs
    this.#lineShift = Math.log2(costs.lineBytes) - 2
  }

  /** The thread is there. Returns when all are, and it is the first to go on. @param phase threads begin up to 97 ns apart, as it says */
  arrive(phase: number): void {
    const { clocks, counts } = this.#memory
    clocks[this.threadId] = (this.threadId * (3 + 4 * phase)) % 97
    this.#arrived = true
    if (Atomics.add(counts, ARRIVED, 1) + 1 < this.#threads) this.#blockUntilTurn()
    this.#awaitTurn()
  }

  /** The thread has ended, at the time that is returned. */
  leave(): number {
    const { clocks } = this.#memory
    const end = clocks[this.threadId]!
    clocks[this.threadId] = Infinity
    const next = this.#first()
    if (clocks[next]! < Infinity) this.#wakeThread(next)
    return end
  }

  /** Do something that needs no shared memory. */
  work(ns: number): void {
    this.#memory.clocks[this.threadId]! += ns
  }

  load = (words: Int32Array, index: number): number => this.peek(words, index)
  peek = (words: Int32Array, index: number): number => {
    this.#access(this.#lineOf(words, index), false, this.#costs.plain)
    return words[index]!
  }
  poke = (words: Int32Array, index: number, value: number): void => {
    this.#access(this.#lineOf(words, index), true, this.#costs.plain)
    words[index] = value
  }
  store = (words: Int32Array, index: number, value: number): number => {
    this.exchange(words, index, value)
    return value
  }
  exchange = (words: Int32Array, index: number, value: number): number => this.#change(words, index, () => value)
  add = (words: Int32Array, index: number, value: number): number =>
    this.#change(words, index, (before) => before + value)
  or = (words: Int32Array, index: number, value: number): number =>
    this.#change(words, index, (before) => before | value)
  compareExchange = (words: Int32Array, index: number, expected: number, value: number): number =>
    this.#change(words, index, (before) => (before === expected ? value : before))

  #change(words: Int32Array, index: number, change: (before: number) => number): number {
    this.#access(this.#lineOf(words, index), true, this.#costs.atomic)
    const before = words[index]!
    words[index] = change(before)
    return before
  }

  now = (): number => this.#memory.clocks[this.threadId]! / 1e6

  /** Look so many times, or until the word changes. */
  spin = (words: Int32Array, index: number, seen: number, looks: number): void => {
    const { clocks } = this.#memory
    const end = clocks[this.threadId]! + looks * this.#costs.look
    const line = this.#lineOf(words, index)
    while (this.peek(words, index) === seen && clocks[this.threadId]! < end) this.#pause(WATCHING, line, end)
  }

  waitOn = (words: Int32Array, index: number, seen: number, timeoutMs?: number): string => {
    const { clocks, counts, woken, asleepSince, asleepNs } = this.#memory
    const { threadId } = this
    this.#access(FUTEX_LINE, true, this.#costs.notify)
    if (this.peek(words, index) !== seen) return 'not-equal'
    counts[SLEEPS]!++
    const since = clocks[threadId]!
    asleepSince[threadId] = since
    woken[threadId] = 0
    this.#pause(ASLEEP, this.#placeOf(words, index), since + timeoutMs! * 1e6)
    asleepNs[threadId]! += clocks[threadId]! - since
    return woken[threadId] === 1 ? 'ok' : 'timed-out'
  }

  notify = (words: Int32Array, index: number, count: number): number => {
    const { clocks, states, places, woken, asleepSince } = this.#memory
    const { sleep, wake, wakeUp, notify } = this.#costs
    this.#access(FUTEX_LINE, true, notify)
    const place = this.#placeOf(words, index)
    const sleepers = [...states.subarray(0, this.#threads).keys()]
      .filter((t) => states[t] === ASLEEP && places[t] === place && woken[t] === 0)
      .toSorted((a, b) => asleepSince[a]! - asleepSince[b]!)
      .slice(0, count)
    for (const t of sleepers) {
      this.work(wake)
      woken[t] = 1
      clocks[t] = Math.max(clocks[this.threadId]!, asleepSince[t]! + sleep) + wakeUp
    }
    return sleepers.length
  }

  #access(line: number, writes: boolean, hitNs: number): void {
    if (line < 0 || !this.#arrived) return // Of this thread alone, or while it makes its objects.
    this.#awaitTurn()
    const { clocks, freeAt, holders, last, transfers, transferNs } = this.#memory
    const { threadId } = this
    const mine = 1 << (threadId & 31)
    const at = 2 * line + (threadId >> 5)
    const has = (holders[at]! & mine) !== 0
    const isAlone = has && holders[at] === mine && holders[at ^ 1] === 0
    const isUnused = holders[2 * line] === 0 && holders[2 * line + 1] === 0
    const begin = clocks[threadId]!
    let end = begin
    if (!isUnused && !(writes ? isAlone : has)) {
      end = Math.max(begin, freeAt[line]!) + this.#transferTime(last[line]!)
      freeAt[line] = end
      transfers[line]!++
      transferNs[threadId]! += end - begin
    }
    clocks[threadId] = end + hitNs
    if (writes) {
      if (!isAlone) this.#endWatches(line, end)
      holders[2 * line] = holders[2 * line + 1] = 0
      last[line] = threadId
    }
    holders[at]! |= mine
  }

  #transferTime(from: number): number {
    const { transfer, farTransfer, coresPerSocket } = this.#costs
    return Math.floor(from / coresPerSocket) === Math.floor(this.threadId / coresPerSocket) ? transfer : farTransfer
  }

  #endWatches(line: number, at: number): void {
    const { clocks, states, places } = this.#memory
    for (let t = 0; t < this.#threads; t++)
      if (states[t] === WATCHING && places[t] === line) clocks[t] = Math.min(clocks[t]!, at)
  }

  /** Until `end`, or until another thread sets an earlier time. */
  #pause(state: number, place: number, end: number): void {
    const { clocks, states, places } = this.#memory
    const { threadId } = this
    states[threadId] = state
    places[threadId] = place
    clocks[threadId] = end
    this.#awaitTurn()
    states[threadId] = RUNS
  }

  #awaitTurn(): void {
    const next = this.#first()
    if (next === this.threadId) return
    this.#wakeThread(next)
    this.#blockUntilTurn()
  }

  #first(): number {
    const { clocks } = this.#memory
    let first = 0
    for (let t = 1; t < this.#threads; t++) if (clocks[t]! < clocks[first]!) first = t
    return first
  }

  #wakeThread(t: number): void {
    const { turns } = this.#memory
    Atomics.store(turns, t, 1)
    Atomics.notify(turns, t)
  }

  #blockUntilTurn(): void {
    const { turns } = this.#memory
    while (Atomics.exchange(turns, this.threadId, 0) === 0) Atomics.wait(turns, this.threadId, 0)
  }

  #lineOf({ buffer }: Int32Array, index: number): number {
    return this.#objects.indexOf(buffer as SharedArrayBuffer) * LINES_OF_OBJECT + (index >> this.#lineShift)
  }

  #placeOf({ buffer }: Int32Array, index: number): number {
    return this.#objects.indexOf(buffer as SharedArrayBuffer) * 2 ** 24 + index
  }
}
