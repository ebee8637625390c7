// The job of one call of a function, made by `submit`. It can share a lease with others.
import type { Transferable } from 'node:worker_threads'
import { keepShape } from '../../base/keep-shape.js'
import { pack, unpack } from '../../transport/pack.js'
import { checkStillMovable } from '../../transport/transfer-list.js'
import { PLAIN_CALL } from '../call-options.js'
import type { LeaseBody, TaskResult } from '../protocol/messages.js'
import { FutureJob, unexpectedResult, type JobOptions } from './job.js'

export class CallJob extends FutureJob {
  readonly args: readonly unknown[]

  constructor(args: readonly unknown[], options: JobOptions) {
    const { timeoutMs, signal, transfer } = options.call
    super(options, !options.batch || timeoutMs !== Infinity || signal !== undefined || transfer.length > 0)
    this.args = args
  }

  makeBody(transfer: Transferable[]): LeaseBody {
    const { transfer: moved } = this.options.call
    checkStillMovable(moved)
    transfer.push(...moved)
    return { kind: 'calls', targets: this.fn.number, args: pack(this.args, transfer), arity: this.args.length }
  }

  override onDone(): void {
    super.onDone()
    const { counts } = this.options
    counts[this.future.cancelled() ? 'cancelled' : this.future.failed ? 'failed' : 'completed']++
  }

  describe(): { root: string; value: unknown } {
    return { root: 'args', value: this.args }
  }

  protected decode(outcome: TaskResult): unknown {
    if (outcome.kind !== 'returned') throw unexpectedResult(outcome)
    return unpack(outcome.value)
  }
}

const example = { call: PLAIN_CALL } as JobOptions
keepShape(new CallJob([], example))
