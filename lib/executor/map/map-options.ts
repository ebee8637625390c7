// What `map` is called with: its options, and telling them from the iterables.
import { inspect } from 'node:util'
import { isInput, type Input } from './inputs.js'

export interface MapProgress {
  /** Items that are settled, failed ones included. */
  done: number
  /** Items in all, where the inputs know. */
  total: number | undefined
  failed: number
}

export interface MapOptions {
  /**
   * How many items go to a worker at a time. They are copied together: an object that occurs in two of them is one object there.
   * @default what takes about two milliseconds, by measuring
   */
  chunksize?: number | undefined
  /** Milliseconds from the call of `map` after which waiting for the next result throws TimeoutError. @default Infinity */
  timeout?: number | undefined
  /** How many items are read ahead of the consumer at most. @default enough to keep the workers busy */
  buffersize?: number | undefined
  /** Results in the order of the inputs; `false`: as they come. @default true */
  ordered?: boolean | undefined
  /** Entries as of Promise.allSettled, and no error ends the stream. @default false */
  settled?: boolean | undefined
  /** Aborting it ends the stream with the signal's reason, and cancels what has not begun. */
  signal?: AbortSignal | undefined
  /** Called when a chunk is settled. */
  onProgress?: ((progress: MapProgress) => void) | undefined
}

/** The results of a map: iterate over them as they come, or await them all. They can be taken once. */
export interface MapResult<R> extends AsyncIterable<R>, PromiseLike<R[]> {
  [Symbol.asyncIterator](): AsyncIterator<R, undefined, undefined>
}

/** Tell inputs from options: a last argument that is not iterable is the options. @throws TypeError */
export function splitMapArguments(args: readonly unknown[]): { inputs: Input<unknown>[]; options: MapOptions } {
  const last = args.at(-1)
  const hasOptions = last === undefined || (typeof last === 'object' && last !== null && !isInput(last))
  const inputs = hasOptions ? args.slice(0, -1) : [...args]
  if (inputs.length === 0) throw new TypeError('map needs at least one iterable to map over')
  for (const [index, input] of inputs.entries())
    if (!isInput(input)) throw new TypeError(`map's iterable ${index + 1} is ${inspect(input)}, which is not iterable`)
  return { inputs: inputs as Input<unknown>[], options: (hasOptions && last) || {} }
}
