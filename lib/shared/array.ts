// Array: a run of elements of shared memory, after Python's multiprocessing.Array.
import { inspect, types } from 'node:util'
import { recognizeCopies } from '../copies.js'
import { fromParts, partsIn } from '../base/parts.js'
import { checkInteger } from '../base/validate.js'
import { cellsOver, type Cells } from '../memory/element-ops.js'
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
import { makeShareable, registerShareable } from '../transport/shareable.js'
import { lockFor, lockFrom, requireLock, type LockOption } from './lock-option.js'

export interface ArrayOptions extends LockOption {
  /** Existing shared memory to lay the array on: a Wasm memory's, for example. @default memory of its own */
  buffer?: SharedArrayBuffer | undefined
  /** Where in `buffer` it begins, in bytes; a multiple of the element's size. @default 0 */
  byteOffset?: number | undefined
}

/** What an Array is a view of. */
interface ArrayMemory {
  name: TypeName
  memory: SharedArrayBuffer
  byteOffset: number
  length: number
  lock: Lock | RLock | undefined
}

/**
 * Elements that threads share. Each operation on one is one atomic step; `view` is the plain typed array, for tight loops.
 * `array[0] = 9` throws TypeError, in strict mode: use `set`, or `view[0] = 9`. After Python's multiprocessing.Array. Shareable.
 */
export class Array<C extends TypeCode = TypeCode> {
  readonly #memory: ArrayMemory
  readonly #cells: Cells<ElementOf<C>>

  /**
   * @param typecode a letter as in Python (`b B h H i I l L q Q f d c ?`) or a name (`int32`, `float64`, …)
   * @param lengthOrItems how many zeros, or the items themselves
   * @throws TypeError an unknown code, or an item that is not of the type; RangeError a length or byteOffset that cannot be
   */
  constructor(typecode: C, lengthOrItems: number | Iterable<ElementOf<C>>, options: ArrayOptions = {}) {
    const parts = partsIn(typecode) as [ArrayMemory] | undefined
    const items = itemsOf(lengthOrItems)
    this.#memory = parts?.[0] ?? newArrayMemory(typecode, items?.length ?? (lengthOrItems as number), options)
    const { name, memory, byteOffset, length, lock } = this.#memory
    this.#cells = cellsOver(name, memory, byteOffset, length)
    for (let index = 0; index < (items?.length ?? 0); index++) this.#cells.store(index, items![index]!)
    if (!parts) makeShareable(this, 'Array', name, memory, byteOffset, length, lock)
  }

  /** How many elements. */
  get length(): number {
    return this.#memory.length
  }

  /**
   * The plain typed array over the same memory: native speed, and no atomicity. Characters are UTF-16 codes in it, booleans 0 and 1.
   */
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
    const from = Math.trunc(index) + (index < 0 ? this.length : 0)
    return from >= 0 && from < this.length ? this.#cells.load(from) : undefined
  }
  /** Set the elements from `start` up to `end`, exclusive, one after the other. */
  fill(value: ElementOf<C>, start = 0, end: number = this.length): this {
    const [from, to] = this.#range(start, end)
    for (let index = from; index < to; index++) this.#cells.store(index, value)
    return this
  }
  /** Copy the elements from `start` up to `end`, exclusive. Each is read atomically, all together are not. */
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
    return requireLock(this.#memory.lock, 'Array')
  }

  /** The same memory without the lock. */
  getObj(): Array<C> {
    const { name, memory: buffer, byteOffset } = this.#memory
    return arrayOn<C>(name, this.length, { buffer, byteOffset, lock: false })
  }

  static {
    // The bundler renames a class that has the name of a global.
    Object.defineProperty(this, 'name', { value: 'Array' })
    Object.defineProperty(this.prototype, inspect.custom, {
      value(this: Array) {
        return `Array(${inspect(this.#memory.name)}, ${inspect(this.slice(0, 100))}${this.length > 100 ? ` … ${this.length}` : ''})`
      },
    })
  }

  #checked(index: number): number {
    if (Number.isInteger(index) && index >= 0 && index < this.length) return index
    throw new RangeError(`index ${inspect(index)} is out of range: the Array has ${this.length} elements, from 0`)
  }

  #range(start: number, end: number): [from: number, to: number] {
    const clamp = (index: number) =>
      Math.min(Math.max(Math.trunc(index) + (index < 0 ? this.length : 0), 0), this.length)
    return [clamp(start), clamp(end)]
  }
}

// Outside the class: the bundler renames a class that names itself inside.
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

function newArrayMemory(typecode: TypeCode, length: number, options: ArrayOptions): ArrayMemory {
  const name = typeNameOf(typecode)
  checkInteger(length, 'the length of an Array')
  const lock = lockFor(options, 'the options of an Array', ['lock', 'buffer', 'byteOffset'])
  const { buffer, byteOffset = 0 } = options
  const bytes = bytesOf(name)
  checkInteger(byteOffset, 'byteOffset')
  if (buffer === undefined) {
    if (byteOffset !== 0)
      throw new RangeError(`byteOffset ${byteOffset} is a position in a buffer, and no buffer was given`)
    return { name, memory: new SharedArrayBuffer(length * bytes), byteOffset, length, lock }
  }
  if (!types.isSharedArrayBuffer(buffer))
    throw new TypeError(
      `buffer must be a SharedArrayBuffer (of a Wasm memory: its buffer, shared), not ${inspect(buffer)}`,
    )
  if (byteOffset % bytes !== 0)
    throw new RangeError(`byteOffset must be a multiple of ${bytes}, the size of ${name}, not ${byteOffset}`)
  if (byteOffset + length * bytes > buffer.byteLength)
    throw new RangeError(
      `${length} elements of ${bytes} bytes at ${byteOffset} need ${byteOffset + length * bytes} bytes; the buffer has ${buffer.byteLength}`,
    )
  return { name, memory: buffer, byteOffset, length, lock }
}

registerShareable(
  'Array',
  ([, , name, memory, byteOffset, length, lock]) => {
    const parts = { name, memory, byteOffset, length, lock: lockFrom(lock) } as ArrayMemory
    return new Array(fromParts(parts), parts.length)
  },
  { isFixed: (object) => Object.is(Object.getPrototypeOf(object), Array.prototype) },
)

recognizeCopies(Array, 'Array')
