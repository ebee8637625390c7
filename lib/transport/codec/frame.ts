// A frame: an encoded value, as the codec makes it and a ring stores it.

/** The payload is words or bytes; `tag` says how it is decoded. */
export interface Frame {
  tag: number
  /** Length of the payload in bytes. */
  length: number
  words: Int32Array
  /** Index of the payload's first word. */
  from: number
  /** The payload if it is bytes; `words` and `from` are not used then. */
  bytes: Uint8Array | undefined
}
