// What `map` is given to map over: one or more iterables, sync or async, read in step like Python's zip.
import { inspect } from 'node:util'

export type Input<T> = Iterable<T> | AsyncIterable<T>

/** The next tuple of arguments, one of each input; `undefined` when the shortest input has ended. A promise only if an input is async. */
export interface Inputs {
  next(): unknown[] | undefined | Promise<unknown[] | undefined>
  /** Tell the inputs that no more will be read. */
  close(): void
  /** How many tuples there are, where the inputs know. */
  readonly total: number | undefined
}

export function isInput(value: unknown): value is Input<unknown> {
  return value !== null && value !== undefined && (Symbol.iterator in Object(value) || isAsyncInput(value))
}

function isAsyncInput(value: unknown): value is AsyncIterable<unknown> {
  return Symbol.asyncIterator in Object(value)
}

/** An input whose items are the arguments of a call each, not its one argument. */
export class Rows {
  readonly rows: Input<Iterable<unknown>>

  constructor(rows: Input<Iterable<unknown>>) {
    this.rows = rows
  }

  /** To be taken for an input. Not: read them by it. They may come from an async one. */
  [Symbol.iterator](): Iterator<unknown> {
    throw new TypeError('rows are read by readTuples')
  }
}

/** Each step of the inputs gives a tuple; of `Rows` alone, the row. */
export function readTuples(inputs: readonly Input<unknown>[]): Inputs {
  const [first] = inputs
  if (!(first instanceof Rows)) return zip(inputs)
  const rows = zip([first.rows])
  const open = (tuple: unknown[] | undefined) => tuple && spread(tuple[0])
  return {
    next() {
      const step = rows.next()
      return step instanceof Promise ? step.then(open) : open(step)
    },
    close: () => rows.close(),
    total: rows.total,
  }
}

function spread(row: unknown): unknown[] {
  if (row === null || typeof row !== 'object' || !(Symbol.iterator in row))
    throw new TypeError(`each item of starmap must be an iterable of arguments, not ${inspect(row)}`)
  return [...(row as Iterable<unknown>)]
}

export function zip(inputs: readonly Input<unknown>[]): Inputs {
  const iterators = inputs.map((input) =>
    isAsyncInput(input) ? input[Symbol.asyncIterator]() : input[Symbol.iterator](),
  )
  const isAsync = inputs.some(isAsyncInput)
  let ended = false
  const close = () => {
    if (ended) return
    ended = true
    for (const iterator of iterators) void closeOne(iterator)
  }
  const tuple = (results: IteratorResult<unknown>[]): unknown[] | undefined => {
    for (const result of results)
      if (typeof result !== 'object' || result === null)
        throw new TypeError(`an iterator of map gave ${inspect(result)}, which is not an iterator result`)
    if (ended || results.some(({ done }) => done)) {
      close()
      return undefined
    }
    return results.map(({ value }) => value)
  }
  return {
    next() {
      if (ended) return undefined
      if (isAsync) return Promise.all(iterators.map(async (iterator) => iterator.next())).then(tuple)
      return tuple(stepUntilEnd(iterators as Iterator<unknown>[]))
    },
    close,
    total: inputs.map(lengthOf).reduce(least),
  }
}

/** One step of each; none of those behind the first that has ended, as Python's zip. */
function stepUntilEnd(iterators: readonly Iterator<unknown>[]): IteratorResult<unknown>[] {
  const results: IteratorResult<unknown>[] = []
  for (const iterator of iterators) {
    const result = iterator.next()
    results.push(result)
    if (result.done) break
  }
  return results
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
