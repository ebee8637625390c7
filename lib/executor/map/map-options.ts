// The arguments of `map`: its options, and telling them from the iterables.
import { inspect } from 'node:util'
import { bindContext } from '../../base/async-context.js'
import { checkCount, checkFlag, checkFunction, checkOptions } from '../../base/validate.js'
import { checkSignal, checkTimeout } from '../../base/wait-options.js'
import type { Target } from '../../task/task.js'
import { isInput, type Input } from './input/inputs.js'

/** The argument of `onProgress`. */
export interface MapProgress {
  /** Items that are settled, failed ones included. */
  done: number
  /** Items in all; `undefined` if the inputs do not tell. */
  total: number | undefined
  /** Items whose call threw, or whose worker died. */
  failed: number
}

/** Options of `map`. */
export interface MapOptions {
  /**
   * Items that go to a worker at a time, as one chunk. They are cloned together: an object that is in two items is one object
   * in the worker. @default measured, to take about two milliseconds, and about a megabyte at most, of items and of results
   */
  chunksize?: number | undefined
  /** Milliseconds from the call of `map` after which waiting for the next result throws TimeoutError. @default Infinity */
  timeout?: number | undefined
  /**
   * How many items are read ahead of the consumer at most, whatever their size. @default enough to keep the workers busy, and
   * about 32 megabytes at most, of items and of results together, or one chunk for each worker if that is more; where all results
   * are awaited, those that wait for a slow one before them do not count
   */
  buffersize?: number | undefined
  /** Give results in the order of the inputs; `false`: in the order in which they come. @default true */
  ordered?: boolean | undefined
  /** Give entries like those of `Promise.allSettled`. No error of a task ends the stream. @default false */
  settled?: boolean | undefined
  /**
   * `'float64'`: awaiting the map gives a Float64Array, and iterating over it numbers. A result that is no number ends the stream, in
   * its place, with a TypeError that tells the item's index and the result. Not together with `settled`. @default an array, of anything
   */
  output?: 'float64' | undefined
  /** Aborting it ends the stream with the signal's reason, and cancels what has not begun. */
  signal?: AbortSignal | undefined
  /** Called after each chunk. What it throws is printed to stderr and ignored. */
  onProgress?: ((progress: MapProgress) => void) | undefined
}

/** Options of a `map` whose results are entries like those of `Promise.allSettled`. */
export type SettledOptions = MapOptions & { settled: true }

/** Options of a `map` whose results are numbers, in a Float64Array. */
export type Float64Options = MapOptions & { output: 'float64' }

type Iterables<A extends unknown[]> = { [K in keyof A]: Input<A[K]> }

/** An iterable per parameter of the target, and the options. */
export type MapArguments<A extends unknown[]> = [...iterables: Iterables<A>, options?: MapOptions]

/** An iterable per parameter of the target, and options with `settled: true`. */
export type SettledArguments<A extends unknown[]> = [...iterables: Iterables<A>, options: SettledOptions]

/** An iterable per parameter of the target, and options with `output: 'float64'`. */
export type Float64Arguments<A extends unknown[]> = [...iterables: Iterables<A>, options: Float64Options]

/** A target whose results are numbers. */
export type Float64Target<A extends unknown[]> = Target<A, number | Promise<number>>

/**
 * The results of a map: iterate over them as they come, or await them all. Each result can be taken once. A map is submitted work:
 * a shutdown of its executor has it mapped to its end, whether or not its results are taken.
 */
export interface MapResult<R, All = R[]> extends AsyncIterable<R>, PromiseLike<All> {
  [Symbol.asyncIterator](): AsyncIterator<R, undefined, undefined>
  /** As a promise's `catch`. */
  catch<B = never>(onError?: ((reason: any) => B | PromiseLike<B>) | null): Promise<All | B>
  /** As a promise's `finally`. */
  finally(onSettled?: (() => void) | null): Promise<All>
}

/** The results of a map with `output: 'float64'`. */
export type Float64Result = MapResult<number, Float64Array<ArrayBuffer>>

/** The options of a map, checked and complete. */
export interface MapSettings {
  /** `undefined`: chunks are sized by measuring. */
  chunksize: number | undefined
  /** `undefined`: enough to keep the workers busy. */
  buffersize: number | undefined
  timeoutMs: number
  ordered: boolean
  settled: boolean
  /** Whether results are numbers, to be gathered in a Float64Array. */
  float64: boolean
  signal: AbortSignal | undefined
  onProgress: ((progress: MapProgress) => void) | undefined
}

/** Tell inputs from options: a last argument that is not iterable is the options. @throws TypeError, RangeError */
export function splitMapArguments(args: readonly unknown[]): { inputs: Input<unknown>[]; settings: MapSettings } {
  const last = args.at(-1)
  const hasOptions = last === undefined || (typeof last === 'object' && last !== null && !isInput(last))
  const inputs = hasOptions ? args.slice(0, -1) : [...args]
  if (inputs.length === 0) throw new TypeError('map needs at least one iterable to map over')
  for (const [index, input] of inputs.entries())
    if (!isInput(input)) throw new TypeError(`map's iterable ${index + 1} is ${inspect(input)}, which is not iterable`)
  return { inputs: inputs as Input<unknown>[], settings: checkMapOptions((hasOptions && last) || {}) }
}

function checkMapOptions(options: MapOptions): MapSettings {
  checkOptions(options, 'the options of map', [
    'chunksize',
    'timeout',
    'buffersize',
    'ordered',
    'settled',
    'output',
    'signal',
    'onProgress',
  ])
  const { chunksize, buffersize, onProgress, ordered = true, settled = false, output } = options
  if (onProgress !== undefined) checkFunction(onProgress, 'onProgress')
  return {
    chunksize: chunksize === undefined ? undefined : checkCount(chunksize, 'chunksize'),
    buffersize: buffersize === undefined ? undefined : checkCount(buffersize, 'buffersize'),
    timeoutMs: checkTimeout(options.timeout),
    ordered: checkFlag(ordered, 'ordered'),
    settled: checkFlag(settled, 'settled'),
    float64: checkOutput(output, settled),
    signal: checkSignal(options.signal),
    onProgress: onProgress && bindContext(onProgress),
  }
}

function checkOutput(output: unknown, settled: boolean): boolean {
  if (output === undefined) return false
  if (output !== 'float64') throw new TypeError(`output must be 'float64' or absent, not ${inspect(output)}`)
  if (settled) throw new TypeError("output: 'float64' takes numbers, and settled: true gives entries: use one of them")
  return true
}
