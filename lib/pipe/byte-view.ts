// The bytes of a view or buffer, checked and copied: what `sendBytes` sends.
import { inspect, types } from 'node:util'
import { checkInteger } from '../base/validate.js'

/** @throws TypeError not a view or buffer; RangeError outside of it */
export function copyOfBytes(view: unknown, offset: unknown = 0, size?: unknown): Uint8Array<ArrayBuffer> {
  const all = allBytes(view)
  const from = checkInteger(offset, 'offset', 0, all.byteLength)
  const rest = all.byteLength - from
  const length = size === undefined ? rest : checkInteger(size, 'size', 0, rest)
  const copy = new Uint8Array(length)
  copy.set(all.subarray(from, from + length))
  return copy
}

function allBytes(view: unknown): Uint8Array {
  if (ArrayBuffer.isView(view)) return new Uint8Array(view.buffer, view.byteOffset, view.byteLength)
  if (types.isAnyArrayBuffer(view)) return new Uint8Array(view)
  throw new TypeError(`sendBytes takes a typed array, a Buffer, a DataView or an ArrayBuffer, not ${inspect(view)}`)
}
