// Main side: a lease at its worker, from its message until the worker tells its end, or dies. It knows which of its tasks are
// claimed, finished and settled, and takes each result to its job.
//
//   tasks:   0 … settled   settled … done      done … claimed   claimed … count
//            job settled   result to be read   runs (one)       open: not begun, may be taken back
//
// `claimed` grows until the lease is closed. In the end settled === claimed: by results, by the worker's death, or because the
// executor is broken, which fails every job.
import { Promise, queueMicrotask } from '../../base/clock.js'
import { keepShape } from '../../base/keep-shape.js'
import { hasTaskSubscribers } from '../../base/diagnostics.js'
import { isInBlockedHook } from '../../thread/while-blocked.js'
import { LeaseSlots, newSlotMemory } from '../protocol/lease-slots.js'
import type { Job, JobLease, JobOutcome } from './job.js'
import { MOVED, NOTHING_TO_WATCH, UNMOVED, type Look } from './watchdog.js'

/** After this many looks at a settled lease whose end was not reported, its worker is taken to be blocked. */
const MAX_IDLE_LOOKS = 5

/** After this many looks, some 120 ms, at a lease that is not begun its worker is taken to be blocked, unless it boots. */
const MAX_UNBEGUN_LOOKS = 6

/** The worker that has the lease, as the lease sees it. */
export interface LeaseHolder {
  readonly slot: number
  /** The worker has said that it can run tasks. */
  readonly isReady: boolean
  /** Whether its thread has come up. */
  readonly isUp: boolean
  /** When it did, by `clock()`. */
  readonly upAtMs: number | undefined
  /** Have the lease receive the results that the worker has posted. */
  receiveResults(): void
}

export class Lease implements JobLease {
  readonly jobs: readonly Job[]
  readonly holder: LeaseHolder
  /** Stops the timer that will end the running task. */
  stopTimer: (() => void) | undefined
  /** Whether something was moved to the worker with it: it cannot go to another. */
  movesValues = false
  readonly #slots: LeaseSlots
  #posted: Map<number, JobOutcome> | undefined
  /** One past the index of the last task whose result came by a message. They come in order. */
  #receivedEnd = 0
  #settledCount = 0
  /** How many tasks were told to have begun, or need not be told of. */
  #toldCount = 0
  /** How many tasks were claimed at the last two looks; -1: there was none yet. */
  #lastClaimed = -1
  #claimedBefore = -1
  #unbegunLooks = 0
  /** How many looks have found everything settled and the end not reported. */
  #idleLooks = 0
  /** How many tasks were claimed, once no more can be. */
  #closedAt: number | undefined
  #isOver = false
  #onOver: (() => void) | undefined
  #over: Promise<void> | undefined

  constructor(slots: LeaseSlots, holder: LeaseHolder, jobs: readonly Job[]) {
    this.#slots = slots
    this.holder = holder
    this.jobs = jobs
    slots.reset(holder.slot)
    for (const [index, job] of jobs.entries()) {
      job.lease = this
      job.index = index
    }
  }

  get claimed(): number {
    return this.#closedAt ?? this.#slots.claimed(this.holder.slot, this.jobs.length)
  }

  /** How many tasks can be taken back. */
  get open(): number {
    return this.#closedAt === undefined ? this.jobs.length - this.claimed : 0
  }

  /** Whether every task is settled or was taken back, so that the worker is about to tell the end; unless it is blocked. */
  get isEnding(): boolean {
    return this.#isSettled && this.#idleLooks < MAX_IDLE_LOOKS
  }

