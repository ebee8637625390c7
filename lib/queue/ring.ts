// The ring: framed bytes in shared memory, from many writers to many readers, without a policy: nothing here waits for room or
// for a frame, and nothing here knows what the bytes mean. Queue is the policy. Two locks, one for each end, as in Michael and
// Scott's two-lock queue; both are handed over when their owner dies, and every change is one store, or can be made again.
//
// word          field          written by        meaning
//   0-1         PUT_LOCK       writers           lock word (lib/sync/lock-word.ts) of all of this group
//   3           COUNT          writers           frames ever published, mod 2^32
//   4           COUNTED        writers           the TAIL for which COUNT holds
//   8 + k       SEEN_HEAD      writers           what is known of HEAD, or the segment's start
//  32           WRITE_SEGMENT  writers           the segment that is written
//  33           STATE          writers           OPEN, SHUT: no more frames; DROPPED_ALL: and those that are left are not read
//  40 + k       START          writers           the position at which segment k begins
//  64-65        GET_LOCK       readers           lock word of all of this group
//  66           HEAD           readers           bytes read, mod 2^32; its store takes a frame
//  67           GOT            readers           frames ever read, mod 2^32
//  68           READ_SEGMENT   readers           the segment of the last frame that was read, or an older one
//  69           DROPPED        readers           frames that DROPPED_ALL threw away
//  70           SEEN_TAIL      readers           what is known of TAIL, from HEAD on; means nothing any more once DROPPED_ALL
//  97           LAST_SEGMENT   the maker         the last segment that there may be
//  98           FIRST_LOG2     the maker         size of segment 0
// 224           TAIL           writers           bytes written, mod 2^32; its store publishes a frame
//               for the queue: what is left of 96 to 255
// 256           segments       writers           segment k: FIRST << k bytes, after those before it
//
// A frame: { length in bytes, tag | index }, payload, padding to 8 bytes. The index is the frame's number, mod 2^27: more than fit.
// Invariant: TAIL - HEAD is what is written and not read, and lies in the segments READ_SEGMENT to WRITE_SEGMENT.
//
// Each side writes to cache lines of its own (and both read 32 to 63, which change rarely), and looks at the other's only when
// what it knows of it is used up: a line that both use travels from core to core for every frame.
//
// Growing: a writer that finds no room begins the next segment, twice as large, at the position TAIL, and the readers follow when
// HEAD has come there. Nothing is moved, so that nothing can be half moved.
//
// Deaths: a writer that dies before the store of TAIL has written nothing. One that dies after it and before COUNTED leaves
// TAIL !== COUNTED, and the next one reads COUNT out of the frames between. A reader that dies before the store of HEAD has
// read nothing: another reads the frame. GOT and READ_SEGMENT may lag behind HEAD then: the next reader sets them right.
import type { Frame } from '../transport/codec/frame.js'
import { compareExchange, load, peek, poke, store, type Words } from '../memory/atomics.js'
import { release, LockWaiter, ME } from '../sync/lock-word.js'
import { block } from '../sync/park.js'

const PUT_LOCK = 0
export const TAIL = 224
const COUNT = 3
const COUNTED = 4
const SEEN_HEAD = 8
const WRITE_SEGMENT = 32
const STATE = 33
const START = 40
const GET_LOCK = 64
export const HEAD = 66
const GOT = 67
const READ_SEGMENT = 68
const DROPPED = 69
const SEEN_TAIL = 70
const LAST_SEGMENT = 97
const FIRST_LOG2 = 98
const DATA = 256

/** What frames take besides their payload. */
export const HEADER_BYTES = 8
/** The smallest first segment holds a number, and this is the largest. */
const FIRST_BYTES = 2 ** 16
/** Bounds the index of a frame: two segments of this size hold less than 2^27 frames. */
export const MOST_BYTES: number = 2 ** 29

const TAG_SHIFT = 27
const INDEX = 2 ** TAG_SHIFT - 1
/** Payloads up to this are copied word by word, which is faster than a call. */
const FEW_BYTES = 256
/** Payloads up to this are read into memory that is used again. */
const INBOX_BYTES = 2 ** 14

