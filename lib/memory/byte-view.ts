// A view or buffer of a caller's, as the bytes that it covers.
import { inspect, types } from 'node:util'

/** What callers may pass where bytes are read from or written to. */
export type ByteView = ArrayBufferView | ArrayBufferLike

/**
 * The bytes of a view or buffer, on its own memory: of this moment, where it may grow or shrink.
 * Not: the view itself, where it is a Uint8Array. The getters of a derived class may say anything.
 * @param use the method that was given it, for errors
 * @throws TypeError not a view or buffer, or its memory was transferred
 */
export function viewedBytes(view: unknown, use: string): Uint8Array {
  try {
    if (ArrayBuffer.isView(view)) return new Uint8Array(view.buffer, view.byteOffset, view.byteLength)
    if (types.isAnyArrayBuffer(view)) return new Uint8Array(view)
  } catch (cause) {
    throw new TypeError(`${use}: the memory of the view was transferred elsewhere`, { cause })
  }
  throw new TypeError(`${use} takes a typed array, a Buffer, a DataView or an ArrayBuffer, not ${inspect(view)}`)
}

/**
 * Copy all of `source` to `target`, which has room for it from `at` on.
 * Not: target.set, which copies into and out of shared memory word by word, or byte by byte: three to thirty times slower.
 */
export function copyBytes(source: Uint8Array, target: Uint8Array, at: number): void {
  if (source.length > 0) Buffer.prototype.fill.call(target, source, at, at + source.length)
}

/** The bytes of a view that a message of `length` bytes is to be copied to. @throws TypeError as `viewedBytes`; RangeError it has no room for them */
export function bytesWithRoom(view: unknown, length: number, use: string): Uint8Array {
  const target = viewedBytes(view, use)
  if (length <= target.length) return target
  throw new RangeError(`${use}: the message is ${length} bytes, and the view has ${target.length}; the message stays`)
}
