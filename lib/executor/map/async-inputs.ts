// Inputs of which one at least is async. They are stepped together, only while a read is pending.
import { Promise } from '../../base/clock.js'
import {
  checkIteratorResult,
  closeIterator,
  isAsyncInput,
  shortestLength,
  type Input,
  type InputBatch,
  type Inputs,
} from './inputs.js'

export class AsyncInputs implements Inputs {
  readonly isAsync = true
  readonly total: number | undefined
  readonly #iterators: readonly (Iterator<unknown> | AsyncIterator<unknown>)[]
  #items: unknown[] = []
  #pendingRead: { count: number; resolve: (batch: InputBatch) => void } | undefined
  #stepping = false
  #ended = false
  #failure: { thrown: unknown } | undefined

  constructor(inputs: readonly Input<unknown>[]) {
    this.#iterators = inputs.map((input) =>
      isAsyncInput(input) ? input[Symbol.asyncIterator]() : input[Symbol.iterator](),
    )
    this.total = shortestLength(inputs)
  }

  /** One at a time. */
  read(count: number): Promise<InputBatch> {
    return new Promise((resolve) => {
      this.#pendingRead = { count, resolve }
      this.#resolveIfFull()
      void this.#step()
    })
  }

  flush(): void {
    if (this.#items.length > 0) this.#resolveRead()
  }

  keepRest(): boolean {
    return this.#ended
  }

  close(): void {
    if (this.#ended) return
    this.#ended = true
    for (const iterator of this.#iterators) void closeIterator(iterator)
    this.#resolveIfFull()
  }

  /** Step the iterators as long as a read is pending. */
  async #step(): Promise<void> {
    if (this.#stepping) return
    this.#stepping = true
    while (this.#pendingRead && !this.#ended) {
      try {
        const steps = this.#iterators.map(async (iterator) => checkIteratorResult(await iterator.next()))
        const results = await Promise.all(steps)
        if (this.#ended) break
        if (results.some(({ done }) => done)) this.close()
        else for (const { value } of results) this.#items.push(value)
      } catch (thrown) {
        if (!this.#ended) this.#failure = { thrown }
        this.close()
      }
      this.#resolveIfFull()
    }
    this.#stepping = false
  }

  #resolveIfFull(): void {
    const { count = Infinity } = this.#pendingRead ?? {}
    if (this.#ended || this.#items.length >= count * this.#iterators.length) this.#resolveRead()
  }

  #resolveRead(): void {
    const pending = this.#pendingRead
    if (!pending) return
    this.#pendingRead = undefined
    const items = this.#items
    this.#items = []
    pending.resolve({ items, ended: this.#ended, ...(this.#failure && { failure: this.#failure }) })
  }
}
