// Jobs as an executor makes them: each with a future, for one call of a function, or for orders of another kind.
import type { Transferable } from 'node:worker_threads'
import { TimeoutError, WorkerDiedError } from '../../errors.js'
import { whenAborted } from '../../base/abort-listeners.js'
import { pack, unpack } from '../../transport/shareable.js'
import { keepShape } from '../../base/keep-shape.js'
import { decodeFailure } from '../../transport/error-codec.js'
import type { Scheduler } from './scheduler.js'
import { PLAIN_CALL, type Call } from '../executor.js'
import type { Lease, Job, JobOutcome } from './lease.js'
import { Future, type Work } from '../future.js'
import type { LeaseBody } from '../protocol/messages.js'
import type { FunctionStats } from './batch-size.js'
import type { CallSite } from '../../base/call-site.js'
import { checkStillMovable } from '../../transport/transfer-list.js'

/** Of all faces of one executor. */
export interface Counts {
  completed: number
  failed: number
  cancelled: number
}

export interface JobOptions {
  scheduler: Scheduler
  counts: Counts
  call: Call
  /** Whether calls may share leases. */
  batch: boolean
  /** The submitter's stack. */
  submitted: CallSite
}

/** A job and its future. The job is the future's work. */
abstract class FutureJob implements Job, Work {
  readonly future: Future
  readonly fn: FunctionStats
  alone: boolean
  queued = false
  over = false
  lease: Lease | undefined = undefined
  task = 0
  protected readonly options: JobOptions
  #retries: number

  constructor(fn: FunctionStats, options: JobOptions, alone: boolean, retries: number = options.call.retries) {
    const { call } = options
    this.fn = fn
    this.options = options
    this.alone = alone
    this.#retries = retries
    this.future = new Future(this)
    if (call.signal) this.#watch(call.signal)
  }

  get priority(): number {
    return this.options.call.priority
  }

  get timeoutMs(): number {
    return this.options.call.timeoutMs
  }

  /** Whether there is a result even when the worker died. */
  protected get salvages(): boolean {
    return false
  }

  abstract readonly args: readonly unknown[] | undefined
  abstract assign(transfer: Transferable[]): LeaseBody
  abstract describe(): { root: string; value: unknown }
  /** What the future's result is, from an outcome that is no failure. */
  protected abstract decode(outcome: JobOutcome): unknown

  begun(): boolean {
    return this.lease?.runs(this.task) ?? false
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
    if (outcome.kind === 'plain') return this.future.setResult(outcome.value)
    if (this.#retries > 0 && mayRetry(outcome) && !this.options.scheduler.terminated) return this.#retry()
    let result: unknown
    try {
      if (outcome.kind === 'failed' || (outcome.kind === 'died' && !this.salvages)) throw outcome.error
      if (outcome.kind === 'threw') throw decodeFailure(outcome.failure, this.options.submitted.stack)
      result = this.decode(outcome)
    } catch (thrown) {
      return this.future.setException(thrown)
    }
    this.future.setResult(result)
  }

  onDone(): void {
    const { counts } = this.options
    counts[this.future.cancelled() ? 'cancelled' : this.future.failed ? 'failed' : 'completed']++
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

/** One call. It may share a lease with others. */
export class CallJob extends FutureJob {
  readonly args: readonly unknown[]

  constructor(fn: FunctionStats, args: readonly unknown[], options: JobOptions) {
    const { timeoutMs, signal, transfer } = options.call
    super(fn, options, !options.batch || timeoutMs !== Infinity || signal !== undefined || transfer.length > 0)
    this.args = args
  }

  assign(transfer: Transferable[]): LeaseBody {
    const { transfer: moved } = this.options.call
    checkStillMovable(moved)
    transfer.push(...moved)
    return { kind: 'calls', targets: this.fn.number, args: pack(this.args, transfer), arity: this.args.length }
  }

  describe(): { root: string; value: unknown } {
    return { root: 'args', value: this.args }
  }

  protected decode(outcome: JobOutcome): unknown {
    return outcome.kind === 'returned' ? unpack(outcome.value) : undefined
  }
}

/** What distinguishes one kind of job from another. */
export interface Orders {
  assign(transfer: Transferable[]): LeaseBody
  describe(): { root: string; value: unknown }
  /** The future's result. */
  decode(outcome: JobOutcome): unknown
  /** Whether `decode` makes a result even of the worker's death. @default false */
  salvages?: boolean
  /** How often it is done again. @default as the call's options say */
  retries?: number
}

/** Orders that have a message of their own. */
export class OrderedJob extends FutureJob {
  readonly args = undefined
  readonly assign: Orders['assign']
  readonly describe: Orders['describe']
  protected readonly decode: Orders['decode']
  readonly #salvages: boolean

  constructor(fn: FunctionStats, orders: Orders, options: JobOptions) {
    super(fn, options, true, orders.retries)
    this.assign = orders.assign
    this.describe = orders.describe
    this.decode = orders.decode
    this.#salvages = orders.salvages ?? false
  }

  protected override get salvages(): boolean {
    return this.#salvages
  }
}

const example = { call: PLAIN_CALL } as JobOptions
keepShape(new CallJob({} as FunctionStats, [], example))
