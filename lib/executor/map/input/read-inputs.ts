// Which way a map's inputs are read: lists in slices, other sync inputs step by step, async ones by async-inputs.ts; and the rows
// of starmap, each of which is the list of a call's arguments.
import { inspect, types } from 'node:util'
import { isThenable, prototypeOf } from '../../../base/brands.js'
import { bindContext } from '../../../base/async-context.js'
import { performance } from '../../../base/clock.js'
import { fillWithNumbers, type Column } from '../../../transport/number-column.js'
import { AsyncInputs } from './async-inputs.js'
import {
  checkIteratorResult,
  closeIterator,
  isAsyncInput,
  Rows,
  shortestLength,
  type Input,
  type InputBatch,
  type Inputs,
} from './inputs.js'
import { ByteMeter } from '../byte-meter.js'
import { areInSlab, type NumberSlab, type NumberSlabs } from '../number-slabs.js'
import { Room } from './room.js'

/** @param inputs `Rows` alone, or inputs to be read in step. @param slabs for chunks of numbers */
export function readInputs(inputs: readonly Input<unknown>[], slabs: NumberSlabs | undefined): Inputs {
  const [first] = inputs
  return first instanceof Rows ? new RowInput(readInStep([first.rows], undefined)) : readInStep(inputs, slabs)
}

/** Inputs whose iterators run in the current async context, whatever context later asks for results. */
export function bindInputs(inputs: Inputs): Inputs {
  return {
    isAsync: inputs.isAsync,
    get total() {
      return inputs.total
    },
    read: bindContext((count, room) => inputs.read(count, room)),
    flush: () => inputs.flush(),
    keepRest: bindContext(() => inputs.keepRest()),
    close: bindContext(() => inputs.close()),
  }
}

function readInStep(inputs: readonly Input<unknown>[], slabs: NumberSlabs | undefined): Inputs {
  const [only] = inputs
  if (inputs.length === 1 && isPlainList(only)) return new ListInput(only, slabs)
  return inputs.some(isAsyncInput) ? new AsyncInputs(inputs) : new SyncInputs(inputs as Iterable<unknown>[])
}

type PlainList = unknown[] | Float64Array

/** Whether iterating gives the elements and does nothing else, so that it can be read in slices. Not: of a subclass, which makes them. */
function isPlainList(input: unknown): input is PlainList {
  const isTyped = types.isTypedArray(input) && !types.isBigInt64Array(input) && !types.isBigUint64Array(input)
  if (!isTyped && (!Array.isArray(input) || types.isProxy(input))) return false
  const plain = isTyped ? Float64Array.prototype : Array.prototype
  if ((input as unknown[])[Symbol.iterator] !== plain[Symbol.iterator]) return false
  const prototype = prototypeOf(input)
  return prototype === plain || (isTyped && (Buffer.isBuffer(input) || prototypeOf(prototype!) === prototypeOf(plain)))
}

/** An array, or a typed array, whose numbers are copied and never boxed. */
class ListInput implements Inputs {
  readonly isAsync = false
  readonly #list: PlainList
  /** `undefined` once there was an item that is no number. */
  #slabs: NumberSlabs | undefined
  #at = 0

  constructor(list: PlainList, slabs: NumberSlabs | undefined) {
    this.#list = list
    this.#slabs = slabs
  }

  get total(): number {
    return this.#list.length
  }

  read(count: number, room: Room): InputBatch {
    const list = this.#list
    const at = this.#at
    const end = Math.min(at + count, list.length)
    const slab = this.#slabs?.take(end - at)
    let items: Column
    try {
      items = this.#copy(list, at, end, slab)
    } catch (thrown) {
      slab?.free()
      return this.#readUntilThrown(at, end, room, thrown)
    }
    const batch = whatFits(items, 1, room)
    this.#at += batch.length
    return { items: batch, ended: this.#at >= list.length, slab: areInSlab(items) ? slab : undefined }
  }

  #copy(list: PlainList, at: number, end: number, slab: NumberSlab | undefined): Column {
    if (Array.isArray(list)) return slab ? this.#fill(slab, list, at, end) : list.slice(at, end)
    const part = list.subarray(at, end)
    return slab ? copyInto(slab, part) : new Float64Array(part)
  }

  /** As an iterator would: what comes before the item that throws, and then the failure. Of memory that was moved away, nothing is left. */
  #readUntilThrown(at: number, end: number, room: Room, thrown: unknown): InputBatch {
    const items: unknown[] = []
    const failure = { thrown }
    try {
      for (let index = at; index < end; index++) items.push(this.#list[index])
    } catch (again) {
      failure.thrown = again
    }
    const batch = whatFits(items, 1, room)
    this.#at += batch.length
    // Items that did not fit are read again, and what comes after them fails again.
    return batch.length < items.length ? { items: batch, ended: false } : { items: batch, ended: true, failure }
  }

