// map: a stream of inputs through the workers, and a stream of results out. Inputs are read ahead of the consumer, in chunks, as
// far as the plan allows.
//
//   inputs ──read──> entries, one per chunk, in order ──settled──> results ──taken──> consumer
//            └──────────────────── bounded by the plan ─────────────────────┘
import { clearInterval, performance, Promise, setInterval } from '../../base/clock.js'
import { whenAborted } from '../../base/abort-listeners.js'
import { callSafely } from '../../base/safe-callback.js'
import { withTimeout } from '../../base/with-timeout.js'
import { areNumbers, type Column } from '../../transport/number-column.js'
import { markUnsendable, unsendableMark } from '../../transport/unsendable.js'
import type { Future } from '../future.js'
import { ChunkPlan } from './chunk-plan.js'
import { isSentApart } from './count-items.js'
import type { Input, InputBatch, Inputs } from './inputs.js'
import type { Chunk, ChunkResult } from './map-chunk.js'
import type { MapProgress, MapResult, MapSettings } from './map-options.js'
import { bindInputs, readInputs, Rows } from './read-inputs.js'
import { Results, type ResultBatch } from './results.js'

const UNSENDABLE_MAP = unsendableMark('await it, and send the results')

/** What a map asks of the executor that it runs on. */
export interface MapRunner {
  /** How many chunks keep all workers busy. */
  readonly chunksInFlight: number
  /** How many items a chunk may have. */
  readonly itemsPerChunk: number
  /** Milliseconds that a call takes on average; `undefined` if that is not measured. */
  averageMs(): number | undefined
  /**
   * Have a worker map a chunk. The future fails if the chunk could not be sent, its worker died, or it was cancelled.
   * @throws ShutdownError, BrokenProcessPool the executor takes no more work
   */
  submit(chunk: Chunk, settled: boolean): Future<ChunkResult>
}

/** If an async input gives nothing for this long, what it gave before is sent without waiting for a full chunk. */
const SLOW_INPUT_MS = 2

/** A chunk that was submitted, in the order of results. */
interface ChunkEntry {
  /** Its results, once it is settled. */
  batch: ResultBatch | undefined
  cancel: () => void
}

export class Mapping<R> implements MapResult<R> {
  readonly #runner: MapRunner
  readonly #inputs: Inputs
  readonly #arity: number
  readonly #spread: boolean
  readonly #settings: MapSettings
  readonly #plan: ChunkPlan
  readonly #results: Results<R>
  readonly #stopListening: () => void
  /** Chunks whose results were not handed to `#results`. */
  #entries: ChunkEntry[] = []
  /** Items that were read, whose results were not taken. */
  #itemsAhead = 0
  #itemsRead = 0
  #reading = false
  #inputEnded = false
  #closed = false
  #progress: MapProgress
  #all: Promise<R[]> | undefined

