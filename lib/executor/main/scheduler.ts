// The scheduler: which jobs go to a worker when, and what becomes of jobs whose worker dies. It knows jobs and leases, not
// futures or users' functions.
//
//   queue (by priority, FIFO) ──> out: at most one lease per worker ──> outcomes, or the worker's death
//     ^                                                │
//     └── not begun: taken back from behind a slow one, by whoever wants to stop, or as the worker died
import type { Transferable } from 'node:worker_threads'
import { BrokenProcessPool, TimeoutError } from '../../errors.js'
import { unreadable } from '../../transport/clone-error.js'
import { MAX_TIMER_MS } from '../../base/wait-options.js'
import { onBlocked } from '../../thread/liveness.js'
import { systemTimeout } from '../../base/timer.js'
import { decodeFailure } from '../../transport/error-codec.js'
import type { Definition } from '../../task/target.js'
import { clock, newSlotMemory, LeaseSlots } from '../protocol/lease-slots.js'
import { compose, nextLease } from './pack-lease.js'
import { bootFailure, brokenPool, explainUnsent, workerDied } from './death-errors.js'
import type { ExecutorStats } from '../call-options.js'
import type { Job, JobOutcome } from './job.js'
import { Lease } from './lease.js'
import { ThreadEnded } from './worker-handle.js'
import type { LeaseEnd } from '../protocol/messages.js'
import { FunctionRegistry, type FunctionStats } from './batch-size.js'
import { PriorityQueue } from './priority-queue.js'
import { WorkerPool, type WorkerPoolOptions } from './worker-pool.js'

/** How often somebody looks after leases that are out: what is finished in them waits so long at most, and half as long again. */
const TICK_MS = 2

/** A worker that has told all, but not that its lease is over, is not waited for after so many ticks. */
const LINGERING = 5

export type SchedulerStats = Pick<ExecutorStats, 'workers' | 'queued' | 'running' | 'workersLost'>

export class Scheduler {
  readonly #threads: WorkerPool
  readonly #slots: LeaseSlots
  readonly #maxWorkers: number
  readonly #freeSlots: number[]
  readonly #functions = new FunctionRegistry()
  readonly #queue = new PriorityQueue<Job>()
  readonly #flights = new Set<Lease>()
  readonly #bySlot: (Lease | undefined)[] = []
  readonly #onIdle: () => void
  #ticking = false
  /** Until nothing is out any more: what is done while this thread is blocked. */
  #endChore: (() => void) | undefined
  #blocked = false
  #broken: BrokenProcessPool | undefined
  #terminated = false
  #workersLost = 0

