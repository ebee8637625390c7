// The ring: framed bytes in shared memory, from many writers to many readers, without a policy. Nothing here waits for room or for
// a frame, or knows what the bytes mean: queue-state.ts does. One lock for each end, as in Michael and Scott's two-lock queue; a
// lock is handed over when its owner dies, so every change is one store, or can be made again.
//
// Deaths: a writer that dies before the store of TAIL has written nothing. One that dies after it and before the store of
// COUNTED_TAIL leaves TAIL !== COUNTED_TAIL, and the next writer computes WRITE_COUNT from the frames between. A reader that dies
// before the store of HEAD has read nothing: another reads the frame. READ_COUNT and READ_SEGMENT may lag behind HEAD then: the next
// reader repairs them.
import { compareExchange, load, peek, poke, store, type Words } from '../memory/atomics.js'
import { block } from '../sync/park.js'
import { LockWaiter, ME, release } from '../sync/lock-word.js'
import type { Frame } from '../transport/codec/frame.js'
import {
  COUNTED_TAIL,
  DISCARD_COUNT,
  DISCARDED,
  DRAINING,
  FRAME_HEADER_BYTES,
  HEAD,
  INDEX_MASK,
  OPEN,
  paddedTo8,
  READ_COUNT,
  READ_LOCK,
  READ_SEGMENT,
  RING_STATE,
  SEEN_TAIL,
  TAG_SHIFT,
  TAIL,
  WRITE_COUNT,
  WRITE_LOCK,
} from './queue-layout.js'
import { ReadFrame } from './read-frame.js'
import {
  AT_MAXSIZE,
  FRAME_LEFT,
  FRAME_MOVED,
  NO_FRAME,
  NO_ROOM,
  SHUT_DOWN,
  WOULD_GROW,
  type RingResult,
} from './ring-result.js'
import { RingSegments } from './ring-segments.js'
import type { TaskCounts } from './task-counts.js'

/** `readMany` ends after so many bytes: it frees none before the end, and writers would take the reader for asleep. */
const READ_MANY_THRESHOLD_BYTES = 2 ** 20

export class Ring {
  /** The words before the segments. */
  readonly words: Words
  readonly #segments: RingSegments
  readonly #tasks: TaskCounts | undefined

  /** The frame that was read last. */
  readonly frame: ReadFrame

  /** @param tasks where each thread's tasks are counted, if frames are tasks */
  constructor(memory: SharedArrayBuffer, tasks: TaskCounts | undefined) {
    this.#tasks = tasks
    this.#segments = new RingSegments(memory)
    this.frame = new ReadFrame(this.#segments)
    this.words = this.#segments.words
  }

  /**
   * Write a frame, if there is room.
   * @param maxsize maximum number of unread frames; 0: no maximum
   * @param avoidGrowth see `reserve` of RingSegments
   */
  write(frame: Frame, maxsize: number, avoidGrowth = false): RingResult {
    const { words } = this
    acquireEnd(words, WRITE_LOCK)
    try {
      return this.#writeLocked(frame, maxsize, avoidGrowth)
    } finally {
      release(words, WRITE_LOCK)
    }
  }

  /** Write the frames from `from` on that there is room for. Returns the last result. `onWritten` is called for each. */
  writeMany(frames: readonly Frame[], from: number, maxsize: number, onWritten: () => void): RingResult {
    const { words } = this
    acquireEnd(words, WRITE_LOCK)
    try {
      for (let i = from; i < frames.length; i++) {
        const result = this.#writeLocked(frames[i]!, maxsize, false)
        if (result !== FRAME_MOVED) return result
        onWritten()
      }
      return FRAME_MOVED
    } finally {
      release(words, WRITE_LOCK)
    }
  }

  #writeLocked(frame: Frame, maxsize: number, avoidGrowth: boolean): RingResult {
    const { words } = this
    const segments = this.#segments
    if (peek(words, RING_STATE) !== OPEN) return SHUT_DOWN
    const tail = peek(words, TAIL)
    if (peek(words, COUNTED_TAIL) !== tail) this.#recount()
    const count = peek(words, WRITE_COUNT)
    if (
      maxsize > 0 &&
      ((count - load(words, READ_COUNT)) | 0) >= maxsize &&
      this.#countUnread((unread) => unread >= maxsize)
    )
      return AT_MAXSIZE
    const { length } = frame
    const size = FRAME_HEADER_BYTES + paddedTo8(length)
    if (!segments.allows(tail, size, count)) return NO_ROOM
    if (!segments.reserve(tail, size, avoidGrowth)) return avoidGrowth && segments.avoidsGrowth ? WOULD_GROW : NO_ROOM
    const { base, mask } = segments.writeView
    const at = base + ((tail & mask) >> 2)
    poke(segments.data, at, length)
    poke(segments.data, at + 1, (frame.tag << TAG_SHIFT) | (count & INDEX_MASK))
    segments.copyIn(frame, tail + FRAME_HEADER_BYTES)
    store(words, TAIL, (tail + size) | 0) // Publishes the frame; pairs with load(TAIL) in #loadTail.
    poke(words, WRITE_COUNT, (count + 1) | 0)
    poke(words, COUNTED_TAIL, (tail + size) | 0)
    return FRAME_MOVED
  }

