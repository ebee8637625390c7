// Values to bytes and back, equal to what `structuredClone` gives. Numbers, strings, and the bytes of typed arrays have forms of
// their own; trees of plain objects and arrays are encoded by codec-tree.ts; all else is V8's, which is structured clone itself:
// its identities, cycles, errors and all (codec-v8.ts).
//
// Two differences from structuredClone, on purpose: of a typed array that is a part of a larger buffer, only that part is sent;
// and a getter in a value that turns out to be no tree is called again by V8, which has to begin anew.
import { TreeEncoder } from './tree.js'
import { decodeTree } from './tree-decoder.js'
import { decodeAny, encodeAny } from './v8.js'
import { arrayTypes, bytesOf, typeOfArray } from './typed-arrays.js'
import { decodeAscii, decodeWide } from './text.js'
import type { Frame } from './frame.js'

export { decodeTree }

// Tags of frames. From BYTES on: a typed array, or ArrayBuffer, by its place in `arrayTypes`.
const NUMBER = 0
const TREE = 1
const ANY = 2
const ASCII = 3
const WIDE = 4
const BYTES = 8

const double = new Float64Array(1)
const doubleWords = new Int32Array(double.buffer)
const none = new Int32Array(0)

let encoder = new TreeEncoder()
let encoding = false

// Every number is encoded in this one.
const numberFrame: Frame = { tag: NUMBER, length: 8, words: doubleWords, from: 0, bytes: undefined }

/**
 * Encode a value. What is returned is overwritten by the next call: write it, or `keep` it.
 * @param root how the value is called in the path of an error
 * @throws DataCloneError
 */
export function encode(value: unknown, root = 'value'): Frame {
  if (typeof value === 'number') {
    double[0] = value
    return numberFrame
  }
  if (encoding) return encodeWith(new TreeEncoder(), value, root) // A getter of a value that is being encoded has called.
  encoding = true
  try {
    return encodeWith(encoder, value, root)
  } finally {
    encoding = false
    if (encoder.isLarge) encoder = new TreeEncoder()
  }
}

/** A tree of plain objects and arrays alone, as words of its own; `undefined`: the value is no such tree. See codec-tree.ts. */
export function encodeTree(value: object): Int32Array<ArrayBuffer> | undefined {
  return wordsOf((tree) => tree.encode(value))
}

/** As `encodeTree`, for an array of trees that are to have nothing in common when they arrive, and not more than `most` bytes. */
export function encodeTreesApart(trees: readonly unknown[], most: number): Int32Array<ArrayBuffer> | undefined {
  return wordsOf((tree) => tree.encodeApart(trees, most))
}

function wordsOf(encodeIn: (tree: TreeEncoder) => boolean): Int32Array<ArrayBuffer> | undefined {
  const tree = encoding ? new TreeEncoder() : encoder
  const outer = encoding
  encoding = true
  try {
    return encodeIn(tree) ? tree.words.slice(0, tree.length / 4) : undefined
  } finally {
    encoding = outer
    if (encoder.isLarge && !outer) encoder = new TreeEncoder()
  }
}

function encodeWith(tree: TreeEncoder, value: unknown, root: string): Frame {
  if (typeof value === 'string') {
    const ascii = tree.encodeText(value)
    return { tag: ascii ? ASCII : WIDE, length: ascii ? value.length : 2 * value.length, words: tree.words, from: 0, bytes: undefined } // prettier-ignore
  }
  const type = typeOfArray(value)
  if (type >= 0) return bytesFrame(BYTES + type, bytesOf(value as ArrayBufferView))
  if (tree.encode(value)) return { tag: TREE, length: tree.length, words: tree.words, from: 0, bytes: undefined }
  return bytesFrame(ANY, encodeAny(value, root))
}

function bytesFrame(tag: number, bytes: Uint8Array): Frame {
  return { tag, length: bytes.length, words: none, from: 0, bytes }
}

/** A copy of a frame that stays as it is. */
export function keep({ tag, length, words, from, bytes }: Frame): Frame {
  return bytes
    ? bytesFrame(tag, new Uint8Array(bytes))
    : { tag, length, words: words.slice(from, from + ((length + 3) >> 2)), from: 0, bytes: undefined }
}

/**
 * The value of a frame.
 * @param inbox its payload, where it is short: to be copied
 * @param large its payload, where it is long: to be kept
 */
export function decode(
  tag: number,
  length: number,
  inbox: Int32Array,
  large: Uint8Array<ArrayBuffer> | undefined,
): unknown {
  if (tag === NUMBER) {
    doubleWords[0] = inbox[0]!
    doubleWords[1] = inbox[1]!
    return double[0]
  }
  const words = large ? new Int32Array(large.buffer, 0, large.length >> 2) : inbox
  switch (tag) {
    case TREE:
      return decodeTree(words)
    case ASCII:
      return decodeAscii(words, 0, length)
    case WIDE:
      return decodeWide(words, 0, length)
    default: {
      const bytes = large ?? new Uint8Array(inbox.buffer as ArrayBuffer, 0, length).slice()
      return tag === ANY ? decodeAny(bytes) : arrayTypes[tag - BYTES]!.over(bytes.buffer)
    }
  }
}