  /** @param onIdle nothing is queued or out any more */
  constructor(
    options: Omit<WorkerPoolOptions, 'onOutcome' | 'onUnreadable' | 'onBootFailure' | 'setup'> & {
      setup: Omit<WorkerPoolOptions['setup'], 'slots'>
    },
    onIdle: () => void,
  ) {
    const { maxWorkers, setup } = options
    const slots = newSlotMemory(maxWorkers)
    this.#slots = new LeaseSlots(slots)
    this.#maxWorkers = maxWorkers
    this.#freeSlots = Array.from({ length: maxWorkers }, (_, slot) => slot)
    this.#onIdle = onIdle
    this.#threads = new WorkerPool({
      ...options,
      setup: { ...setup, slots },
      onOutcome: (slot, task, outcome) => this.#bySlot[slot]?.hear(task, outcome),
      onUnreadable: (threadId, failure) => {
        for (const lease of this.#flights)
          if (lease.taker === threadId) lease.hearUnreadable(unreadable(failure, 'result'))
      },
      onBootFailure: (ending) => this.#break('a worker thread ended before it was ready', bootFailure(ending)),
    })
  }

  get broken(): BrokenProcessPool | undefined {
    return this.#broken
  }

  /** Whether its workers were ended for good: nothing is run again. */
  get terminated(): boolean {
    return this.#terminated
  }

  get idle(): boolean {
    return this.#queue.size === 0 && this.#flights.size === 0
  }

  /** What this executor knows of a function. */
  known(definition: Definition): FunctionStats {
    return this.#functions.of(definition)
  }

  add(job: Job): void {
    this.#queue.push(job)
    this.#dispatch()
  }

  /** Take a job back before a worker begins it. @returns whether that succeeded */
  withdraw(job: Job): boolean {
    const lease = leaseOf(job)
    if (job.over || (lease && job.index < lease.claimed)) return false
    if (lease) this.#takeBack(lease)
    job.over = this.#queue.delete(job)
    this.#dispatch()
    this.#checkIdle()
    return job.over
  }

  /** Stop a job that may have been begun; whatever comes of it is dropped. Resolves when it no longer runs. */
  async stop(job: Job, graceMs: number): Promise<void> {
    const lease = leaseOf(job)
    if (!lease) return
    job.over = true
    this.#stopRunning(lease, job, graceMs)
    await lease.landed
  }

  /** All that no worker has begun, as far as anybody knows. */
  waiting(): Job[] {
    return [...[...this.#flights].flatMap(({ jobs }) => jobs).filter(({ over }) => !over), ...this.#queue]
  }

  /** End every worker now. What they run fails with WorkerDiedError and this exit code. Nothing may be queued or added any more. */
  terminate(exitcode: number): void {
    this.#terminated = true
    void this.#threads.terminateAll(exitcode)
  }

  /** End the threads. Resolves when they have ended. */
  destroy(): Promise<void> {
    return this.#threads.destroy()
  }

  stats(): SchedulerStats {
    for (const lease of this.#flights) this.#collect(lease)
    let [queued, running] = [this.#queue.size, 0]
    for (const lease of this.#flights) {
      const there = lease.count()
      running += there.running
      queued += there.queued
    }
    return { workers: this.#threads.size, queued, running, workersLost: this.#workersLost }
  }

  #dispatch(): void {
    while (!this.#broken && this.#freeSlots.length > 0) {
      if (this.#queue.size <= this.#finishing) return
      const jobs = nextLease(this.#queue, this.#maxWorkers)
      if (jobs.length === 0) return
      const lease = new Lease(this.#slots, this.#freeSlots.pop()!, jobs, this.#settle)
      this.#flights.add(lease)
      this.#bySlot[lease.slot] = lease
      this.#launch(lease)
    }
  }

  /** Workers that are free in a moment, if no other is: for as many jobs as that no thread need be started. */
  get #finishing(): number {
    let finishing = 0
    for (const lease of this.#flights) if (lease.told && lease.lingers < LINGERING) finishing++
    return finishing > 0 && this.#threads.idle > 0 ? 0 : finishing
  }

  #launch(lease: Lease): void {
    if (lease.jobs[0]!.timeoutMs !== Infinity) this.#watchTimeout(lease)
    this.#watchOver()
    const { slot, jobs } = lease
    const transfer: Transferable[] = []
    this.#threads.run({
      makeLease: () => {
        if (lease.closed) throw new ThreadEnded()
        const assignment = compose(jobs, transfer)
        lease.moved = transfer.length > 0
        return { slot, count: jobs.length, assignment, news: [] }
      },
      transfer,
      functions: lease.functions,
      onTaken: (threadId) => {
        lease.taker = threadId
      },
      onEnd: (end) => {
        this.#onEnd(lease, end)
        this.#land(lease)
      },
      // Not within the submission that fails.
      onFailure: (reason) =>
        queueMicrotask(() => {
          if (reason instanceof ThreadEnded) this.#onThreadEnd(lease, reason)
          else this.#onUnsent(lease, reason, transfer)
          this.#land(lease)
        }),
    })
  }

  #onEnd(lease: Lease, end: LeaseEnd): void {
    if (end.kind === 'unread') return this.#onUnsent(lease, decodeFailure(end.failure), [])
    if (end.kind === 'broken') return this.#break(end.what, decodeFailure(end.failure))
    this.#functions.measure(end.spent)
    this.#collect(lease)
  }

  /** Its message could not be made. The one that is to blame is found by sending them one by one. */
  #onUnsent(lease: Lease, reason: unknown, transfer: Transferable[]): void {
    const { jobs } = lease
    const [job] = jobs
    if (jobs.length > 1) {
      for (const each of jobs) each.alone = true
      return this.#takeBack(lease)
    }
    lease.takeBack()
    if (job!.over) return
    job!.over = true
    job!.settle({ kind: 'failed', error: explainUnsent(job!, reason, transfer) })
  }

  #onThreadEnd(lease: Lease, { ending }: ThreadEnded): void {
    const { taker, moved } = lease
    if (!ending || taker === undefined) return this.#takeBack(lease)
    const died = (when: string) => workerDied(taker, ending, when)
    const unbegun = lease.takeBack()
    this.#collect(lease)
    if (lease.bury(() => died('while it ran this task'))) this.#workersLost++
    else if (!moved) this.#threads.tellOfIdleDeath(ending)
    if (!moved) return this.#putBack(unbegun)
    for (const job of unbegun) {
      if (job.over) continue
      job.over = true
      job.settle({ kind: 'failed', error: died('with what was moved to it for this task') })
    }
  }

  #land(lease: Lease): void {
    this.#flights.delete(lease)
    this.#bySlot[lease.slot] = undefined
    this.#freeSlots.push(lease.slot)
    lease.land()
    this.#dispatch()
    this.#checkIdle()
  }

  #collect(lease: Lease): void {
    const { taker } = lease
    lease.collect(() => {
      if (taker !== undefined) this.#threads.hear(taker)
    })
  }

  #takeBack(lease: Lease): void {
    this.#putBack(lease.takeBack())
  }

  #putBack(jobs: readonly Job[]): void {
    if (!this.#broken) this.#queue.putBack(jobs.filter(({ over }) => !over))
  }

  /** As long as leases are out, look after them. Nothing else keeps a program that waits for them. */
  #watchOver(): void {
    if (this.#ticking) return
    this.#ticking = true
    this.#endChore ??= onBlocked(() => this.#goOn())
    systemTimeout(() => this.#tick(), TICK_MS)
  }

  /** This thread is blocked, perhaps by waiting for what its own tasks are to do: let workers that are free begin the next ones. */
  #goOn(): void {
    const outer = this.#blocked
    this.#blocked = true
    try {
      this.#threads.look()
      this.#lookAfter()
    } finally {
      this.#blocked = outer
    }
  }

  /** Nobody's callbacks are called in the middle of something that blocks. */
  readonly #settle = (job: Job, outcome: JobOutcome): void => {
    if (this.#blocked) queueMicrotask(() => job.settle(outcome))
    else job.settle(outcome)
  }

  #tick(): void {
    this.#ticking = false
    this.#lookAfter()
    if (this.#flights.size > 0) return this.#watchOver()
    this.#endChore?.()
    this.#endChore = undefined
  }

  #lookAfter(): void {
    const { idle } = this.#threads
    for (const lease of this.#flights) {
      if (lease.told) lease.lingers++
      this.#collect(lease)
      const { claimed, seen } = lease
      lease.seen = claimed
      if (lease.open === 0 || lease.moved || seen < 0) continue
      // Behind a slow one, or in the hands of one of which another could take some. Not: where no worker has begun, because it
      // boots, and no other is free; all would be sent again as soon as it is there.
      const stuck = claimed > 0 && claimed === seen
      if (stuck || (idle > 0 && this.#queue.size === 0)) this.#takeBack(lease)
    }
    this.#dispatch()
  }

  #watchTimeout(lease: Lease): void {
    const [job] = lease.jobs
    const { timeoutMs } = job!
    const leftMs = lease.claimed > 0 ? this.#slots.begunAt(lease.slot) + timeoutMs - clock() : timeoutMs
    if (leftMs > 0) {
      lease.stopTimer = setTimeout(() => this.#watchTimeout(lease), Math.min(Math.ceil(leftMs), MAX_TIMER_MS))
      return
    }
    if (job!.over) return
    job!.over = true
    this.#stopRunning(lease, job!, 0)
    job!.settle({ kind: 'failed', error: new TimeoutError(`the task ran for more than ${timeoutMs} ms`) })
  }

  /** Its neighbours that have not begun go to others. */
  #stopRunning(lease: Lease, job: Job, graceMs: number): void {
    this.#takeBack(lease)
    this.#dispatch()
    if (!lease.runs(job.index)) return
    const end = () => {
      if (lease.taker !== undefined && lease.runs(job.index)) this.#threads.terminate(lease.taker, -15)
    }
    clearTimeout(lease.stopTimer)
    if (graceMs <= 0) return end()
    this.#slots.askToStop(lease.slot)
    if (graceMs !== Infinity) lease.stopTimer = setTimeout(end, Math.min(graceMs, MAX_TIMER_MS))
  }

  #break(what: string, cause: unknown): void {
    if (this.#broken) return
    this.#broken = brokenPool(what, cause)
    const failing = this.waiting()
    for (const job of failing) {
      this.#queue.delete(job)
      job.over = true
    }
    for (const job of failing)
      job.settle({ kind: 'failed', error: new BrokenProcessPool(this.#broken.message, { cause }) })
    void this.#threads.destroy()
    this.#checkIdle()
  }

  #checkIdle(): void {
    if (this.idle) this.#onIdle()
  }
}

function leaseOf({ lease }: Job): Lease | undefined {
  return lease as Lease | undefined
}
