// A job: work for one worker, as the scheduler sees it; and the base class of those that an executor makes, each with a future.
import type { Transferable } from 'node:worker_threads'
import { TimeoutError, WorkerDiedError } from '../../errors.js'
import { whenAborted } from '../../base/abort-listeners.js'
import type { CallSite } from '../../base/call-site.js'
import { decodeFailure } from '../../transport/error-codec.js'
import type { Call } from '../call-options.js'
import { Future, type Work } from '../future.js'
import type { LeaseBody, TaskResult } from '../protocol/messages.js'
import type { FunctionStats } from './batch-size.js'
import type { Queueable } from './priority-queue.js'

/** Work to be done by one worker: a task of a lease. */
export interface Job extends Queueable {
  /** Milliseconds from its beginning after which its worker is stopped. Infinity: never. */
  readonly timeoutMs: number
  /** What it calls. */
  readonly fn: FunctionStats
  /** The arguments of its call, if it may share a lease with others. */
  readonly args: readonly unknown[] | undefined
  /** Whether it must have a lease of its own. */
  alone: boolean
  /** Settled, or withdrawn: what a worker may still do for it is of no interest. */
  over: boolean
  /** The lease that it is in, and its index among the lease's jobs. */
  lease: JobLease | undefined
  index: number
  /** For those alone: made when a worker is free: what it clones, it clones then. Ports and the like are added to `transfer`. */
  assign(transfer: Transferable[]): LeaseBody
  /** What the assignment's data is called in errors, and the data itself. */
  describe(): { root: string; value: unknown }
  /** Called exactly once, unless the job is withdrawn before. */
  settle(outcome: JobOutcome): void
  /** Cancel what the job is for, unless a worker has begun it. */
  cancel(): void
}

/** A lease, as its jobs see it. The class is in lease.ts, which imports this file. */
export interface JobLease {
  /** Whether a worker has begun the job of this index and not finished it. */
  runs(index: number): boolean
}

export type JobOutcome =
  | TaskResult
  /** It returned what needs no unpacking. */
  | { kind: 'plain'; value: unknown }
  | { kind: 'failed'; error: Error }
  /** Its worker died of it; of a map's chunk: at which item, and what was done of it, if the worker could still tell. */
  | { kind: 'died'; error: Error; item: number; left: (TaskResult & { kind: 'left' }) | undefined }

/** The scheduler, as its jobs see it. The class is in scheduler.ts, which imports this file. */
export interface JobScheduler {
  /** Whether its workers were ended for good. */
  readonly terminated: boolean
  add(job: Job): void
  /** Take a job back before a worker begins it. @returns whether that succeeded */
  withdraw(job: Job): boolean
  /** Stop a job that may have been begun. Resolves when it no longer runs. */
  stop(job: Job, graceMs: number): Promise<void>
}

/** Of all faces of one executor. */
export interface Counts {
  completed: number
  failed: number
  cancelled: number
}

export interface JobOptions {
  scheduler: JobScheduler
  counts: Counts
  call: Call
  /** Whether calls may share leases. */
  batch: boolean
  /** Where it was submitted. */
  callSite: CallSite
}

/** A job and its future. The job is the future's work. */
export abstract class FutureJob<R = unknown> implements Job, Work {
  readonly future: Future<R>
  readonly fn: FunctionStats
  alone: boolean
  previous: Queueable | undefined = undefined
  next: Queueable | undefined = undefined
  over = false
  lease: JobLease | undefined = undefined
  index = 0
  protected readonly options: JobOptions
  #retries: number

  constructor(fn: FunctionStats, options: JobOptions, alone: boolean, retries: number = options.call.retries) {
    const { call } = options
    this.fn = fn
    this.options = options
    this.alone = alone
    this.#retries = retries
    this.future = new Future<R>(this)
    if (call.signal) this.#watch(call.signal)
  }

  get priority(): number {
    return this.options.call.priority
  }

  get timeoutMs(): number {
    return this.options.call.timeoutMs
  }

  abstract readonly args: readonly unknown[] | undefined
  abstract assign(transfer: Transferable[]): LeaseBody
  abstract describe(): { root: string; value: unknown }
  /** The future's result, from what the task gave. */
  protected abstract decode(outcome: TaskResult): R

  /** The future's result, though the worker died. @throws the error where there is none */
  protected salvage({ error }: JobOutcome & { kind: 'died' }): R {
    throw error
  }

  begun(): boolean {
    return this.lease?.runs(this.index) ?? false
  }

  withdraw(): boolean {
    return this.options.scheduler.withdraw(this)
  }

  stop(graceMs: number): Promise<void> {
    return this.options.scheduler.stop(this, graceMs)
  }

  cancel(): void {
    this.future.cancel()
  }

  settle(outcome: JobOutcome): void {
    if (this.future.done()) return
    if (outcome.kind === 'plain') return this.future.setResult(outcome.value as R)
    if (this.#retries > 0 && mayRetry(outcome) && !this.options.scheduler.terminated) return this.#retry()
    let result: R
    try {
      result = this.#resultOf(outcome)
    } catch (thrown) {
      return this.future.setException(thrown)
    }
    this.future.setResult(result)
  }

  onDone(): void {
    const { counts } = this.options
    counts[this.future.cancelled() ? 'cancelled' : this.future.failed ? 'failed' : 'completed']++
  }

  #resultOf(outcome: Exclude<JobOutcome, { kind: 'plain' }>): R {
    if (outcome.kind === 'failed') throw outcome.error
    if (outcome.kind === 'died') return this.salvage(outcome)
    if (outcome.kind === 'threw') throw decodeFailure(outcome.failure, this.options.callSite.stack)
    return this.decode(outcome)
  }

  #retry(): void {
    this.#retries--
    this.over = false
    this.lease = undefined
    this.options.scheduler.add(this)
  }

  #watch(signal: AbortSignal): void {
    const onAbort = () => {
      if (this.future.done()) return
      if (!this.withdraw()) void this.stop(0)
      this.future.setException(signal.reason)
    }
    this.future.addDoneCallback(whenAborted(signal, onAbort))
    if (signal.aborted) onAbort()
  }
}

/** What may go better the next time: it threw, or it ended with its worker. */
function mayRetry(outcome: JobOutcome): boolean {
  if (outcome.kind !== 'failed') return outcome.kind === 'threw' || outcome.kind === 'died'
  return outcome.error instanceof WorkerDiedError || outcome.error instanceof TimeoutError
}
