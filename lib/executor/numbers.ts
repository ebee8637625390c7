// Many numbers as one Float64Array: to clone it is to copy its bytes, where an array of numbers is cloned one by one.

/** What a chunk consists of: any values, or numbers only. */
export type Column = unknown[] | Float64Array<ArrayBuffer>

/** Fewer are not worth it. */
const FEW = 8

/** The values as a Float64Array if all of them are numbers. */
export function packNumbers(values: Column): Column {
  if (values instanceof Float64Array || values.length < FEW || typeof values[0] !== 'number') return values
  const packed = new Float64Array(values.length)
  for (let i = 0; i < values.length; i++) {
    const value = values[i]
    if (typeof value !== 'number') return values
    packed[i] = value
  }
  return packed
}

/** A column that is filled from its start: packed as long as all are numbers. */
export class ColumnBuilder {
  #packed: Float64Array<ArrayBuffer> | undefined
  #values: unknown[] = []
  length = 0

  constructor(capacity: number) {
    if (capacity >= FEW) this.#packed = new Float64Array(capacity)
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
