// Jobs that wait for a worker: the greater priority first, and within one priority in the order of their submission. One linked
// list per priority, whose links are in the jobs: a job leaves from anywhere at the same small cost, and nothing here refers to
// it afterwards.

/** What may stand in a queue, in one at a time. The links are the queue's. */
export interface Queueable {
  readonly priority: number
  previous: Queueable | undefined
  next: Queueable | undefined
}

/** The jobs of one priority: a ring of links, which begins and ends here. */
class Lane implements Queueable {
  readonly priority: number
  previous: Queueable = this
  next: Queueable = this

  constructor(priority: number) {
    this.priority = priority
  }

  get isEmpty(): boolean {
    return this.next === this
  }
}

export class PriorityQueue<T extends Queueable> {
  /** By falling priority. Mostly there is one. */
  readonly #lanes: Lane[] = []
  #size = 0

  get size(): number {
    return this.#size
  }

  push(item: T): void {
    this.#insertBefore(this.#laneOf(item.priority), item)
  }

  /** Put items that were taken out back, ahead of all of their priority, in their order. */
  putBack(items: readonly T[]): void {
    for (const item of items.toReversed()) this.#insertBefore(this.#laneOf(item.priority).next, item)
  }

  /** The next item, which stays; `undefined` if there is none. */
  peek(): T | undefined {
    if (this.#size === 0) return undefined
    while (this.#lanes[0]!.isEmpty) this.#lanes.shift()
    return this.#lanes[0]!.next as T
  }

  shift(): T | undefined {
    const item = this.peek()
    if (item) this.delete(item)
    return item
  }

  /** @returns whether the item was there */
  delete(item: T): boolean {
    const { previous, next } = item
    if (!previous) return false
    previous.next = next
    next!.previous = previous
    item.previous = item.next = undefined
    this.#size--
    return true
  }

  *[Symbol.iterator](): Generator<T> {
    for (const lane of this.#lanes)
      for (let item: Queueable = lane.next; item !== lane; item = item.next!) yield item as T
  }

  #insertBefore(next: Queueable, item: T): void {
    const previous = next.previous!
    item.previous = previous
    item.next = next
    previous.next = next.previous = item
    this.#size++
  }

  #laneOf(priority: number): Lane {
    let at = this.#lanes.findIndex((lane) => lane.priority <= priority)
    if (at < 0) at = this.#lanes.length
    else if (this.#lanes[at]!.priority === priority) return this.#lanes[at]!
    const lane = new Lane(priority)
    this.#lanes.splice(at, 0, lane)
    return lane
  }
}
