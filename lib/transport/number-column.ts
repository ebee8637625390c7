// Many numbers as one Float64Array: cloning it copies its bytes, while an array is cloned number by number.
import { types } from 'node:util'

/** The values of a chunk: any, or numbers only. */
export type Column = unknown[] | Float64Array

/** Fewer numbers take longer to pack than to clone. */
const MIN_PACKED_NUMBERS = 8

/** The size of a full chunk of numbers. Larger ones take fresh memory each time, which costs more than fewer messages save. */
export const MAX_NUMBERS_PER_CHUNK: number = 2 ** 13

/** Packed into and cloned from again and again, so that a full chunk needs no memory of its own. */
let scratch: Float64Array<ArrayBuffer> | undefined

export function areNumbers(values: Column): boolean {
  if (types.isFloat64Array(values)) return true
  if (values.length < MIN_PACKED_NUMBERS) return false
  for (let i = 0; i < values.length; i++) if (typeof values[i] !== 'number') return false
  return true
}

/** Pack the values if they are numbers. Clone the result at once: the next call may overwrite it. */
export function packNumbers(values: Column): Column {
  if (types.isFloat64Array(values) || !areNumbers(values)) return values
  const packed =
    values.length === MAX_NUMBERS_PER_CHUNK
      ? (scratch ??= new Float64Array(MAX_NUMBERS_PER_CHUNK))
      : new Float64Array(values.length)
  for (let i = 0; i < values.length; i++) packed[i] = values[i] as number
  return packed
}

/** Copy items of a list to the beginning of `numbers`. @returns the first that is no number, if there is one: none after it is read */
export function fillWithNumbers(
  numbers: Float64Array,
  list: readonly unknown[],
  from: number,
  end: number,
): { index: number; value: unknown } | undefined {
  for (let index = from, at = 0; index < end; index++, at++) {
    const value = list[index]
    if (typeof value !== 'number') return { index, value }
    numbers[at] = value
  }
  return undefined
}

/** Copy the numbers from index `from` on into the list at `at`. A function that sees numbers only: among values of all kinds each costs an allocation. */
export function copyNumbers(list: unknown[], at: number, numbers: Float64Array, from: number): void {
  for (let i = from; i < numbers.length; i++) list[at++] = numbers[i]!
}

/** Builds a column value by value; packed as long as all values are numbers. */
export class ColumnBuilder {
  #packed: Float64Array | undefined
  #values: unknown[] = []
  length = 0

  /** @param numbers memory for the numbers, if they are to be in a certain place */
  constructor(capacity: number, numbers?: Float64Array) {
    if (numbers) this.#packed = numbers
    else if (capacity >= MIN_PACKED_NUMBERS) this.#packed = new Float64Array(capacity)
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
