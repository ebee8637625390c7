// How large the chunks of a map are, and how many are under way at a time.
//
// With `chunksize`, every chunk has that size, and `buffersize` bounds how many are under way. Without it, the first chunks have
// one item, and later ones grow up to fourfold, until a chunk takes about TARGET_CHUNK_MS, or its items or results have about
// MAX_CHUNK_BYTES. Near the end, chunks shrink so that all workers end together.
//
// Without `buffersize`, about MAX_BYTES_IN_FLIGHT are under way at most, or one chunk for each worker if that is more.
import type { MapSettings } from './map-options.js'

const TARGET_CHUNK_MS = 2

/** A chunk is at most so many times as large as one that was measured. */
const MAX_GROWTH = 4

/** Near the end, chunks shrink to this part of a full one and no further: each costs a message. */
const TAIL_DIVISOR = 8

/**
 * Items per chunk, if they are no numbers: so many as have about CHEAP_BYTES with their results, but at least the one and at most the
 * other. The caller's thread is blocked while they are packed and unpacked, and each chunk costs a message.
 */
const MIN_VALUES_PER_CHUNK = 2 ** 9
const MAX_VALUES_PER_CHUNK = 2 ** 11
const CHEAP_BYTES = 2 ** 18

/** Unsettled chunks, where their size is measured: a large `buffersize` would queue thousands of chunks of one item. */
const MAX_UNSETTLED_CHUNKS = 64

/** Of the items of a chunk, and of its results. A message costs little beside the copying of so much. */
const MAX_CHUNK_BYTES = 2 ** 20

/** Of items that are not settled, of the results expected of them, and of results that were not taken. */
const MAX_BYTES_IN_FLIGHT = 2 ** 25

/** Items per chunk as long as no result was seen: those of a function that was measured without a map may be of any size. */
const MAX_UNSEEN_PER_CHUNK = 16

/** What is known of the calls of a function. `undefined`: not measured. */
export interface CallAverages {
  /** How long one takes. */
  readonly averageMs: number | undefined
  /** The size of a result. */
  readonly resultBytes: number | undefined
}

/** How much work keeps an executor busy. */
export interface PlanLimits {
  /** How many workers there are at most. */
  readonly workers: number
  /** How many chunks keep all workers busy. */
  readonly chunksInFlight: number
  /** How many items a chunk may have. */
  readonly itemsPerChunk: number
}

/** What of a map is under way. */
export interface UnderWay {
  /** Chunks that are not settled. */
  unsettled: number
  /** Chunks that are settled and not wholly taken. */
  untaken: number
  /** Bytes of both; of chunks that are not settled also those of the results that are expected. */
  bytes: number
}

export class ChunkPlan {
  readonly #fixedSize: number | undefined
  readonly #buffersize: number | undefined
  readonly #limits: PlanLimits
  readonly #boundsBytes: boolean
  readonly #maxChunkBytes: number
  /** Size of the next chunk, where it is not fixed. */
  #size = 1
  /** Items per chunk by the size of results. */
  #maxByResults = MAX_UNSEEN_PER_CHUNK

  /** @param averages `averageMs` is `undefined` also if the first chunks must be small */
  constructor(
    { chunksize, buffersize }: Partial<Pick<MapSettings, 'chunksize' | 'buffersize'>>,
    limits: PlanLimits,
    averages: CallAverages,
  ) {
    const { chunksInFlight, itemsPerChunk } = limits
    this.#limits = limits
    this.#maxChunkBytes = Math.min(MAX_CHUNK_BYTES, MAX_BYTES_IN_FLIGHT / chunksInFlight)
    this.#boundsBytes = buffersize === undefined
    this.#fixedSize = chunksize && Math.min(chunksize, itemsPerChunk)
    this.#buffersize = buffersize ?? (chunksize === undefined ? undefined : chunksInFlight * chunksize)
    this.#adapt(MIN_VALUES_PER_CHUNK, MIN_VALUES_PER_CHUNK, averages)
  }

  /** Whether more may be read after each result that is taken, and not only after the last one of a chunk. */
  get countsItems(): boolean {
    return this.#buffersize !== undefined
  }

  /** Bytes that the items of a chunk may have. */
  get maxItemBytes(): number {
    return this.flexible ? this.#maxChunkBytes : Infinity
  }

  /** Whether a chunk may be sent before it is full, because its input is slow. */
  get flexible(): boolean {
    return this.#fixedSize === undefined
  }

  /**
   * How many items to read now; 0: none until a result is taken or a chunk is settled.
   * @param itemsAhead items that were read, whose results were not taken
   * @param itemsLeft items that are not read, if that is known
   */
  next(itemsAhead: number, { unsettled, untaken, bytes }: UnderWay, itemsLeft: number | undefined): number {
    const { workers, chunksInFlight: inFlight } = this.#limits
    if (this.#boundsBytes && bytes >= MAX_BYTES_IN_FLIGHT && unsettled + untaken >= workers) return 0
    let size = this.#fixedSize ?? Math.min(this.#size, this.#maxByResults)
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
   * @param count its items. @param bytes those of the items
   * @param maxNumbers how many items the next chunks may have, if they are all numbers
   */
  settled(count: number, bytes: number, maxNumbers: number | undefined, averages: CallAverages): void {
    const bytesEach = bytes / count + (averages.resultBytes ?? 0)
    const cheap = Math.floor(CHEAP_BYTES / Math.max(bytesEach, 1))
    const maxValues = Math.max(MIN_VALUES_PER_CHUNK, Math.min(cheap, MAX_VALUES_PER_CHUNK))
    this.#adapt(MAX_GROWTH * count, maxNumbers ?? maxValues, averages)
  }

  #adapt(maxGrown: number, maxSize: number, { averageMs, resultBytes }: CallAverages): void {
    if (resultBytes !== undefined)
      this.#maxByResults = Math.max(1, Math.floor(this.#maxChunkBytes / Math.max(resultBytes, 1)))
    if (averageMs === undefined) return
    const wanted = Math.floor(TARGET_CHUNK_MS / Math.max(averageMs, 1e-6))
    this.#size = Math.max(1, Math.min(wanted, maxGrown, maxSize, this.#limits.itemsPerChunk))
  }
}
