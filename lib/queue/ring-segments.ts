// Where the bytes of a ring lie: in segments, each twice as large as the one before, in memory that grows.
//
// Growing: a writer that finds no room begins the next segment at the position TAIL, and readers follow when HEAD has come there.
// Nothing is moved, so nothing can be left half moved. In each segment a position lies at its value modulo the segment's size.
//
// A writer calls `reserve`, with WRITE_LOCK held; a reader calls `locate`, with READ_LOCK held.
import { load, peek, poke, store, type Words } from '../memory/atomics.js'
import { copyBytes } from '../memory/byte-view.js'
import type { Frame } from '../transport/codec/frame.js'
import {
  ALLOWED_HEAD,
  FIRST_SEGMENT_LOG2,
  FRAME_HEADER_BYTES,
  HEAD,
  LAST_SEGMENT,
  MAX_BYTES,
  paddedTo8,
  READ_COUNT,
  READ_SEGMENT,
  SEEN_HEAD,
  SEGMENT_START,
  SEGMENTS,
  WRITE_SEGMENT,
} from './queue-layout.js'

/** The smallest segment holds the frame of a number. */
const MIN_SEGMENT_LOG2 = 4
/** Maximum bytes of segment 0. */
const MAX_FIRST_SEGMENT_BYTES = 2 ** 16

/** From this size on, waiting a moment for the readers costs less than new memory. */
const AVOID_GROWTH_THRESHOLD_BYTES = 2 ** 22

/** Payloads up to this are copied word by word, which is faster than a call. */
export const MAX_WORDWISE_BYTES = 256

/** A segment as one thread sees it from one end. */
class SegmentView {
  index = -1
  /** Its first word. */
  base = 0
  bytes = 0
  mask = 0
}

/**
 * Memory of a new ring.
 * @param maxBytes of all unread payloads, and of one. The last segment holds one of that size: it has less than twice as many bytes,
 * and all segments together less than four times as many.
 */
export function newRingMemory(maxBytes: number): SharedArrayBuffer {
  const lastLog2 = 32 - Math.clz32(paddedTo8(maxBytes) + FRAME_HEADER_BYTES - 1)
  const firstLog2 = Math.max(Math.min(Math.log2(MAX_FIRST_SEGMENT_BYTES), lastLog2), MIN_SEGMENT_LOG2)
  const lastSegment = Math.max(lastLog2 - firstLog2, 0)
  const memory = new SharedArrayBuffer(endOf(0, firstLog2), { maxByteLength: endOf(lastSegment, firstLog2) })
  const words = new Int32Array(memory, 0, SEGMENTS)
  poke(words, LAST_SEGMENT, lastSegment)
  poke(words, FIRST_SEGMENT_LOG2, firstLog2)
  return memory
}

/** The end of a segment, in bytes of the memory. */
function endOf(segment: number, firstLog2: number): number {
  return SEGMENTS * 4 + 2 ** firstLog2 * (2 ** (segment + 1) - 1)
}

export class RingSegments {
  readonly memory: SharedArrayBuffer
  /** The words before the segments. */
  readonly words: Words
  /** All of the memory. The length is fixed, and the view replaced when the memory has grown: a view that tracks growth is slow. */
  data: Words
  /** The same as bytes. */
  bytes: Buffer
  /** The segment that is written. Set by `reserve` and `updateWriteView`. */
  readonly writeView: SegmentView = new SegmentView()
  /** The segment of the frame that was located last. */
  readonly readView: SegmentView = new SegmentView()
  readonly #lastSegment: number
  readonly #firstLog2: number
  readonly #maxBytes: number

  constructor(memory: SharedArrayBuffer) {
    this.memory = memory
    this.words = new Int32Array(memory, 0, SEGMENTS)
    this.data = new Int32Array(memory, 0, memory.byteLength / 4)
    this.bytes = Buffer.from(memory, 0, memory.byteLength)
    this.#lastSegment = this.words[LAST_SEGMENT]!
    this.#firstLog2 = this.words[FIRST_SEGMENT_LOG2]!
    this.#maxBytes = this.words[MAX_BYTES]!
  }

  /**
   * Whether the unread payloads leave room for a frame of `size` bytes within MAX_BYTES. One always fits.
   * @param count frames that were ever written
   */
  allows(tail: number, size: number, count: number): boolean {
    const { words } = this
    const maxBytes = this.#maxBytes
    // With their headers, and with the HEAD of some time ago: if that is within the limit, nothing else has to be looked at.
    if (((tail - peek(words, ALLOWED_HEAD)) | 0) + size <= maxBytes) return true
    const head = load(words, HEAD)
    poke(words, ALLOWED_HEAD, head)
    const unreadBytes = (tail - head) | 0
    if (unreadBytes === 0 || unreadBytes + size <= maxBytes) return true
    // READ_COUNT lags behind HEAD while a reader is about to store it: then 8 bytes too many for each frame that it read are allowed.
    const frames = (count - load(words, READ_COUNT) + 1) | 0
    return unreadBytes + size - frames * FRAME_HEADER_BYTES <= maxBytes
  }

