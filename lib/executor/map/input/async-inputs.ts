// Inputs of which one at least is async. They are stepped together, only while a read is pending.
import { Promise } from '../../../base/clock.js'
import {
  checkIteratorResult,
  closeIterator,
  isAsyncInput,
  shortestLength,
  type Input,
  type InputBatch,
  type Inputs,
} from './inputs.js'
import type { Room } from './room.js'

export class AsyncInputs implements Inputs {
  readonly isAsync = true
  readonly total: number | undefined
  readonly #iterators: readonly (Iterator<unknown> | AsyncIterator<unknown>)[]
  #items: unknown[] = []
  /** How many of the items are in the room of the pending read. */
  #put = 0
  #pendingRead: { count: number; room: Room; resolve: (batch: InputBatch) => void } | undefined
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
  read(count: number, room: Room): Promise<InputBatch> {
    return new Promise((resolve) => {
      this.#pendingRead = { count, room, resolve }
      this.#resolveIfFull()
      void this.#step()
    })
  }

  flush(): void {
    if (this.#put > 0) this.#resolveRead()
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
    const pending = this.#pendingRead
    if (!pending) return
    const arity = this.#iterators.length
    const wanted = pending.count * arity
    const items = this.#items
    let fits = true
    while (this.#put < Math.min(items.length, wanted) && (fits = pending.room.put(items, this.#put, this.#put + arity)))
      this.#put += arity
    if (this.#ended || !fits || this.#put >= wanted) this.#resolveRead()
  }

  #resolveRead(): void {
    const pending = this.#pendingRead
    if (!pending) return
    this.#pendingRead = undefined
    const items = this.#items.splice(0, this.#put)
    this.#put = 0
    const ended = this.#ended && this.#items.length === 0
    pending.resolve({ items, ended, ...(ended && this.#failure && { failure: this.#failure }) })
  }
}
