// Strings as bytes: one per character if all are ASCII, otherwise two per UTF-16 unit, so that lone surrogates survive.

/** Methods that Node's types omit. */
interface TextBuffer extends Buffer {
  latin1Slice(start: number, end: number): string
  ucs2Slice(start: number, end: number): string
}

const utf8 = new TextEncoder()
/** Characters up to which a loop is faster than a call of `encodeInto`. */
const MAX_LOOP_LENGTH = 20

/** Write the string if it is ASCII: `bytes` needs room for a byte per character. @returns whether it is; if not, some bytes may be written */
export function writeAscii(text: string, bytes: Uint8Array, at: number): boolean {
  const { length } = text
  if (length > MAX_LOOP_LENGTH) {
    const { read, written } = utf8.encodeInto(text, bytes.subarray(at, at + length))
    return read === length && written === length
  }
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i)
    if (code > 127) return false
    bytes[at + i] = code
  }
  return true
}

/** Write two bytes per UTF-16 unit, little-endian. */
export function writeWide(text: string, bytes: Buffer, at: number): void {
  bytes.write(text, at, 2 * text.length, 'utf16le')
}

// A tree's texts are all in one array of words: its Buffer is made once.
let lastWords: Int32Array | undefined
let lastBuffer: TextBuffer

function bufferOf(words: Int32Array): TextBuffer {
  if (words === lastWords) return lastBuffer
  lastBuffer = Buffer.from(words.buffer as ArrayBuffer) as unknown as TextBuffer
  lastWords = words
  return lastBuffer
}

/** @param at the first byte, in the buffer under `words`. The text may end beyond the last whole word. */
export function decodeAscii(words: Int32Array, at: number, length: number): string {
  return length === 0 ? '' : bufferOf(words).latin1Slice(at, at + length)
}

/** @param length in bytes */
export function decodeWide(words: Int32Array, at: number, length: number): string {
  return bufferOf(words).ucs2Slice(at, at + length)
}
