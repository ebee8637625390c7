// Strings as bytes: one per character where all are ASCII, otherwise two, so that halves of surrogate pairs survive.

/** What Node's types leave out. */
interface Text extends Buffer {
  latin1Slice(start: number, end: number): string
  ucs2Slice(start: number, end: number): string
}

const encoder = new TextEncoder()
/** A loop is faster up to here, a call beyond. */
const SHORT = 20

/** Write the string where all of its characters are ASCII. Three bytes of room for each of them are needed, or it is not written. */
export function writeAscii(text: string, bytes: Uint8Array, at: number): boolean {
  const { length } = text
  if (length > SHORT) {
    const { read, written } = encoder.encodeInto(text, bytes.subarray(at, at + length))
    return read === length && written === length
  }
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i)
    if (code > 127) return false
    bytes[at + i] = code
  }
  return true
}

/** Write two bytes for each character. */
export function writeWide(text: string, bytes: Buffer, at: number): void {
  bytes.write(text, at, 2 * text.length, 'utf16le')
}

let lastWords: Int32Array | undefined
let lastText: Text

function textOf(words: Int32Array): Text {
  if (words === lastWords) return lastText
  lastText = Buffer.from(words.buffer as ArrayBuffer) as unknown as Text
  lastWords = words
  return lastText
}

/** @param at the first byte. The bytes may go on beyond the last whole word. */
export function decodeAscii(words: Int32Array, at: number, length: number): string {
  return length === 0 ? '' : textOf(words).latin1Slice(at, at + length)
}

/** @param length in bytes */
export function decodeWide(words: Int32Array, at: number, length: number): string {
  return textOf(words).ucs2Slice(at, at + length)
}
