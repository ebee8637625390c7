// Cells: a run of elements of one type in shared memory, with their operations. Each operation is one atomic step on one element.
// Atomics handles integers only: a float is read and written through an integer view of the same bytes, and changed by
// compare-and-swap.
import { inspect, types } from 'node:util'
import { elements, type IntegerView } from './atomics.js'
import type { TypeName, Views } from './element-types.js'

/**
 * The operations. All but `load` and `store` return the previous value. The caller has checked the index.
 * @throws TypeError a value of another type, or an operation that the type does not have; nothing was changed
 */
export interface Cells<T = any> {
  /** The plain typed array over the same memory. */
  readonly view: Views[TypeName]
  load(index: number): T
  store(index: number, value: T): void
  add(index: number, value: T): T
  sub(index: number, value: T): T
  and(index: number, value: T): T
  or(index: number, value: T): T
  xor(index: number, value: T): T
  exchange(index: number, value: T): T
  compareExchange(index: number, expected: T, value: T): T
}

/** Lay cells over memory. @param byteOffset a multiple of the element's size */
export function cellsOver(name: TypeName, memory: SharedArrayBuffer, byteOffset: number, length: number): Cells {
  switch (name) {
    case 'int8':
      return new IntegerCells(new Int8Array(memory, byteOffset, length), asInteger)
    case 'uint8':
      return new IntegerCells(new Uint8Array(memory, byteOffset, length), asInteger)
    case 'int16':
      return new IntegerCells(new Int16Array(memory, byteOffset, length), asInteger)
    case 'uint16':
      return new IntegerCells(new Uint16Array(memory, byteOffset, length), asInteger)
    case 'int32':
      return new IntegerCells(new Int32Array(memory, byteOffset, length), asInteger)
    case 'uint32':
      return new IntegerCells(new Uint32Array(memory, byteOffset, length), asInteger)
    case 'int64':
      return new IntegerCells(new BigInt64Array(memory, byteOffset, length), asBigInt)
    case 'uint64':
      return new IntegerCells(new BigUint64Array(memory, byteOffset, length), asBigInt)
    case 'float32':
      return new FloatCells(new Float32Array(memory, byteOffset, length), new Int32Array(memory, byteOffset, length))
    case 'float64':
      return new FloatCells(new Float64Array(memory, byteOffset, length), new BigInt64Array(memory, byteOffset, length))
    case 'char':
      return new CodedCells(new Uint16Array(memory, byteOffset, length), CHAR)
    case 'bool':
      return new CodedCells(new Uint8Array(memory, byteOffset, length), BOOL)
    default:
      return name satisfies never
  }
}

function asInteger(value: unknown): number {
  if (Number.isInteger(value)) return value as number
  throw new TypeError(`${inspect(value)} is not an integer`)
}

function asBigInt(value: unknown): bigint {
  if (typeof value === 'bigint') return value
  throw new TypeError(`${inspect(value)} is not a bigint, as 64-bit integers must be`)
}

function asNumber(value: unknown): number {
  if (typeof value === 'number') return value
  throw new TypeError(`${inspect(value)} is not a number`)
}