const OPEN = 0
const SHUT = 1
const DROPPED_ALL = 2

/** What a try to write or to read came to. */
export type RingResult =
  typeof MOVED | typeof NO_ROOM | typeof TOO_MANY | typeof NOTHING | typeof SHUT_DOWN | typeof RATHER_NOT
/** A frame was written, or read. */
export const MOVED = 0
/** There are not enough bytes free. */
export const NO_ROOM = 1
/** There are as many frames as there may be. */
export const TOO_MANY = 2
/** There is no frame. */
export const NOTHING = 3
export const SHUT_DOWN = 4
/** There are not enough bytes free, and it would have to grow, which it was not to. */
export const RATHER_NOT = 5

/** A segment of this size need not grow for the next frame: to wait a moment for the readers costs less than new memory. */
const CALM_BYTES = 2 ** 22

/** Who reads many frames frees nothing before the last: after so many bytes it is better done, or writers take it for asleep. */
const MANY_BYTES = 2 ** 20

const paddedTo8 = (length: number) => (length + 7) & ~7

/** Where a segment is: seen by one thread, from one end. */
class SegmentView {
  index = -1
  /** Of its first word. */
  base = 0
  bytes = 0
  mask = 0
}

export class Ring {
  readonly memory: SharedArrayBuffer
  /** All of the memory. Of fixed length, and made anew when it has grown: a view that follows the growth is slow. */
  words: Words
  #bytes: Buffer
  readonly #lastSegment: number
  readonly #firstLog2: number
  readonly #write = new SegmentView()
  readonly #read = new SegmentView()

  // The frame that was read last.
  tag = 0
  length = 0
  /** Its payload, where that is short. Overwritten by the next. */
  readonly inbox: Int32Array = new Int32Array(INBOX_BYTES / 4)
  readonly #inboxBytes = Buffer.from(this.inbox.buffer)
  /** Its payload, where that is long. It is the caller's. */
  large: Buffer<ArrayBuffer> | undefined

