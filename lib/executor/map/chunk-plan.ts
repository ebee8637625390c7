// The chunks of a map: how large they are, and how many are under way at a time.
//
// With `chunksize`, each has that size, and as many are under way as `buffersize` allows. Without it, a chunk begins with one item,
// and is at most four times as large as one that was measured, so that it takes about CHUNK_MS; towards the end chunks get
// smaller, so that all workers end together.
import { checkCount } from '../../base/validate.js'
import type { MapOptions } from './map-options.js'
import { MANY } from '../../transport/number-column.js'

const CHUNK_MS = 2
const GROWTH = 4

/** Chunks at the end are no smaller than this part of one: each costs a message. */
const LEAST_PART = 8

/** Cloning numbers is cheap. Anything else is cloned in the caller's thread, which shall not be blocked for long. */
const MOST_VALUES = 512

/** More chunks than these wait for a worker only where it was asked for. */
const MOST_UNDER_WAY = 64

export class ChunkPlan {
  readonly #fixed: number | undefined
  readonly #buffersize: number | undefined
  readonly #busy: number
  #size = 1

  /**
   * @param busy how many chunks keep all workers busy. @param itemMs what a call takes, if that is known and nobody minds how
   * much is read at first. @throws TypeError, RangeError
   */
  constructor({ chunksize, buffersize }: MapOptions, busy: number, itemMs: number | undefined) {
    this.#busy = busy
    this.#fixed = chunksize === undefined ? undefined : checkCount(chunksize, 'chunksize')
    this.#buffersize = buffersize === undefined ? undefined : checkCount(buffersize, 'buffersize')
    if (this.#fixed !== undefined) this.#buffersize ??= busy * this.#fixed
    this.settled(MOST_VALUES, false, itemMs)
  }

  /** Whether chunks may be sent that are not full, because their input is slow. */
  get flexible(): boolean {
    return this.#fixed === undefined
  }

  /**
   * How many items to read now; 0: none until something was taken or settled.
   * @param ahead items that were read and not taken. @param underWay chunks that are not settled, and those not taken
   * @param left items that are not read, where that is known
   */
  next(ahead: number, underWay: { unsettled: number; untaken: number }, left: number | undefined): number {
    const { unsettled, untaken } = underWay
    let size = this.#fixed ?? this.#size
    if (this.#fixed === undefined) {
      if (left !== undefined) size = Math.min(size, Math.ceil(Math.max(left / this.#busy, size / LEAST_PART)))
      if (this.#buffersize === undefined) return unsettled + untaken < this.#busy ? size : 0
      size = Math.min(size, Math.ceil(this.#buffersize / this.#busy))
      if (unsettled >= Math.max(this.#busy, MOST_UNDER_WAY)) return 0
    }
    // Not: as many as there is room for. Each item taken would make room for a chunk of one.
    size = Math.min(size, this.#buffersize!)
    return ahead + size <= this.#buffersize! ? size : 0
  }

  /** A chunk of so many items was settled. @param itemMs what a call takes on average; `undefined`: it is not measured */
  settled(count: number, packed: boolean, itemMs: number | undefined): void {
    if (itemMs === undefined) return
    const wanted = Math.floor(CHUNK_MS / Math.max(itemMs, 1e-6))
    this.#size = Math.max(1, Math.min(wanted, GROWTH * count, packed ? MANY : MOST_VALUES))
  }
}
