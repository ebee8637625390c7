// Struct: a record of named fields in shared memory. StructArray: many of the same kind, kept column by column, so that each
// field of all of them is one typed array.
import { inspect } from 'node:util'
import { cellsOver, type Cells } from '../memory/element-ops.js'
import { makeShareable, makeShareableView, registerShareable } from '../transport/shareable.js'
import {
  bytesOf,
  typeNameOf,
  type ElementOf,
  type TypeCode,
  type TypeName,
  type ViewOf,
} from '../memory/element-types.js'
import type { Lock } from '../sync/lock.js'
import type { RLock } from '../sync/rlock.js'
import { lockFor, lockFrom, requireLock, type LockOption } from './lock-option.js'

/** The fields of a record: a type code each. */
export type Fields = Record<string, TypeCode>

/** The record as a plain object. */
export type RecordOf<F extends Fields> = { -readonly [K in keyof F]: ElementOf<F[K]> }

/** A record in shared memory: its fields, and what every record has beside them. */
export type Struct<F extends Fields = Fields> = RecordOf<F> & RecordView<F>

/** Names that records need for themselves. */
const RESERVED = ['copy', 'getLock', 'constructor', '__proto__']

/** Fields in the order in which they were given. */
type Layout = readonly (readonly [field: string, type: TypeName])[]

function layoutOf(fields: Fields): Layout {
  if (typeof fields !== 'object' || fields === null)
    throw new TypeError(`the fields must be an object of type codes, { x: 'd', … }, not ${inspect(fields)}`)
  const layout = Object.entries(fields).map(([field, code]) => [field, typeNameOf(code)] as const)
  if (layout.length === 0) throw new TypeError('a record needs a field')
  for (const [field] of layout)
    if (RESERVED.includes(field)) throw new TypeError(`a field cannot have the name ${field}`)
  return layout
}

/** Columns of `length` elements, one after the other, the widest first: so each is aligned. */
interface Block {
  memory: SharedArrayBuffer
  length: number
  columns: ReadonlyMap<string, Cells>
}

function blockOver(layout: Layout, length: number, memory?: SharedArrayBuffer): Block {
  const total = layout.reduce((sum, [, type]) => sum + bytesOf(type) * length, 0)
  const laid = memory ?? new SharedArrayBuffer(total)
  const columns = new Map<string, Cells>()
  let byteOffset = 0
  for (const [field, type] of layout.toSorted(([, a], [, b]) => bytesOf(b) - bytesOf(a))) {
    columns.set(field, cellsOver(type, laid, byteOffset, length))
    byteOffset += bytesOf(type) * length
  }
  return { memory: laid, length, columns }
}

/** One record of a block. Its fields are accessors on the prototype, which all records of one layout share. */
class RecordView<F extends Fields> {
  readonly #layout: Layout
  readonly #block: Block
  readonly #index: number
  readonly #lock: Lock | RLock | undefined

  constructor(layout: Layout, block: Block, index: number, lock: Lock | RLock | undefined) {
    this.#layout = layout
    this.#block = block
    this.#index = index
    this.#lock = lock
  }

  /** The record as a plain object; each field is read atomically, all together are not. */
  copy(): RecordOf<F> {
    const entries = this.#layout.map(([field]) => [field, this.#block.columns.get(field)!.load(this.#index)])
    return Object.fromEntries(entries) as RecordOf<F>
  }

