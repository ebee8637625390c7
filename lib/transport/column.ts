// How a chunk of values is sent: numbers as a Float64Array; plain objects that are alike as a table, and others as the words of a
// tree, which gives what structured clone gives in less time (codec/README.md); any other values as they are.
import { types } from 'node:util'
import { decodeTree, encodeTree } from './codec/codec.js'
import { decodeTable } from './codec/table-decoder.js'
import { TableEncoder, type Table } from './codec/table.js'
import { packNumbers, type Column } from './number-column.js'

export type SentColumn = Column | Int32Array<ArrayBuffer> | Table

/** Upper bound of the back-off, in columns, after one that could not be encoded as a tree. */
const MAX_SKIPPED_COLUMNS = 64

export class ColumnPacker {
  /** Made for the first objects: a worker that returns numbers does without. */
  #tables: TableEncoder | undefined
  #skipping = 0
  #toSkip = 0

  /** @returns the column packed, to be cloned at once, because the next call may overwrite it; `undefined`: send it as it is */
  pack(values: Column): Exclude<SentColumn, unknown[]> | undefined {
    const numbers = packNumbers(values)
    return types.isFloat64Array(numbers) ? numbers : this.packObjects(numbers)
  }

  /** As `pack`, for values that are not all numbers. */
  packObjects(values: unknown[]): Int32Array<ArrayBuffer> | Table | undefined {
    if (typeof values[0] !== 'object' || values[0] === null || this.#toSkip-- > 0) return undefined
    this.#tables ??= new TableEncoder()
    const table = this.#tables.encode(values)
    const packed = table === 'shared' ? undefined : (table ?? encodeTree(values))
    this.#skipping = packed ? 0 : Math.min(2 * this.#skipping + 1, MAX_SKIPPED_COLUMNS)
    this.#toSkip = this.#skipping
    return packed
  }
}

export function unpackColumn(sent: SentColumn): Column {
  if (Array.isArray(sent) || types.isFloat64Array(sent)) return sent
  return types.isInt32Array(sent) ? (decodeTree(sent) as unknown[]) : decodeTable(sent)
}

/** The buffers of a packed column that can be moved. Shared memory is at both ends. */
export function buffersOf(packed: Exclude<SentColumn, unknown[]>): ArrayBuffer[] {
  if (!ArrayBuffer.isView(packed)) return [packed.words.buffer, packed.doubles.buffer]
  const { buffer } = packed
  return types.isSharedArrayBuffer(buffer) ? [] : [buffer]
}
