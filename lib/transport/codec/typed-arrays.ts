// Typed arrays and ArrayBuffers as bytes.
import { types } from 'node:util'

interface ArrayType {
  prototype: object
  /** The whole of a buffer as this type. */
  over(buffer: ArrayBuffer): unknown
}

const typedArray = (constructor: { prototype: object; new (buffer: ArrayBuffer): object }): ArrayType => ({
  prototype: constructor.prototype,
  over: (buffer) => new constructor(buffer),
})

const ARRAY_BUFFER = 1

/** The index of a type is its number in a message. */
export const arrayTypes: readonly ArrayType[] = [
  typedArray(Uint8Array),
  { prototype: ArrayBuffer.prototype, over: (buffer) => buffer },
  typedArray(Float64Array),
  typedArray(Float32Array),
  typedArray(Int32Array),
  typedArray(Uint32Array),
  typedArray(Int16Array),
  typedArray(Uint16Array),
  typedArray(Int8Array),
  typedArray(Uint8ClampedArray),
  typedArray(BigInt64Array),
  typedArray(BigUint64Array),
]

const typeNumbers = new Map<unknown, number>(arrayTypes.map(({ prototype }, number) => [prototype, number]))
typeNumbers.set(Buffer.prototype, 0) // Structured clone makes a Uint8Array of a Buffer.

/** The number of a value's type; -1 if it is no such array, or one for V8: shared, resizable, detached, empty, of a derived class. */
export function typeOfArray(value: unknown): number {
  if (typeof value !== 'object' || value === null) return -1
  const isView = ArrayBuffer.isView(value)
  if (!isView && !(value instanceof ArrayBuffer)) return -1
  const number = typeNumbers.get(Object.getPrototypeOf(value))
  if (number === undefined || (number === ARRAY_BUFFER) === isView) return -1
  const buffer = (isView ? value.buffer : value) as ArrayBuffer & { resizable?: boolean }
  return buffer instanceof ArrayBuffer && buffer.byteLength > 0 && !buffer.resizable ? number : -1
}

/** The bytes of the value itself, on its own memory. */
export function ownBytes(value: ArrayBufferView | ArrayBuffer): Uint8Array {
  if (types.isUint8Array(value)) return value
  return ArrayBuffer.isView(value)
    ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
    : new Uint8Array(value)
}
