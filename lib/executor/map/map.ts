// map: a stream of inputs through the workers, and a stream of results out. Chunks of inputs are submitted with bounded
// read-ahead.
//
//   inputs ──read──> chunks under way (in order) ──settled──> results ──taken──> consumer
//            └────────────── bounded by the plan ───────────────┘
import { inspect } from 'node:util'
import { DataCloneError } from '../../errors.js'
import { checkSignal, checkTimeout } from '../../base/wait-options.js'
import { whenAborted } from '../../base/abort-listeners.js'
import { withTimeout } from '../../base/with-timeout.js'
import { callSafely } from '../../base/safe-callback.js'
import { checkFlag } from '../../base/validate.js'
import type { Future } from '../future.js'
import { ChunkPlan } from './chunk-plan.js'
import { readInputs, Rows, type Batch, type Input, type Inputs } from './inputs.js'
import type { MapOptions, MapProgress, MapResult } from './map-options.js'
import type { Chunk } from './map-chunk.js'
import { areNumbers, type Column } from '../../transport/number-column.js'
import { Results, type Block } from './results.js'

/** What mapping one chunk gives: a value per item, and what was thrown in place of some, by index. */
export interface ChunkResult {
  values: Column
  failures: readonly (readonly [index: number, thrown: unknown])[]
  /** How many of the items were begun: by a worker that died, not all. */
  begun?: number
}

/** The executor that a map runs on. */
export interface MapRunner {
  /** How many chunks keep all workers busy. */
  busy: number
  /** Milliseconds that an item takes on average, where that is measured. */
  itemMs(): number | undefined
  /** Have a worker map a chunk. The future fails if its worker died, it could not be sent, or it was cancelled. */
  submit(chunk: Chunk, settled: boolean): Future<ChunkResult>
}

/** An async input that gives nothing for so long does not keep what it gave before. */
const SLOW_INPUT_MS = 2

/** A chunk's place in the order of results. */
interface Place {
  block: Block | undefined
  cancel: () => void
}

export class Mapping<R> implements MapResult<R> {
  readonly #runner: MapRunner
  readonly #inputs: Inputs
  readonly #arity: number
  readonly #spread: boolean
  readonly #options: MapOptions
  readonly #plan: ChunkPlan
  readonly #results: Results<R>
  readonly #stopListening: () => void
  /** Chunks that were submitted and whose results have not moved on. */
  #places: Place[] = []
  /** Items that were read and not taken. */
  #ahead = 0
  #read = 0
  #reading = false
  #inputEnded = false
  #closed = false
  #progress: MapProgress
  #all: Promise<R[]> | undefined

