// One chunk of a map, item by item, wherever it runs.
import { ColumnBuilder, type Column } from '../../transport/number-column.js'

export interface Chunk {
  /** The arguments of the calls, `arity` for each, one behind the other. */
  items: Column
  arity: number
  /** Whether each item is the list of its call's arguments. */
  spread: boolean
}

export interface MapCalls {
  /** Go on after a failure. */
  settled: boolean
  /** How often a call that throws is made again. */
  retries: number
}

/** Follows what becomes of a chunk, from within. */
export interface MapWatch<T> {
  /** Before the first item. @param soFar gives what is done at that moment */
  begins(soFar: () => Mapped<T>): void
  /** Before each item. */
  item(index: number): void
}

export interface Mapped<T> {
  values: Column
  failures: [index: number, thrown: T][]
}

/**
 * Call a function for each item until one fails; with `settled`, to the end.
 * @param describe what is kept of something thrown
 * @returns a value per item, and what was thrown in place of some, by index
 */
export async function mapItems<T>(
  fn: Function,
  { items, arity, spread }: Chunk,
  { settled, retries }: MapCalls,
  describe: (thrown: unknown) => T,
  watch?: MapWatch<T>,
): Promise<Mapped<T>> {
  const count = items.length / arity
  const values = new ColumnBuilder(count)
  const failures: [number, T][] = []
  watch?.begins(() => ({ values: values.finish(), failures }))
  for (let index = 0, left = retries; index < count;) {
    watch?.item(index)
    try {
      const at = index * arity
      const value: unknown = spread
        ? fn(...(items[index] as unknown[]))
        : arity === 1
          ? fn(items[index])
          : fn(...items.slice(at, at + arity))
      values.push(typeof value !== 'number' && isThenable(value) ? await value : value)
    } catch (thrown) {
      if (left-- > 0) continue
      failures.push([index, describe(thrown)])
      if (!settled) break
      values.push(undefined)
    }
    index++
    left = retries
  }
  return { values: values.finish(), failures }
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    ((typeof value === 'object' && value !== null) || typeof value === 'function') &&
    typeof (value as { then?: unknown }).then === 'function'
  )
}
