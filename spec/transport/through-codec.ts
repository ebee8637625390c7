import { decode, encode } from '#internals'

/** Decode what was encoded, from memory of its own. */
export function throughCodec(value: unknown): unknown {
  const { tag, length, words, from, bytes } = encode(value)
  const payload = new Uint8Array(length)
  payload.set(bytes ?? new Uint8Array(words.buffer, words.byteOffset + from * 4, length))
  const inbox = new Int32Array(new Uint8Array(Math.ceil(length / 8) * 8).buffer)
  new Uint8Array(inbox.buffer).set(payload)
  return decode(tag, length, inbox, length > 1000 ? payload : undefined)
}
