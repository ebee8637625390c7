// The room that one chunk has for its items, in bytes, filled as they are read.
import { types } from 'node:util'
import type { Column } from '../../../transport/number-column.js'
import { WORD_BYTES, type ByteMeter } from '../byte-meter.js'

export class Room {
  readonly #meter: ByteMeter
  readonly #maxBytes: number
  /** Bytes that are free. The first call always fits: the limit is for what comes after it, which may share its objects. */
  #left: number | undefined
  /** Bytes of what was put in. */
  bytes = 0
  /** Whether all that was put in are numbers. */
  onlyNumbers = true

  constructor(meter: ByteMeter, maxBytes: number) {
    this.#meter = meter
    this.#maxBytes = maxBytes
    meter.beginChunk()
  }

  /** Put the values of a call in, those from index `from` on. @returns whether they fit; if not, they count for nothing */
  put(values: readonly unknown[], from: number, to: number = values.length): boolean {
    let bytes = 0
    for (let at = from; at < to; at++) {
      const value = values[at]
      if (typeof value === 'number') bytes += WORD_BYTES
      else {
        bytes += this.#meter.weigh(value)
        this.onlyNumbers = false
      }
    }
    if (this.#left === undefined) this.#left = this.#maxBytes
    else if (bytes <= this.#left) this.#left -= bytes
    else return false
    this.bytes += bytes
    return true
  }

  /** Put in as many calls as fit. @returns how many of the values those are */
  putMany(values: Column, arity: number): number {
    const bytes = values.length * WORD_BYTES
    if (bytes <= this.#maxBytes && countNumbers(values) === values.length) {
      this.bytes = bytes
      return values.length
    }
    let at = 0
    while (at < values.length && this.put(values as unknown[], at, at + arity)) at += arity
    return at
  }
}

/** How many values there are before the first that is no number. */
function countNumbers(values: Column): number {
  if (types.isFloat64Array(values)) return values.length
  let at = 0
  while (at < values.length && typeof values[at] === 'number') at++
  return at
}
