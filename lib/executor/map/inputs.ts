// What `map` is given to map over: one or more iterables, sync or async, read in step like Python's zip.
import { inspect } from 'node:util'
import type { Column } from '../../transport/number-column.js'

export type Input<T> = Iterable<T> | AsyncIterable<T>

/** What was read at once: the values of the inputs in turn, for as many calls as there were. */
export interface Batch {
  items: Column
  /** The shortest input has ended: nothing is read any more. */
  ended: boolean
  /** What an input threw, behind the items. */
  failure?: { thrown: unknown }
}

export interface Inputs {
  /** Read for up to so many calls. A promise only if an input is async. */
  read(count: number): Batch | Promise<Batch>
  /** Have the read that is under way, if it has something, end with that. */
  flush(): void
  /** Tell the inputs that no more will be read. */
  close(): void
  /** For how many calls there is input, where the inputs know. */
  readonly total: number | undefined
}

export function isInput(value: unknown): value is Input<unknown> {
  return value !== null && value !== undefined && (Symbol.iterator in Object(value) || isAsyncInput(value))
}

function isAsyncInput(value: unknown): value is AsyncIterable<unknown> {
  return Symbol.asyncIterator in Object(value)
}

/** An input whose items are the lists of arguments of a call each, not its one argument. */
export class Rows {
  readonly rows: Input<Iterable<unknown>>

  constructor(rows: Input<Iterable<unknown>>) {
    this.rows = rows
  }

  /** To be taken for an input. Not: read them by it. They may come from an async one. */
  [Symbol.iterator](): Iterator<unknown> {
    throw new TypeError('rows are read by readInputs')
  }
}

/** What map reads: `Rows` alone, or inputs in step. */
export function readInputs(inputs: readonly Input<unknown>[]): Inputs {
  const [first] = inputs
  return first instanceof Rows ? new RowInput(zip([first.rows])) : zip(inputs)
}

function zip(inputs: readonly Input<unknown>[]): Inputs {
  const [only] = inputs
  if (inputs.length === 1 && isPlainList(only)) return new ListInput(only)
  return inputs.some(isAsyncInput) ? new AsyncInputs(inputs) : new SyncInputs(inputs as Iterable<unknown>[])
}

type List = unknown[] | Float64Array

/** Whether it iterates over its elements and nothing else happens, so that it can be read in slices. */
function isPlainList(input: unknown): input is List {
  const known = Array.isArray(input) || (ArrayBuffer.isView(input) && !(input instanceof DataView))
  if (!known || input instanceof BigInt64Array || input instanceof BigUint64Array) return false
  const plain = Array.isArray(input) ? Array.prototype : Float64Array.prototype
  return (input as unknown[])[Symbol.iterator] === plain[Symbol.iterator]
}

/** An array, or a typed array, whose numbers are copied but never boxed. */
class ListInput implements Inputs {
  readonly #list: List
  #at = 0

  constructor(list: List) {
    this.#list = list
  }

  get total(): number {
    return this.#list.length
  }

