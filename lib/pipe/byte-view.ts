// The bytes of a view or buffer, checked and copied: what `sendBytes` sends.
import { inspect } from 'node:util'

/** @throws TypeError not a view or buffer; RangeError outside of it */
export function copyOfBytes(view: unknown, offset: unknown = 0, size?: unknown): Uint8Array<ArrayBuffer> {
  const all = bytesOf(view)
  const from = checkCount(offset, 'offset', all.byteLength)
  const count = size === undefined ? all.byteLength - from : checkCount(size, 'size', all.byteLength - from)
  const copy = new Uint8Array(count)
  copy.set(all.subarray(from, from + count))
  return copy
}

function bytesOf(view: unknown): Uint8Array {
  if (ArrayBuffer.isView(view)) return new Uint8Array(view.buffer, view.byteOffset, view.byteLength)
  if (view instanceof ArrayBuffer || view instanceof SharedArrayBuffer) return new Uint8Array(view)
  throw new TypeError(`sendBytes takes a typed array, a Buffer, a DataView or an ArrayBuffer, not ${inspect(view)}`)
}

function checkCount(count: unknown, name: string, limit: number): number {
  if (typeof count !== 'number') throw new TypeError(`${name} must be a number of bytes, not ${inspect(count)}`)
  if (Number.isInteger(count) && count >= 0 && count <= limit) return count
  throw new RangeError(`${name} must be a whole number of bytes from 0 to ${limit}, not ${count}`)
}
