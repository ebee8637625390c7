// Columns in messages: numbers go as a Float64Array, plain objects as the words of a tree (lib/transport/codec/tree.ts), and other
// values as they are. A tree gives the same as structured clone, in two thirds of the time.
import { decodeTree, encodeTree } from './codec/codec.js'
import { packNumbers, type Column } from './number-column.js'

export type SentColumn = Column | Int32Array<ArrayBuffer>

/** Upper bound of the back-off after a column that could not be encoded as a tree. */
const MAX_SKIPPED_COLUMNS = 64

export class ColumnPacker {
  #skipped = 0
  #toSkip = 0

  /** @returns `undefined`: send the values as they are. Otherwise post the result at once: the next call may overwrite it. */
  pack(values: Column): Exclude<SentColumn, unknown[]> | undefined {
    const numbers = packNumbers(values)
    return numbers instanceof Float64Array ? numbers : this.packTree(numbers)
  }

  packTree(values: unknown[]): Int32Array<ArrayBuffer> | undefined {
    if (typeof values[0] !== 'object' || values[0] === null || this.#toSkip-- > 0) return undefined
    const words = encodeTree(values)
    this.#skipped = words ? 0 : Math.min(2 * this.#skipped + 1, MAX_SKIPPED_COLUMNS)
    this.#toSkip = this.#skipped
    return words
  }
}

export function unpackColumn(sent: SentColumn): Column {
  return sent instanceof Int32Array ? (decodeTree(sent) as unknown[]) : sent
}
