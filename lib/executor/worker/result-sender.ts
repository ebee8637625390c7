// Worker side: how a task's result gets back. A small value is left in the task's result slot; everything else is posted.
import type { MessagePort, Transferable } from 'node:worker_threads'
import { cloneOf, explainCloneFailure, isCloneable } from '../../transport/clone-error.js'
import { buffersOf, ColumnPacker, unpackColumn, type SentColumn } from '../../transport/column.js'
import { encodeFailure, type Failure } from '../../transport/error-codec.js'
import { pack, type Packed } from '../../transport/pack.js'
import { clock, type LeaseSlots } from '../protocol/lease-slots.js'
import type { ResultMessage, TaskResult } from '../protocol/messages.js'
import type { Share } from '../range/run-blocks.js'

export class ResultSender {
  readonly #slots: LeaseSlots
  readonly #slot: number
  readonly #port: MessagePort
  readonly #columns = new ColumnPacker()
  #onExit: (() => void) | undefined

  /** @param port the executor's own: the parent port belongs to the tasks, and one of them may close it or post on it */
  constructor(slots: LeaseSlots, slot: number, port: MessagePort) {
    this.#slots = slots
    this.#slot = slot
    this.#port = port
  }

  /** Say that this thread is up. */
  sendUp(): void {
    this.#post({ kind: 'up', atMs: clock() })
  }

  /** Say that this worker can run tasks. */
  sendReady(): void {
    this.#post({ kind: 'ready' })
  }

  /** Send what a task returned. Needs no message where the value is small. */
  sendValue(index: number, value: unknown): void {
    if (this.#slots.putValue(this.#slot, index, value)) this.#slots.finish(this.#slot, index)
    else this.send(index, { kind: 'returned', value: { value, handles: false } })
  }

  /** Send what a task threw. */
  sendThrown(index: number, thrown: unknown): void {
    this.#postResult(index, { kind: 'threw', failure: encodeFailure(thrown) })
    this.#finish(index)
  }

  send(index: number, result: TaskResult): void {
    this.#postOrExplain(index, result)
    this.#finish(index)
  }

  /** Until the next call: what to leave behind for a task if the thread exits. */
  onExit(index: number, left?: () => TaskResult & { kind: 'left' }): void {
    this.#onExit = left && (() => this.#postOrExplain(index, left()))
  }

  /** The thread exits in a way that it can see: it is not terminated, and has not run out of memory. */
  exit(): void {
    this.#onExit?.()
  }

  #finish(index: number): void {
    this.#slots.markPosted(this.#slot, index)
    this.#slots.finish(this.#slot, index)
  }

  /** Post the result; where it cannot be cloned, post why. Of a chunk, only the values that cannot be cloned fail. */
  #postOrExplain(index: number, result: TaskResult): void {
    const failure = this.#tryPost(index, result)
    if (!failure) return
    if (result.kind !== 'mapped' && result.kind !== 'left') return this.#postResult(index, { kind: 'threw', failure })
    const again = this.#tryPost(index, { kind: result.kind, ...withoutUncloneable(result) })
    if (again) this.#postResult(index, { kind: 'threw', failure: again })
  }

  /** @returns why the result cannot be cloned, if it cannot */
  #tryPost(index: number, result: TaskResult): Failure | undefined {
    const packed = packedIn(result)
    const transfer: Transferable[] = []
    try {
      if ('values' in result) this.#packColumn(result.values, transfer)
      if (packed) Object.assign(packed, pack(packed.value, transfer))
      this.#postResult(index, result, transfer)
      return undefined
    } catch (failure) {
      try {
        return encodeFailure(explainCloneFailure(failure, culpritIn(result), 'result', transfer))
      } catch (thrown) {
        // It resists being looked at, as a revoked proxy does.
        return encodeFailure(thrown)
      }
    }
  }

  /** Nobody else holds the values that a map returned: their memory can be moved. Those in a slab are there already. */
  #packColumn(column: { value: SentColumn }, transfer: Transferable[]): void {
    if (Array.isArray(column.value)) column.value = this.#columns.packObjects(column.value) ?? column.value
    if (!Array.isArray(column.value)) transfer.push(...buffersOf(column.value))
  }

  #postResult(index: number, result: TaskResult, transfer: readonly Transferable[] = []): void {
    this.#post({ kind: 'result', index, result }, transfer)
  }

  #post(message: ResultMessage, transfer: readonly Transferable[] = []): void {
    this.#port.postMessage(message, transfer)
  }
}

function packedIn(result: TaskResult): Packed | undefined {
  if ('values' in result) return result.values
  return result.kind === 'returned' ? result.value : result.kind === 'computed' ? result.share : undefined
}

/** The part of a result that one call returned and that cannot be cloned. */
function culpritIn(result: TaskResult): unknown {
  if (result.kind !== 'computed') return packedIn(result)?.value
  const { parts } = result.share.value as Share
  return parts.find((part) => !isCloneable(part))
}

function withoutUncloneable({ values: { value }, failures }: TaskResult & { kind: 'mapped' | 'left' }): {
  values: { value: unknown[]; handles: boolean }
  failures: [number, Failure][]
} {
  const values = [...unpackColumn(value)]
  const all = new Map(failures)
  for (const [index, one] of values.entries()) {
    try {
      cloneOf(one)
    } catch (failure) {
      all.set(index, encodeFailure(explainCloneFailure(failure, one, 'result')))
      values[index] = undefined
    }
  }
  return { values: { value: values, handles: false }, failures: [...all].toSorted(([a], [b]) => a - b) }
}
