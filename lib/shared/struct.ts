// Struct: a record of named fields in shared memory.
import { inspect } from 'node:util'
import { recognizeCopies } from '../copies.js'
import { cellsOver, type Cells } from '../memory/element-ops.js'
import { bytesOf, typeNameOf, type ElementOf, type TypeCode, type TypeName } from '../memory/element-types.js'
import type { Lock } from '../sync/lock.js'
import type { RLock } from '../sync/rlock.js'
import { makeShareable, registerShareable } from '../transport/shareable.js'
import { lockFor, lockFrom, requireLock, type LockOption } from './lock-option.js'

/** The fields of a record, each with its type code. */
export type Fields = Record<string, TypeCode>

/** The record as a plain object. */
export type RecordOf<F extends Fields> = { -readonly [K in keyof F]: ElementOf<F[K]> }

/** A record in shared memory: its fields, and the methods that every record has. */
export type Struct<F extends Fields = Fields> = RecordOf<F> & RecordView<F>

/** Names that a record's own methods need. */
const RESERVED = ['copy', 'getLock', 'constructor', '__proto__']

/** Fields in the order in which they were given. */
export type RecordLayout = readonly (readonly [field: string, type: TypeName])[]

/** @throws TypeError */
export function layoutOf(fields: Fields): RecordLayout {
  if (typeof fields !== 'object' || fields === null)
    throw new TypeError(`the fields must be an object of type codes, { x: 'd', … }, not ${inspect(fields)}`)
  const layout = Object.entries(fields).map(([field, code]) => [field, typeNameOf(code)] as const)
  if (layout.length === 0) throw new TypeError('a record needs a field')
  for (const [field] of layout)
    if (RESERVED.includes(field)) throw new TypeError(`a field cannot have the name ${field}`)
  return layout
}

/** A column of `length` elements per field, one after the other, the widest first: so each is aligned. */
export interface StructColumns {
  memory: SharedArrayBuffer
  length: number
  cells: ReadonlyMap<string, Cells>
}

/** @param memory memory that exists already. @default new memory */
export function layColumns(layout: RecordLayout, length: number, memory?: SharedArrayBuffer): StructColumns {
  const byteLength = layout.reduce((sum, [, type]) => sum + bytesOf(type) * length, 0)
  const laid = memory ?? new SharedArrayBuffer(byteLength)
  const cells = new Map<string, Cells>()
  let byteOffset = 0
  for (const [field, type] of layout.toSorted(([, a], [, b]) => bytesOf(b) - bytesOf(a))) {
    cells.set(field, cellsOver(type, laid, byteOffset, length))
    byteOffset += bytesOf(type) * length
  }
  return { memory: laid, length, cells }
}

/** @throws TypeError there is no such field */
export function fieldColumn({ cells }: StructColumns, field: string): Cells {
  const column = cells.get(field)
  if (column) return column
  throw new TypeError(`there is no field ${field}; there are ${[...cells.keys()].join(', ')}`)
}

/** What records are views of. */
export interface RecordMemory {
  layout: RecordLayout
  columns: StructColumns
  lock: Lock | RLock | undefined
}

/** One record. Its fields are accessors on the prototype, which all records of one layout share. */
class RecordView<F extends Fields> {
  readonly #memory: RecordMemory
  readonly #index: number

  constructor(memory: RecordMemory, index: number) {
    this.#memory = memory
    this.#index = index
  }

  /** The record as a plain object. Each field is read atomically, all together are not. */
  copy(): RecordOf<F> {
    const entries = this.#memory.layout.map(([field]) => [field, this.#cells(field).load(this.#index)])
    return Object.fromEntries(entries) as RecordOf<F>
  }

  /** The lock that goes with it. @throws LockError it was made with `lock: false` */
  getLock(): Lock | RLock {
    return requireLock(this.#memory.lock, 'record')
  }

  /** The class of all records of a layout. */
  static of(layout: RecordLayout): typeof RecordView<Fields> {
    const key = JSON.stringify(layout)
    const known = RecordView.#classes.get(key)
    if (known) return known
    const made = class Struct extends RecordView<Fields> {}
    for (const [field] of layout)
      Object.defineProperty(made.prototype, field, {
        get(this: RecordView<Fields>) {
          return this.#cells(field).load(this.#index)
        },
        set(this: RecordView<Fields>, value: unknown) {
          this.#cells(field).store(this.#index, value)
        },
        enumerable: true,
      })
    RecordView.#classes.set(key, made)
    return made
  }
  static readonly #classes = new Map<string, typeof RecordView<Fields>>()

  #cells(field: string): Cells {
    return this.#memory.columns.cells.get(field)!
  }

  static {
    Object.defineProperty(this.prototype, inspect.custom, {
      value(this: RecordView<Fields>) {
        return `Struct ${inspect(this.copy())}`
      },
    })
  }
}

export function makeRecord(memory: RecordMemory, index: number): RecordView<Fields> {
  const RecordClass = RecordView.of(memory.layout)
  return new RecordClass(memory, index)
}

/**
 * A record that threads share: `new Struct({ x: 'd', id: 'i' }, { x: 1.5 })` has `x` and `id`, each read and written in one
 * atomic step. Hold `getLock()` for steps that concern several fields. A field that it does not have cannot be set: TypeError, in
 * strict mode. Shareable.
 * @throws TypeError an unknown type code, or an initial value that is not of the type
 */
export const Struct: new <const F extends Fields>(
  fields: F,
  initial?: Partial<RecordOf<F>>,
  options?: LockOption,
) => Struct<F> = class {
  constructor(fields: Fields, initial: Record<string, unknown> = {}, options: LockOption = {}) {
    const layout = layoutOf(fields)
    const columns = layColumns(layout, 1)
    const lock = lockFor(options, 'the options of a Struct')
    for (const [field, value] of Object.entries(initial)) fieldColumn(columns, field).store(0, value)
    const record = makeRecord({ layout, columns, lock }, 0)
    makeShareable(record, 'Struct', layout, columns.memory, 1, 0, lock)
    return record
  }
  static [Symbol.hasInstance](value: unknown): boolean {
    return value instanceof RecordView
  }
} as never

recognizeCopies(RecordView, 'Struct')

registerShareable(
  'Struct',
  ([, , layout, memory, length, index, lock]) => {
    const columns = layColumns(layout as RecordLayout, length as number, memory as SharedArrayBuffer)
    return makeRecord({ layout: layout as RecordLayout, columns, lock: lockFrom(lock) }, index as number)
  },
  { isFixed: () => true },
)
