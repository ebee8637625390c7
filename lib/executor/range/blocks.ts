// The blocks that a range is cut into. A block's bounds follow from its number alone under every schedule, so that claiming a
// block is taking the next number. How many workers come, and when, decides who computes a block, and never which blocks there are.
//
//   static    one block per worker, as equal as can be          [----][----][----][---]
//   dynamic   blocks of `grain`                                 [-][-][-][-][-][-][-][-]
//   guided    a share of what is left, at least `grain`:        [---][--][--][-][-][-]
//             large at first, small at the end
//
// After OpenMP's schedule clause.

export type Schedule = 'static' | 'dynamic' | 'guided'

/** How a range is cut up. Every thread makes the same blocks of it. */
export interface Plan {
  start: number
  end: number
  schedule: Schedule
  /** Indices per block. `static`, `guided`: at least. */
  grain: number
  /** Workers at most. `static` and `guided` blocks are cut for this number. */
  workers: number
}

/** Upper bound of the number of blocks. Block numbers stay below it. */
export const MAX_BLOCKS: number = 2 ** 30

/** A guided block is a fair share of what is left, divided by this. */
const GUIDED_DIVISOR = 2

/** The blocks of a plan, by number. */
export class Blocks {
  readonly count: number
  readonly #plan: Plan
  /** Starts of the blocks of unequal size, and the end of the last of them. Blocks of `grain` follow. */
  readonly #uneven: number[]

  constructor(plan: Plan) {
    this.#plan = plan
    this.#uneven =
      plan.schedule === 'static' ? staticStarts(plan) : plan.schedule === 'guided' ? guidedStarts(plan) : []
    this.count = this.#unevenCount + Math.ceil((plan.end - this.#evenStart) / plan.grain)
  }

  startOf(number: number): number {
    const evenNumber = number - this.#unevenCount
    return evenNumber < 0 ? this.#uneven[number]! : this.#evenStart + evenNumber * this.#plan.grain
  }

  /** Not included in the block. */
  endOf(number: number): number {
    return number === this.count - 1 ? this.#plan.end : this.startOf(number + 1)
  }

  get #unevenCount(): number {
    return Math.max(this.#uneven.length - 1, 0)
  }

  get #evenStart(): number {
    return this.#uneven.at(-1) ?? this.#plan.start
  }
}

function staticStarts({ start, end, grain, workers }: Plan): number[] {
  const length = end - start
  if (length === 0) return []
  const count = Math.max(Math.min(workers, Math.floor(length / grain)), 1)
  const [size, longer] = [Math.floor(length / count), length % count]
  return Array.from({ length: count + 1 }, (_, block) => start + block * size + Math.min(block, longer))
}

function guidedStarts({ start, end, grain, workers }: Plan): number[] {
  const starts = [start]
  let at = start
  for (;;) {
    const size = Math.ceil((end - at) / (GUIDED_DIVISOR * workers))
    if (size <= grain) return starts
    starts.push((at += size))
  }
}
