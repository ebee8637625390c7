// The job of mapping one chunk: its items on their way to a worker, and the results on their way back, also from a worker that died.
import type { Transferable } from 'node:worker_threads'
import { ColumnPacker, unpackColumn, type SentColumn } from '../../transport/column.js'
import { decodeFailure } from '../../transport/error-codec.js'
import { pack, unpack } from '../../transport/pack.js'
import { checkStillMovable, transferredWith } from '../../transport/transfer-list.js'
import { failuresOf } from '../map/count-items.js'
import type { Chunk, ChunkResult } from '../map/map-chunk.js'
import { areInSlab } from '../map/number-slabs.js'
import type { LeaseBody, PackedColumn, TaskResult } from '../protocol/messages.js'
import type { FunctionStats } from './batch-size.js'
import { FutureJob, unexpectedResult, type JobOptions, type JobOutcome } from './job.js'

/** One per function, whose items are mostly of one kind: the packer remembers what could not be packed. */
const packers = new WeakMap<FunctionStats, ColumnPacker>()

export class ChunkJob extends FutureJob<ChunkResult> {
  readonly args = undefined
  readonly #chunk: Chunk
  readonly #settled: boolean
  /** How many items the worker was sent. */
  #sent = 0

  constructor(chunk: Chunk, settled: boolean, options: JobOptions) {
    // No retries: calls that may be run again are jobs of their own (item-jobs.ts).
    super(options, true, 0)
    this.#chunk = chunk
    this.#settled = settled
  }

  override get size(): number {
    return this.#chunk.items.length / this.#chunk.arity
  }

  makeBody(transfer: Transferable[], maxTasks: number): LeaseBody {
    const { arity, spread } = this.#chunk
    const { call } = this.options
    // A worker that retires amid the chunk is not sent what it would not run: it may be moved.
    this.#sent = Math.min(this.size, maxTasks)
    const items = this.#sent < this.size ? this.#chunk.items.slice(0, this.#sent * arity) : this.#chunk.items
    if (areInSlab(items)) this.#chunk.slab!.lend()
    transfer.push(...transferredWith(items, call.transfer))
    checkStillMovable(transfer)
    const value = packerOf(this.fn).pack(items)
    return {
      kind: 'map',
      target: this.fn.number,
      items: value ? { value, handles: false } : (pack(items, transfer) as PackedColumn),
      arity,
      spread,
      settled: this.#settled,
    }
  }

  describe(): { root: string; value: unknown } {
    return { root: 'args', value: this.#chunk.items }
  }

  protected override failures(): unknown[] {
    return failuresOf(this.future, this.size)
  }

  protected decode(outcome: TaskResult): ChunkResult {
    if (outcome.kind !== 'mapped' && outcome.kind !== 'left') throw unexpectedResult(outcome)
    if (outcome.kind === 'mapped') this.#chunk.slab?.takeBack()
    const { stack } = this.options.callSite
    return {
      values: unpackColumn(unpack(outcome.values) as SentColumn),
      failures: outcome.failures.map(([index, failure]) => [index, decodeFailure(failure, stack)] as const),
      begun: this.#sent,
    }
  }

  /** Items that the dead worker had begun and not reported are lost. Items that it had not begun can still be mapped. */
  protected override salvage({ error, item, left }: JobOutcome & { kind: 'died' }): ChunkResult {
    const { values, failures } = left ? this.decode(left) : { values: [], failures: [] }
    const lost = Array.from({ length: item + 1 - values.length }, (_, i) => [values.length + i, error] as const)
    return { values, failures: [...failures, ...lost], begun: item + 1 }
  }
}

function packerOf(fn: FunctionStats): ColumnPacker {
  let packer = packers.get(fn)
  if (!packer) packers.set(fn, (packer = new ColumnPacker()))
  return packer
}
