// How large the chunks of a map are, and how many are under way at a time.
//
// With `chunksize`, every chunk has that size, and `buffersize` bounds how many are under way. Without it, the first chunks have
// one item, and later ones grow up to fourfold, until a chunk takes about TARGET_CHUNK_MS. Near the end, chunks shrink so that
// all workers end together.
import { MAX_NUMBERS_PER_CHUNK } from '../../transport/number-column.js'
import type { MapSettings } from './map-options.js'

const TARGET_CHUNK_MS = 2

/** A chunk is at most so many times as large as one that was measured. */
const MAX_GROWTH = 4

/** Near the end, chunks shrink to this part of a full one and no further: each costs a message. */
const TAIL_DIVISOR = 8

/** Items per chunk. Numbers are cheap to clone; other values block the caller's thread while they are cloned. */
const MAX_VALUES_PER_CHUNK = 512

/** Unsettled chunks, where their size is measured: a large `buffersize` would queue thousands of chunks of one item. */
const MAX_UNSETTLED_CHUNKS = 64

export class ChunkPlan {
  readonly #fixedSize: number | undefined
  readonly #buffersize: number | undefined
  readonly #chunksInFlight: number
  readonly #maxSize: number
  /** Size of the next chunk, where it is not fixed. */
  #size = 1

  /**
   * @param limits how many chunks keep all workers busy, and how many items each may have
   * @param averageMs how long a call takes; `undefined` if that is not known, or the first chunks must be small
   */
  constructor(
    { chunksize, buffersize }: Partial<Pick<MapSettings, 'chunksize' | 'buffersize'>>,
    { chunksInFlight, itemsPerChunk }: { chunksInFlight: number; itemsPerChunk: number },
    averageMs: number | undefined,
  ) {
    this.#chunksInFlight = chunksInFlight
    this.#maxSize = itemsPerChunk
    this.#fixedSize = chunksize && Math.min(chunksize, itemsPerChunk)
    this.#buffersize = buffersize ?? (chunksize === undefined ? undefined : chunksInFlight * chunksize)
    this.#adapt(MAX_VALUES_PER_CHUNK, MAX_VALUES_PER_CHUNK, averageMs)
  }

  /** Whether a chunk may be sent before it is full, because its input is slow. */
  get flexible(): boolean {
    return this.#fixedSize === undefined
  }

  /**
   * How many items to read now; 0: none until a result is taken or a chunk is settled.
   * @param itemsAhead items that were read, whose results were not taken
   * @param chunks those that are not settled, and those that are settled and not wholly taken
   * @param itemsLeft items that are not read, if that is known
   */
  next(itemsAhead: number, chunks: { unsettled: number; untaken: number }, itemsLeft: number | undefined): number {
    const { unsettled, untaken } = chunks
    const inFlight = this.#chunksInFlight
    let size = this.#fixedSize ?? this.#size
    if (this.#fixedSize === undefined) {
      if (itemsLeft !== undefined) size = Math.min(size, Math.ceil(Math.max(itemsLeft / inFlight, size / TAIL_DIVISOR)))
      if (this.#buffersize === undefined) return unsettled + untaken < inFlight ? size : 0
      size = Math.min(size, Math.ceil(this.#buffersize / inFlight))
      if (unsettled >= Math.max(inFlight, MAX_UNSETTLED_CHUNKS)) return 0
    }
    // Not: fill the room that is left. Each item taken would make room for a chunk of one.
    size = Math.min(size, this.#buffersize!)
    return itemsAhead + size <= this.#buffersize! ? size : 0
  }

  /**
   * Record that a chunk was settled.
   * @param count its items. @param isNumbers whether they are all numbers
   * @param averageMs how long a call takes; `undefined` if that is not measured
   */
  settled(count: number, isNumbers: boolean, averageMs: number | undefined): void {
    this.#adapt(MAX_GROWTH * count, isNumbers ? MAX_NUMBERS_PER_CHUNK : MAX_VALUES_PER_CHUNK, averageMs)
  }

  #adapt(maxGrown: number, maxSize: number, averageMs: number | undefined): void {
    if (averageMs === undefined) return
    const wanted = Math.floor(TARGET_CHUNK_MS / Math.max(averageMs, 1e-6))
    this.#size = Math.max(1, Math.min(wanted, maxGrown, maxSize, this.#maxSize))
  }
}
