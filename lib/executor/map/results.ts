// The results of a map on their way to the consumer: batches arrive, and are taken value by value by an iterator, or as they come by
// a consumer that awaits them all. Each result can be taken once.
import { Promise } from '../../base/clock.js'
import type { Column } from '../../transport/number-column.js'
import type { Gathered } from './gathered.js'
import { areInSlab } from './number-slabs.js'

/** The results of one chunk. */
export interface ResultBatch {
  values: Column
  /** Bytes of the values, about. */
  bytes: number
  /** How many results are in their place already: there are no values then. @default 0 */
  placed?: number
  /** What ends the stream after the values. */
  failure?: { thrown: unknown } | undefined
}

export interface ResultHooks {
  /** The consumer took `count` results. @param batch whose last ones they are, if they are */
  onTaken(count: number, batch: ResultBatch | undefined): void
  /** A consumer awaits all results that were not taken: from here on, each batch is taken as it is added. */
  onGathering(): void
  /** The consumer got an error, and takes no more. */
  onFailed(): void
  /** Waits for more results, within the map's time limit. @throws TimeoutError */
  limit(arrival: Promise<void>): Promise<void>
}

export class Results<R> {
  readonly #hooks: ResultHooks
  #batches: ResultBatch[] = []
  /** Values of the first batch that were taken. */
  #taken = 0
  #ended = false
  /** Resolves the promise of the next arrival. */
  #onArrival = () => {}
  /** Calls of `next` that are not settled. */
  #pendingSteps = 0
  #lastStep: Promise<unknown> = Promise.resolve()
  /** Values that were taken one by one. */
  #steps = 0
  /** Of a consumer that awaits all. */
  #gathered: Gathered<unknown> | undefined
  #gatheredCount = 0
  #gatheredFailure: ResultBatch['failure']

  constructor(hooks: ResultHooks) {
    this.#hooks = hooks
  }

  /** Batches that are not wholly taken. */
  get untaken(): number {
    return this.#batches.length
  }

  get isGathering(): boolean {
    return this.#gathered !== undefined
  }

  /**
   * Put the results of a chunk that is settled in their place, if all are awaited. To be added then, once they are next in order.
   * @param index the item of the first one; `undefined`: they are next in order
   * @returns what is to be added
   */
  place(batch: ResultBatch, index: number | undefined): ResultBatch {
    const at = index === undefined ? this.#gatheredCount : index - this.#steps
    const gathered = this.#gathered
    if (!gathered || batch.failure || (!gathered.takesAnyPlace && at !== this.#gatheredCount)) {
      // The slab gets other numbers as soon as the chunk is settled.
      return areInSlab(batch.values) ? { ...batch, values: batch.values.slice() } : batch
    }
    gathered.put(batch.values, 0, at)
    return { values: [], bytes: batch.bytes, placed: batch.values.length }
  }

  add(batch: ResultBatch): void {
    if (batch.values.length === 0 && !batch.placed && !batch.failure) return
    if (!this.#gathered) this.#batches.push(batch)
    else {
      this.#gather(batch)
      if (!batch.failure) return
    }
    this.#onArrival()
  }

  /** No more results will come. */
  end(): void {
    this.#ended = true
    this.#onArrival()
  }

  /** Drop what was not taken. */
  clear(): void {
    this.#batches = []
    this.#taken = 0
  }

  /** An iterator's `next`. Like a generator's, a step begins when the one before has ended. */
  next(): Promise<IteratorResult<R, undefined>> {
    if (this.#pendingSteps === 0) {
      try {
        const result = this.#tryStep()
        if (result) return Promise.resolve(result)
      } catch (thrown) {
        return Promise.reject(thrown)
      }
    }
    this.#pendingSteps++
    const step = this.#lastStep.then(() => this.#step()).finally(() => this.#pendingSteps--)
    this.#lastStep = step.catch(() => {})
    return step
  }

  /** All results that were not taken. Like a step, it begins when the one before has ended. */
  all<All>(gathered: Gathered<All>): Promise<All> {
    const hasSteps = this.#pendingSteps++ > 0
    const begun = hasSteps ? this.#lastStep.then(() => this.#gatherAll(gathered)) : this.#gatherAll(gathered)
    const all = begun.finally(() => this.#pendingSteps--)
    this.#lastStep = all.catch(() => {})
    return all
  }

  async #gatherAll<All>(gathered: Gathered<All>): Promise<All> {
    this.#gathered = gathered
    for (const batch of this.#batches.splice(0)) this.#gather(batch)
    this.#hooks.onGathering()
    while (!this.#ended && !this.#gatheredFailure) await this.#nextArrival()
    this.#throwIfFailed({ failure: this.#gatheredFailure })
    return gathered.finish(this.#gatheredCount)
  }

  #gather(batch: ResultBatch): void {
    const { values, placed = 0, failure } = batch
    if (this.#gatheredFailure) return
    if (values.length > 0) this.#gathered!.put(values, this.#taken, this.#gatheredCount)
    const count = values.length - this.#taken + placed
    this.#taken = 0
    this.#gatheredCount += count
    this.#gatheredFailure = failure
    this.#hooks.onTaken(count, batch)
  }

  async #step(): Promise<IteratorResult<R, undefined>> {
    for (;;) {
      const result = this.#tryStep()
      if (result) return result
      await this.#nextArrival()
    }
  }

  /** @returns `undefined` if no result is there yet */
  #tryStep(): IteratorResult<R, undefined> | undefined {
    const [batch] = this.#batches
    if (!batch) return this.#ended ? { done: true, value: undefined } : undefined
    if (this.#taken < batch.values.length) {
      const { values } = batch
      const value = values[this.#taken] as R
      if (Array.isArray(values)) values[this.#taken] = undefined // It is the consumer's alone now.
      this.#taken++
      this.#steps++
      const isLast = this.#taken === batch.values.length
      if (isLast && !batch.failure) this.#shift()
      this.#hooks.onTaken(1, isLast ? batch : undefined)
      return { done: false, value }
    }
    this.#shift()
    this.#throwIfFailed(batch)
    return this.#tryStep()
  }

  #shift(): void {
    this.#batches.shift()
    this.#taken = 0
  }

  #throwIfFailed({ failure }: Pick<ResultBatch, 'failure'>): void {
    if (!failure) return
    this.#hooks.onFailed()
    throw failure.thrown
  }

  async #nextArrival(): Promise<void> {
    try {
      await this.#hooks.limit(new Promise<void>((resolve) => (this.#onArrival = resolve)))
    } catch (thrown) {
      this.#hooks.onFailed()
      throw thrown
    }
  }
}
