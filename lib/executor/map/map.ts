// map: a stream of inputs through the workers, and a stream of results out. Inputs are read ahead of the consumer, in chunks, as
// far as the plan allows.
//
//   inputs ──read──> entries, one per chunk, in order ──settled──> results ──taken──> consumer
//            └──────────────────── bounded by the plan ─────────────────────┘
import { isThenable } from '../../base/brands.js'
import { CancelledError, ShutdownError } from '../../errors.js'
import { clearInterval, performance, setInterval } from '../../base/clock.js'
import { whenAborted } from '../../base/abort-listeners.js'
import { callSafely } from '../../base/safe-callback.js'
import { withTimeout } from '../../base/with-timeout.js'
import { MAX_NUMBERS_PER_CHUNK, type Column } from '../../transport/number-column.js'
import { ByteMeter } from './byte-meter.js'
import { BytesInFlight } from './bytes-in-flight.js'
import { ChunkPlan } from './chunk-plan.js'
import { Rows, type Input, type InputBatch, type Inputs } from './input/inputs.js'
import { batchUntilFailure, numbersUntilOther, settledBatch } from './chunk-results.js'
import type { ChunkResult } from './map-chunk.js'
import type { MapProgress, MapSettings } from './map-options.js'
import { bindInputs, readInputs } from './input/read-inputs.js'
import { areInSlab, NUMBERS_PER_SLAB, type NumberSlab } from './number-slabs.js'
import type { MapRunner } from './map-runner.js'
import type { OpenMap } from './open-maps.js'
import { GatheredNumbers, GatheredValues, type Gathered } from './gathered.js'
import { Results, type ResultBatch } from './results.js'
import { Room } from './input/room.js'
import { submitChunk, type SubmittedChunk } from './submit-chunk.js'

/** If an async input gives nothing for this long, what it gave before is sent without waiting for a full chunk. */
const SLOW_INPUT_MS = 2

/** A consumer that iterates takes the results of all chunks that are settled in one turn of the event loop. */
const MAX_NUMBERS_PER_TURN = 2 ** 11

/** A chunk that was submitted, in the order of results. */
interface ChunkEntry extends SubmittedChunk {
  /** The item that is its first. */
  start: number
  /** Its results, once it is settled. */
  batch: ResultBatch | undefined
}

export class Mapping<R, All = R[]> implements OpenMap {
  readonly #runner: MapRunner
  readonly #inputs: Inputs
  readonly #arity: number
  readonly #spread: boolean
  readonly #settings: MapSettings
  readonly #plan: ChunkPlan
  readonly #results: Results<R>
  readonly #itemMeter = new ByteMeter()
  readonly #resultMeter = new ByteMeter()
  readonly #bytes = new BytesInFlight()
  readonly #stopListening: () => void
  /** Chunks whose results were not handed to `#results`. */
  #entries: ChunkEntry[] = []
  #unsettledChunks = 0
  /** Items that were read, whose results were not taken. */
  #itemsAhead = 0
  #itemsRead = 0
  #reading = false
  #inputEnded = false
  #closed = false
  /** The executor was shut down: all is mapped, whether or not results are taken. */
  #finishing = false
  /** The consumer awaits all results, and so holds them as they come. */
  #isAwaited = false
  /** What stands in place of the input that is not read any more. */
  #cutBy: Error | undefined
  #progress: MapProgress