  /** @param maxBytes of one payload; with its header rounded up to a power of two, what is unread may take as much, and as much again while the ring grows */
  constructor(maxBytes: number, memory?: SharedArrayBuffer) {
    if (memory) {
      this.memory = memory
      const words = new Int32Array(memory, 0, DATA)
      this.#lastSegment = words[LAST_SEGMENT]!
      this.#firstLog2 = words[FIRST_LOG2]!
    } else {
      const lastLog2 = 32 - Math.clz32(paddedTo8(maxBytes) + HEADER_BYTES - 1)
      this.#firstLog2 = Math.max(Math.min(Math.log2(FIRST_BYTES), lastLog2), 4)
      this.#lastSegment = Math.max(lastLog2 - this.#firstLog2, 0)
      this.memory = new SharedArrayBuffer(this.#endOf(0), { maxByteLength: this.#endOf(this.#lastSegment) })
    }
    this.words = new Int32Array(this.memory, 0, this.memory.byteLength / 4)
    this.#bytes = Buffer.from(this.memory, 0, this.memory.byteLength)
    if (memory) return
    poke(this.words, LAST_SEGMENT, this.#lastSegment)
    poke(this.words, FIRST_LOG2, this.#firstLog2)
  }

  /**
   * Write a frame, if there is room.
   * @param most as many unread frames there may be; 0: any number
   * @param mayGrow false: rather not beyond CALM_BYTES
   */
  write(frame: Frame, most: number, mayGrow = true): RingResult {
    const { words } = this
    take(words, PUT_LOCK)
    try {
      return this.#writeHeld(frame, most, mayGrow)
    } finally {
      release(words, PUT_LOCK)
    }
  }

  /** Write frames from `from` on, as many as there is room for: what the last try came to. `wrote` is called for each. */
  writeMany(frames: readonly Frame[], from: number, most: number, wrote: () => void): RingResult {
    const { words } = this
    take(words, PUT_LOCK)
    try {
      for (let i = from; i < frames.length; i++) {
        const outcome = this.#writeHeld(frames[i]!, most, true)
        if (outcome !== MOVED) return outcome
        wrote()
      }
      return MOVED
    } finally {
      release(words, PUT_LOCK)
    }
  }

  #writeHeld(frame: Frame, most: number, mayGrow: boolean): RingResult {
    const { words } = this
    if (peek(words, STATE) !== OPEN) return SHUT_DOWN
    const tail = peek(words, TAIL)
    if (peek(words, COUNTED) !== tail) this.#count()
    const count = peek(words, COUNT)
    if (most > 0 && ((count - load(words, GOT)) | 0) >= most && this.#unreadExactly() >= most) return TOO_MANY
    const { length } = frame
    const size = HEADER_BYTES + paddedTo8(length)
    if (!this.#reserve(tail, size, mayGrow)) return mayGrow || !this.#isCalm() ? NO_ROOM : RATHER_NOT
    const { base, mask } = this.#write
    const at = base + ((tail & mask) >> 2)
    poke(this.words, at, length)
    poke(this.words, at + 1, (frame.tag << TAG_SHIFT) | (count & INDEX))
    this.#fill(frame, tail + HEADER_BYTES)
    store(this.words, TAIL, (tail + size) | 0) // Publishes the frame; pairs with load(TAIL) in #lookAtTail.
    poke(this.words, COUNT, (count + 1) | 0)
    poke(this.words, COUNTED, (tail + size) | 0)
    return MOVED
  }

  #fill({ bytes, words: source, from, length }: Frame, position: number): void {
    const { words } = this
    const { base, mask } = this.#write
    if (bytes === undefined && length <= FEW_BYTES) {
      const wordMask = mask >> 2
      const first = (position & mask) >> 2
      for (let i = 0, end = (length + 3) >> 2; i < end; i++)
        poke(words, base + ((first + i) & wordMask), source[from + i]!)
      return
    }
    const payload = bytes ?? new Uint8Array(source.buffer, source.byteOffset + from * 4, length)
    const start = position & mask
    const before = Math.min(length, mask + 1 - start)
    if (before === length) return copy(payload, this.#bytes, base * 4 + start)
    copy(payload.subarray(0, before), this.#bytes, base * 4 + start)
    copy(payload.subarray(before), this.#bytes, base * 4)
  }

  /** Whether there is room for so many bytes at the tail; a new segment is begun where that makes room. */
  #reserve(tail: number, size: number, mayGrow: boolean): boolean {
    const { words } = this
    const segment = peek(words, WRITE_SEGMENT)
    if (segment !== this.#write.index) this.#enter(this.#write, segment)
    const seen = peek(words, SEEN_HEAD + segment)
    if (this.#write.bytes - ((tail - seen) | 0) >= size) return true
    // Not: HEAD itself. The readers may be in an older segment still: then this one is unread from its start.
    const head = load(words, HEAD)
    if (((head - seen) | 0) > 0) {
      poke(words, SEEN_HEAD + segment, head)
      if (this.#write.bytes - ((tail - head) | 0) >= size) return true
    }
    if (!mayGrow && this.#isCalm() && this.#write.bytes >= size) return false
    return this.#grow(segment, tail, size)
  }

  #isCalm(): boolean {
    return this.#write.bytes >= CALM_BYTES && this.#write.index < this.#lastSegment
  }

  #grow(from: number, tail: number, size: number): boolean {
    let segment = from
    do if (++segment > this.#lastSegment) return false
    while (2 ** this.#firstLog2 * 2 ** segment < size)
    const end = this.#endOf(segment)
    if (this.memory.byteLength < end) this.memory.grow(end)
    for (let next = from + 1; next <= segment; next++) {
      poke(this.words, START + next, tail)
      poke(this.words, SEEN_HEAD + next, tail)
    }
    store(this.words, WRITE_SEGMENT, segment)
    this.#enter(this.#write, segment)
    return true
  }

  #enter(view: SegmentView, segment: number): void {
    view.index = segment
    view.bytes = 2 ** (this.#firstLog2 + segment)
    view.mask = view.bytes - 1
    view.base = (this.#endOf(segment) - view.bytes) / 4
    if (this.#endOf(segment) <= this.words.length * 4) return
    this.words = new Int32Array(this.memory, 0, this.memory.byteLength / 4)
    this.#bytes = Buffer.from(this.memory, 0, this.memory.byteLength)
  }

  #endOf(segment: number): number {
    return DATA * 4 + 2 ** this.#firstLog2 * (2 ** (segment + 1) - 1)
  }

  /** Somebody died between publishing and counting: the last frame's index tells. With the PUT_LOCK held. */
  #count(): void {
    const { words } = this
    const tail = peek(words, TAIL)
    const segment = peek(words, WRITE_SEGMENT)
    if (segment !== this.#write.index) this.#enter(this.#write, segment)
    const { base, mask } = this.#write
    let index = peek(words, COUNT) - 1
    for (let at = peek(words, COUNTED); at !== tail;) {
      const word = base + ((at & mask) >> 2)
      index = peek(this.words, word + 1)
      at = (at + HEADER_BYTES + paddedTo8(peek(this.words, word))) | 0
    }
    poke(words, COUNT, forward(peek(words, COUNT), index + 1))
    poke(words, COUNTED, tail)
  }

  /** Read the oldest frame into `tag`, `length`, and `inbox` or `large`. */
  read(): RingResult {
    const { words } = this
    take(words, GET_LOCK)
    try {
      const head = peek(words, HEAD)
      const nothing = this.#nothingAt(head)
      if (nothing) return nothing
      this.#take(head, this.#frameAt(head))
      return MOVED
    } finally {
      release(words, GET_LOCK)
    }
  }

  /**
   * Read up to `max` frames, and of a megabyte no more; `got` is called for each, with the lock held, and says whether it takes
   * it: one that it does not take is the last. None is taken before all are read.
   */
  readMany(max: number, got: () => boolean): RingResult {
    const { words } = this
    take(words, GET_LOCK)
    try {
      const first = peek(words, HEAD)
      const nothing = this.#nothingAt(first)
      if (nothing) return nothing
      const tail = this.#lookAtTail()
      let head = first
      let index = 0
      for (let n = 0; n < max && head !== tail && ((head - first) | 0) < MANY_BYTES; n++) {
        const at = this.#frameAt(head)
        this.#copy(head, at)
        if (!got()) break
        index = peek(this.words, at + 1)
        head = (head + HEADER_BYTES + paddedTo8(this.length)) | 0
      }
      this.#advance(head, index)
      return MOVED
    } finally {
      release(words, GET_LOCK)
    }
  }

  /** Why no frame can be read; 0: one can. */
  #nothingAt(head: number): RingResult {
    const { words } = this
    if (head === peek(words, SEEN_TAIL) && head === this.#lookAtTail()) {
      if (load(words, STATE) === OPEN) return NOTHING
      // Not: SHUT_DOWN at once. A frame may have been published, and the ring shut, since TAIL was loaded.
      if (head === this.#lookAtTail()) return SHUT_DOWN
    }
    return peek(words, STATE) === DROPPED_ALL ? SHUT_DOWN : MOVED
  }

  /** With the GET_LOCK held, and before HEAD goes beyond what was known. */
  #lookAtTail(): number {
    const { words } = this
    const tail = load(words, TAIL)
    poke(words, SEEN_TAIL, tail)
    return tail
  }

  /** The word at which the unread frame at `head` begins. */
  #frameAt(head: number): number {
    const { words } = this
    let segment = peek(words, READ_SEGMENT)
    // Not: poke READ_SEGMENT here. Who dies before the store of HEAD has read nothing, and the next one starts again behind it.
    while (segment < peek(words, WRITE_SEGMENT) && this.#begins(segment + 1, head)) segment++
    if (segment !== this.#read.index) this.#enter(this.#read, segment)
    return this.#read.base + ((head & this.#read.mask) >> 2)
  }

  /** Whether the segment, which there is, begins at the position or before it. A later one begins at TAIL or after it. */
  #begins(segment: number, position: number): boolean {
    load(this.words, WRITE_SEGMENT) // Pairs with its store in #grow: START was written before that.
    return ((position - peek(this.words, START + segment)) | 0) >= 0
  }

  #take(head: number, at: number): void {
    const index = peek(this.words, at + 1)
    this.#copy(head, at)
    this.#advance((head + HEADER_BYTES + paddedTo8(this.length)) | 0, index)
  }

  #advance(head: number, index: number): void {
    const { words } = this
    const got = forward(peek(words, GOT), index + 1)
    store(words, HEAD, head) // Takes the frame, and frees its bytes; pairs with load(HEAD) in #reserve.
    poke(words, GOT, got)
    poke(words, READ_SEGMENT, this.#read.index)
  }

  #copy(head: number, at: number): void {
    const { words } = this
    const { base, mask } = this.#read
    const length = peek(words, at)
    this.tag = peek(words, at + 1) >>> TAG_SHIFT
    this.length = length
    const start = (head + HEADER_BYTES) & mask
    if (length <= FEW_BYTES) {
      const { inbox } = this
      const wordMask = mask >> 2
      for (let i = 0, first = start >> 2, end = (length + 3) >> 2; i < end; i++)
        inbox[i] = peek(words, base + ((first + i) & wordMask))
      this.large = undefined
      return
    }
    // Not: new Uint8Array(length), which is filled with zeros first, at three times the cost of the copy.
    this.large = length > INBOX_BYTES ? Buffer.allocUnsafeSlow(length) : undefined
    const target = this.large ?? this.#inboxBytes
    const before = Math.min(length, mask + 1 - start)
    const from = base * 4 + start
    copy(this.#bytes.subarray(from, from + before), target, 0)
    if (before < length) copy(this.#bytes.subarray(base * 4, base * 4 + length - before), target, before)
  }

  /** Unread frames, counted with both locks held; the PUT_LOCK is. What deaths have left behind is put right. */
  #unreadExactly(): number {
    const { words } = this
    take(words, GET_LOCK)
    try {
      const count = peek(words, COUNT)
      const tail = peek(words, TAIL)
      const head = peek(words, HEAD)
      if (head === tail) poke(words, GOT, count)
      else {
        // Not: peek(this.words, this.#frameAt(head) + 1). Those are the words from before #frameAt has renewed them.
        const at = this.#frameAt(head)
        const index = peek(this.words, at + 1)
        poke(words, GOT, (count - ((count - index) & INDEX)) | 0)
        if (peek(words, STATE) === DROPPED_ALL) {
          poke(words, DROPPED, (count - index) & INDEX) // Before HEAD: it can be computed again until then.
          store(words, HEAD, tail)
          poke(words, GOT, count)
        }
      }
      return (count - peek(words, GOT)) | 0
    } finally {
      release(words, GET_LOCK)
    }
  }

  /** With the ring at rest: how many frames are unread, and how many were ever written and not dropped. */
  inspect<T>(use: (unread: number, written: number) => T): T {
    const { words } = this
    take(words, PUT_LOCK)
    try {
      if (peek(words, COUNTED) !== peek(words, TAIL)) this.#count()
      const unread = this.#unreadExactly()
      return use(unread, (peek(words, COUNT) - peek(words, DROPPED)) | 0)
    } finally {
      release(words, PUT_LOCK)
    }
  }

  /** Write no more frames, and, if `drop`, read no more. */
  shut(drop: boolean): void {
    const { words } = this
    take(words, PUT_LOCK)
    try {
      if (peek(words, COUNTED) !== peek(words, TAIL)) this.#count()
      if (peek(words, STATE) < (drop ? DROPPED_ALL : SHUT)) store(words, STATE, drop ? DROPPED_ALL : SHUT)
      if (drop) this.#unreadExactly()
    } finally {
      release(words, PUT_LOCK)
    }
  }
}

function take(words: Words, at: number): void {
  if (compareExchange(words, at, 0, ME) !== 0) block(new LockWaiter(words, at, true, 'handOver'), Infinity)
}

/** The count at or after `count` whose last bits are those of `index`. */
function forward(count: number, index: number): number {
  return (count + ((index - count) & INDEX)) | 0
}

/** Not: target.set, which copies into and out of shared memory word by word, or byte by byte: three to thirty times slower. */
function copy(source: Uint8Array, target: Buffer, at: number): void {
  target.fill(source, at, at + source.length)
}
