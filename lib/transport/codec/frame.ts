// A frame: an encoded value, as the codec gives it and a ring takes it.

/** The payload is words or bytes, and `tag` says how it is decoded. */
export interface Frame {
  tag: number
  /** Of the payload, in bytes. */
  length: number
  words: Int32Array
  /** Index of the payload's first word. */
  from: number
  /** The payload, where it is bytes; `words` is not used then. */
  bytes: Uint8Array | undefined
}
