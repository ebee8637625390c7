// The dispatcher: which job goes to a worker when, and what becomes of jobs whose worker dies. It knows jobs and leases, not
// futures or users' functions.
//
//   queue (FIFO) ──> in flight: at most one lease per worker ──> outcome, or the worker's death
//     ^                                        │
//     └──── not begun when the worker died ────┘
import type { Transferable } from 'node:worker_threads'
import { inspect } from 'node:util'
import { BrokenProcessPool, DataCloneError, TimeoutError, WorkerDiedError } from '../errors.js'
import { publish } from '../memory/events.js'
import { LONGEST_TIMER_MS } from '../memory/deadline.js'
import { explainCloneFailure } from '../task/clone.js'
import { decodeFailure } from '../task/failure.js'
import { clock, Slots, type Assignment, type Outcome } from './lease.js'
import { RunFailure, Threads, type Ending, type ThreadsOptions } from './threads.js'

/** Work to be done once, by one worker. */
export interface Job {
  /** Made when a worker is free: what it clones, it clones then. Ports and the like are added to `transfer`. */
  assign(transfer: Transferable[]): Assignment
  /** What the assignment's data is called in errors, and the data itself. */
  describe(): { root: string; value: unknown }
  /** Milliseconds from its beginning after which its worker is stopped. Infinity: never. */
  timeoutMs: number
  /** Called exactly once, unless the job was withdrawn. */
  settle(outcome: JobOutcome): void
}

export type JobOutcome = (Outcome & { kind: 'returned' | 'mapped' | 'threw' }) | { kind: 'failed'; error: Error }

/** One job's stay with the workers. It lands when piscina has settled its run and its outcome, which may come first, is known. */
interface Flight {
  job: Job
  slot: number
  /** Settled for the job's owner; what the worker still does is of no interest. */
  over: boolean
  /** The worker has told the outcome, or will never tell. */
  told: boolean
  /** Piscina considers the worker free. */
  runEnded: boolean
  stopTimer: NodeJS.Timeout | undefined
  landed: Promise<void>
  land: () => void
}

export interface DispatcherStats {
  /** Worker threads that exist. */
  workers: number
  /** Jobs waiting for a worker. */
  queued: number
  /** Jobs that a worker has begun. */
  running: number
  /** Workers that died or were stopped. */
  workersLost: number
}

export class Dispatcher {
  readonly #threads: Threads
  readonly #slots: Slots
  readonly #freeSlots: number[]
  readonly #queue = new Set<Job>()
  /** Jobs that a worker received and did not begin. They go before the queue. */
  readonly #handedBack: Job[] = []
  readonly #flights = new Map<Job, Flight>()
  readonly #bySlot = new Map<number, Flight>()
  readonly #onIdle: () => void
  #broken: BrokenProcessPool | undefined
  #workersLost = 0

  /** @param onIdle nothing is queued or in flight any more */
  constructor(
    options: Omit<ThreadsOptions, 'onOutcome' | 'onExit' | 'onBootFailure' | 'setup'> & {
      setup: Omit<ThreadsOptions['setup'], 'slots'>
    },
    onIdle: () => void,
  ) {
    const { maxWorkers, setup } = options
    this.#slots = new Slots(new SharedArrayBuffer(Slots.bytesFor(maxWorkers)))
    this.#freeSlots = Array.from({ length: maxWorkers }, (_, slot) => slot)
    this.#onIdle = onIdle
    this.#threads = new Threads({
      ...options,
      setup: { ...setup, slots: this.#slots.memory },
      onOutcome: (slot, outcome) => {
        const flight = this.#bySlot.get(slot)
        if (flight) this.#onOutcome(flight, outcome)
      },
      onExit: (threadId, ending) => {
        for (const flight of this.#flights.values()) {
          if (!flight.runEnded || this.#slots.taker(flight.slot) !== threadId) continue
          this.#onDeath(flight, threadId, ending)
          this.#landIfDone(flight)
        }
      },
      onBootFailure: (ending) => this.#onBootFailure(ending),
    })
  }

  get broken(): BrokenProcessPool | undefined {
    return this.#broken
  }

  get idle(): boolean {
    return this.#waiting === 0 && this.#flights.size === 0
  }

