// Value: one element of shared memory, after Python's multiprocessing.Value.
import { inspect } from 'node:util'
import { recognizeCopies } from '../copies.js'
import { fromParts, partsIn } from '../base/parts.js'
import { cellsOver, type Cells } from '../memory/element-ops.js'
import { bytesOf, typeNameOf, type ElementOf, type TypeCode, type TypeName } from '../memory/element-types.js'
import type { Lock } from '../sync/lock.js'
import type { RLock } from '../sync/rlock.js'
import { makeShareable, registerShareable } from '../transport/shareable.js'
import { lockFor, lockFrom, requireLock, type LockOption } from './lock-option.js'

/** What a Value is a view of. */
type ValueMemory = [name: TypeName, memory: SharedArrayBuffer, lock: Lock | RLock | undefined]

/**
 * One value that threads share. Each operation is one atomic step. `v.value += 1` is two, and may lose the update of another
 * thread: use `v.add(1)`, or hold `v.getLock()`. After Python's multiprocessing.Value. Shareable.
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
  constructor(typecode: C, initial?: ElementOf<C>, options: LockOption = {}) {
    const parts = partsIn(typecode) as ValueMemory | undefined
    const [name, memory, lock] = parts ?? newValueMemory(typecode, options)
    this.#name = name
    this.#memory = memory
    this.#lock = lock
    this.#cells = cellsOver(name, memory, 0, 1)
    if (initial !== undefined) this.#cells.store(0, initial)
    if (!parts) makeShareable(this, 'Value', name, memory, lock)
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
  /**
   * Replace the value if it is `expected`, as the type stores that (0.1 in a float32 is another number).
   * @returns the previous value
   */
  compareExchange(expected: ElementOf<C>, value: ElementOf<C>): ElementOf<C> {
    return this.#cells.compareExchange(0, expected, value)
  }

  /** The lock that goes with it. @throws LockError it was made with `lock: false` */
  getLock(): Lock | RLock {
    return requireLock(this.#lock, 'Value')
  }

  /** The same memory without the lock. */
  getObj(): Value<C> {
    const bare = valueOn<C>(this.#name, this.#memory, undefined)
    makeShareable(bare, 'Value', this.#name, this.#memory, undefined)
    return bare
  }

  /** The value: JavaScript calls this where it needs a number or a string. */
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

// Outside the class: the bundler renames a class that names itself inside.
function valueOn<C extends TypeCode>(...memory: ValueMemory): Value<C> {
  return new Value<C>(fromParts(...memory))
}

function newValueMemory(typecode: TypeCode, options: LockOption): ValueMemory {
  const name = typeNameOf(typecode)
  return [name, new SharedArrayBuffer(bytesOf(name)), lockFor(options, 'the options of a Value')]
}

registerShareable(
  'Value',
  ([, , name, memory, lock]) => {
    return valueOn(name as TypeName, memory as SharedArrayBuffer, lockFrom(lock))
  },
  { isFixed: (object) => Object.is(Object.getPrototypeOf(object), Value.prototype) },
)

recognizeCopies(Value, 'Value')
