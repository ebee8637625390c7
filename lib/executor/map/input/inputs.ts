// What `map` maps over: one or more iterables, sync or async, read in step like Python's zip.
import { inspect } from 'node:util'
import type { Column } from '../../../transport/number-column.js'
import type { NumberSlab } from '../number-slabs.js'
import type { Room } from './room.js'

/** An iterable, sync or async. */
export type Input<T> = Iterable<T> | AsyncIterable<T>

/** What one read gives: for each call, one value of each input, flat. */
export interface InputBatch {
  items: Column
  /** The memory that the items lie in, if they are numbers, one for each call. */
  slab?: NumberSlab | undefined
  /** The shortest input has ended: nothing more is read. */
  ended: boolean
  /** What an input threw after the items. */
  failure?: { thrown: unknown }
}

/** The inputs of one map. */
export interface Inputs {
  /** Read for up to `count` calls, as many as there is room for. Returns a promise only if an input is async. */
  read(count: number, room: Room): InputBatch | Promise<InputBatch>
  /** End the pending read now if it has items. */
  flush(): void
  /** Read the rest now, for later calls of `read`. @returns false: an input is async, or has not ended within bounds */
  keepRest(): boolean
  /** Tell the inputs that no more will be read. */
  close(): void
  readonly isAsync: boolean
  /** For how many calls there is input, if the inputs know. */
  readonly total: number | undefined
}

export function isInput(value: unknown): value is Input<unknown> {
  return value !== null && value !== undefined && (Symbol.iterator in Object(value) || isAsyncInput(value))
}

export function isAsyncInput(value: unknown): value is AsyncIterable<unknown> {
  return Symbol.asyncIterator in Object(value)
}

/** The length of the shortest input; `undefined` unless all know theirs. */
export function shortestLength(inputs: readonly Input<unknown>[]): number | undefined {
  const lengths = inputs.map(lengthOf)
  return lengths.includes(undefined) ? undefined : Math.min(...(lengths as number[]))
}

/** Any object may be an input, and have a length that is none. */
function lengthOf(input: Input<unknown>): number | undefined {
  const { length, size } = input as { length?: unknown; size?: unknown }
  return [length, size].find((count): count is number => Number.isSafeInteger(count) && (count as number) >= 0)
}

/** @throws TypeError the iterator broke the protocol */
export function checkIteratorResult<T>(result: IteratorResult<T>): IteratorResult<T> {
  if (typeof result === 'object' && result !== null) return result
  throw new TypeError(`an iterator of map gave ${inspect(result)}, which is not an iterator result`)
}

/** Close an iterator. Not awaited by callers: an async one may be in a step that never ends. */
export async function closeIterator(iterator: Iterator<unknown> | AsyncIterator<unknown>): Promise<void> {
  try {
    await iterator.return?.()
  } catch {
    // Its clean-up failed. Nobody reads it any more, and map's results do not depend on it.
  }
}

/** An input whose items are the lists of arguments of a call each, not its one argument. */
export class Rows {
  readonly rows: Input<Iterable<unknown>>

  constructor(rows: Input<Iterable<unknown>>) {
    this.rows = rows
  }

  /** Present so that rows pass for an input. Not: read them by it. They may come from an async one. */
  [Symbol.iterator](): Iterator<unknown> {
    throw new TypeError('rows are read by readInputs')
  }
}
