// Jobs that wait for a worker: the greater priority first, and within one the first come first.

/** What may stand in a queue. The flag is the queue's. */
export interface Queued {
  readonly priority: number
  queued: boolean
}

/** Those of one priority. Who leaves from the middle stays as a gap until its turn, or until gaps are half of the lane. */
interface Lane<T> {
  priority: number
  items: T[]
  head: number
  gaps: number
}

const FEW = 64

export class PriorityQueue<T extends Queued> {
  /** By falling priority. Mostly there is one. */
  #lanes: Lane<T>[] = []
  #size = 0

  get size(): number {
    return this.#size
  }

  push(item: T): void {
    item.queued = true
    this.#laneOf(item.priority).items.push(item)
    this.#size++
  }

  /** Put those that were taken out before back, ahead of all of their priority, in their order. */
  putBack(items: readonly T[]): void {
    for (const item of items.toReversed()) {
      item.queued = true
      const lane = this.#laneOf(item.priority)
      if (lane.head > 0) lane.items[--lane.head] = item
      else lane.items.unshift(item)
      this.#size++
    }
  }

  /** The next, which stays; `undefined` if there is none. */
  peek(): T | undefined {
    for (let lane; (lane = this.#lanes[0]); this.#lanes.shift()) {
      for (; lane.head < lane.items.length; lane.head++, lane.gaps--) {
        const item = lane.items[lane.head]!
        if (item.queued) return item
      }
    }
    return undefined
  }

  shift(): T | undefined {
    const item = this.peek()
    if (!item) return undefined
    const lane = this.#lanes[0]!
    lane.head++
    if (lane.head > FEW && lane.head > lane.items.length / 2) tidy(lane)
    item.queued = false
    this.#size--
    return item
  }

  /** @returns whether it was there */
  delete(item: T): boolean {
    if (!item.queued) return false
    item.queued = false
    this.#size--
    const lane = this.#laneOf(item.priority)
    if (++lane.gaps > FEW && lane.gaps > (lane.items.length - lane.head) / 2) tidy(lane)
    return true
  }

  *[Symbol.iterator](): Generator<T> {
    for (const { items, head } of this.#lanes) for (const item of items.slice(head)) if (item.queued) yield item
  }

  #laneOf(priority: number): Lane<T> {
    let at = 0
    for (; at < this.#lanes.length; at++) {
      const lane = this.#lanes[at]!
      if (lane.priority === priority) return lane
      if (lane.priority < priority) break
    }
    const lane: Lane<T> = { priority, items: [], head: 0, gaps: 0 }
    this.#lanes.splice(at, 0, lane)
    return lane
  }
}

function tidy<T extends Queued>(lane: Lane<T>): void {
  lane.items = lane.items.slice(lane.head).filter(({ queued }) => queued)
  lane.head = 0
  lane.gaps = 0
}