/** Integers of any width. They wrap. */
class IntegerCells<T extends number | bigint> implements Cells<T> {
  readonly view: IntegerView<T>
  readonly #check: (value: unknown) => T
  constructor(view: IntegerView<T>, check: (value: unknown) => T) {
    this.view = view
    this.#check = check
  }
  load(index: number): T {
    return elements.load(this.view, index)
  }
  store(index: number, value: T): void {
    elements.store(this.view, index, this.#check(value))
  }
  add(index: number, value: T): T {
    return elements.add(this.view, index, this.#check(value))
  }
  sub(index: number, value: T): T {
    return elements.sub(this.view, index, this.#check(value))
  }
  and(index: number, value: T): T {
    return elements.and(this.view, index, this.#check(value))
  }
  or(index: number, value: T): T {
    return elements.or(this.view, index, this.#check(value))
  }
  xor(index: number, value: T): T {
    return elements.xor(this.view, index, this.#check(value))
  }
  exchange(index: number, value: T): T {
    return elements.exchange(this.view, index, this.#check(value))
  }
  compareExchange(index: number, expected: T, value: T): T {
    return elements.compareExchange(this.view, index, this.#check(expected), this.#check(value))
  }
}

// One element of each float type over its bits, to convert between the two.
const float32 = new Float32Array(1)
const float32Bits = new Int32Array(float32.buffer)
const float64 = new Float64Array(1)
const float64Bits = new BigInt64Array(float64.buffer)

/** Floats, through an integer view of their bytes. */
class FloatCells<B extends number | bigint> implements Cells<number> {
  readonly view: Float32Array<SharedArrayBuffer> | Float64Array<SharedArrayBuffer>
  readonly #bits: IntegerView<B>
  readonly #scratch: Float32Array | Float64Array
  readonly #scratchBits: { [index: number]: B }

  constructor(view: Float32Array<SharedArrayBuffer> | Float64Array<SharedArrayBuffer>, bits: IntegerView<B>) {
    this.view = view
    this.#bits = bits
    const isSingle = types.isFloat32Array(view)
    this.#scratch = isSingle ? float32 : float64
    this.#scratchBits = (isSingle ? float32Bits : float64Bits) as unknown as { [index: number]: B }
  }
  load(index: number): number {
    return this.#fromBits(elements.load(this.#bits, index))
  }
  store(index: number, value: number): void {
    elements.store(this.#bits, index, this.#toBits(value))
  }
  add(index: number, value: number): number {
    asNumber(value)
    for (;;) {
      const bits = elements.load(this.#bits, index)
      const before = this.#fromBits(bits)
      if (elements.compareExchange(this.#bits, index, bits, this.#toBits(before + value)) === bits) return before
    }
  }
  sub(index: number, value: number): number {
    return this.add(index, -asNumber(value))
  }
  and(): never {
    return refuseOperation('and', 'floats')
  }
  or(): never {
    return refuseOperation('or', 'floats')
  }
  xor(): never {
    return refuseOperation('xor', 'floats')
  }
  exchange(index: number, value: number): number {
    return this.#fromBits(elements.exchange(this.#bits, index, this.#toBits(value)))
  }
  /** Compares numbers, not bits: 0 equals -0, and NaN equals NaN. */
  compareExchange(index: number, expected: number, value: number): number {
    asNumber(expected)
    asNumber(value)
    for (;;) {
      const bits = elements.load(this.#bits, index)
      const before = this.#fromBits(bits)
      const same = before === this.#rounded(expected) || (Number.isNaN(before) && Number.isNaN(expected))
      if (!same || elements.compareExchange(this.#bits, index, bits, this.#toBits(value)) === bits) return before
    }
  }
  #fromBits(bits: B): number {
    this.#scratchBits[0] = bits
    return this.#scratch[0]!
  }
  #toBits(value: number): B {
    this.#scratch[0] = asNumber(value)
    return this.#scratchBits[0]!
  }
  #rounded(value: number): number {
    this.#scratch[0] = value
    return this.#scratch[0]
  }
}

/** How values other than numbers are stored as integers. */
interface Code<T> {
  /** What errors call values of the type. */
  name: string
  encode(value: unknown): number
  decode(bits: number): T
  /** Whether the type has the bitwise operations. */
  bitwise: boolean
}

const CHAR: Code<string> = {
  name: 'characters',
  encode(value) {
    if (typeof value === 'string' && value.length === 1) return value.charCodeAt(0)
    throw new TypeError(`${inspect(value)} is not a string of one character`)
  },
  decode: (bits) => String.fromCharCode(bits),
  bitwise: false,
}

const BOOL: Code<boolean> = {
  name: 'booleans',
  encode(value) {
    if (typeof value === 'boolean') return Number(value)
    throw new TypeError(`${inspect(value)} is not true or false`)
  },
  decode: (bits) => bits !== 0,
  bitwise: true,
}

class CodedCells<T> implements Cells<T> {
  readonly view: Uint8Array<SharedArrayBuffer> | Uint16Array<SharedArrayBuffer>
  readonly #code: Code<T>
  constructor(view: Uint8Array<SharedArrayBuffer> | Uint16Array<SharedArrayBuffer>, code: Code<T>) {
    this.view = view
    this.#code = code
  }
  load(index: number): T {
    return this.#code.decode(elements.load(this.view, index))
  }
  store(index: number, value: T): void {
    elements.store(this.view, index, this.#code.encode(value))
  }
  add(): never {
    return refuseOperation('add', this.#code.name)
  }
  sub(): never {
    return refuseOperation('sub', this.#code.name)
  }
  and(index: number, value: T): T {
    return this.#code.decode(elements.and(this.view, index, this.#bits('and', value)))
  }
  or(index: number, value: T): T {
    return this.#code.decode(elements.or(this.view, index, this.#bits('or', value)))
  }
  xor(index: number, value: T): T {
    return this.#code.decode(elements.xor(this.view, index, this.#bits('xor', value)))
  }
  exchange(index: number, value: T): T {
    return this.#code.decode(elements.exchange(this.view, index, this.#code.encode(value)))
  }
  compareExchange(index: number, expected: T, value: T): T {
    const { encode, decode } = this.#code
    return decode(elements.compareExchange(this.view, index, encode(expected), encode(value)))
  }
  #bits(operation: string, value: T): number {
    return this.#code.bitwise ? this.#code.encode(value) : refuseOperation(operation, this.#code.name)
  }
}

function refuseOperation(operation: string, type: string): never {
  throw new TypeError(`there is no ${operation} for ${type}`)
}
