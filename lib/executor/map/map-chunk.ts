// One chunk of a map, run item by item in whichever thread has it.
import type { OwnContext } from '../../base/async-context.js'
import { isThenable } from '../../base/brands.js'
import { ColumnBuilder, type Column } from '../../transport/number-column.js'
import type { NumberSlab } from './number-slabs.js'

export interface Chunk {
  /** The arguments of the calls, flat: `arity` for each. */
  items: Column
  arity: number
  /** Whether each item is the list of its call's arguments. */
  spread: boolean
  /** The memory that the items lie in, if they are numbers, one for each call. */
  slab?: NumberSlab | undefined
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

/** What `NumberCalls.run` returns if it has stored every result. */
export const STORED: unique symbol = Symbol('stored')

/** Calls for items that are numbers, by a loop that puts their results in place of them. */
export interface NumberCalls {
  /**
   * Call for each item from this one on, as long as the result is a number, and until the context is changed.
   * @returns STORED, or the first result that is no number
   * @throws what a call throws
   */
  run(from: number): unknown
  /** The item of the latest call. */
  readonly latest: number
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
  numbers?: NumberCalls,
): Promise<Mapped<T>> {
  const count = items.length / arity
  const values = new ColumnBuilder(count, numbers && (items as Float64Array))
  const failures: [number, T][] = []
  let isInLoop = false
  const soFar = () => {
    if (isInLoop) values.length = numbers!.latest
    return { values: values.finish(), failures }
  }
  watch?.begins(soFar)
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
  /** As long as the results are numbers. The first that is none, or a failure, ends that. @returns as `NumberCalls.run` */
  const callNumbers = (calls: NumberCalls): unknown => {
    let result: unknown
    isInLoop = true
    try {
      return (result = calls.run(index))
    } finally {
      isInLoop = false
      numbers = result === STORED ? calls : undefined
      index = values.length = calls.latest + (result === STORED ? 1 : 0)
    }
  }
  const call = (): unknown => {
    watch?.item(index)
    const at = index * arity
    if (spread) return fn(...(items[index] as unknown[]))
    return arity === 1 ? fn(items[index]) : fn(...items.slice(at, at + arity))
  }
  /** @returns what has to be awaited before the next item; `undefined`: the context was changed, or there is no next */
  const runOn = (): PromiseLike<unknown> | undefined => {
    while (hasNext()) {
      try {
        const value = numbers ? callNumbers(numbers) : call()
        if (typeof value !== 'number' && isThenable(value)) return value
        if (value !== STORED) onReturned(value)
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
