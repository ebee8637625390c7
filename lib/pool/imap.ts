// What imap gives: the results of a map, one by one. Results are taken from the map as the consumer asks for them, which bounds
// what is read of the inputs; who joins the pool must not wait for that consumer, so that from then on they are kept here.

export class Imap<R> implements AsyncIterableIterator<R, undefined, undefined> {
  /** Resolves when there are no more results, or nobody wants them. */
  readonly ended: Promise<void>
  readonly #results: AsyncIterator<R, undefined, undefined>
  /** Steps that were taken before the consumer asked for them. */
  readonly #kept: Promise<IteratorResult<R, undefined>>[] = []
  #end!: () => void
  #isOver = false

  constructor(results: AsyncIterable<R, undefined, undefined>) {
    this.#results = results[Symbol.asyncIterator]()
    this.ended = new Promise((resolve) => (this.#end = resolve))
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<IteratorResult<R, undefined>> {
    return this.#kept.shift() ?? this.#step()
  }

  async return(): Promise<IteratorResult<R, undefined>> {
    this.#over()
    this.#kept.length = 0
    await this.#results.return?.()
    return { done: true, value: undefined }
  }

  /** Take what there is, and keep it for the consumer. */
  readAll(): void {
    if (this.#isOver) return
    const step = this.#step()
    this.#kept.push(step)
    // What went wrong is the consumer's to hear.
    step.then(
      () => this.readAll(),
      () => {},
    )
  }

  async #step(): Promise<IteratorResult<R, undefined>> {
    try {
      const step = await this.#results.next()
      if (step.done) this.#over()
      return step
    } catch (thrown) {
      this.#over()
      throw thrown
    }
  }

  #over(): void {
    this.#isOver = true
    this.#end()
  }
}
