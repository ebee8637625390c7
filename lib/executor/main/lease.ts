// A job, and one lease's stay with the workers: from its message until its worker has told its end, or has ended, and every task
// that the worker claimed has been told.
//
//   tasks:   0 … told   told … done   done … claimed   claimed … count
//            settled    to be told    runs (one)       not begun: open, until somebody takes them back
//
// claimed grows until the lease is closed. In the end told == claimed: by outcomes, or by the death of the worker.
import { keepShape } from '../../base/keep-shape.js'
import { newSlotMemory, LeaseSlots } from '../protocol/lease-slots.js'
import type { TaskResult } from '../protocol/messages.js'
import type { FunctionStats } from './batch-size.js'
import type { Job, JobLease, JobOutcome } from './job.js'

export class Lease implements JobLease {
  readonly slot: number
  readonly jobs: readonly Job[]
  /** The thread that the lease was sent to. */
  taker: number | undefined
  /** How many were claimed when somebody last looked; -1: nobody has. */
  seen = -1
  /** For how many looks everything was told, and the lease not over. */
  lingers = 0
  /** What shall end what runs. */
  stopTimer: NodeJS.Timeout | undefined
  /** Whether something was moved to the worker with it: it cannot go to another. */
  moved = false
  readonly #slots: LeaseSlots
  readonly #settle: (job: Job, outcome: JobOutcome) => void
  #posted: Map<number, JobOutcome> | undefined
  /** Behind the last task whose outcome came by a message: they come in order. */
  #heard = 0
  /** How many were claimed, once no more can be. */
  #closed: number | undefined
  #told = 0
  #landed = false
  #onLanding: (() => void) | undefined
  #landing: Promise<void> | undefined

  constructor(slots: LeaseSlots, slot: number, jobs: readonly Job[], settle: (job: Job, outcome: JobOutcome) => void) {
    this.#slots = slots
    this.#settle = settle
    this.slot = slot
    this.jobs = jobs
    slots.reset(slot)
    for (const [task, job] of jobs.entries()) {
      job.lease = this
      job.index = task
    }
  }

  /** The functions that its tasks call. */
  get functions(): Set<FunctionStats> {
    return new Set(this.jobs.map(({ fn }) => fn))
  }

  /** Whether its tasks were taken back, all that no worker had claimed. */
  get closed(): boolean {
    return this.#closed !== undefined
  }

  get claimed(): number {
    return this.#closed ?? this.#slots.claimed(this.slot, this.jobs.length)
  }

  /** How many might be taken back. */
  get open(): number {
    return this.jobs.length - this.claimed
  }

  /** Whether all that a worker claimed is told, and it claims no more. */
  get told(): boolean {
    return this.#told > 0 && this.#told === this.claimed && this.open === 0
  }

  /**
   * How many tasks were begun and are not settled (the one that runs, and those done whose outcome was not told yet), and how
   * many were not begun. Each is one or the other: the worker may claim one at any moment.
   */
  count(): { running: number; queued: number } {
    const { claimed } = this
    const waits = (job: Job) => job.lease === this && !job.over
    return {
      running: this.jobs.slice(this.#told, claimed).filter(({ over }) => !over).length,
      queued: this.jobs.slice(claimed).filter(waits).length,
    }
  }

  /** Whether a worker has begun the task and not finished it. */
  runs(task: number): boolean {
    return task >= this.#told && task < this.claimed && task >= this.#slots.done(this.slot)
  }

  /** See to it that the worker claims no more. @returns those that it has not */
  takeBack(): Job[] {
    this.#closed ??= this.#slots.takeBack(this.slot, this.jobs.length)
    const back = this.jobs.slice(this.#closed).filter(({ lease }) => lease === this)
    for (const job of back) job.lease = undefined
    return back
  }

  /** An outcome came by a message. */
  hear(task: number, outcome: TaskResult): void {
    this.#keep(task, outcome)
  }

  /** An outcome came that cannot be read: that of the next task that has posted one. */
  hearUnreadable(error: Error): void {
    const done = this.#slots.done(this.slot)
    let task = this.#heard
    while (task < done && !this.#slots.isPosted(this.slot, task)) task++
    this.#keep(task, { kind: 'failed', error })
  }

  #keep(task: number, outcome: JobOutcome): void {
    this.#heard = task + 1
    this.#posted ??= new Map()
    this.#posted.set(task, outcome)
  }

  /** Tell what is finished. @param hear has the messages heard that the worker has posted */
  collect(hear: () => void): void {
    const done = this.#slots.done(this.slot)
    while (this.#told < done) {
      const task = this.#told
      if (!this.#slots.isPosted(this.slot, task)) {
        this.#tell({ kind: 'plain', value: this.#slots.value(this.slot, task) })
        continue
      }
      if (!this.#posted?.has(task)) hear()
      const outcome = this.#posted?.get(task)
      if (!outcome) return // The worker's port is not known yet. It is by the time the lease ends.
      this.#posted!.delete(task)
      this.#tell(outcome)
    }
  }

  /** The worker is dead, and all its messages were heard. @returns whether it died of a task */
  bury(died: () => Error): boolean {
    // It may have died between posting an outcome and counting it.
    const last = this.#posted?.get(this.#told)
    const left = last?.kind === 'left' ? last : undefined
    if (last && !left) this.#tell(last)
    if (this.#told >= this.claimed) return false
    this.#tell({ kind: 'died', error: died(), item: this.#slots.reached(this.slot), left })
    return true
  }

  #tell(outcome: JobOutcome): void {
    const job = this.jobs[this.#told++]!
    // One that is run again has left this lease.
    if (job.over || job.lease !== this) return
    job.over = true
    this.#settle(job, outcome)
  }

  /** Resolves when nothing of it runs any more. */
  get landed(): Promise<void> {
    if (this.#landed) return Promise.resolve()
    return (this.#landing ??= new Promise((resolve) => (this.#onLanding = resolve)))
  }

  land(): void {
    this.#landed = true
    clearTimeout(this.stopTimer)
    this.#onLanding?.()
  }
}

keepShape(new Lease(new LeaseSlots(newSlotMemory(1)), 0, [], () => {}))