  /** A writer died between publishing and counting: the index of the last frame tells the count. With WRITE_LOCK held. */
  #recount(): void {
    const { words } = this
    const segments = this.#segments
    const tail = peek(words, TAIL)
    segments.updateWriteView()
    const { base, mask } = segments.writeView
    let index = peek(words, WRITE_COUNT) - 1
    for (let at = peek(words, COUNTED_TAIL); at !== tail;) {
      const word = base + ((at & mask) >> 2)
      index = peek(segments.data, word + 1)
      at = (at + FRAME_HEADER_BYTES + paddedTo8(peek(segments.data, word))) | 0
    }
    poke(words, WRITE_COUNT, countAtIndex(peek(words, WRITE_COUNT), index + 1))
    poke(words, COUNTED_TAIL, tail)
  }

  /** Read the oldest frame into `frame`. */
  read(): RingResult {
    return this.readWith(this.#copyWhole)
  }

  readonly #copyWhole = (): boolean => {
    this.frame.copy()
    return true
  }

  /**
   * Read the oldest frame where the caller wants its payload, or leave it.
   * @param take called with the lock held, when `frame` has been found: copies its payload, and returns whether the frame is taken. One
   * for which it throws is not
   */
  readWith(take: () => boolean): RingResult {
    const { words, frame } = this
    acquireEnd(words, READ_LOCK)
    try {
      const head = peek(words, HEAD)
      const nothing = this.#nothingAt(head)
      if (nothing) return nothing
      const index = frame.find(head)
      if (!take()) return FRAME_LEFT
      this.#advance(head, (head + FRAME_HEADER_BYTES + paddedTo8(frame.length)) | 0, index, 1)
      return FRAME_MOVED
    } finally {
      release(words, READ_LOCK)
    }
  }

  /**
   * Read up to `max` frames, or up to about a megabyte. None is taken before all are read.
   * @param onRead called for each frame, with the lock held; a frame for which it returns false is not taken, nor any after it
   */
  readMany(max: number, onRead: () => boolean): RingResult {
    const { words, frame } = this
    acquireEnd(words, READ_LOCK)
    try {
      const first = peek(words, HEAD)
      const nothing = this.#nothingAt(first)
      if (nothing) return nothing
      const tail = this.#loadTail()
      let head = first
      let index = 0
      let n = 0
      for (; n < max && head !== tail && ((head - first) | 0) < READ_MANY_THRESHOLD_BYTES; n++) {
        const next = frame.find(head)
        frame.copy()
        if (!onRead()) break
        index = next
        head = (head + FRAME_HEADER_BYTES + paddedTo8(frame.length)) | 0
      }
      this.#advance(first, head, index, n)
      return FRAME_MOVED
    } finally {
      release(words, READ_LOCK)
    }
  }

  /** Why no frame can be read; 0: one can. */
  #nothingAt(head: number): RingResult {
    const { words } = this
    if (head === peek(words, SEEN_TAIL) && head === this.#loadTail()) {
      if (load(words, RING_STATE) === OPEN) return NO_FRAME
      // Not: SHUT_DOWN at once. A frame may have been published, and the ring shut down, since TAIL was loaded.
      if (head === this.#loadTail()) return SHUT_DOWN
    }
    return peek(words, RING_STATE) === DISCARDED ? SHUT_DOWN : FRAME_MOVED
  }

  /** With READ_LOCK held, and before HEAD goes beyond SEEN_TAIL. */
  #loadTail(): number {
    const { words } = this
    const tail = load(words, TAIL)
    poke(words, SEEN_TAIL, tail)
    return tail
  }

  /** Take frames. @param index of the last */
  #advance(before: number, head: number, index: number, frames: number): void {
    const { words } = this
    const tasks = this.#tasks
    const count = countAtIndex(peek(words, READ_COUNT), index + 1)
    tasks?.prepare(before, head, frames)
    store(words, HEAD, head) // Takes the frames, and frees their bytes; pairs with load(HEAD) in `reserve`.
    tasks?.replay()
    poke(words, READ_COUNT, count)
    poke(words, READ_SEGMENT, this.#segments.readView.index)
  }

  /** Count unread frames, with WRITE_LOCK held by the caller and READ_LOCK by this. Repairs what deaths have left behind. */
  #countUnread<T>(use: (unread: number) => T): T {
    const { words } = this
    const segments = this.#segments
    acquireEnd(words, READ_LOCK)
    try {
      const count = peek(words, WRITE_COUNT)
      const tail = peek(words, TAIL)
      const head = peek(words, HEAD)
      this.#tasks?.catchUp(head)
      if (head === tail) poke(words, READ_COUNT, count)
      else {
        // Not: peek(segments.data, segments.locate(head) + 1). That reads the view from before `locate` has replaced it.
        const at = segments.locate(head)
        const index = peek(segments.data, at + 1)
        poke(words, READ_COUNT, (count - ((count - index) & INDEX_MASK)) | 0)
        if (peek(words, RING_STATE) === DISCARDED) {
          poke(words, DISCARD_COUNT, (count - index) & INDEX_MASK) // Before HEAD: it can be computed again until then.
          store(words, HEAD, tail)
          poke(words, READ_COUNT, count)
        }
      }
      return use((count - peek(words, READ_COUNT)) | 0)
    } finally {
      release(words, READ_LOCK)
    }
  }

  /** With both ends at rest: how many frames are unread, and how many were ever written and not discarded; HEAD. */
  inspect<T>(use: (unread: number, written: number, head: number) => T): T {
    const { words } = this
    acquireEnd(words, WRITE_LOCK)
    try {
      if (peek(words, COUNTED_TAIL) !== peek(words, TAIL)) this.#recount()
      return this.#countUnread((unread) =>
        use(unread, (peek(words, WRITE_COUNT) - peek(words, DISCARD_COUNT)) | 0, peek(words, HEAD)),
      )
    } finally {
      release(words, WRITE_LOCK)
    }
  }

  /** Write no more frames and, with `discard`, read no more. */
  shutDown(discard: boolean): void {
    const { words } = this
    acquireEnd(words, WRITE_LOCK)
    try {
      if (peek(words, COUNTED_TAIL) !== peek(words, TAIL)) this.#recount()
      const next = discard ? DISCARDED : DRAINING
      if (peek(words, RING_STATE) < next) store(words, RING_STATE, next)
      if (discard) this.#countUnread(() => {})
    } finally {
      release(words, WRITE_LOCK)
    }
  }
}

function acquireEnd(words: Words, at: number): void {
  if (compareExchange(words, at, 0, ME) !== 0) block(new LockWaiter(words, at, true, 'handOver'), Infinity)
}

/** The count at or after `count` whose last bits are those of `index`. */
function countAtIndex(count: number, index: number): number {
  return (count + ((index - count) & INDEX_MASK)) | 0
}