  /** The lock that goes with it. @throws LockError it was made with `lock: false` */
  getLock(): Lock | RLock {
    return requireLock(this.#lock, 'record')
  }

  /** The class of all records of a layout. */
  static of(layout: Layout): typeof RecordView<Fields> {
    const key = JSON.stringify(layout)
    let shape = RecordView.#shapes.get(key)
    if (shape) return shape
    shape = class Struct extends RecordView<Fields> {}
    for (const [field] of layout)
      Object.defineProperty(shape.prototype, field, {
        get(this: RecordView<Fields>) {
          return this.#block.columns.get(field)!.load(this.#index)
        },
        set(this: RecordView<Fields>, value: unknown) {
          this.#block.columns.get(field)!.store(this.#index, value)
        },
        enumerable: true,
      })
    RecordView.#shapes.set(key, shape)
    return shape
  }
  static readonly #shapes = new Map<string, typeof RecordView<Fields>>()

  static {
    Object.defineProperty(this.prototype, inspect.custom, {
      value(this: RecordView<Fields>) {
        return `Struct ${inspect(this.copy())}`
      },
    })
  }
}

function makeRecord(layout: Layout, block: Block, index: number, lock: Lock | RLock | undefined): RecordView<Fields> {
  const Shape = RecordView.of(layout)
  return new Shape(layout, block, index, lock)
}

/**
 * A record that threads share: `new Struct({ x: 'd', id: 'i' }, { x: 1.5 })` has `x` and `id`, each read and written in one
 * atomic step. For steps that concern several fields hold `getLock()`.
 * @throws TypeError an unknown type code, or an initial value that is not of the type
 */
export const Struct: new <const F extends Fields>(
  fields: F,
  initial?: Partial<RecordOf<F>>,
  options?: LockOption,
) => Struct<F> = class {
  constructor(fields: Fields, initial: Record<string, unknown> = {}, options: LockOption = {}) {
    const layout = layoutOf(fields)
    const block = blockOver(layout, 1)
    const lock = lockFor(options)
    for (const [field, value] of Object.entries(initial)) cellsOf(block, field).store(0, value)
    const record = makeRecord(layout, block, 0, lock)
    makeShareable(record, 'Struct', layout, block.memory, 1, 0, lock)
    return record
  }
  static [Symbol.hasInstance](value: unknown): boolean {
    return value instanceof RecordView
  }
} as never

function cellsOf({ columns }: Block, field: string): Cells {
  const cells = columns.get(field)
  if (cells) return cells
  throw new TypeError(`there is no field ${field}; there are ${[...columns.keys()].join(', ')}`)
}

/** Where a StructArray lies that exists already. */
interface Place {
  layout: Layout
  block: Block
  lock: Lock | RLock | undefined
}

/** Many records of the same kind that threads share. */
export class StructArray<const F extends Fields = Fields> {
  readonly #place: Place

  /** @throws TypeError an unknown type code; RangeError a length that is not an integer of 0 or more */
  constructor(fields: F, length: number, options?: LockOption)
  /** @internal */
  constructor(fields: F, length: number, options: LockOption, place: Place)
  constructor(fields: F, length: number, options: LockOption = {}, place?: Place) {
    if (!Number.isInteger(length) || length < 0)
      throw new RangeError(`the length of a StructArray must be an integer of 0 or more, not ${inspect(length)}`)
    if (place) {
      this.#place = place
      return
    }
    const layout = layoutOf(fields)
    this.#place = { layout, block: blockOver(layout, length), lock: lockFor(options) }
    makeShareable(this, 'StructArray', layout, this.#place.block.memory, length, this.#place.lock)
  }

  /** How many records. */
  get length(): number {
    return this.#place.block.length
  }

  /** A live view of one record. @throws RangeError the index is not an integer from 0 to length - 1 */
  get(index: number): Struct<F> {
    const { layout, block, lock } = this.#place
    if (!Number.isInteger(index) || index < 0 || index >= block.length)
      throw new RangeError(
        `index ${inspect(index)} is out of range: the StructArray has ${block.length} records, from 0 on`,
      )
    const record = makeRecord(layout, block, index, lock)
    makeShareableView(record, 'Struct', layout, block.memory, block.length, index, lock)
    return record as unknown as Struct<F>
  }

  /** One field of all records as a plain typed array: native speed, and no atomicity. @throws TypeError no such field */
  column<K extends keyof F & string>(field: K): ViewOf<F[K]> {
    return cellsOf(this.#place.block, field).view as ViewOf<F[K]>
  }

  *[Symbol.iterator](): Generator<Struct<F>, undefined, undefined> {
    for (let index = 0; index < this.length; index++) yield this.get(index)
  }

  /** The lock that goes with it. @throws LockError it was made with `lock: false` */
  getLock(): Lock | RLock {
    return requireLock(this.#place.lock, 'StructArray')
  }
}

registerShareable('Struct', ([, , layout, memory, length, index, lock]) => {
  const block = blockOver(layout as Layout, length as number, memory as SharedArrayBuffer)
  return makeRecord(layout as Layout, block, index as number, lockFrom(lock))
})

registerShareable('StructArray', ([, , layout, memory, length, lock]) => {
  const block = blockOver(layout as Layout, length as number, memory as SharedArrayBuffer)
  return new StructArray({}, block.length, {}, { layout: layout as Layout, block, lock: lockFrom(lock) })
})
