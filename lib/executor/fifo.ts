// First in, first out. Not: an array's `shift`, which moves all that is left; of a long array, the whole takes quadratic time.

/** Gaps at the front are closed when there are as many, and they are half of the array. */
const MIN_GAPS_TO_CLOSE = 1024

export class Fifo<T> {
  #items: (T | undefined)[] = []
  #at = 0

  get isEmpty(): boolean {
    return this.#at === this.#items.length
  }

  push(item: T): void {
    this.#items.push(item)
  }

  /** @returns `undefined` if it is empty. Nothing here refers to the item any more */
  shift(): T | undefined {
    if (this.isEmpty) return undefined
    const item = this.#items[this.#at]
    this.#items[this.#at++] = undefined
    if (this.isEmpty) this.clear()
    else if (this.#at >= MIN_GAPS_TO_CLOSE && 2 * this.#at >= this.#items.length) {
      this.#items = this.#items.slice(this.#at)
      this.#at = 0
    }
    return item
  }

  clear(): void {
    this.#items = []
    this.#at = 0
  }
}
