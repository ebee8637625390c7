// A frame as a reader has it: found in the ring, then copied out of it.
import { peek } from '../memory/atomics.js'
import { copyBytes } from '../memory/byte-view.js'
import { FRAME_HEADER_BYTES, TAG_SHIFT } from './queue-layout.js'
import { MAX_WORDWISE_BYTES, type RingSegments } from './ring-segments.js'

/** Payloads up to this are read into memory that is used again. */
const INBOX_BYTES = 2 ** 14

/** The frame that a thread has found last. Finding and copying need READ_LOCK. */
export class ReadFrame {
  tag = 0
  length = 0
  /** Its payload, where that is short. Overwritten by the next. */
  readonly inbox: Int32Array = new Int32Array(INBOX_BYTES / 4)
  readonly #inboxBytes = Buffer.from(this.inbox.buffer)
  /** Its payload, where that is long. It is the caller's. */
  large: Buffer<ArrayBuffer> | undefined
  readonly #segments: RingSegments
  #payload = 0

  constructor(segments: RingSegments) {
    this.#segments = segments
  }

  /** Find the frame at `head`: sets `tag` and `length`. Returns its index. */
  find(head: number): number {
    const segments = this.#segments
    const at = segments.locate(head)
    const info = peek(segments.data, at + 1)
    this.tag = info >>> TAG_SHIFT
    this.length = peek(segments.data, at)
    this.#payload = head + FRAME_HEADER_BYTES
    return info
  }

  /** Copy the payload into `inbox` or `large`. */
  copy(): void {
    const { length } = this
    // Not: new Uint8Array(length), which is filled with zeros first, at three times the cost of the copy.
    this.large = length > INBOX_BYTES ? Buffer.allocUnsafeSlow(length) : undefined
    this.#segments.copyOut(this.#payload, length, this.inbox, this.large ?? this.#inboxBytes)
  }

  /** Copy the payload to the start of other memory, which has room for it. */
  copyTo(target: Uint8Array): void {
    const { length } = this
    this.#segments.copyOut(this.#payload, length, this.inbox, target)
    if (length <= MAX_WORDWISE_BYTES) copyBytes(this.#inboxBytes.subarray(0, length), target, 0)
  }
}
