// The iterator that imap gives. It takes results from the map as the consumer asks for them, which bounds how far the inputs are
// read. `join` must not wait for the consumer: from then on, all results are taken and kept here.
import { Promise } from '../base/clock.js'
import { markUnsendable, unsendableMark } from '../transport/unsendable.js'

const UNSENDABLE_IMAP = unsendableMark('send what it gives')

export class Imap<R> implements AsyncIterableIterator<R, undefined, undefined> {
  /** Resolves when there are no more results, or the consumer has left. */
  readonly ended: Promise<void>
  readonly #results: AsyncIterator<R, undefined, undefined>
  /** Steps that were taken before the consumer asked for them. */
  readonly #kept: Promise<IteratorResult<R, undefined>>[] = []
  #resolveEnded!: () => void
  #isEnded = false

  constructor(results: AsyncIterable<R, undefined, undefined>) {
    markUnsendable(this, UNSENDABLE_IMAP)
    this.#results = results[Symbol.asyncIterator]()
    this.ended = new Promise((resolve) => (this.#resolveEnded = resolve))
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<IteratorResult<R, undefined>> {
    return this.#kept.shift() ?? this.#step()
  }

  async return(): Promise<IteratorResult<R, undefined>> {
    this.#end()
    this.#kept.length = 0
    await this.#results.return?.()
    return { done: true, value: undefined }
  }

  /** Take all results now, and keep them for the consumer. */
  readAll(): void {
    if (this.#isEnded) return
    const step = this.#step()
    this.#kept.push(step)
    // An error is the consumer's: it gets this step.
    step.then(
      () => this.readAll(),
      () => {},
    )
  }

  async #step(): Promise<IteratorResult<R, undefined>> {
    try {
      const result = await this.#results.next()
      if (result.done) this.#end()
      return result
    } catch (thrown) {
      this.#end()
      throw thrown
    }
  }

  #end(): void {
    this.#isEnded = true
    this.#resolveEnded()
  }
}
