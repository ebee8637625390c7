// map: a stream of inputs through the workers, and a stream of results out. Chunks of inputs are submitted with bounded
// read-ahead: no more is read than `buffersize` items beyond what the consumer has taken.
//
//   inputs ──read──> chunks in flight (submitted, in order) ──settled──> taken by the consumer
//            └──────────── at most `buffersize` items ────────────┘
import { inspect } from 'node:util'
import { checkSignal, checkTimeout } from '../memory/deadline.js'
import { settleWithin } from '../memory/settle.js'
import { whenAborted } from './abort.js'
import { callSafely } from './callback.js'
import { isInput, readTuples, type Input, type Inputs } from './inputs.js'

export interface MapProgress {
  /** Items that are settled, failed ones included. */
  done: number
  /** Items in all, where the inputs know. */
  total: number | undefined
  failed: number
}

export interface MapOptions {
  /** How many items go to a worker at a time. @default 1 */
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
  onProgress?: ((progress: MapProgress) => void) | undefined
}

/** What mapping one chunk gives: a value per item, and what was thrown in place of some, by index. */
export interface ChunkResult {
  values: unknown[]
  failures: readonly (readonly [index: number, thrown: unknown])[]
}

/** The chunk as a whole failed: its worker died, it could not be sent, or it was cancelled. */
export function failedChunk(count: number, settled: boolean, thrown: unknown): ChunkResult {
  if (!settled) return { values: [], failures: [[0, thrown]] }
  const values = Array.from({ length: count }, () => undefined)
  return { values, failures: values.map((_, index) => [index, thrown] as const) }
}

/**
 * Has a worker map a chunk of items, an item being the arguments of one call.
 * @returns what cancels it, unless it was begun
 */
export type SubmitChunk = (items: unknown[][], settled: boolean, onDone: (result: ChunkResult) => void) => () => void

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

/** Check a count that a caller gave. @throws TypeError, RangeError */
export function checkCount(value: unknown, name: string): number {
  if (typeof value !== 'number') throw new TypeError(`${name} must be a number, not ${inspect(value)}`)
  if (!Number.isInteger(value) || value < 1)
    throw new RangeError(`${name} must be an integer of 1 or more, not ${value}`)
  return value
}

/** What the consumer is to get: a value, or an error that ends the stream. */
type Entry = { value: unknown } | { thrown: unknown }

/** A chunk's place in the order of results. */
interface Place {
  entries: Entry[] | undefined
  cancel: () => void
}

export class Mapping<R> implements MapResult<R> {
  readonly #inputs: Inputs
  readonly #submit: SubmitChunk
  readonly #options: MapOptions
  readonly #chunksize: number
  readonly #buffersize: number
  readonly #timeoutMs: number
  readonly #endMs: number
  readonly #stopListening: () => void
  readonly #stream: AsyncGenerator<R, undefined, undefined>
  /** Chunks that were submitted and whose results have not moved on to #ready. */
  #places: Place[] = []
  #ready: Entry[] = []
  /** Items that were read and not taken. */
  #ahead = 0
  #reading = false
  #inputEnded = false
  #closed = false
  #progress: MapProgress
  #wake: () => void = () => {}
  #all: Promise<R[]> | undefined

  /** @param busy how many chunks keep all workers busy. @throws TypeError, RangeError */
  constructor(inputs: readonly Input<unknown>[], options: MapOptions, busy: number, submit: SubmitChunk) {
    const { chunksize = 1, timeout, buffersize, onProgress } = options
    const signal = checkSignal(options.signal)
    if (onProgress !== undefined && typeof onProgress !== 'function')
      throw new TypeError(`onProgress must be a function, not ${inspect(onProgress)}`)
    this.#chunksize = checkCount(chunksize, 'chunksize')
    this.#buffersize = buffersize === undefined ? busy * this.#chunksize : checkCount(buffersize, 'buffersize')
    this.#timeoutMs = checkTimeout(timeout)
    this.#endMs = performance.now() + this.#timeoutMs
    this.#options = options
    this.#submit = submit
    this.#inputs = readTuples(inputs)
    this.#progress = { done: 0, total: this.#inputs.total, failed: 0 }
    this.#stream = this.#results()
    const onAbort = () => this.#close({ thrown: signal!.reason })
    this.#stopListening = whenAborted(signal, onAbort)
    if (signal?.aborted) onAbort()
    void this.#read()
  }

  [Symbol.asyncIterator](): AsyncIterator<R, undefined, undefined> {
    return {
      next: () => this.#stream.next(),
      // Leaving the loop early. Closed first: a generator that has not begun would return without cleaning up.
      return: () => {
        this.#close()
        return this.#stream.return(undefined)
      },
    }
  }

