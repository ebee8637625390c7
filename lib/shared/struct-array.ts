// StructArray: many records of the same kind, kept column by column, so that each field of all of them is one typed array.
import { inspect } from 'node:util'
import { recognizeCopies } from '../copies.js'
import { fromParts, partsIn } from '../base/parts.js'
import { checkInteger } from '../base/validate.js'
import type { ViewOf } from '../memory/element-types.js'
import type { Lock } from '../sync/lock.js'
import type { RLock } from '../sync/rlock.js'
import { makeShareable, makeShareableView, registerShareable } from '../transport/shareable.js'
import { lockFor, lockFrom, requireLock, type LockOption } from './lock-option.js'
import {
  fieldColumn,
  layColumns,
  layoutOf,
  makeRecord,
  type Fields,
  type RecordLayout,
  type RecordMemory,
  type Struct,
} from './struct.js'

/** Many records of the same kind that threads share. Shareable. */
export class StructArray<const F extends Fields = Fields> {
  readonly #memory: RecordMemory

  /** @throws TypeError an unknown type code; RangeError a length that is not an integer of 0 or more */
  constructor(fields: F, length: number, options: LockOption = {}) {
    const parts = partsIn(fields) as [RecordMemory] | undefined
    if (parts) {
      this.#memory = parts[0]
      return
    }
    checkInteger(length, 'the length of a StructArray')
    const layout = layoutOf(fields)
    const columns = layColumns(layout, length)
    const lock = lockFor(options, 'the options of a StructArray')
    this.#memory = { layout, columns, lock }
    makeShareable(this, 'StructArray', layout, columns.memory, length, lock)
  }

  /** How many records. */
  get length(): number {
    return this.#memory.columns.length
  }

  /** A live view of one record. @throws RangeError the index is not an integer from 0 to length - 1 */
  get(index: number): Struct<F> {
    const { layout, columns, lock } = this.#memory
    if (!Number.isInteger(index) || index < 0 || index >= columns.length)
      throw new RangeError(
        `index ${inspect(index)} is out of range: the StructArray has ${columns.length} records, from 0`,
      )
    const record = makeRecord(this.#memory, index)
    makeShareableView(record, 'Struct', layout, columns.memory, columns.length, index, lock)
    return record as unknown as Struct<F>
  }

  /** One field of all records as a plain typed array: native speed, and no atomicity. @throws TypeError no such field */
  column<K extends keyof F & string>(field: K): ViewOf<F[K]> {
    return fieldColumn(this.#memory.columns, field).view as ViewOf<F[K]>
  }

  *[Symbol.iterator](): Generator<Struct<F>, undefined, undefined> {
    for (let index = 0; index < this.length; index++) yield this.get(index)
  }

  /** The lock that goes with it. @throws LockError it was made with `lock: false` */
  getLock(): Lock | RLock {
    return requireLock(this.#memory.lock, 'StructArray')
  }
}

registerShareable(
  'StructArray',
  ([, , layout, memory, length, lock]) => {
    const columns = layColumns(layout as RecordLayout, length as number, memory as SharedArrayBuffer)
    return new StructArray(fromParts({ layout, columns, lock: lockFrom(lock) }), columns.length)
  },
  { isFixed: (object) => Object.is(Object.getPrototypeOf(object), StructArray.prototype) },
)

recognizeCopies(StructArray, 'StructArray')
