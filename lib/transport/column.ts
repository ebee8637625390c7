// How a chunk of values is sent: numbers as a Float64Array; plain objects as the words of a tree, which gives what structured clone
// gives in two thirds of the time (lib/transport/codec/tree.ts); any other values as they are.
import { types } from 'node:util'
import { decodeTree, encodeTree } from './codec/codec.js'
import { packNumbers, type Column } from './number-column.js'

export type SentColumn = Column | Int32Array<ArrayBuffer>

/** Upper bound of the back-off, in columns, after one that could not be encoded as a tree. */
const MAX_SKIPPED_COLUMNS = 64

export class ColumnPacker {
  #skipping = 0
  #toSkip = 0

  /** @returns the column packed, to be cloned at once, because the next call may overwrite it; `undefined`: send it as it is */
  pack(values: Column): Exclude<SentColumn, unknown[]> | undefined {
    const numbers = packNumbers(values)
    return types.isFloat64Array(numbers) ? numbers : this.packTree(numbers)
  }

  /** As `pack`, for values that are not all numbers. */
  packTree(values: unknown[]): Int32Array<ArrayBuffer> | undefined {
    if (typeof values[0] !== 'object' || values[0] === null || this.#toSkip-- > 0) return undefined
    const words = encodeTree(values)
    this.#skipping = words ? 0 : Math.min(2 * this.#skipping + 1, MAX_SKIPPED_COLUMNS)
    this.#toSkip = this.#skipping
    return words
  }
}

export function unpackColumn(sent: SentColumn): Column {
  return types.isInt32Array(sent) ? (decodeTree(sent) as unknown[]) : sent
}
