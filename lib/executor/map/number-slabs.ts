// Shared memory for the chunks of numbers of an executor's maps. The items of a chunk are read into a slab; the worker puts each
// result in the place of its item; and main copies them out of it. Nothing is cloned.
//
//   free ──take──> items ──lend──> at a worker ──takeBack: its result came──> results ──free──> free
//                    └──────────────────┼────────────free────────────────────────────────────> free
//                                       └──free: the worker died, or its task was given up ──> dropped
//
// Not: hand slabs out in turn. Results are copied in a microtask, and the next leases of a worker may be sent, and may end, before
// that. A slab that is lent is never used again: a worker that is being stopped still writes to it.
import { types } from 'node:util'
import type { Column } from '../../transport/number-column.js'

/** Numbers in a slab. So many take their worker long enough that a message costs little beside them. */
export const NUMBERS_PER_SLAB: number = 2 ** 15

/** Fewer numbers are cloned in less time than shared memory takes to be sent. */
const MIN_NUMBERS_IN_SLAB = 512

export class NumberSlabs {
  readonly #max: number
  readonly #free: NumberSlab[] = []
  #count = 0

  /** @param max how many there are at most, lost ones aside. Each is made when it is first needed */
  constructor(max: number) {
    this.#max = max
  }

  /** @returns `undefined`: none is free, or one would not do for so many numbers */
  take(length: number): NumberSlab | undefined {
    if (length < MIN_NUMBERS_IN_SLAB || length > NUMBERS_PER_SLAB) return undefined
    const free = this.#free.pop()
    if (free || this.#count === this.#max) return free
    this.#count++
    return new NumberSlab((slab, isLost) => {
      if (isLost) this.#count--
      else this.#free.push(slab)
    })
  }
}

export class NumberSlab {
  readonly numbers: Float64Array<SharedArrayBuffer> = new Float64Array(
    new SharedArrayBuffer(NUMBERS_PER_SLAB * Float64Array.BYTES_PER_ELEMENT),
  )
  readonly #onFree: (slab: NumberSlab, isLost: boolean) => void
  #isLent = false

  constructor(onFree: (slab: NumberSlab, isLost: boolean) => void) {
    this.#onFree = onFree
  }

  /** A worker is sent it, and may write to it. */
  lend(): void {
    this.#isLent = true
  }

  /** That worker has told its result, and writes to it no more. */
  takeBack(): void {
    this.#isLent = false
  }

  /** It is not needed any more: what the worker left in it was copied, or is not wanted. Once. */
  free(): void {
    this.#onFree(this, this.#isLent)
  }
}

/** Whether these are results in a slab, to be copied before it is free. */
export function areInSlab(values: Column): values is Float64Array<SharedArrayBuffer> {
  return types.isFloat64Array(values) && types.isSharedArrayBuffer(values.buffer)
}
