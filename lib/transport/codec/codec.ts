// Values to bytes and back, equal to what `structuredClone` gives. Numbers, strings and the bytes of typed arrays have forms of
// their own; trees of plain objects and arrays are encoded by tree.ts; everything else by V8 (v8.ts), which is structured clone
// itself, with its identities, cycles and errors. README.md lists the forms.
//
// Two deliberate differences from structuredClone: a typed array as the value itself is sent without the rest of the buffer under
// it; and V8 starts anew with a value that turns out to be no tree, so that its getters are called again.
import { types } from 'node:util'
import { viewedBytes } from '../../memory/byte-view.js'
import { TreeEncoder } from './tree.js'
import { decodeTree } from './tree-decoder.js'
import { decodeAny, encodeAny } from './v8.js'
import { arrayTypes, ownBytes, typeOfArray } from './typed-arrays.js'
import { decodeAscii, decodeWide } from './text.js'
import type { Frame } from './frame.js'

export { decodeTree }

// Tags of frames. A typed array or ArrayBuffer has BYTES_FRAME plus its index in `arrayTypes`.
const NUMBER_FRAME = 0
const TREE_FRAME = 1
const V8_FRAME = 2
const ASCII_FRAME = 3
const WIDE_FRAME = 4
const BYTES_FRAME = 8

const numberScratch = new Float64Array(1)
const numberWords = new Int32Array(numberScratch.buffer)
const emptyWords = new Int32Array(0)

let treeEncoder = new TreeEncoder()
let isEncoding = false

/** Shared by all numbers. */
const numberFrame: Frame = { tag: NUMBER_FRAME, length: 8, words: numberWords, from: 0, bytes: undefined }

/**
 * Encode a value. The next call overwrites the frame: write it at once, or `keep` it.
 * @param root what the path of an error calls the value
 * @throws DataCloneError (ERR_MANYHANDS_DATA_CLONE) the value cannot be cloned, or cannot be had as bytes; or whatever its getter throws
 */
export function encode(value: unknown, root = 'value'): Frame {
  if (typeof value === 'number') {
    numberScratch[0] = value
    return numberFrame
  }
  if (isEncoding) return encodeWith(new TreeEncoder(), value, root) // Called by a getter of the value being encoded.
  isEncoding = true
  try {
    return encodeWith(treeEncoder, value, root)
  } finally {
    isEncoding = false
    if (treeEncoder.isLarge) treeEncoder = new TreeEncoder()
  }
}

/** The words of a tree, to be read by `decodeTree`; `undefined` if the value is no tree. */
export function encodeTree(value: object): Int32Array<ArrayBuffer> | undefined {
  return wordsOf((tree) => tree.encode(value))
}

/** As `encodeTree`, for an array of trees that share nothing when they arrive; `undefined` also if they take more than `maxBytes`. */
export function encodeTreesApart(trees: readonly unknown[], maxBytes: number): Int32Array<ArrayBuffer> | undefined {
  return wordsOf((tree) => tree.encodeApart(trees, maxBytes))
}

function wordsOf(encodeIn: (tree: TreeEncoder) => boolean): Int32Array<ArrayBuffer> | undefined {
  const isNested = isEncoding
  const tree = isNested ? new TreeEncoder() : treeEncoder
  isEncoding = true
  try {
    return encodeIn(tree) ? tree.words.slice(0, tree.length / 4) : undefined
  } finally {
    isEncoding = isNested
    if (treeEncoder.isLarge && !isNested) treeEncoder = new TreeEncoder()
  }
}

function encodeWith(tree: TreeEncoder, value: unknown, root: string): Frame {
  if (typeof value === 'string') {
    const isAscii = tree.encodeText(value)
    return wordsFrame(tree, isAscii ? ASCII_FRAME : WIDE_FRAME, isAscii ? value.length : 2 * value.length)
  }
  const type = typeOfArray(value)
  if (type >= 0) return bytesFrame(BYTES_FRAME + type, ownBytes(value as ArrayBufferView))
  if (tree.encode(value)) return wordsFrame(tree, TREE_FRAME, tree.length)
  return bytesFrame(V8_FRAME, encodeAny(value, root))
}

function wordsFrame({ words }: TreeEncoder, tag: number, length: number): Frame {
  return { tag, length, words, from: 0, bytes: undefined }
}

function bytesFrame(tag: number, bytes: Uint8Array): Frame {
  return { tag, length: bytes.length, words: emptyWords, from: 0, bytes }
}

/** A copy of a frame, on memory of its own. */
export function keep({ tag, length, words, from, bytes }: Frame): Frame {
  return bytes
    ? bytesFrame(tag, new Uint8Array(bytes))
    : { tag, length, words: words.slice(from, from + ((length + 3) >> 2)), from: 0, bytes: undefined }
}

/** Words of the memory that copies of short frames share. */
const SHARED_WORDS = 2 ** 12

/** Copies of the frames of many values. Short ones share memory: an array for each would take longer than to encode it. */
export function keepAll<T>(values: readonly T[], encodeOne: (value: T, index: number) => Frame): Frame[] {
  let shared = emptyWords
  let at = 0
  return values.map((value, index) => {
    const frame = encodeOne(value, index)
    const { tag, length, words, from, bytes } = frame
    const count = (length + 3) >> 2
    if (bytes || count > SHARED_WORDS / 16) return keep(frame)
    if (at + count > shared.length) {
      shared = new Int32Array(Math.min(SHARED_WORDS, count * (values.length - index)))
      at = 0
    }
    for (let i = 0; i < count; i++) shared[at + i] = words[from + i]!
    at += count
    return { tag, length, words: shared, from: at - count, bytes }
  })
}

/**
 * The value of a frame.
 * @param inbox a short payload, which is copied
 * @param large a long payload, which the value may keep; `inbox` is not used then
 * @throws DataCloneError (ERR_MANYHANDS_DATA_CLONE) V8 cannot read it in this thread
 */
export function decode(
  tag: number,
  length: number,
  inbox: Int32Array,
  large: Uint8Array<ArrayBuffer> | undefined,
): unknown {
  if (tag === NUMBER_FRAME) {
    numberWords[0] = inbox[0]!
    numberWords[1] = inbox[1]!
    return numberScratch[0]
  }
  const words = large ? new Int32Array(large.buffer, 0, large.length >> 2) : inbox
  switch (tag) {
    case TREE_FRAME:
      return decodeTree(words)
    case ASCII_FRAME:
      return decodeAscii(words, 0, length)
    case WIDE_FRAME:
      return decodeWide(words, 0, length)
    default: {
      const bytes = large ?? new Uint8Array(inbox.buffer as ArrayBuffer, 0, length).slice()
      return tag === V8_FRAME ? decodeAny(bytes) : arrayTypes[tag - BYTES_FRAME]!.over(bytes.buffer)
    }
  }
}

/** Whether the payload of a frame is the bytes of a typed array or buffer. Of some, it is V8's form: see `decodeBytes`. */
export const isBytesFrame = (tag: number): boolean => tag >= BYTES_FRAME

/** As `decode`: the bytes of a typed array or buffer that is in V8's form; `undefined` of any other value. */
export function decodeBytes(...[tag, ...payload]: Parameters<typeof decode>): Uint8Array | undefined {
  if (tag !== V8_FRAME) return undefined
  const value = decode(tag, ...payload)
  return ArrayBuffer.isView(value) || types.isAnyArrayBuffer(value) ? viewedBytes(value, 'decode') : undefined
}