  read(count: number): Batch {
    const list = this.#list
    const end = Math.min(this.#at + count, list.length)
    const items = Array.isArray(list) ? list.slice(this.#at, end) : new Float64Array(list.subarray(this.#at, end))
    this.#at = end
    return { items, ended: end >= list.length }
  }

  flush(): void {}

  close(): void {
    this.#at = Infinity
  }
}

/** Rows, each opened into a list. */
class RowInput implements Inputs {
  readonly #inner: Inputs

  constructor(inner: Inputs) {
    this.#inner = inner
  }

  get total(): number | undefined {
    return this.#inner.total
  }

  read(count: number): Batch | Promise<Batch> {
    const batch = this.#inner.read(count)
    return batch instanceof Promise ? batch.then((rows) => this.#open(rows)) : this.#open(batch)
  }

  flush(): void {
    this.#inner.flush()
  }

  close(): void {
    this.#inner.close()
  }

  #open({ items: rows, ...rest }: Batch): Batch {
    const items: unknown[] = []
    try {
      for (const row of rows) items.push(listFrom(row))
    } catch (thrown) {
      this.close()
      return { items, ended: true, failure: { thrown } }
    }
    return { items, ...rest }
  }
}

function listFrom(row: unknown): unknown[] {
  if (row === null || typeof row !== 'object' || !(Symbol.iterator in row))
    throw new TypeError(`each item of starmap must be an iterable of arguments, not ${inspect(row)}`)
  return [...(row as Iterable<unknown>)]
}

class SyncInputs implements Inputs {
  readonly total: number | undefined
  readonly #iterators: readonly Iterator<unknown>[]
  #ended = false

  constructor(inputs: readonly Iterable<unknown>[]) {
    this.#iterators = inputs.map((input) => input[Symbol.iterator]())
    this.total = inputs.map(lengthOf).reduce(least)
  }

  read(count: number): Batch {
    const items: unknown[] = []
    const arity = this.#iterators.length
    try {
      while (!this.#ended && items.length < count * arity) {
        const begun = items.length
        for (const iterator of this.#iterators) {
          const result = checkResult(iterator.next())
          if (result.done) {
            // Those behind the first that has ended are not asked, as Python's zip.
            items.length = begun
            this.close()
            break
          }
          items.push(result.value)
        }
      }
    } catch (thrown) {
      items.length -= items.length % arity
      this.close()
      return { items, ended: true, failure: { thrown } }
    }
    return { items, ended: this.#ended }
  }

  flush(): void {}

  close(): void {
    if (this.#ended) return
    this.#ended = true
    for (const iterator of this.#iterators) void closeOne(iterator)
  }
}

class AsyncInputs implements Inputs {
  readonly total: number | undefined
  readonly #iterators: readonly (Iterator<unknown> | AsyncIterator<unknown>)[]
  #items: unknown[] = []
  #wanted: { count: number; resolve: (batch: Batch) => void } | undefined
  #pumping = false
  #ended = false
  #failure: { thrown: unknown } | undefined

  constructor(inputs: readonly Input<unknown>[]) {
    this.#iterators = inputs.map((input) =>
      isAsyncInput(input) ? input[Symbol.asyncIterator]() : input[Symbol.iterator](),
    )
    this.total = inputs.map(lengthOf).reduce(least)
  }

  read(count: number): Promise<Batch> {
    return new Promise((resolve) => {
      this.#wanted = { count, resolve }
      this.#serve()
      void this.#pump()
    })
  }

  flush(): void {
    if (this.#items.length > 0) this.#give()
  }

  close(): void {
    if (this.#ended) return
    this.#ended = true
    for (const iterator of this.#iterators) void closeOne(iterator)
    this.#serve()
  }

  /** Step as long as somebody wants more. */
  async #pump(): Promise<void> {
    if (this.#pumping) return
    this.#pumping = true
    while (this.#wanted && !this.#ended) {
      try {
        const results = await Promise.all(this.#iterators.map(async (iterator) => checkResult(await iterator.next())))
        if (this.#ended) break
        if (results.some(({ done }) => done)) this.close()
        else for (const { value } of results) this.#items.push(value)
      } catch (thrown) {
        if (!this.#ended) this.#failure = { thrown }
        this.close()
      }
      this.#serve()
    }
    this.#pumping = false
  }

  #serve(): void {
    if (this.#ended || this.#items.length >= (this.#wanted?.count ?? Infinity) * this.#iterators.length) this.#give()
  }

  #give(): void {
    const wanted = this.#wanted
    if (!wanted) return
    this.#wanted = undefined
    const items = this.#items
    this.#items = []
    wanted.resolve({ items, ended: this.#ended, ...(this.#failure && { failure: this.#failure }) })
  }
}

function checkResult<T>(result: IteratorResult<T>): IteratorResult<T> {
  if (typeof result === 'object' && result !== null) return result
  throw new TypeError(`an iterator of map gave ${inspect(result)}, which is not an iterator result`)
}

/** An async input may be in the middle of a step that never ends: it is told, and not waited for. */
async function closeOne(iterator: Iterator<unknown> | AsyncIterator<unknown>): Promise<void> {
  try {
    await iterator.return?.()
  } catch {
    // Its cleaning up failed; nobody reads it any more, and its result is not wanted.
  }
}

function lengthOf(input: Input<unknown>): number | undefined {
  const { length, size } = input as { length?: unknown; size?: unknown }
  return typeof length === 'number' ? length : typeof size === 'number' ? size : undefined
}

function least(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? undefined : Math.min(a, b)
}