  get #isSettled(): boolean {
    return this.isDone && this.#settledCount > 0
  }

  /** Whether no job of it is left: each is settled, withdrawn, or was taken back. */
  get isDone(): boolean {
    return this.open === 0 && this.#settledCount === this.claimed
  }

  /** Whether its worker still does what comes before a task, and there is no job left that wants it. */
  get isUnwanted(): boolean {
    if (this.#isOver || !this.isDone) return false
    return this.#settledCount === 0 || this.#slots.isRefused(this.holder.slot)
  }

  /** The watchdog's look: settle what is finished. @returns what there is to look for next time */
  look(): Look {
    this.#tellBegun()
    const { isEnding } = this
    if (isEnding) this.#idleLooks++
    const settled = this.settleFinished()
    this.#claimedBefore = this.#lastClaimed
    this.#lastClaimed = this.claimed
    this.#unbegunLooks = this.#lastClaimed === 0 ? this.#unbegunLooks + 1 : 0
    if (isEnding) return MOVED
    // No message tells of an open task that is not begun, or of a finished one with others behind it.
    if (this.open === 0 && this.#settledCount >= this.claimed - 1) return NOTHING_TO_WATCH
    return settled || this.#lastClaimed !== this.#claimedBefore ? MOVED : UNMOVED
  }

  /** Whether the last two looks found the same tasks claimed, and some: the others lie behind a slow one. */
  get isBlocked(): boolean {
    return this.#lastClaimed > 0 && this.#lastClaimed === this.#claimedBefore && !this.movesValues
  }

  /** Whether its worker could have begun it long ago, and has not: an earlier task has left behind what blocks the thread. */
  get isUnbegun(): boolean {
    if (this.movesValues || this.#unbegunLooks < MAX_UNBEGUN_LOOKS) return false
    this.holder.receiveResults() // It may have said meanwhile that it is ready. Until then it boots.
    return this.holder.isReady
  }

  /** Whether an idle worker may get its open tasks. Not before the first look: it was sent only a moment ago. */
  get canBeSplit(): boolean {
    return this.#lastClaimed >= 0 && !this.movesValues
  }

  /**
   * How many tasks are begun and not settled (the one that runs, and those whose result has not been read), and how many are not
   * begun: jobs, and items of a chunk. Counted by one look at the worker, which may claim a task at any moment: each task is one
   * or the other.
   */
  count(): { running: number; queued: number } {
    const { claimed } = this
    const begun = this.jobs.slice(this.#settledCount, claimed).filter(({ over }) => !over)
    const waiting = this.jobs.slice(claimed).filter(({ lease, over }) => lease === this && !over)
    let queued = 0
    for (const { size } of begun) if (size > 1) queued += Math.max(size - 1 - this.#slots.lastItem(this.holder.slot), 0)
    for (const { size } of waiting) queued += size
    return { running: begun.length, queued }
  }

  begun(index: number): boolean {
    return index < this.claimed && !this.#slots.isLoading(this.holder.slot, index)
  }

  /** Whether the worker has begun the task and not finished it. */
  runs(index: number): boolean {
    return index >= this.#settledCount && index < this.claimed && index >= this.#slots.done(this.holder.slot)
  }

  /** Take back the task whose module the worker imports. @returns whether that succeeded: it is not called */
  refuse(index: number): boolean {
    this.settleFinished()
    if (index !== this.#settledCount || !this.#slots.refuse(this.holder.slot, index)) return false
    this.#settledCount++
    return true
  }

  /** Whether the worker still imports the module of a task that was taken back by `refuse`. */
  imports(index: number): boolean {
    return !this.#isOver && index === this.#settledCount - 1 && this.#slots.isRefused(this.holder.slot)
  }

  /** Keep the worker from claiming more. @returns the jobs that it has not begun */
  takeBack(): Job[] {
    this.#closedAt ??= this.#slots.takeBack(this.holder.slot, this.jobs.length)
    const back = this.jobs.slice(this.#closedAt).filter(({ lease }) => lease === this)
    for (const job of back) job.lease = undefined
    return back
  }

  /** A result came that cannot be read. It is that of the next task that has posted one. */
  receiveUnreadable(error: Error): void {
    const { slot } = this.holder
    const done = this.#slots.done(slot)
    let index = this.#receivedEnd
    while (index < done && !this.#slots.isPosted(slot, index)) index++
    this.receive(index, { kind: 'failed', error })
  }

  /** A result came by a message. */
  receive(index: number, result: JobOutcome): void {
    this.#receivedEnd = index + 1
    this.#posted ??= new Map()
    this.#posted.set(index, result)
  }

  /** Settle the jobs whose tasks are finished. @returns whether there were any */
  settleFinished(): boolean {
    const { holder } = this
    this.#tellBegun()
    const before = this.#settledCount
    const done = this.#slots.done(holder.slot)
    while (this.#settledCount < done) {
      const index = this.#settledCount
      if (!this.#slots.isPosted(holder.slot, index)) {
        this.#settle({ kind: 'plain', value: this.#slots.value(holder.slot, index) })
        continue
      }
      // Posted before the task counted as finished: it is on the port.
      if (!this.#posted?.has(index)) holder.receiveResults()
      const result = this.#posted!.get(index)!
      this.#posted!.delete(index)
      this.#settle(result)
    }
    return this.#settledCount > before
  }

  /** Tell of tasks that have begun, if somebody wants to know. No message comes from the worker as it begins one. */
  #tellBegun(): void {
    if (!hasTaskSubscribers()) return
    const { claimed } = this
    for (let index = Math.max(this.#toldCount, this.#settledCount); index < claimed; index++) {
      const job = this.jobs[index]!
      if (!job.over && job.lease === this) job.onBegun()
    }
    this.#toldCount = claimed
  }

  /** The worker is dead, and all its messages were received: fail the task that it was running. @returns whether there was one */
  failRunning(died: () => Error): boolean {
    // The worker may have died between posting a result and counting the task as finished.
    const last = this.#posted?.get(this.#settledCount)
    const left = last?.kind === 'left' ? last : undefined
    if (last && !left) this.#settle(last)
    if (this.#settledCount >= this.claimed) return false
    this.#settle({ kind: 'died', error: died(), item: this.#slots.lastItem(this.holder.slot), left })
    return true
  }

  #settle(outcome: JobOutcome): void {
    const job = this.jobs[this.#settledCount++]!
    // A job that runs again has another lease.
    if (job.over || job.lease !== this) return
    job.over = true
    settleJob(job, outcome)
  }

  /** Resolves when no task of it runs any more. */
  get over(): Promise<void> {
    if (this.#isOver) return Promise.resolve()
    return (this.#over ??= new Promise((resolve) => (this.#onOver = resolve)))
  }

  /** The worker has told its end, or is dead. Its slot is for the next lease now. */
  finish(): void {
    this.#closedAt ??= this.#settledCount
    this.#isOver = true
    this.stopTimer?.()
    this.#onOver?.()
  }
}

/** Settle a job; once this thread no longer blocks, if it does. */
export function settleJob(job: Job, outcome: JobOutcome): void {
  if (isInBlockedHook()) settleLater(job, outcome)
  else job.settle(outcome)
}

// A function of its own: a closure in settleJob would cost each call its context.
function settleLater(job: Job, outcome: JobOutcome): void {
  queueMicrotask(() => job.settle(outcome))
}

keepShape(
  new Lease(
    new LeaseSlots(newSlotMemory(1)),
    { slot: 0, isReady: false, isUp: false, upAtMs: undefined, receiveResults: () => {} },
    [],
  ),
)
