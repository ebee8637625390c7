// Value: one element of shared memory, after Python's multiprocessing.Value.
import { inspect } from 'node:util'
import { cellsOver, type Cells } from '../memory/element-ops.js'
import { makeShareable, registerShareable } from '../transport/shareable.js'
import { bytesOf, typeNameOf, type ElementOf, type TypeCode, type TypeName } from '../memory/element-types.js'
import type { Lock } from '../sync/lock.js'
import type { RLock } from '../sync/rlock.js'
import { lockFor, lockFrom, requireLock, type LockOption } from './lock-option.js'

/** Where a value lies that exists already. */
interface Place {
  memory: SharedArrayBuffer
  lock: Lock | RLock | undefined
}

/**
 * One value that threads share. Each operation is one atomic step; `v.value += 1` is two, and may lose updates of others:
 * use `v.add(1)`, or hold `v.getLock()`.
 */
export class Value<C extends TypeCode = TypeCode> {
  readonly #name: TypeName
  readonly #cells: Cells<ElementOf<C>>
  readonly #memory: SharedArrayBuffer
  readonly #lock: Lock | RLock | undefined

  /**
   * @param typecode a letter as in Python (`b B h H i I l L q Q f d c ?`) or a name (`int32`, `float64`, …)
   * @param initial @default 0, false, or the character of code 0
   * @throws TypeError an unknown code, or an initial value that is not of the type
   */
  constructor(typecode: C, initial?: ElementOf<C>, options?: LockOption)
  /** @internal */
  constructor(typecode: C, initial: undefined, options: LockOption, place: Place)
  constructor(typecode: C, initial?: ElementOf<C>, options: LockOption = {}, place?: Place) {
    this.#name = typeNameOf(typecode)
    this.#memory = place?.memory ?? new SharedArrayBuffer(bytesOf(this.#name))
    this.#cells = cellsOver(this.#name, this.#memory, 0, 1)
    if (initial !== undefined) this.#cells.store(0, initial)
    this.#lock = place ? place.lock : lockFor(options)
    if (!place) makeShareable(this, 'Value', this.#name, this.#memory, this.#lock)
  }

  get value(): ElementOf<C> {
    return this.#cells.load(0)
  }
  set value(value: ElementOf<C>) {
    this.#cells.store(0, value)
  }

  /** Add in one atomic step, floats included. Integers wrap. @returns the previous value */
  add(value: ElementOf<C>): ElementOf<C> {
    return this.#cells.add(0, value)
  }
  /** Subtract in one atomic step. @returns the previous value */
  sub(value: ElementOf<C>): ElementOf<C> {
    return this.#cells.sub(0, value)
  }
  /** Bitwise and, in one atomic step. @returns the previous value */
  and(value: ElementOf<C>): ElementOf<C> {
    return this.#cells.and(0, value)
  }
  /** Bitwise or, in one atomic step. @returns the previous value */
  or(value: ElementOf<C>): ElementOf<C> {
    return this.#cells.or(0, value)
  }
  /** Bitwise exclusive or, in one atomic step. @returns the previous value */
  xor(value: ElementOf<C>): ElementOf<C> {
    return this.#cells.xor(0, value)
  }
  /** Replace the value. @returns the previous one */
  exchange(value: ElementOf<C>): ElementOf<C> {
    return this.#cells.exchange(0, value)
  }
  /** Replace the value if it is `expected`. @returns the previous one: the exchange was made if that is what the type makes of `expected` */
  compareExchange(expected: ElementOf<C>, value: ElementOf<C>): ElementOf<C> {
    return this.#cells.compareExchange(0, expected, value)
  }

  /** The lock that goes with it. @throws LockError it was made with `lock: false` */
  getLock(): Lock | RLock {
    return requireLock(this.#lock, 'Value')
  }

  /** The same memory without the lock. */
  getObj(): Value<C> {
    const bare = valueAt<C>(this.#name, { memory: this.#memory, lock: undefined })
    makeShareable(bare, 'Value', this.#name, this.#memory, undefined)
    return bare
  }

  /** The value, where a number or a string is needed. */
  valueOf(): ElementOf<C> {
    return this.value
  }

  static {
    Object.defineProperty(this.prototype, inspect.custom, {
      value(this: Value) {
        return `Value(${inspect(this.#name)}, ${inspect(this.value)})`
      },
    })
  }
}

// Outside of the class: one that names itself inside is renamed by the bundler.
function valueAt<C extends TypeCode>(name: TypeName, place: Place): Value<C> {
  return new Value(name as C, undefined, {}, place)
}

registerShareable('Value', ([, , name, memory, lock]) => {
  const place: Place = { memory: memory as SharedArrayBuffer, lock: lockFrom(lock) }
  return valueAt(name as TypeName, place)
})