  constructor(inputs: readonly Input<unknown>[], settings: MapSettings, runner: MapRunner) {
    markUnsendable(this, UNSENDABLE_MAP)
    const { timeoutMs, signal } = settings
    const endMs = performance.now() + timeoutMs
    const timeoutMessage = () => `the next result was not there ${timeoutMs} ms after map was called`
    this.#results = new Results({
      onTaken: (count) => {
        this.#itemsAhead -= count
        void this.#readOn()
      },
      onFailed: () => this.#close(),
      limit: (arrival) => withTimeout(arrival, endMs - performance.now(), undefined, timeoutMessage),
    })
    this.#settings = settings
    this.#runner = runner
    this.#arity = inputs.length
    this.#spread = inputs[0] instanceof Rows
    this.#inputs = bindInputs(readInputs(inputs))
    // Inputs whose number is known are there already, and reading them has no effect: the first chunk may be large.
    const averageMs = this.#inputs.total === undefined ? undefined : runner.averageMs()
    this.#plan = new ChunkPlan(settings, runner, averageMs)
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
    for (let count; !this.#inputEnded && !this.#closed && (count = this.#nextSize()) > 0;) {
      // Not: always await. A shutdown right after the call of map must not come before its sync inputs are read.
      const read = this.#inputs.read(count)
      const { items, ended, failure } = read instanceof Promise ? await this.#flushWhenSlow(read) : read
      if (this.#closed || this.#inputEnded) break
      if (items.length > 0) this.#submitNew(items)
      if (ended) this.#endInput(failure)
    }
    this.#reading = false
  }

  #nextSize(): number {
    const { total } = this.#inputs
    const chunks = { unsettled: this.#entries.length, untaken: this.#results.untaken }
    return this.#plan.next(this.#itemsAhead, chunks, total === undefined ? undefined : total - this.#itemsRead)
  }

  async #flushWhenSlow(read: Promise<InputBatch>): Promise<InputBatch> {
    if (!this.#plan.flexible) return read
    const timer = setInterval(() => this.#inputs.flush(), SLOW_INPUT_MS)
    try {
      return await read
    } finally {
      clearInterval(timer)
    }
  }

  /** No more is read. A failure comes after the results of all that was. */
  #endInput(failure: InputBatch['failure']): void {
    this.#inputEnded = true
    this.#inputs.close()
    this.#entries.push({ batch: { values: [], failure }, cancel: () => {} })
    this.#advance()
  }

  #submitNew(items: Column): void {
    const count = items.length / this.#arity
    const isNumbers = areNumbers(items)
    const entry: ChunkEntry = { batch: undefined, cancel: () => {} }
    this.#itemsAhead += count
    this.#itemsRead += count
    this.#entries.push(entry)
    this.#submit({ items, arity: this.#arity, spread: this.#spread }, entry, (result) => {
      this.#plan.settled(count, isNumbers, this.#runner.averageMs())
      this.#onChunk(entry, result)
    })
  }

  /** Have a chunk mapped. @param onDone is called in every case, with the failure as a result if need be */
  #submit(chunk: Chunk, entry: ChunkEntry, onDone: (result: ChunkResult) => void): void {
    const { settled } = this.#settings
    const count = chunk.items.length / chunk.arity
    const onFailed = (thrown: unknown) => {
      if (isSentApart(thrown, count)) void this.#submitEach(chunk, entry, onDone)
      else onDone(failedChunk(count, settled, thrown))
    }
    const onSettled = (result: ChunkResult) => {
      const { begun = count, failures } = result
      if (begun === count || (!settled && failures.length > 0)) onDone(result)
      else this.#submit(chunkFrom(chunk, begun), entry, (rest) => onDone(joinResults(result, rest, begun)))
    }
    try {
      const future = this.#runner.submit(chunk, settled)
      entry.cancel = () => future.cancel()
      // The rest of a chunk, which is not wanted any more.
      if (!this.#entries.includes(entry)) entry.cancel()
      future.result().then(onSettled, onFailed)
    } catch (thrown) {
      // The executor was shut down, or broke, after map was called.
      onDone(failedChunk(count, false, thrown))
    }
  }

  /** Submit the items of a chunk one by one, because one of them cannot be sent: it fails alone. */
  async #submitEach(
    { items, arity, spread }: Chunk,
    entry: ChunkEntry,
    onDone: (result: ChunkResult) => void,
  ): Promise<void> {
    const values: unknown[] = []
    const failures: [number, unknown][] = []
    for (let at = 0; at < items.length; at += arity) {
      const one = { items: items.slice(at, at + arity), arity, spread }
      const result = await new Promise<ChunkResult>((resolve) => this.#submit(one, entry, resolve))
      for (const [, thrown] of result.failures) failures.push([values.length, thrown])
      if (!this.#settings.settled && failures.length > 0) break
      values.push(result.values[0])
    }
    onDone({ values, failures })
  }

  #onChunk(entry: ChunkEntry, result: ChunkResult): void {
    const at = this.#entries.indexOf(entry)
    if (at < 0) return
    const { settled, ordered } = this.#settings
    entry.batch = settled ? settledBatch(result) : batchUntilFailure(result)
    if (!ordered) this.#entries.unshift(...this.#entries.splice(at, 1))
    if (entry.batch.failure) this.#cancelAfter(entry)
    this.#advance()
    this.#report(result)
    void this.#readOn()
  }

  /** A failure ends the stream in its place: what comes after is not wanted. */
  #cancelAfter(entry: ChunkEntry): void {
    this.#inputEnded = true
    this.#inputs.close()
    for (const { cancel } of this.#entries.splice(this.#entries.indexOf(entry) + 1)) cancel()
  }

  /** Hand on the results that are next in order. */
  #advance(): void {
    while (this.#entries[0]?.batch) this.#results.add(this.#entries.shift()!.batch!)
    if (this.#inputEnded && this.#entries.length === 0) this.#results.end()
  }

  #report({ values, failures }: ChunkResult): void {
    const { onProgress, settled } = this.#settings
    const progress = this.#progress
    const [failure] = failures
    progress.done += settled || !failure ? values.length : failure[0] + 1
    progress.failed += settled || !failure ? failures.length : 1
    if (onProgress) callSafely("map's onProgress", onProgress, { ...progress })
  }

  /** Stop reading, and cancel what has not begun. @param last what the consumer gets instead of what it has not taken */
  #close(last?: ResultBatch): void {
    if (this.#closed) return
    this.#closed = true
    this.#stopListening()
    this.#inputs.close()
    for (const { cancel } of this.#entries.splice(0)) cancel()
    this.#results.clear()
    if (last) this.#results.add(last)
    this.#results.end()
  }
}

/** The items of a chunk from this index on. */
function chunkFrom(chunk: Chunk, index: number): Chunk {
  return { ...chunk, items: chunk.items.slice(index * chunk.arity) }
}

/** The results of a chunk that was mapped in two parts, the second from item `at` on. */
function joinResults(first: ChunkResult, second: ChunkResult, at: number): ChunkResult {
  const values = Array.from({ length: at }, (_, index) => first.values[index])
  const failures = second.failures.map(([index, thrown]) => [at + index, thrown] as const)
  return { values: [...values, ...second.values], failures: [...first.failures, ...failures] }
}

function failedChunk(count: number, settled: boolean, thrown: unknown): ChunkResult {
  if (!settled) return { values: [], failures: [[0, thrown]] }
  const values = Array.from({ length: count }, () => undefined)
  return { values, failures: values.map((_, index) => [index, thrown] as const) }
}

function settledBatch({ values, failures }: ChunkResult): ResultBatch {
  const entries: unknown[] = Array.from(values, (value) => ({ status: 'fulfilled', value }))
  for (const [index, reason] of failures) entries[index] = { status: 'rejected', reason }
  return { values: entries }
}

function batchUntilFailure({ values, failures: [failure] }: ChunkResult): ResultBatch {
  return failure ? { values: values.slice(0, failure[0]), failure: { thrown: failure[1] } } : { values }
}
