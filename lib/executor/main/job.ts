// A job: work for one worker, as the scheduler sees it; and the base class of the jobs that an executor makes, each with a future.
import type { Transferable } from 'node:worker_threads'
import { TimeoutError, WorkerDiedError } from '../../errors.js'
import { whenAborted } from '../../base/abort-listeners.js'
import type { CallSite } from '../../base/call-site.js'
import { decodeFailure } from '../../transport/error-codec.js'
import type { Call, Counts } from '../call-options.js'
import { Future, type Work } from '../future.js'
import type { LeaseBody, TaskResult } from '../protocol/messages.js'
import { hasTaskSubscribers } from '../../base/diagnostics.js'
import { explainWith, tellEnd, tellStart, type TaskOrigin } from '../task-events.js'
import type { FunctionStats } from './batch-size.js'
import type { Queueable } from './priority-queue.js'

/** Work for one worker. In a lease, it is one task. */
export interface Job extends Queueable {
  /** Milliseconds from its start after which its worker is stopped. Infinity: never. */
  readonly timeoutMs: number
  /** Milliseconds that it gets to stop by itself then. */
  readonly graceMs: number
  /** The function that it calls. */
  readonly fn: FunctionStats
  /** The arguments of its call, if it can share a lease with others. */
  readonly args: readonly unknown[] | undefined
  /** Whether it must have a lease of its own. */
  alone: boolean
  /** It was settled or withdrawn. A result that a worker still sends is dropped. */
  over: boolean
  /** The lease that it is in. */
  lease: JobLease | undefined
  /** Its place among the jobs of that lease. */
  index: number
  /** How many tasks it stands for: the items of a chunk, or 1. */
  readonly size: number
  /** Whether it waits for another attempt. */
  readonly isRetry: boolean
  /**
   * The body of a lease that has this job alone. Called when a worker is free. What is to be moved is added to `transfer`.
   * @param maxTasks how many tasks the worker may still run
   * @throws DataCloneError
   */
  makeBody(transfer: Transferable[], maxTasks: number): LeaseBody
  /** The data of the body, and what errors call it. */
  describe(): { root: string; value: unknown }
  /** Called when a worker has begun the job, if somebody wants to know. */
  onBegun(): void
  /** Called exactly once, unless the job is withdrawn before. */
  settle(outcome: JobOutcome): void
  /** Cancel the future, unless a worker has begun the job. One that waits for another attempt ends as its last attempt did. */
  cancel(): void
}

/** A lease, as its jobs see it. The class is in lease.ts, which imports this file. */
export interface JobLease {
  /** Whether a worker has begun the job of this index: it has imported its module, too. */
  begun(index: number): boolean
  /** Settle the jobs whose tasks are finished. */
  settleFinished(): void
}

/** How a job ended. */
export type JobOutcome =
  | TaskResult
  /** It returned a value that needs no unpacking. */
  | { kind: 'plain'; value: unknown }
  /** The executor failed it. */
  | { kind: 'failed'; error: Error }
  /** Its worker died while it ran. Of a chunk: the item that ran, and the results before it, if the worker could still send them. */
  | { kind: 'died'; error: Error; item: number; left: (TaskResult & { kind: 'left' }) | undefined }

/** The scheduler, as its jobs see it. The class is in scheduler.ts, which imports this file. */
export interface JobScheduler {
  /** Whether nothing is run again: what runs was to be the last. */
  readonly retriesEnded: boolean
  add(job: Job): void
  /** Take a job back before a worker begins it. @returns whether that succeeded */
  withdraw(job: Job): boolean
  /** Stop a job that may have been begun. Resolves when it no longer runs. */
  stop(job: Job, graceMs: number): Promise<void>
}

/** What all jobs of one submission have in common. */
export interface JobOptions {
  scheduler: JobScheduler
  /** The function that they call. */
  fn: FunctionStats
  counts: Counts
  call: Call
  /** Whether calls may share leases. */
  batch: boolean
  /** The caller's stack, which follows the worker's in errors. */
  callSite: CallSite
}

/** The attempts of a job that may be run again. */
interface Retries {
  left: number
  /** What the last attempt came to, once the job is to be run again. From then on the future runs until it is done. */
  lastOutcome: Exclude<JobOutcome, { kind: 'plain' }> | undefined
}

/** A job and its future. The job is the future's work. */
export abstract class FutureJob<R = unknown> implements Job, Work {
  readonly future: Future<R>
  alone: boolean
  previous: Queueable | undefined = undefined
  next: Queueable | undefined = undefined
  over = false
  lease: JobLease | undefined = undefined
  index = 0
  protected readonly options: JobOptions
  /** Undefined if it is not run again, as most jobs. */
  #retries: Retries | undefined

