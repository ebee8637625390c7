// All results of a map in one array, for a consumer that awaits them as a whole. Each chunk's are put in their place as it is settled.
import { types } from 'node:util'
import { copyNumbers, type Column } from '../../transport/number-column.js'

/** Length of an array that is made before it is filled. V8 would make a much longer one sparse. */
const MAX_PREALLOCATED = 2 ** 24

export interface Gathered<All> {
  /** Whether results can be put anywhere. If not, only behind those that were put before. */
  readonly takesAnyPlace: boolean
  /** Copy the values from index `from` on to the place `at`. */
  put(values: Column, from: number, at: number): void
  /** @param length how many results there are */
  finish(length: number): All
}

/** Any results, in an array. */
export class GatheredValues<R> implements Gathered<R[]> {
  readonly #total: number | undefined
  #list: R[] | undefined

  /** @param total how many there will be, as the inputs tell, if they do */
  constructor(total: number | undefined) {
    this.#total = preallocatable(total)
  }

  get takesAnyPlace(): boolean {
    return this.#total !== undefined
  }

  put(values: Column, from: number, at: number): void {
    const list = (this.#list ??= newList<R>(this.#total, typeof values[from] === 'number'))
    if (types.isFloat64Array(values)) copyNumbers(list, at, values, from)
    else for (let i = from; i < values.length; i++) list[at + i - from] = values[i] as R
  }

  finish(length: number): R[] {
    const list = this.#list ?? []
    list.length = length
    return list
  }
}

/** An array that grows is copied again and again. */
function newList<R>(total: number | undefined, ofNumbers: boolean): R[] {
  // With a number in it that is no integer, V8 makes memory for doubles at once. Otherwise the first one has all of it copied.
  const list = (ofNumbers ? [0.5] : []) as R[]
  if (total !== undefined) list.length = total
  return list
}

/** Numbers only, in a typed array. */
export class GatheredNumbers implements Gathered<Float64Array<ArrayBuffer>> {
  readonly takesAnyPlace = true
  #numbers: Float64Array<ArrayBuffer>

  /** @param total how many there will be, as the inputs tell, if they do */
  constructor(total: number | undefined) {
    this.#numbers = new Float64Array(preallocatable(total) ?? 0)
  }

  put(values: Column, from: number, at: number): void {
    const end = at + values.length - from
    if (end > this.#numbers.length) this.#grow(end)
    this.#numbers.set((from === 0 ? values : values.slice(from)) as ArrayLike<number>, at)
  }

  finish(length: number): Float64Array<ArrayBuffer> {
    return length === this.#numbers.length ? this.#numbers : this.#numbers.slice(0, length)
  }

  #grow(needed: number): void {
    const grown = new Float64Array(Math.max(needed, 2 * this.#numbers.length))
    grown.set(this.#numbers)
    this.#numbers = grown
  }
}

function preallocatable(total: number | undefined): number | undefined {
  return total !== undefined && total <= MAX_PREALLOCATED ? total : undefined
}
