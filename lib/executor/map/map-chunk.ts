// One chunk of a map, run item by item in whichever thread has it.
import type { OwnContext } from '../../base/async-context.js'
import { isThenable } from '../../base/brands.js'
import { ColumnBuilder, type Column } from '../../transport/number-column.js'

export interface Chunk {
  /** The arguments of the calls, flat: `arity` for each. */
  items: Column
  arity: number
  /** Whether each item is the list of its call's arguments. */
  spread: boolean
}

/** The results of a chunk: a value per item, and by index what was thrown in place of some. */
export interface ChunkResult {
  values: Column
  failures: readonly (readonly [index: number, thrown: unknown])[]
  /** How many items were begun, if the worker died amid the chunk, or retired. @default all */
  begun?: number
}

/** How many items of a chunk were run: all, or up to a failure. */
export function itemsRun({ values, failures }: Pick<ChunkResult, 'values' | 'failures'>): number {
  const lastFailure = failures.at(-1)
  return lastFailure ? Math.max(values.length, lastFailure[0] + 1) : values.length
}

export interface MapCalls {
  /** Go on after a failure. */
  settled: boolean
  /** How often a call that throws is made again. Read after each. */
  retries: number
}

/** Hooks into a chunk that runs. */
export interface MapWatch<T> {
  /** Called before the first item. @param soFar gives what is done at the moment of asking */
  begins(soFar: () => Mapped<T>): void
  /** Called before each item. */
  item(index: number): void
}

/** As ChunkResult, with failures described. */
export interface Mapped<T> {
  values: Column
  failures: [index: number, thrown: T][]
}

/**
 * Call a function for each item: until one fails or, with `settled`, to the end. Each call begins with the same async context.
 * @param describe turns what was thrown into what is kept of it
 */
export async function mapItems<T>(
  fn: Function,
  { items, arity, spread }: Chunk,
  calls: MapCalls,
  describe: (thrown: unknown) => T,
  context: OwnContext,
  watch?: MapWatch<T>,
): Promise<Mapped<T>> {
  const count = items.length / arity
  const values = new ColumnBuilder(count)
  const failures: [number, T][] = []
  watch?.begins(() => ({ values: values.finish(), failures }))
  let index = 0
  let attempts = 0
  let stopped = false
  const hasNext = () => index < count && !stopped
  const onReturned = (value: unknown) => {
    values.push(value)
    index++
    attempts = 0
  }
  const onThrown = (thrown: unknown) => {
    if (attempts++ < calls.retries) return
    failures.push([index, describe(thrown)])
    if (calls.settled) onReturned(undefined)
    else stopped = true
  }
  /** @returns what has to be awaited before the next item; `undefined`: the context was changed, or there is no next */
  const runOn = (): PromiseLike<unknown> | undefined => {
    while (hasNext()) {
      watch?.item(index)
      try {
        const at = index * arity
        const value: unknown = spread
          ? fn(...(items[index] as unknown[]))
          : arity === 1
            ? fn(items[index])
            : fn(...items.slice(at, at + arity))
        if (typeof value !== 'number' && isThenable(value)) return value
        onReturned(value)
      } catch (thrown) {
        onThrown(thrown)
      }
      if (context.changed) return undefined
    }
    return undefined
  }
  while (hasNext()) {
    const awaited = context.runSeveral(runOn)
    if (awaited === undefined) continue
    try {
      onReturned(await awaited)
    } catch (thrown) {
      onThrown(thrown)
    }
  }
  return { values: values.finish(), failures }
}