  /** @throws TypeError, RangeError */
  constructor(inputs: readonly Input<unknown>[], options: MapOptions, runner: MapRunner) {
    const { timeout, onProgress, ordered = true, settled = false } = options
    checkFlag(ordered, 'ordered')
    checkFlag(settled, 'settled')
    const signal = checkSignal(options.signal)
    if (onProgress !== undefined && typeof onProgress !== 'function')
      throw new TypeError(`onProgress must be a function, not ${inspect(onProgress)}`)
    const timeoutMs = checkTimeout(timeout)
    const endMs = performance.now() + timeoutMs
    const late = () => `the next result was not there ${timeoutMs} ms after map was called`
    this.#results = new Results({
      onTaken: (count) => {
        this.#ahead -= count
        void this.#readOn()
      },
      onLeave: () => this.#close(),
      patience: (news) => withTimeout(news, endMs - performance.now(), undefined, late),
    })
    this.#options = options
    this.#runner = runner
    this.#arity = inputs.length
    this.#spread = inputs[0] instanceof Rows
    this.#inputs = readInputs(inputs)
    // Where the number of inputs is known, they are there already: to read them does nothing.
    this.#plan = new ChunkPlan(options, runner.busy, this.#inputs.total === undefined ? undefined : runner.itemMs())
    this.#progress = { done: 0, total: this.#inputs.total, failed: 0 }
    const onAbort = () => this.#close({ values: [], failure: { thrown: signal!.reason } })
    this.#stopListening = whenAborted(signal, onAbort)
    if (signal?.aborted) onAbort()
    void this.#readOn()
  }

  [Symbol.asyncIterator](): AsyncIterator<R, undefined, undefined> {
    return {
      next: () => this.#results.next(),
      return: () => {
        this.#close()
        return Promise.resolve({ done: true, value: undefined })
      },
    }
  }

  // oxlint-disable-next-line unicorn/no-thenable -- awaiting it gives all results
  then<A = R[], B = never>(
    onResult?: ((value: R[]) => A | PromiseLike<A>) | null,
    onError?: ((reason: any) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this.#all ??= this.#results.all(this.#inputs.total)
    return this.#all.then(onResult, onError)
  }

  /** Read inputs and submit chunks until enough is under way. */
  async #readOn(): Promise<void> {
    if (this.#reading) return
    this.#reading = true
    for (let count; !this.#inputEnded && !this.#closed && (count = this.#room()) > 0;) {
      // Synchronous inputs are read without a pause: a shutdown after the call of map does not come in between.
      const read = this.#inputs.read(count)
      const { items, ended, failure } = read instanceof Promise ? await this.#impatiently(read) : read
      if (this.#closed || this.#inputEnded) break
      if (items.length > 0) this.#launch(items)
      if (ended) this.#endInput(failure)
    }
    this.#reading = false
  }

  #room(): number {
    const { total } = this.#inputs
    const underWay = { unsettled: this.#places.length, untaken: this.#results.blocks }
    return this.#plan.next(this.#ahead, underWay, total === undefined ? undefined : total - this.#read)
  }

  async #impatiently(read: Promise<Batch>): Promise<Batch> {
    if (!this.#plan.flexible) return read
    const timer = setInterval(() => this.#inputs.flush(), SLOW_INPUT_MS)
    try {
      return await read
    } finally {
      clearInterval(timer)
    }
  }

  /** No more is read; a failure comes behind the results of all that was. */
  #endInput(failure: Batch['failure']): void {
    this.#inputEnded = true
    this.#inputs.close()
    this.#places.push({ block: { values: [], failure }, cancel: () => {} })
    this.#advance()
  }

  #launch(items: Column): void {
    const count = items.length / this.#arity
    const packed = areNumbers(items)
    const place: Place = { block: undefined, cancel: () => {} }
    this.#ahead += count
    this.#read += count
    this.#places.push(place)
    this.#submit({ items, arity: this.#arity, spread: this.#spread }, place, (result) => {
      this.#plan.settled(count, packed, this.#runner.itemMs())
      this.#onChunk(place, result)
    })
  }

  /** Have a chunk mapped, to its end in one way or another. */
  #submit(chunk: Chunk, place: Place, onDone: (result: ChunkResult) => void): void {
    const { settled = false } = this.#options
    const count = chunk.items.length / chunk.arity
    const onFailed = (thrown: unknown) => {
      if (thrown instanceof DataCloneError && !thrown.path.startsWith('result') && count > 1)
        void this.#submitEach(chunk, place, onDone)
      else onDone(failedChunk(count, settled, thrown))
    }
    const onSettled = (result: ChunkResult) => {
      const { begun = count } = result
      if (begun === count || !settled) onDone(result)
      else this.#submit(chunkFrom(chunk, begun), place, (rest) => onDone(joined(result, rest, begun)))
    }
    try {
      const future = this.#runner.submit(chunk, settled)
      place.cancel = () => future.cancel()
      future.result().then(onSettled, onFailed)
    } catch (thrown) {
      // The executor was shut down, or broke, since map was called.
      onDone(failedChunk(count, false, thrown))
    }
  }

  /** One of its items cannot be sent. It fails alone. */
  async #submitEach(
    { items, arity, spread }: Chunk,
    place: Place,
    onDone: (result: ChunkResult) => void,
  ): Promise<void> {
    const values: unknown[] = []
    const failures: [number, unknown][] = []
    for (let at = 0; at < items.length; at += arity) {
      const one = { items: items.slice(at, at + arity), arity, spread }
      const result = await new Promise<ChunkResult>((resolve) => this.#submit(one, place, resolve))
      for (const [, thrown] of result.failures) failures.push([values.length, thrown])
      if (!this.#options.settled && failures.length > 0) break
      values.push(result.values[0])
    }
    onDone({ values, failures })
  }

  #onChunk(place: Place, result: ChunkResult): void {
    const at = this.#places.indexOf(place)
    if (at < 0) return
    const { settled, ordered } = this.#options
    place.block = settled ? settledBlock(result) : blockUntilFailure(result)
    if (ordered === false) this.#places.unshift(...this.#places.splice(at, 1))
    if (place.block.failure) this.#dropAfter(place)
    this.#advance()
    this.#report(result)
    void this.#readOn()
  }

  /** An error ends the stream at its place: what comes behind is not wanted. */
  #dropAfter(place: Place): void {
    this.#inputEnded = true
    this.#inputs.close()
    for (const { cancel } of this.#places.splice(this.#places.indexOf(place) + 1)) cancel()
  }

  #advance(): void {
    while (this.#places[0]?.block) this.#results.add(this.#places.shift()!.block!)
    if (this.#inputEnded && this.#places.length === 0) this.#results.end()
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
  #close(last?: Block): void {
    if (this.#closed) return
    this.#closed = true
    this.#stopListening()
    this.#inputs.close()
    for (const { cancel } of this.#places.splice(0)) cancel()
    this.#results.clear()
    if (last) this.#results.add(last)
    this.#results.end()
  }
}

/** Its items from this one on. */
function chunkFrom(chunk: Chunk, index: number): Chunk {
  return { ...chunk, items: chunk.items.slice(index * chunk.arity) }
}

/** The results of a chunk that was mapped in two parts, the second from item `at` on. */
function joined(first: ChunkResult, second: ChunkResult, at: number): ChunkResult {
  const values = Array.from({ length: at }, (_, index) => first.values[index])
  const failures = second.failures.map(([index, thrown]) => [at + index, thrown] as const)
  return { values: [...values, ...second.values], failures: [...first.failures, ...failures] }
}

function failedChunk(count: number, settled: boolean, thrown: unknown): ChunkResult {
  if (!settled) return { values: [], failures: [[0, thrown]] }
  const values = Array.from({ length: count }, () => undefined)
  return { values, failures: values.map((_, index) => [index, thrown] as const) }
}

function settledBlock({ values, failures }: ChunkResult): Block {
  const entries: unknown[] = Array.from(values, (value) => ({ status: 'fulfilled', value }))
  for (const [index, reason] of failures) entries[index] = { status: 'rejected', reason }
  return { values: entries }
}

function blockUntilFailure({ values, failures: [failure] }: ChunkResult): Block {
  return failure ? { values: values.slice(0, failure[0]), failure: { thrown: failure[1] } } : { values }
}