  // oxlint-disable-next-line unicorn/no-thenable -- awaiting it gives all results
  then<A = R[], B = never>(
    onResult?: ((value: R[]) => A | PromiseLike<A>) | null,
    onError?: ((reason: any) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this.#all ??= this.#collect()
    return this.#all.then(onResult, onError)
  }

  async #collect(): Promise<R[]> {
    const results: R[] = []
    for await (const result of this) results.push(result)
    return results
  }

  async *#results(): AsyncGenerator<R, undefined, undefined> {
    try {
      for (;;) {
        const entry = this.#ready.shift()
        if (entry) {
          if ('thrown' in entry) throw entry.thrown
          this.#ahead--
          void this.#read()
          yield entry.value as R
        } else if (this.#closed || (this.#inputEnded && this.#places.length === 0)) {
          return
        } else {
          await this.#news()
        }
      }
    } finally {
      this.#close()
    }
  }

  #news(): Promise<void> {
    const late = () => `the next result was not there ${this.#timeoutMs} ms after map was called`
    const news = new Promise<void>((resolve) => (this.#wake = resolve))
    return settleWithin(news, this.#endMs - performance.now(), undefined, late)
  }

  /** Read inputs and submit chunks until enough is under way. */
  async #read(): Promise<void> {
    if (this.#reading) return
    this.#reading = true
    const wanted = Math.min(this.#chunksize, this.#buffersize)
    // Not: until the buffer is full. Each item taken would make room for a chunk of one.
    while (!this.#inputEnded && !this.#closed && this.#ahead + wanted <= this.#buffersize) {
      const items: unknown[][] = []
      let last: Entry[] | undefined
      try {
        while (items.length < wanted && !last && !this.#closed) {
          // Synchronous inputs are read without a pause: a shutdown after the call of map does not come in between.
          const step = this.#inputs.next()
          const item = step instanceof Promise ? await step : step
          if (item) items.push(item)
          else last = []
        }
      } catch (thrown) {
        last = [{ thrown }]
      }
      if (this.#closed || this.#inputEnded) break
      if (items.length > 0) this.#launch(items)
      if (last) this.#endInput(last)
    }
    this.#reading = false
  }

  /** No more is read; what is given comes behind the results of all that was. */
  #endInput(last: Entry[]): void {
    this.#inputEnded = true
    this.#inputs.close()
    this.#places.push({ entries: last, cancel: () => {} })
    this.#advance()
  }

  #launch(items: unknown[][]): void {
    const place: Place = { entries: undefined, cancel: () => {} }
    this.#ahead += items.length
    this.#places.push(place)
    try {
      place.cancel = this.#submit(items, this.#options.settled ?? false, (result) => this.#onChunk(place, result))
    } catch (thrown) {
      // The executor was shut down, or broke, since map was called.
      this.#onChunk(place, { values: [], failures: [[0, thrown]] })
    }
  }

  #onChunk(place: Place, result: ChunkResult): void {
    if (!this.#places.includes(place)) return
    place.entries = this.#options.settled ? settledEntries(result) : entriesUntilFailure(result)
    if (this.#options.ordered === false) this.#places = [place, ...this.#places.filter((other) => other !== place)]
    if (!this.#options.settled && result.failures.length > 0) this.#dropAfter(place)
    this.#advance()
    this.#report(result)
  }

  /** An error ends the stream at its place: what comes behind is not wanted. */
  #dropAfter(place: Place): void {
    this.#inputEnded = true
    this.#inputs.close()
    for (const { cancel } of this.#places.splice(this.#places.indexOf(place) + 1)) cancel()
  }

  #advance(): void {
    while (this.#places[0]?.entries) this.#ready.push(...this.#places.shift()!.entries!)
    this.#wake()
  }

  #report({ values, failures }: ChunkResult): void {
    const { onProgress, settled } = this.#options
    const progress = this.#progress
    const [failure] = failures
    progress.done += settled || !failure ? values.length : failure[0] + 1
    progress.failed += settled || !failure ? failures.length : 1
    if (onProgress) callSafely("map's onProgress", onProgress, { ...progress })
  }

  /** Stop reading and cancel what was not begun. @param last what the consumer gets in place of what it has not taken */
  #close(...last: Entry[]): void {
    if (this.#closed) return
    this.#closed = true
    this.#stopListening()
    this.#inputs.close()
    for (const { cancel } of this.#places.splice(0)) cancel()
    this.#ready = last
    this.#wake()
  }
}

function settledEntries({ values, failures }: ChunkResult): Entry[] {
  const entries: Entry[] = values.map((value) => ({ value: { status: 'fulfilled', value } }))
  for (const [index, reason] of failures) entries[index] = { value: { status: 'rejected', reason } }
  return entries
}

function entriesUntilFailure({ values, failures: [failure] }: ChunkResult): Entry[] {
  const entries: Entry[] = values.slice(0, failure?.[0]).map((value) => ({ value }))
  return failure ? [...entries, { thrown: failure[1] }] : entries
}
