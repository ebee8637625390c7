// Many numbers as one Float64Array: to clone it is to copy its bytes, where an array of numbers is cloned one by one.

/** What a chunk consists of: any values, or numbers only. */
export type Column = unknown[] | Float64Array<ArrayBuffer>

/** Fewer are not worth it. */
const FEW = 8

/** The usual size of a full chunk. Larger ones come from fresh memory each time, which costs more than their messages save. */
export const MANY: number = 2 ** 13

/** To clone from, again and again: a chunk of the usual size need not have memory of its own. */
let scratch: Float64Array<ArrayBuffer> | undefined

export function areNumbers(values: Column): boolean {
  if (values instanceof Float64Array) return true
  if (values.length < FEW) return false
  for (let i = 0; i < values.length; i++) if (typeof values[i] !== 'number') return false
  return true
}

/** Numbers packed, to be cloned at once: the next call may overwrite them. */
export function packNumbers(values: Column): Column {
  if (values instanceof Float64Array || !areNumbers(values)) return values
  const packed = values.length === MANY ? (scratch ??= new Float64Array(MANY)) : new Float64Array(values.length)
  for (let i = 0; i < values.length; i++) packed[i] = values[i] as number
  return packed
}

/** A function of its own, which sees numbers only: in one with values of all kinds each number costs an allocation. */
export function copyNumbers(list: unknown[], at: number, numbers: Float64Array, from: number): void {
  for (let i = from; i < numbers.length; i++) list[at++] = numbers[i]!
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
