// One chunk of a map, item by item, wherever it runs.
import { ColumnBuilder, type Column } from './numbers.js'

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
): Promise<{ values: Column; failures: [index: number, thrown: T][] }> {
  const count = items.length / arity
  const values = new ColumnBuilder(count)
  const failures: [number, T][] = []
  for (let index = 0, left = retries; index < count;) {
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
