// The results of a map, on their way to the consumer: blocks of them arrive, and are taken one by one by who iterates, or whole by
// who awaits them all. They can be taken once.
import { copyNumbers, type Column } from '../../transport/number-column.js'

/** Results of one chunk, and what ends the stream behind them. */
export interface Block {
  values: Column
  failure?: { thrown: unknown } | undefined
}

/** Of an array that is made for so many and more, the engine thinks that it will mostly be empty. */
const MOST_AT_ONCE = 2 ** 24

export interface ResultHooks {
  /** So many were taken. */
  onTaken(count: number): void
  /** The consumer has left, or got an error. */
  onLeave(): void
  /** Wait for news, as long as the consumer is willing to. */
  patience(news: Promise<void>): Promise<void>
}

export class Results<R> {
  readonly #hooks: ResultHooks
  #blocks: Block[] = []
  /** How many of the first block were taken. */
  #taken = 0
  #ended = false
  #wake = () => {}
  /** Those who called `next` and have no answer yet. */
  #turns = 0
  #turn: Promise<unknown> = Promise.resolve()

  constructor(hooks: ResultHooks) {
    this.#hooks = hooks
  }

  /** How many blocks are not taken wholly. */
  get blocks(): number {
    return this.#blocks.length
  }

  add(block: Block): void {
    if (block.values.length === 0 && !block.failure) return
    this.#blocks.push(block)
    this.#wake()
  }

  /** No more will come. */
  end(): void {
    this.#ended = true
    this.#wake()
  }

  /** Drop what was not taken. */
  clear(): void {
    this.#blocks = []
    this.#taken = 0
  }

  /** What an iterator's `next` gives. As with a generator, a step begins when the last has ended. */
  next(): Promise<IteratorResult<R, undefined>> {
    if (this.#turns === 0) {
      try {
        const step = this.#step()
        if (step) return Promise.resolve(step)
      } catch (thrown) {
        return Promise.reject(thrown)
      }
    }
    this.#turns++
    const next = this.#turn.then(() => this.#stepLater()).finally(() => this.#turns--)
    this.#turn = next.catch(() => {})
    return next
  }

  /** @param total how many there will be, where somebody knows: memory that grows is copied again and again */
  async all(total: number = 0): Promise<R[]> {
    // oxlint-disable-next-line unicorn/no-new-array -- Array.from would fill it with undefined, and box every number
    const results = new Array<R>(Math.min(total, MOST_AT_ONCE))
    for (let at = 0; ;) {
      const block = this.#blocks.shift()
      if (block) {
        const { values } = block
        if (values instanceof Float64Array) copyNumbers(results, at, values, this.#taken)
        else for (let i = this.#taken; i < values.length; i++) results[at + i - this.#taken] = values[i] as R
        const count = values.length - this.#taken
        at += count
        this.#taken = 0
        this.#hooks.onTaken(count)
        this.#throwIfFailed(block)
      } else if (this.#ended) {
        results.length = at
        return results
      } else await this.#news()
    }
  }

  async #stepLater(): Promise<IteratorResult<R, undefined>> {
    for (;;) {
      const step = this.#step()
      if (step) return step
      await this.#news()
    }
  }

  /** `undefined`: nothing is there yet. */
  #step(): IteratorResult<R, undefined> | undefined {
    const [block] = this.#blocks
    if (!block) return this.#ended ? { done: true, value: undefined } : undefined
    if (this.#taken < block.values.length) {
      const value = block.values[this.#taken++] as R
      if (this.#taken === block.values.length && !block.failure) this.#shift()
      this.#hooks.onTaken(1)
      return { done: false, value }
    }
    this.#shift()
    this.#throwIfFailed(block)
    return this.#step()
  }

  #shift(): void {
    this.#blocks.shift()
    this.#taken = 0
  }

  #throwIfFailed({ failure }: Block): void {
    if (!failure) return
    this.#hooks.onLeave()
    throw failure.thrown
  }

  async #news(): Promise<void> {
    try {
      await this.#hooks.patience(new Promise<void>((resolve) => (this.#wake = resolve)))
    } catch (thrown) {
      this.#hooks.onLeave()
      throw thrown
    }
  }
}
