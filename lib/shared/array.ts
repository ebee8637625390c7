// Array: a run of elements of shared memory, after Python's multiprocessing.Array.
import { inspect } from 'node:util'
import { cellsOver, type Cells } from '../memory/element-ops.js'
import { makeShareable, registerShareable } from '../transport/shareable.js'
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

export interface ArrayOptions extends LockOption {
  /** Shared memory to lay the array on, a Wasm memory's say. @default memory of its own */
  buffer?: SharedArrayBuffer | undefined
  /** Where in `buffer` it begins; a multiple of the element's size. @default 0 */
  byteOffset?: number | undefined
}

/** Where an array lies that exists already. */
interface Place {
  memory: SharedArrayBuffer
  byteOffset: number
  length: number
  lock: Lock | RLock | undefined
}

/** Elements that threads share. Each operation on one is one atomic step; `view` is the plain typed array, for tight loops. */
export class Array<C extends TypeCode = TypeCode> {
  readonly #name: TypeName
  readonly #cells: Cells<ElementOf<C>>
  readonly #place: Place
  /** How many elements. */
  readonly length: number

  /**
   * @param typecode a letter as in Python (`b B h H i I l L q Q f d c ?`) or a name (`int32`, `float64`, …)
   * @param lengthOrItems how many zeros, or the items themselves
   * @throws TypeError an unknown code, or an item that is not of the type; RangeError a length or place that cannot be
   */
  constructor(typecode: C, lengthOrItems: number | Iterable<ElementOf<C>>, options?: ArrayOptions)
  /** @internal */
  constructor(typecode: C, lengthOrItems: number, options: ArrayOptions, place: Place)
  constructor(typecode: C, lengthOrItems: number | Iterable<ElementOf<C>>, options: ArrayOptions = {}, place?: Place) {
    this.#name = typeNameOf(typecode)
    const items = itemsOf(lengthOrItems)
    this.length = items?.length ?? checkLength(lengthOrItems as number)
    this.#place = place ?? { ...placeFor(this.#name, this.length, options), lock: lockFor(options) }
    const { memory, byteOffset, lock } = this.#place
    this.#cells = cellsOver(this.#name, memory, byteOffset, this.length)
    for (let index = 0; index < (items?.length ?? 0); index++) this.#cells.store(index, items![index]!)
    if (!place) makeShareable(this, 'Array', this.#name, memory, byteOffset, this.length, lock)
  }

  /** The plain typed array over the same memory: native speed, and no atomicity. Characters are UTF-16 codes in it, booleans 0 and 1. */
  get view(): ViewOf<C> {
    return this.#cells.view as ViewOf<C>
  }

  /** @throws RangeError the index is not an integer from 0 to length - 1 */
  get(index: number): ElementOf<C> {
    return this.#cells.load(this.#checked(index))
  }
  /** @throws RangeError the index is not an integer from 0 to length - 1 */
  set(index: number, value: ElementOf<C>): void {
    this.#cells.store(this.#checked(index), value)
  }
  /** As `get`; a negative index counts from the end, and one out of range gives `undefined`. */
  at(index: number): ElementOf<C> | undefined {
    const place = Math.trunc(index) + (index < 0 ? this.length : 0)
    return place >= 0 && place < this.length ? this.#cells.load(place) : undefined
  }
  /** Set the elements from `start` to before `end`, one after the other. */
  fill(value: ElementOf<C>, start = 0, end: number = this.length): this {
    const [from, to] = this.#range(start, end)
    for (let index = from; index < to; index++) this.#cells.store(index, value)
    return this
  }
  /** The elements from `start` to before `end`, copied; each is read atomically, all together are not. */
  slice(start = 0, end: number = this.length): ElementOf<C>[] {
    const [from, to] = this.#range(start, end)
    const copy: ElementOf<C>[] = []
    for (let index = from; index < to; index++) copy.push(this.#cells.load(index))
    return copy
  }
  *[Symbol.iterator](): Generator<ElementOf<C>, undefined, undefined> {
    for (let index = 0; index < this.length; index++) yield this.#cells.load(index)
  }

  /** Add in one atomic step, floats included. Integers wrap. @returns the previous element */
  add(index: number, value: ElementOf<C>): ElementOf<C> {
    return this.#cells.add(this.#checked(index), value)
  }
  /** Subtract in one atomic step. @returns the previous element */
  sub(index: number, value: ElementOf<C>): ElementOf<C> {
    return this.#cells.sub(this.#checked(index), value)
  }
  /** Bitwise and, in one atomic step. @returns the previous element */
  and(index: number, value: ElementOf<C>): ElementOf<C> {
    return this.#cells.and(this.#checked(index), value)
  }
  /** Bitwise or, in one atomic step. @returns the previous element */
  or(index: number, value: ElementOf<C>): ElementOf<C> {
    return this.#cells.or(this.#checked(index), value)
  }
  /** Bitwise exclusive or, in one atomic step. @returns the previous element */
  xor(index: number, value: ElementOf<C>): ElementOf<C> {
    return this.#cells.xor(this.#checked(index), value)
  }
  /** Replace an element. @returns the previous one */
  exchange(index: number, value: ElementOf<C>): ElementOf<C> {
    return this.#cells.exchange(this.#checked(index), value)
  }
  /** Replace an element if it is `expected`. @returns the previous one */
  compareExchange(index: number, expected: ElementOf<C>, value: ElementOf<C>): ElementOf<C> {
    return this.#cells.compareExchange(this.#checked(index), expected, value)
  }

  /** The lock that goes with it. @throws LockError it was made with `lock: false` */
  getLock(): Lock | RLock {
    return requireLock(this.#place.lock, 'Array')
  }

  /** The same memory without the lock. */
  getObj(): Array<C> {
    const { memory: buffer, byteOffset } = this.#place
    return arrayOn<C>(this.#name, this.length, { buffer, byteOffset, lock: false })
  }

  static {
    // The bundler renames what has the name of a global.
    Object.defineProperty(this, 'name', { value: 'Array' })
    Object.defineProperty(this.prototype, inspect.custom, {
      value(this: Array) {
        return `Array(${inspect(this.#name)}, ${inspect(this.slice(0, 100))}${this.length > 100 ? ` … ${this.length}` : ''})`
      },
    })
  }

  #checked(index: number): number {
    if (Number.isInteger(index) && index >= 0 && index < this.length) return index
    throw new RangeError(`index ${inspect(index)} is out of range: the Array has ${this.length} elements, from 0 on`)
  }

  #range(start: number, end: number): [from: number, to: number] {
    const clamp = (index: number) =>
      Math.min(Math.max(Math.trunc(index) + (index < 0 ? this.length : 0), 0), this.length)
    return [clamp(start), clamp(end)]
  }
}

// Outside of the class: one that names itself inside is renamed by the bundler.
function arrayOn<C extends TypeCode>(name: TypeName, length: number, options: ArrayOptions): Array<C> {
  return new Array(name as C, length, options)
}

function itemsOf<T>(lengthOrItems: number | Iterable<T>): T[] | undefined {
  if (typeof lengthOrItems === 'number') return undefined
  if (typeof lengthOrItems === 'object' && lengthOrItems !== null && Symbol.iterator in lengthOrItems)
    return [...lengthOrItems]
  if (typeof lengthOrItems === 'string') return [...(lengthOrItems as Iterable<T>)]
  throw new TypeError(`an Array takes a length or the items, not ${inspect(lengthOrItems)}`)
}

function checkLength(length: number): number {
  if (Number.isInteger(length) && length >= 0) return length
  throw new RangeError(`the length of an Array must be an integer of 0 or more, not ${length}`)
}

function placeFor(name: TypeName, length: number, options: ArrayOptions): Omit<Place, 'lock'> {
  const { buffer, byteOffset = 0 } = options
  const bytes = bytesOf(name)
  if (buffer === undefined) {
    if (byteOffset !== 0) throw new RangeError('byteOffset means a place in a buffer, and none was given')
    return { memory: new SharedArrayBuffer(length * bytes), byteOffset, length }
  }
  if (!(buffer instanceof SharedArrayBuffer))
    throw new TypeError(
      `buffer must be a SharedArrayBuffer (of a Wasm memory: its buffer, shared), not ${inspect(buffer)}`,
    )
  if (!Number.isInteger(byteOffset) || byteOffset < 0 || byteOffset % bytes !== 0)
    throw new RangeError(`byteOffset must be a multiple of ${bytes}, the size of ${name}, not ${byteOffset}`)
  if (byteOffset + length * bytes > buffer.byteLength)
    throw new RangeError(
      `${length} elements of ${bytes} bytes at ${byteOffset} need ${byteOffset + length * bytes} bytes; the buffer has ${buffer.byteLength}`,
    )
  return { memory: buffer, byteOffset, length }
}

registerShareable('Array', ([, , name, memory, byteOffset, length, lock]) => {
  const place: Place = {
    memory: memory as SharedArrayBuffer,
    byteOffset: byteOffset as number,
    length: length as number,
    lock: lockFrom(lock),
  }
  return new Array(name as TypeCode, place.length, {}, place)
})
