// Columns of numbers, as one Float64Array: cloning it copies bytes, where an array is cloned number by number.

/** The values of a chunk: any values, or numbers only. */
export type Column = unknown[] | Float64Array<ArrayBuffer>

/** Minimum of numbers that are packed: fewer are not worth a typed array. */
const MIN_PACKED_NUMBERS = 8

/** Numbers in a full chunk. A larger chunk would need fresh memory each time, which costs more than fewer messages save. */
export const FULL_CHUNK_NUMBERS: number = 2 ** 13

/** Reused for each full chunk of a caller: posting it copies it. */
let scratch: Float64Array<ArrayBuffer> | undefined

export function areNumbers(values: Column): boolean {
  if (values instanceof Float64Array) return true
  if (values.length < MIN_PACKED_NUMBERS) return false
  for (let i = 0; i < values.length; i++) if (typeof values[i] !== 'number') return false
  return true
}

/** Pack a column of numbers. Post the result at once: the next call may overwrite it. */
export function packNumbers(values: Column): Column {
  if (values instanceof Float64Array || !areNumbers(values)) return values
  const packed =
    values.length === FULL_CHUNK_NUMBERS
      ? (scratch ??= new Float64Array(FULL_CHUNK_NUMBERS))
      : new Float64Array(values.length)
  for (let i = 0; i < values.length; i++) packed[i] = values[i] as number
  return packed
}

/** A function of its own, so that V8 sees numbers only: beside values of other kinds, each number would cost an allocation. */
export function copyNumbers(list: unknown[], at: number, numbers: Float64Array, from: number): void {
  for (let i = from; i < numbers.length; i++) list[at++] = numbers[i]!
}

/** A column that is filled from its start. It is packed as long as all values are numbers. */
export class ColumnBuilder {
  #packed: Float64Array<ArrayBuffer> | undefined
  #values: unknown[] = []
  length = 0

  constructor(capacity: number) {
    if (capacity >= MIN_PACKED_NUMBERS) this.#packed = new Float64Array(capacity)
  }

  push(value: unknown): void {
    const at = this.length++
    if (this.#packed) {
      if (typeof value === 'number') {
        this.#packed[at] = value
        return
      }
      this.#values = [...this.#packed.subarray(0, at)]
      this.#packed = undefined
    }
    this.#values.push(value)
  }

  finish(): Column {
    if (!this.#packed) return this.#values
    return this.length === this.#packed.length ? this.#packed : this.#packed.slice(0, this.length)
  }
}
