// The job of one worker in a range: to compute blocks until none is left.
import type { Transferable } from 'node:worker_threads'
import { pack, unpack } from '../../transport/pack.js'
import type { RangeTask } from '../range/range.js'
import type { Share } from '../range/run-blocks.js'
import type { LeaseBody, TaskResult } from '../protocol/messages.js'
import { FutureJob, unexpectedResult, type JobOptions, type JobOutcome } from './job.js'

export class RangeJob extends FutureJob<Share> {
  readonly args = undefined
  readonly #task: RangeTask

  constructor(task: RangeTask, options: JobOptions) {
    // No retries: one could not reclaim the blocks that the dead worker had already taken.
    super(options, true, 0)
    this.#task = task
  }

  makeBody(transfer: Transferable[]): LeaseBody {
    const { args, plan, counter, keep } = this.#task
    return {
      kind: 'blocks',
      target: this.fn.number,
      args: pack(args, transfer),
      plan,
      counter: counter.memory,
      keep,
    }
  }

  describe(): { root: string; value: unknown } {
    return { root: 'args', value: this.#task.args }
  }

  override settle(outcome: JobOutcome): void {
    if (outcome.kind !== 'plain') return super.settle(outcome)
    super.settle({ kind: 'plain', value: { count: outcome.value as number, numbers: [], parts: [] } satisfies Share })
  }

  protected decode(outcome: TaskResult): Share {
    if (outcome.kind !== 'computed') throw unexpectedResult(outcome)
    return unpack(outcome.share) as Share
  }
}
