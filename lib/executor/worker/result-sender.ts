// Where a worker follows its leases: the functions that it was told of, and how what came of a task gets back.
import type { MessagePort, Transferable } from 'node:worker_threads'
import { pack, unpack, type Packed } from '../../transport/shareable.js'
import { explainCloneFailure, isCloneable } from '../../transport/clone-error.js'
import { encodeFailure, type Failure } from '../../transport/error-codec.js'
import { ImportFailure, loadTarget, type Definition } from '../../task/target.js'
import type { Share } from '../range/blocks.js'
import type { LeaseSlots } from '../protocol/lease-slots.js'
import { ColumnPacker, type SentColumn } from '../../transport/column.js'
import type { LeaseMessage, LeaseEnd, TaskResult, WorkerMessage } from '../protocol/messages.js'

/** A function that a worker was told of. */
interface Told {
  definition: Definition
  /** Once it was needed. */
  fn: Function | undefined
}

/** A task's module cannot be imported: no task of it can ever run in this worker. */
export class CannotRun {
  readonly end: LeaseEnd
  readonly #brand = true

  /** Not by instanceof: what a task throws may be a proxy that resists even that. */
  static is(thrown: unknown): thrown is CannotRun {
    return typeof thrown === 'object' && thrown !== null && #brand in thrown
  }

  constructor(name: string, reason: unknown) {
    const what = `the module of the task ${name} cannot be imported`
    this.end = { kind: 'broken', what, failure: encodeFailure(reason) }
    void this.#brand
  }
}

export class Desk {
  readonly slots: LeaseSlots
  readonly #port: MessagePort
  readonly #loadClasses: () => Promise<unknown>
  readonly #columns = new ColumnPacker()
  readonly #functions = new Map<number, Told>()
  /** What is to be posted if the thread ends. */
  #leave: (() => void) | undefined

  /**
   * @param port the worker's own; the parent port belongs to the tasks, one of which may close it, or post on it
   * @param loadClasses imports the classes of whatever can be shared
   */
  constructor(slots: LeaseSlots, port: MessagePort, loadClasses: () => Promise<unknown>) {
    this.slots = slots
    this.#port = port
    this.#loadClasses = loadClasses
  }

  learn(news: LeaseMessage['news']): void {
    for (const [number, definition] of news) this.#functions.set(number, { definition, fn: undefined })
  }

  /** A function by its number. */
  told(number: number): Told {
    return this.#functions.get(number)!
  }

  /** The same, loaded. @throws CannotRun, TaskNotFoundError */
  async load(number: number): Promise<Function> {
    const told = this.told(number)
    try {
      return (told.fn ??= await loadTarget(told.definition))
    } catch (thrown) {
      throw thrown instanceof ImportFailure ? new CannotRun(told.definition.name, thrown.reason) : thrown
    }
  }

  /** What was sent, with its shareable objects rebuilt. */
  async rebuild(packed: Packed): Promise<unknown> {
    if (packed.handles) await this.#loadClasses()
    return unpack(packed)
  }

  /** Whatever a task returned goes back. Cheap where it is small. */
  deliver(slot: number, task: number, value: unknown): void {
    if (this.slots.note(slot, task, value)) return this.slots.finish(slot, task)
    this.deliverOutcome(slot, task, { kind: 'returned', value: { value, handles: false } })
  }

  /** As `deliver`, for what a task threw. */
  deliverThrown(slot: number, task: number, thrown: unknown): void {
    this.#post(slot, task, { kind: 'threw', failure: encodeFailure(thrown) })
    this.#finish(slot, task)
  }

  deliverOutcome(slot: number, task: number, outcome: TaskResult): void {
    this.#postSomehow(slot, task, outcome)
    this.#finish(slot, task)
  }

  /** Until the next call: if the thread ends, leave behind for a task what this gives. */
  onEnd(slot: number, task: number, left?: () => TaskResult & { kind: 'left' }): void {
    this.#leave = left && (() => this.#postSomehow(slot, task, left()))
  }

  /** The thread ends in a way that it can see: not for want of memory, and nobody terminates it. */
  leave(): void {
    this.#leave?.()
  }

  post(message: WorkerMessage, transfer: readonly Transferable[] = []): void {
    this.#port.postMessage(message, transfer)
  }

  #postSomehow(slot: number, task: number, outcome: TaskResult): void {
    const failure = this.#tryToPost(slot, task, outcome)
    if (!failure) return
    if (outcome.kind !== 'mapped' && outcome.kind !== 'left') return this.#post(slot, task, { kind: 'threw', failure })
    // One of the values cannot be cloned. It fails alone.
    const still = this.#tryToPost(slot, task, { kind: outcome.kind, ...withoutUncloneable(outcome) })
    if (still) this.#post(slot, task, { kind: 'threw', failure: still })
  }

  /** @returns why it cannot be cloned, if it cannot */
  #tryToPost(slot: number, task: number, outcome: TaskResult): Failure | undefined {
    const packed = packedIn(outcome)
    const transfer: Transferable[] = []
    try {
      if ('values' in outcome) this.#packColumn(outcome.values, transfer)
      if (packed) Object.assign(packed, pack(packed.value, transfer))
      this.#post(slot, task, outcome, transfer)
      return undefined
    } catch (failure) {
      try {
        return encodeFailure(explainCloneFailure(failure, toBlame(outcome), 'result', transfer))
      } catch (thrown) {
        // It resists being looked at, as a revoked proxy does.
        return encodeFailure(thrown)
      }
    }
  }

  /** What a map has returned is nobody else's: its memory can be moved. */
  #packColumn(column: { value: SentColumn }, transfer: Transferable[]): void {
    if (Array.isArray(column.value)) column.value = this.#columns.packTree(column.value) ?? column.value
    if (!Array.isArray(column.value)) transfer.push(column.value.buffer)
  }

  #post(slot: number, task: number, outcome: TaskResult, transfer: readonly Transferable[] = []): void {
    this.post({ kind: 'outcome', slot, task, outcome }, transfer)
  }

  #finish(slot: number, task: number): void {
    this.slots.notePosted(slot, task)
    this.slots.finish(slot, task)
  }
}

function packedIn(outcome: TaskResult): Packed | undefined {
  if ('values' in outcome) return outcome.values
  return outcome.kind === 'returned' ? outcome.value : outcome.kind === 'computed' ? outcome.share : undefined
}

/** Of all that a message has, what one call returned. */
function toBlame(outcome: TaskResult): unknown {
  if (outcome.kind !== 'computed') return packedIn(outcome)?.value
  const { parts } = outcome.share.value as Share
  return parts.find((part) => !isCloneable(part))
}

function withoutUncloneable({ values: { value }, failures }: TaskResult & { kind: 'mapped' | 'left' }): {
  values: { value: unknown[]; handles: boolean }
  failures: [number, Failure][]
} {
  const values = [...value]
  const all = new Map(failures)
  for (const [index, one] of values.entries()) {
    try {
      structuredClone(one)
    } catch (failure) {
      all.set(index, encodeFailure(explainCloneFailure(failure, one, 'result')))
      values[index] = undefined
    }
  }
  return { values: { value: values, handles: false }, failures: [...all].toSorted(([a], [b]) => a - b) }
}