  /**
   * Make room for `size` bytes at the tail, in a new segment if need be. Whether there is room: in `writeView` then.
   * @param avoidGrowth find no room rather than begin a segment, if the present one can hold the frame and `avoidsGrowth`
   */
  reserve(tail: number, size: number, avoidGrowth: boolean): boolean {
    const { words, writeView } = this
    const segment = this.updateWriteView()
    const seen = peek(words, SEEN_HEAD + segment)
    if (writeView.bytes - ((tail - seen) | 0) >= size) return true
    // Not: HEAD itself. Readers may be in an older segment still; then this one is unread from its start.
    const head = load(words, HEAD)
    if (((head - seen) | 0) > 0) {
      poke(words, SEEN_HEAD + segment, head)
      if (writeView.bytes - ((tail - head) | 0) >= size) return true
    }
    if (avoidGrowth && this.avoidsGrowth && writeView.bytes >= size) return false
    return this.#grow(segment, tail, size)
  }

  /** Whether the segment that is written is so large that growing costs more than waiting for the readers. */
  get avoidsGrowth(): boolean {
    return this.writeView.bytes >= AVOID_GROWTH_THRESHOLD_BYTES && this.writeView.index < this.#lastSegment
  }

  /** Returns the index of the segment that is written. May replace `data`. */
  updateWriteView(): number {
    const segment = peek(this.words, WRITE_SEGMENT)
    if (segment !== this.writeView.index) this.#enter(this.writeView, segment)
    return segment
  }

  #grow(from: number, tail: number, size: number): boolean {
    const { words } = this
    let segment = from
    do if (++segment > this.#lastSegment) return false
    while (2 ** this.#firstLog2 * 2 ** segment < size)
    const end = endOf(segment, this.#firstLog2)
    if (this.memory.byteLength < end) this.memory.grow(end)
    for (let next = from + 1; next <= segment; next++) {
      poke(words, SEGMENT_START + next, tail)
      poke(words, SEEN_HEAD + next, tail)
    }
    store(words, WRITE_SEGMENT, segment) // Publishes SEGMENT_START; pairs with its load in #begins.
    this.#enter(this.writeView, segment)
    return true
  }

  /** The word of `data` at which the unread frame at `head` begins, in `readView`. May replace `data`. */
  locate(head: number): number {
    const { words, readView } = this
    let segment = peek(words, READ_SEGMENT)
    // Not: poke READ_SEGMENT here. A reader that dies before the store of HEAD has read nothing: the next one would start behind it.
    while (segment < peek(words, WRITE_SEGMENT) && this.#begins(segment + 1, head)) segment++
    if (segment !== readView.index) this.#enter(readView, segment)
    return readView.base + ((head & readView.mask) >> 2)
  }

  /** Whether the segment, which exists, begins at the position or before it. A later one begins at TAIL or after it. */
  #begins(segment: number, position: number): boolean {
    load(this.words, WRITE_SEGMENT) // Pairs with its store in #grow.
    return ((position - peek(this.words, SEGMENT_START + segment)) | 0) >= 0
  }

  /** Copy a payload to a position in `writeView`. It wraps around at the end of the segment. */
  copyIn({ bytes, words: source, from, length }: Frame, position: number): void {
    const { base, mask } = this.writeView
    const start = position & mask
    if (bytes === undefined && length <= MAX_WORDWISE_BYTES) {
      const { data } = this
      const wordMask = mask >> 2
      for (let i = 0, first = start >> 2, end = (length + 3) >> 2; i < end; i++)
        poke(data, base + ((first + i) & wordMask), source[from + i]!)
      return
    }
    const payload = bytes ?? new Uint8Array(source.buffer, source.byteOffset + from * 4, length)
    const before = Math.min(length, mask + 1 - start)
    if (before === length) return copyBytes(payload, this.bytes, base * 4 + start)
    copyBytes(payload.subarray(0, before), this.bytes, base * 4 + start)
    copyBytes(payload.subarray(before), this.bytes, base * 4)
  }

  /** Copy a payload from a position in `readView`: a short one to `target`, another to `bytesTarget`. */
  copyOut(position: number, length: number, target: Int32Array, bytesTarget: Uint8Array): void {
    const { base, mask } = this.readView
    const start = position & mask
    if (length <= MAX_WORDWISE_BYTES) {
      const { data } = this
      const wordMask = mask >> 2
      for (let i = 0, first = start >> 2, end = (length + 3) >> 2; i < end; i++)
        target[i] = peek(data, base + ((first + i) & wordMask))
      return
    }
    const { bytes } = this
    const before = Math.min(length, mask + 1 - start)
    const from = base * 4 + start
    copyBytes(bytes.subarray(from, from + before), bytesTarget, 0)
    if (before < length) copyBytes(bytes.subarray(base * 4, base * 4 + length - before), bytesTarget, before)
  }

  #enter(view: SegmentView, segment: number): void {
    const end = endOf(segment, this.#firstLog2)
    view.index = segment
    view.bytes = 2 ** (this.#firstLog2 + segment)
    view.mask = view.bytes - 1
    view.base = (end - view.bytes) / 4
    if (end <= this.data.length * 4) return
    this.data = new Int32Array(this.memory, 0, this.memory.byteLength / 4)
    this.bytes = Buffer.from(this.memory, 0, this.memory.byteLength)
  }
}
