// Typed arrays and ArrayBuffers as bytes.

interface ArrayType {
  prototype: object
  /** The whole of a buffer as this type. */
  over(buffer: ArrayBuffer): unknown
}

const type = (constructor: { prototype: object; new (buffer: ArrayBuffer): object }): ArrayType => ({
  prototype: constructor.prototype,
  over: (buffer) => new constructor(buffer),
})

/** By their number on the wire. */
export const arrayTypes: readonly ArrayType[] = [
  type(Uint8Array),
  { prototype: ArrayBuffer.prototype, over: (buffer) => buffer },
  type(Float64Array),
  type(Float32Array),
  type(Int32Array),
  type(Uint32Array),
  type(Int16Array),
  type(Uint16Array),
  type(Int8Array),
  type(Uint8ClampedArray),
  type(BigInt64Array),
  type(BigUint64Array),
]

const numbers = new Map<unknown, number>(arrayTypes.map(({ prototype }, number) => [prototype, number]))
numbers.set(Buffer.prototype, 0) // Structured clone knows no Buffers.

/** The number of a value's type; -1: it is no such array, or one that is V8's affair: shared, resizable, detached, of a class derived from it. */
export function typeOfArray(value: unknown): number {
  if (typeof value !== 'object' || value === null) return -1
  const isView = ArrayBuffer.isView(value)
  if (!isView && !(value instanceof ArrayBuffer)) return -1
  const number = numbers.get(Object.getPrototypeOf(value))
  if (number === undefined || (number === 1) === isView) return -1
  const buffer = (isView ? value.buffer : value) as ArrayBuffer & { resizable?: boolean }
  return buffer instanceof ArrayBuffer && buffer.byteLength > 0 && !buffer.resizable ? number : -1
}

/** The bytes that it consists of, on its own memory. */
export function bytesOf(value: ArrayBufferView | ArrayBuffer): Uint8Array {
  if (value instanceof Uint8Array) return value
  return ArrayBuffer.isView(value)
    ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
    : new Uint8Array(value)
}
