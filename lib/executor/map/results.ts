// The results of a map on their way to the consumer: batches arrive, and are taken value by value by an iterator, or batch by batch
// by a consumer that awaits them all. Each result can be taken once.
import { types } from 'node:util'
import { Promise } from '../../base/clock.js'
import { copyNumbers, type Column } from '../../transport/number-column.js'

/** The results of one chunk. */
export interface ResultBatch {
  values: Column
  /** Bytes of the values, about. */
  bytes: number
  /** What ends the stream after the values. */
  failure?: { thrown: unknown } | undefined
}

/** Length of an array that is made before it is filled. V8 would make a much longer one sparse. */
const MAX_PREALLOCATED = 2 ** 24

export interface ResultHooks {
  /** The consumer took `count` results. @param batch whose last ones they are, if they are */
  onTaken(count: number, batch: ResultBatch | undefined): void
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

  constructor(hooks: ResultHooks) {
    this.#hooks = hooks
  }

  /** Batches that are not wholly taken. */
  get untaken(): number {
    return this.#batches.length
  }

  add(batch: ResultBatch): void {
    if (batch.values.length === 0 && !batch.failure) return
    this.#batches.push(batch)
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

  /** @param total how many there will be, if known: an array that grows is copied again and again */
  async all(total: number = 0): Promise<R[]> {
    // oxlint-disable-next-line unicorn/no-new-array -- Array.from would fill it with undefined, and box every number
    const results = new Array<R>(Math.min(total, MAX_PREALLOCATED))
    for (let at = 0; ;) {
      const batches = this.#batches.splice(0)
      for (const batch of batches) {
        const { values } = batch
        if (types.isFloat64Array(values)) copyNumbers(results, at, values, this.#taken)
        else for (let i = this.#taken; i < values.length; i++) results[at + i - this.#taken] = values[i] as R
        const count = values.length - this.#taken
        at += count
        this.#taken = 0
        this.#hooks.onTaken(count, batch)
        this.#throwIfFailed(batch)
      }
      if (batches.length > 0) continue
      if (this.#ended) {
        results.length = at
        return results
      }
      await this.#nextArrival()
    }
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

  #throwIfFailed({ failure }: ResultBatch): void {
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