  constructor(options: JobOptions, alone: boolean, retries: number = options.call.retries) {
    const { call } = options
    this.options = options
    this.alone = alone
    this.#retries = retries > 0 ? { left: retries, lastOutcome: undefined } : undefined
    this.future = new Future<R>(this)
    if (call.signal) this.#watch(call.signal)
  }

  get fn(): FunctionStats {
    return this.options.fn
  }

  get priority(): number {
    return this.options.call.priority
  }

  get timeoutMs(): number {
    return this.options.call.timeoutMs
  }

  get graceMs(): number {
    return this.options.call.graceMs
  }

  abstract readonly args: readonly unknown[] | undefined
  abstract makeBody(transfer: Transferable[], maxTasks: number): LeaseBody
  abstract describe(): { root: string; value: unknown }
  /** Turn what the task gave into the future's result. */
  protected abstract decode(outcome: TaskResult): R

  /** Turn what is left after the worker's death into the future's result. @throws the error, if nothing is */
  protected salvage({ error }: JobOutcome & { kind: 'died' }): R {
    throw error
  }

  get size(): number {
    return 1
  }

  get isRetry(): boolean {
    return this.#lastOutcome !== undefined
  }

  begun(): boolean {
    return this.isRetry || (this.lease?.begun(this.index) ?? false)
  }

  settleFinished(): void {
    this.lease?.settleFinished()
  }

  withdraw(): boolean {
    return !this.isRetry && this.options.scheduler.withdraw(this)
  }

  async stop(graceMs: number): Promise<void> {
    const { scheduler } = this.options
    if (!this.isRetry || !scheduler.withdraw(this)) await scheduler.stop(this, graceMs)
  }

  cancel(): void {
    const lastOutcome = this.#lastOutcome
    if (!lastOutcome) this.future.cancel()
    else if (this.options.scheduler.withdraw(this)) this.#finish(lastOutcome)
  }

  settle(outcome: JobOutcome): void {
    if (this.future.done()) return
    if (outcome.kind === 'plain') return this.future.setResult(outcome.value as R)
    const retries = this.#retries
    if (retries && retries.left > 0 && mayRetry(outcome) && !this.options.scheduler.retriesEnded)
      this.#retry(retries, outcome)
    else this.#finish(outcome)
  }

  #finish(outcome: Exclude<JobOutcome, { kind: 'plain' }>): void {
    let result: R
    try {
      result = this.#resultOf(outcome)
    } catch (thrown) {
      return this.future.setException(thrown)
    }
    this.future.setResult(result)
  }

  onBegun(): void {
    tellStart(this.#origin, this.size)
  }

  /** Called when the future is done. */
  onDone(): void {
    if (hasTaskSubscribers()) tellEnd(this.#origin, this.future, this.size, () => this.failures())
  }

  /** What was thrown. */
  protected failures(): unknown[] {
    return this.future.failed ? [this.future.thrown] : []
  }

  get #origin(): TaskOrigin {
    return { definition: this.fn.definition, callSite: this.options.callSite }
  }

  #resultOf(outcome: Exclude<JobOutcome, { kind: 'plain' }>): R {
    // Not: as the error is made. It may be followed by another attempt.
    if ('error' in outcome) explainWith(this.#origin, outcome.error, mayRetry(outcome))
    if (outcome.kind === 'failed') throw outcome.error
    if (outcome.kind === 'died') return this.salvage(outcome)
    if (outcome.kind === 'threw') throw decodeFailure(outcome.failure, this.options.callSite.stack)
    return this.decode(outcome)
  }

  get #lastOutcome(): Retries['lastOutcome'] {
    return this.#retries?.lastOutcome
  }

  #retry(retries: Retries, outcome: NonNullable<Retries['lastOutcome']>): void {
    retries.left--
    retries.lastOutcome = outcome
    this.over = false
    this.lease = undefined
    this.options.scheduler.add(this)
  }

  #watch(signal: AbortSignal): void {
    const onAbort = () => {
      this.settleFinished()
      if (this.future.done()) return
      if (!this.withdraw()) void this.stop(this.graceMs)
      this.future.setException(signal.reason)
    }
    this.future.whenDone(whenAborted(signal, onAbort))
    if (signal.aborted) onAbort()
  }
}

/** Whether another attempt may succeed: the task threw, took too long, or died with its worker. */
function mayRetry(outcome: JobOutcome): boolean {
  if (outcome.kind !== 'failed') return outcome.kind === 'threw' || outcome.kind === 'died'
  return outcome.error instanceof WorkerDiedError || outcome.error instanceof TimeoutError
}

/** For a result of another kind of job: a bug of this package, which must not become a wrong result. */
export function unexpectedResult({ kind }: TaskResult): Error {
  return new Error(`the worker sent a result of the kind '${kind}', which this job cannot have`)
}