  /** @returns the items, in the slab if they are all numbers. Each is read once, as by `slice`: it may be an accessor */
  #fill(slab: NumberSlab, list: unknown[], at: number, end: number): Column {
    const { numbers } = slab
    const other = fillWithNumbers(numbers, list, at, end)
    if (!other) return numbers.subarray(0, end - at)
    const items = [...numbers.subarray(0, other.index - at), other.value, ...list.slice(other.index + 1, end)]
    slab.free()
    this.#slabs = undefined
    return items
  }

  flush(): void {}

  keepRest(): boolean {
    return true
  }

  close(): void {
    this.#at = Infinity
  }
}

/** An input of unknown length that has not ended after as many items, as many bytes, or as long, is taken for endless. */
const MAX_REST_ITEMS = 2 ** 20
const MAX_REST_BYTES = 2 ** 29
const MAX_REST_MS = 1000

/** Items that are read between two looks at the clock. */
const REST_STEP_ITEMS = 64

/** Several sync inputs, or one that is no plain list. */
class SyncInputs implements Inputs {
  readonly isAsync = false
  readonly total: number | undefined
  readonly #iterators: readonly Iterator<unknown>[]
  #ended = false
  /** The values of a call that were read, and for which there was no room. */
  #left: unknown[] = []
  /** The rest of the input, and how much of it was given. */
  #kept: { batch: InputBatch; at: number } | undefined

  constructor(inputs: readonly Iterable<unknown>[]) {
    this.#iterators = inputs.map((input) => input[Symbol.iterator]())
    this.total = shortestLength(inputs)
  }

  read(count: number, room: Room): InputBatch {
    const kept = this.#kept
    if (!kept) return this.#step(count, room)
    const arity = this.#iterators.length
    const items = whatFits(kept.batch.items.slice(kept.at, kept.at + count * arity), arity, room)
    kept.at += items.length
    return kept.at < kept.batch.items.length ? { items, ended: false } : { ...kept.batch, items }
  }

  keepRest(): boolean {
    if (this.#ended || this.total !== undefined) return true
    const items: unknown[] = []
    const endMs = performance.now() + MAX_REST_MS
    const meter = new ByteMeter()
    const left = [...this.#left]
    let bytes = 0
    for (;;) {
      const room = new Room(meter, Infinity)
      const batch = this.#step(REST_STEP_ITEMS, room)
      for (const item of batch.items) items.push(item)
      bytes += room.bytes
      if (batch.ended) {
        this.#kept = { batch: { ...batch, items }, at: 0 }
        return true
      }
      if (items.length > MAX_REST_ITEMS || bytes > MAX_REST_BYTES || performance.now() > endMs) break
    }
    this.#left = left // It was read before, and is mapped.
    return false
  }

  #step(count: number, room: Room): InputBatch {
    const items = this.#left
    this.#left = []
    const arity = this.#iterators.length
    if (items.length > 0) room.put(items, 0)
    try {
      while (!this.#ended && items.length < count * arity) {
        const callStart = items.length
        for (const iterator of this.#iterators) {
          const result = checkIteratorResult(iterator.next())
          if (result.done) {
            // The inputs after the first that has ended are not stepped, like Python's zip.
            items.length = callStart
            this.close()
            break
          }
          items.push(result.value)
        }
        if (items.length > callStart && !room.put(items, callStart)) {
          this.#left = items.splice(callStart)
          break
        }
      }
    } catch (thrown) {
      items.length -= items.length % arity
      this.close()
      return { items, ended: true, failure: { thrown } }
    }
    return { items, ended: this.#ended }
  }

  flush(): void {}

  close(): void {
    if (this.#ended) return
    this.#ended = true
    for (const iterator of this.#iterators) void closeIterator(iterator)
  }
}

/** Rows, each expanded into a list. */
class RowInput implements Inputs {
  readonly #rows: Inputs

  constructor(rows: Inputs) {
    this.#rows = rows
  }

  get isAsync(): boolean {
    return this.#rows.isAsync
  }

  get total(): number | undefined {
    return this.#rows.total
  }

  read(count: number, room: Room): InputBatch | Promise<InputBatch> {
    const batch = this.#rows.read(count, room)
    return isThenable(batch) ? batch.then((rows) => this.#expand(rows)) : this.#expand(batch)
  }

  flush(): void {
    this.#rows.flush()
  }

  keepRest(): boolean {
    return this.#rows.keepRest()
  }

  close(): void {
    this.#rows.close()
  }

  #expand({ items: rows, ...rest }: InputBatch): InputBatch {
    const items: unknown[] = []
    try {
      for (const row of rows) items.push(listFrom(row))
    } catch (thrown) {
      this.close()
      return { items, ended: true, failure: { thrown } }
    }
    return { items, ...rest }
  }
}

function copyInto({ numbers }: NumberSlab, list: Float64Array): Column {
  numbers.set(list)
  return numbers.subarray(0, list.length)
}

/** The first of the values, as many as there is room for. */
function whatFits(values: Column, arity: number, room: Room): Column {
  const fitting = room.putMany(values, arity)
  if (fitting === values.length) return values
  return areInSlab(values) ? values.subarray(0, fitting) : values.slice(0, fitting)
}

function listFrom(row: unknown): unknown[] {
  if (row === null || typeof row !== 'object' || !(Symbol.iterator in row))
    throw new TypeError(`each item of starmap must be an iterable of arguments, not ${inspect(row)}`)
  return [...(row as Iterable<unknown>)]
}