  get #waiting(): number {
    return this.#queue.size + this.#handedBack.length
  }

  add(job: Job): void {
    this.#queue.add(job)
    this.#dispatch()
  }

  /** Whether a worker has begun it. */
  begun(job: Job): boolean {
    const flight = this.#flights.get(job)
    return flight !== undefined && this.#slots.begun(flight.slot)
  }

  /** Take a job back before a worker begins it. @returns whether that succeeded */
  withdraw(job: Job): boolean {
    const place = this.#handedBack.indexOf(job)
    if (place >= 0) this.#handedBack.splice(place, 1)
    if (place >= 0 || this.#queue.delete(job)) {
      this.#checkIdle()
      return true
    }
    const flight = this.#flights.get(job)
    if (!flight || flight.over || !this.#slots.withdraw(flight.slot)) return false
    flight.over = true
    return true
  }

  /** Stop a job that may have been begun; whatever comes of it is dropped. Resolves when it no longer runs. */
  async stop(job: Job, graceMs: number): Promise<void> {
    const flight = this.#flights.get(job)
    if (!flight) return
    flight.over = true
    this.#stopFlight(flight, graceMs)
    await flight.landed
  }

  /** End every worker now. What they run fails with WorkerDiedError and this exit code. Nothing may be queued or added any more. */
  terminate(exitcode: number): void {
    void this.#threads.terminateAll(exitcode)
  }

  /** End the threads. Resolves when they have ended. */
  destroy(): Promise<void> {
    return this.#threads.destroy()
  }

  stats(): DispatcherStats {
    const untold = [...this.#flights.values()].filter(({ told }) => !told)
    const running = untold.filter(({ slot }) => this.#slots.begun(slot)).length
    const sent = untold.filter(({ over, slot }) => !over && !this.#slots.begun(slot)).length
    return { workers: this.#threads.size, queued: this.#waiting + sent, running, workersLost: this.#workersLost }
  }

  #dispatch(): void {
    while (!this.#broken && this.#freeSlots.length > 0) {
      const job = this.#handedBack.shift() ?? first(this.#queue)
      if (!job) return
      this.#queue.delete(job)
      void this.#fly(job, this.#freeSlots.pop()!)
    }
  }

  async #fly(job: Job, slot: number): Promise<void> {
    let land!: () => void
    const landed = new Promise<void>((resolve) => (land = resolve))
    const flight: Flight = { job, slot, over: false, told: false, runEnded: false, stopTimer: undefined, landed, land }
    this.#slots.reset(slot)
    this.#flights.set(job, flight)
    this.#bySlot.set(slot, flight)
    if (job.timeoutMs !== Infinity) this.#watchTimeout(flight)
    const transfer: Transferable[] = []
    let outcome: Outcome | undefined
    try {
      outcome = await this.#threads.run({ slot, assignment: job.assign(transfer) }, transfer)
    } catch (failure) {
      // Any other failure is of `assign`: a getter that throws.
      const runFailure = failure instanceof RunFailure ? failure : new RunFailure(true, failure)
      await this.#onRunFailure(flight, runFailure, transfer)
    }
    if (outcome) this.#onOutcome(flight, outcome)
    flight.runEnded = true
    if (!flight.told) this.#awaitOutcome(flight)
    this.#landIfDone(flight)
  }

  #onOutcome(flight: Flight, outcome: Outcome): void {
    switch (outcome.kind) {
      case 'returned':
      case 'mapped':
      case 'threw':
        this.#tell(flight, outcome)
        break
      case 'broken':
        this.#break(outcome.what, decodeFailure(outcome.failure))
        flight.told = true
        break
      case 'unclaimed':
        this.#handBack(flight)
        break
      case 'posted':
        break
      default:
        outcome satisfies never
    }
    this.#landIfDone(flight)
  }

  async #onRunFailure(flight: Flight, failure: RunFailure, transfer: Transferable[]): Promise<void> {
    const { job, slot } = flight
    const taker = this.#slots.taker(slot)
    if (taker === undefined) {
      if (!failure.unsent) return this.#handBack(flight)
      return this.#tell(flight, { kind: 'failed', error: explainUnsent(job, failure.reason, transfer) })
    }
    // Not before its exit: what it has posted until then counts.
    this.#onDeath(flight, taker, await this.#threads.exitOf(taker))
  }

  /** A worker has ended that had the lease. */
  #onDeath(flight: Flight, taker: number, { exitcode, reason }: Ending): void {
    if (flight.told) return
    if (!this.#slots.begun(flight.slot)) return this.#handBack(flight)
    this.#workersLost++
    publish('task', () => ({ event: 'workerDied', pid: taker, exitcode }))
    const died = new WorkerDiedError(
      `the worker (thread ${taker}) died with exit code ${exitcode} while it ran this task`,
      {
        exitcode,
        ...(reason !== undefined && { cause: reason }),
      },
    )
    this.#tell(flight, { kind: 'failed', error: died })
  }

  #onBootFailure({ exitcode, reason }: Ending): void {
    const cause = reason ?? new WorkerDiedError(`the thread exited with code ${exitcode}`, { exitcode })
    this.#break('a worker thread ended before it was ready', cause)
  }

  /** What became of a job that was begun, or could not be. */
  #tell(flight: Flight, outcome: JobOutcome): void {
    flight.told = true
    if (flight.over) return
    flight.over = true
    flight.job.settle(outcome)
  }

  /** The worker has not begun it: unless it was taken back, it is the next to go to another. */
  #handBack(flight: Flight): void {
    flight.told = true
    if (flight.over || this.#broken) return
    flight.over = true
    this.#handedBack.push(flight.job)
  }

  #landIfDone(flight: Flight): void {
    if (!flight.told || !flight.runEnded || this.#bySlot.get(flight.slot) !== flight) return
    this.#flights.delete(flight.job)
    this.#release(flight)
    flight.land()
    this.#dispatch()
    this.#checkIdle()
  }

  /** Its run is over, and its outcome on its way by the worker's own port, or the worker's end is. */
  #awaitOutcome(flight: Flight): void {
    const taker = this.#slots.taker(flight.slot)!
    this.#threads.holdOpen(taker, true)
    void flight.landed.then(() => this.#threads.holdOpen(taker, false))
  }

  #release({ slot, stopTimer }: Flight): void {
    clearTimeout(stopTimer)
    this.#bySlot.delete(slot)
    this.#freeSlots.push(slot)
  }

  #watchTimeout(flight: Flight): void {
    const { job, slot } = flight
    const leftMs = this.#slots.begun(slot) ? this.#slots.begunAt(slot) + job.timeoutMs - clock() : job.timeoutMs
    if (leftMs > 0) {
      const wait = Math.min(Math.ceil(leftMs), LONGEST_TIMER_MS)
      flight.stopTimer = setTimeout(() => this.#watchTimeout(flight), wait)
      return
    }
    if (flight.over) return
    flight.over = true
    job.settle({ kind: 'failed', error: new TimeoutError(`the task ran for more than ${job.timeoutMs} ms`) })
    this.#stopFlight(flight, 0)
  }

  #stopFlight(flight: Flight, graceMs: number): void {
    const { slot } = flight
    if (this.#slots.withdraw(slot)) return
    const end = () => {
      const taker = this.#slots.taker(slot)
      if (taker !== undefined) this.#threads.terminate(taker, -15)
    }
    clearTimeout(flight.stopTimer)
    if (graceMs <= 0) return end()
    this.#slots.askToStop(slot)
    if (graceMs !== Infinity) flight.stopTimer = setTimeout(end, Math.min(graceMs, LONGEST_TIMER_MS))
  }

  #break(what: string, cause: unknown): void {
    if (this.#broken) return
    const reason = cause instanceof Error ? cause.message : inspect(cause)
    this.#broken = new BrokenProcessPool(`the executor is broken: ${what}: ${reason}`, { cause })
    const { message } = this.#broken
    publish('task', () => ({ event: 'broken', message, cause }))
    const failAll = (job: Job) =>
      job.settle({ kind: 'failed', error: new BrokenProcessPool(this.#broken!.message, { cause }) })
    const queued = [...this.#handedBack.splice(0), ...this.#queue]
    const flying = [...this.#flights.values()].filter(({ over }) => !over)
    this.#queue.clear()
    for (const flight of flying) flight.over = true
    for (const job of [...flying.map(({ job }) => job), ...queued]) failAll(job)
    void this.#threads.destroy()
    this.#checkIdle()
  }

  #checkIdle(): void {
    if (this.idle) this.#onIdle()
  }
}

function explainUnsent(job: Job, reason: unknown, transfer: Transferable[]): DataCloneError {
  const { root, value } = job.describe()
  try {
    return explainCloneFailure(reason, value, root, transfer)
  } catch {
    // It resists being looked at, as a revoked proxy does.
    return new DataCloneError(`${root} cannot be sent to another thread`, { path: root, cause: reason })
  }
}

function first<T>(set: ReadonlySet<T>): T | undefined {
  return set.values().next().value
}
