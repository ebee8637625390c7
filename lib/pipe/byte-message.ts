// Messages of bytes, as a Pipe carries them: copied from the sender's memory, and into the receiver's.
import { inspect, types } from 'node:util'
import { checkInteger } from '../base/validate.js'
import { viewedBytes, bytesWithRoom, copyBytes } from '../memory/byte-view.js'
import { contentOf } from './message.js'

/** What `sendBytes` sends. @throws TypeError not a view or buffer; RangeError outside of it */
export function copyToSend(view: unknown, offset: unknown = 0, size?: unknown): Uint8Array<ArrayBuffer> {
  const all = viewedBytes(view, 'sendBytes')
  const from = checkInteger(offset, 'offset', 0, all.byteLength)
  const rest = all.byteLength - from
  const length = size === undefined ? rest : checkInteger(size, 'size', 0, rest)
  const copy = new Uint8Array(length)
  copyBytes(all.subarray(from, from + length), copy, 0)
  return copy
}

/** @param use the method that receives @throws TypeError the message is not bytes */
export function bytesReceived(message: unknown, use: string): Uint8Array {
  if (types.isUint8Array(message)) return message
  const found = inspect(contentOf(message), { depth: 0 })
  throw new TypeError(`${use}: the message is not bytes but ${found}; recv() receives it`)
}

/**
 * How to receive bytes into a view: copies a message to its start, and returns the length.
 * @throws TypeError it is not bytes; as `bytesWithRoom`
 */
export function into(view: unknown, use: string): (message: unknown) => number {
  viewedBytes(view, use)
  return (message) => {
    const bytes = bytesReceived(message, use)
    copyBytes(bytes, bytesWithRoom(view, bytes.length, use), 0)
    return bytes.length
  }
}