  constructor(inputs: readonly Input<unknown>[], settings: MapSettings, runner: MapRunner) {
    const { timeoutMs, signal } = settings
    const endMs = performance.now() + timeoutMs
    const timeoutMessage = () => `the next result was not there ${timeoutMs} ms after map was called`
    this.#results = new Results({
      onTaken: (count, batch) => {
        this.#itemsAhead -= count
        if (batch) this.#bytes.taken(batch.bytes)
        // Not while a chunk is being settled, as it is where all are awaited: reading goes on at the end of that.
        if (!this.#results.isGathering && (batch || this.#plan.countsItems)) void this.#readOn()
      },
      onGathering: () => void this.#readOn(),
      onFailed: () => this.#close(),
      limit: (arrival) => withTimeout(arrival, endMs - performance.now(), undefined, timeoutMessage),
    })
    this.#settings = settings
    this.#runner = runner
    this.#arity = inputs.length
    this.#spread = inputs[0] instanceof Rows
    this.#inputs = bindInputs(readInputs(inputs, runner.slabs))
    // Inputs whose number is known are there already, and reading them has no effect: the first chunk may be large.
    const { averageMs, resultBytes } = runner.averages
    const firstMs = this.#inputs.total === undefined ? undefined : averageMs
    this.#plan = new ChunkPlan(settings, runner.limits, { averageMs: firstMs, resultBytes })
    this.#progress = { done: 0, total: this.#inputs.total, failed: 0 }
    runner.maps.add(this)
    const onAbort = () => this.#close({ values: [], bytes: 0, failure: { thrown: signal!.reason } })
    this.#stopListening = whenAborted(signal, onAbort)
    if (signal?.aborted) onAbort()
    void this.#readOn()
  }

  /** An iterator's `next`. */
  next(): Promise<IteratorResult<R, undefined>> {
    return this.#results.next()
  }

  /** The consumer takes no more. */
  leave(): void {
    this.#close()
  }

  /** All results that were not taken. */
  all(): Promise<All> {
    this.#isAwaited = true
    const Gathered = this.#settings.float64 ? GatheredNumbers : GatheredValues<R>
    return this.#results.all(new Gathered(this.#inputs.total) as Gathered<unknown> as Gathered<All>)
  }

  finish(): void {
    this.#finishing = true
    // Not amid a read: the input itself may have shut the executor down.
    if (!this.#reading || this.#inputs.isAsync) this.#keepRest()
    void this.#readOn()
  }

  #keepRest(): void {
    if (this.#inputEnded || this.#closed || this.#cutBy || this.#inputs.keepRest()) return
    const why = this.#inputs.isAsync ? 'which is async' : 'whose length is not known, and which may be endless'
    this.#cutBy = new ShutdownError(`the executor was shut down before the end of this map's input, ${why}`)
    this.#inputs.close() // The next read, or the pending one, gives what was read before.
  }

  cancelRest(): void {
    this.#finishing = true
    for (const entry of this.#entries) entry.isWanted = false
    if (this.#inputEnded || this.#closed) return
    this.#endInput({ thrown: new CancelledError("the rest of the map was cancelled by its executor's shutdown") })
  }

  /** Read inputs and submit chunks until enough is under way. */
  async #readOn(): Promise<void> {
    if (this.#reading) return
    this.#reading = true
    for (let count; !this.#inputEnded && !this.#closed && (count = this.#nextSize()) > 0;) {
      // Not: always await. The items of sync inputs are submitted at the call.
      const room = new Room(this.#itemMeter, this.#plan.maxItemBytes)
      const read = this.#inputs.read(count, room)
      const { items, slab, ended, failure } = isThenable(read) ? await this.#flushWhenSlow(read) : read
      if (this.#closed || this.#inputEnded) {
        slab?.free()
        break
      }
      if (items.length > 0) this.#submitNew(items, slab, room)
      if (ended) this.#endInput(failure ?? (this.#cutBy && { thrown: this.#cutBy }))
      else if (this.#finishing) this.#keepRest()
    }
    this.#reading = false
  }

  #nextSize(): number {
    const { total } = this.#inputs
    const itemsLeft = total === undefined ? undefined : total - this.#itemsRead
    const bytes = this.#bytes.unsettled(this.#runner.averages.resultBytes ?? 0)
    // Results are held, whether or not they are next in order: for who awaits them all, and from a shutdown on.
    if (this.#finishing || this.#isAwaited) {
      const isBounded = !this.#finishing && this.#settings.buffersize !== undefined
      const itemsAhead = isBounded ? this.#itemsAhead : this.#itemsRead - this.#progress.done
      return this.#plan.next(itemsAhead, { unsettled: this.#unsettledChunks, untaken: 0, bytes }, itemsLeft)
    }
    const underWay = { unsettled: this.#entries.length, untaken: this.#results.untaken, bytes: bytes + this.#bytes.untaken } // prettier-ignore
    return this.#plan.next(this.#itemsAhead, underWay, itemsLeft)
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
    const batch = { values: [], bytes: 0, failure }
    this.#entries.push({ start: this.#itemsRead, batch, isWanted: true, cancel: () => {} })
    this.#advance()
  }

  #submitNew(items: Column, slab: NumberSlab | undefined, { bytes, onlyNumbers }: Room): void {
    const count = items.length / this.#arity
    this.#itemMeter.beginChunk()
    this.#bytes.submitted(count, bytes)
    const entry: ChunkEntry = { start: this.#itemsRead, batch: undefined, isWanted: true, cancel: () => {} }
    this.#itemsAhead += count
    this.#itemsRead += count
    this.#entries.push(entry)
    this.#unsettledChunks++
    const chunk = { items, arity: this.#arity, spread: this.#spread, slab }
    submitChunk(this.#runner, chunk, this.#settings.settled, entry, (settledResult) => {
      const result = this.#settings.float64 ? this.#onlyNumbers(settledResult, entry.start) : settledResult
      const resultBytes = this.#weigh(result)
      this.#unsettledChunks--
      this.#bytes.settled(count, bytes, resultBytes)
      this.#plan.settled(count, bytes, onlyNumbers ? this.#maxNumbers(result) : undefined, this.#runner.averages)
      this.#onChunk(entry, result, resultBytes)
      slab?.free()
    })
  }

  /** How many numbers the next chunks may have, after one with these results. */
  #maxNumbers({ values }: ChunkResult): number {
    if (!this.#isAwaited) return MAX_NUMBERS_PER_TURN
    return areInSlab(values) ? NUMBERS_PER_SLAB : MAX_NUMBERS_PER_CHUNK
  }

  #onlyNumbers(result: ChunkResult, start: number): ChunkResult {
    return numbersUntilOther(result, start, (error) => this.#runner.explain(error))
  }

  #weigh({ values, failures }: ChunkResult): number {
    let bytes = this.#resultMeter.weighChunk(values)
    if (failures.length > 0) bytes += this.#resultMeter.weighChunk(failures.map(([, thrown]) => thrown))
    if (values.length > 0) this.#runner.averages.recordResults(values.length, bytes)
    return bytes
  }

  #onChunk(entry: ChunkEntry, result: ChunkResult, bytes: number): void {
    const at = this.#entries.lastIndexOf(entry) // Behind a slow chunk, there may be many that are settled.
    if (at < 0) return
    const { settled, ordered } = this.#settings
    const batch = settled ? settledBatch(result, bytes) : batchUntilFailure(result, bytes)
    entry.batch = this.#results.place(batch, ordered ? entry.start : undefined)
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
    giveUp(this.#entries.splice(this.#entries.indexOf(entry) + 1))
  }

  /** Hand on the results that are next in order. */
  #advance(): void {
    const unsettled = this.#entries.findIndex(({ batch }) => !batch)
    const settled = this.#entries.splice(0, unsettled < 0 ? this.#entries.length : unsettled)
    for (const { batch } of settled) this.#results.add(batch!)
    if (!this.#inputEnded || this.#entries.length > 0) return
    this.#results.end()
    this.#stopListening()
    this.#runner.maps.delete(this)
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
    giveUp(this.#entries.splice(0))
    this.#results.clear()
    if (last) this.#results.add(last)
    this.#results.end()
    this.#runner.maps.delete(this)
  }
}

function giveUp(entries: readonly ChunkEntry[]): void {
  for (const entry of entries) {
    entry.isWanted = false
    entry.cancel()
  }
}
