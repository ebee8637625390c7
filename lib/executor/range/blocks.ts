// The blocks of a range, and how threads that share nothing but one word divide them up. A block's bounds follow from its number
// alone, under every schedule, so that claiming one is taking the next number: a single atomic add. Who comes first, and how
// many come, decides who computes a block and never which blocks there are.
//
//   static    one block per worker, as equal as can be          [----][----][----][---]
//   dynamic   blocks of `grain`                                 [-][-][-][-][-][-][-][-]
//   guided    a share of what is left, and never less than      [---][--][--][-][-][-]
//             `grain`: large at first, small at the end
//
// word   field   written by          meaning
//   0    NEXT    workers: add 1      the number of the next block; from `count` on there is none
//                anybody: STOPPED    no more blocks, since one failed or the caller gave up
// After OpenMP's schedule clause.
import { add, store, type Words } from '../../memory/atomics.js'
import { isThenable } from '../map/map-chunk.js'

export type Schedule = 'static' | 'dynamic' | 'guided'

/** How a range is cut up. Each thread makes the same blocks of it. */
export interface Plan {
  start: number
  end: number
  schedule: Schedule
  /** Indices in a block. `static`, `guided`: at least. */
  grain: number
  workers: number
}

/** Block numbers stay below it. */
export const MOST_BLOCKS: number = 2 ** 30

const NEXT = 0
/** Above every number; each worker adds 1 to it at most once more. */
const STOPPED = MOST_BLOCKS

/** A guided block is this part of a fair share of what is left. */
const GUIDED_PART = 2

/** The blocks of a plan, by number. */
export class Blocks {
  readonly count: number
  readonly #plan: Plan
  /** Where blocks of unequal size begin, and where the last of them ends. Those of `grain` follow. */
  readonly #uneven: number[]

  constructor(plan: Plan) {
    this.#plan = plan
    this.#uneven = plan.schedule === 'static' ? equalParts(plan) : plan.schedule === 'guided' ? shares(plan) : []
    this.count = this.#unevenCount + Math.ceil((plan.end - this.#evenStart) / plan.grain)
  }

  startOf(number: number): number {
    const evenNumber = number - this.#unevenCount
    return evenNumber < 0 ? this.#uneven[number]! : this.#evenStart + evenNumber * this.#plan.grain
  }

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

function equalParts({ start, end, grain, workers }: Plan): number[] {
  const length = end - start
  if (length === 0) return []
  const count = Math.max(Math.min(workers, Math.floor(length / grain)), 1)
  const [size, longer] = [Math.floor(length / count), length % count]
  return Array.from({ length: count + 1 }, (_, part) => start + part * size + Math.min(part, longer))
}

function shares({ start, end, grain, workers }: Plan): number[] {
  const starts = [start]
  let at = start
  for (;;) {
    const size = Math.ceil((end - at) / (GUIDED_PART * workers))
    if (size <= grain) return starts
    starts.push((at += size))
  }
}

/** The word by which threads claim blocks. */
export class BlockCounter {
  readonly memory: SharedArrayBuffer
  readonly #words: Words

  constructor(memory: SharedArrayBuffer = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)) {
    this.memory = memory
    this.#words = new Int32Array(memory)
  }

  /** The number of a block that nobody else gets, or one that no block has. */
  next(): number {
    return add(this.#words, NEXT, 1)
  }

  /** Nobody gets another block. */
  stop(): void {
    store(this.#words, NEXT, STOPPED)
  }
}

/** What one worker did of a range. */
export interface Share {
  /** Blocks that it has computed. */
  count: number
  /** Their numbers and what the body gave for each, where that is wanted. */
  numbers: number[]
  parts: unknown[]
}

/**
 * Compute blocks until none is left, in the worker.
 * @param body runs a block; a promise that it returns is awaited
 * @param keep whether what it returns is wanted
 */
export async function computeBlocks(
  plan: Plan,
  claims: BlockCounter,
  body: (start: number, end: number) => unknown,
  keep: boolean,
): Promise<Share> {
  const blocks = new Blocks(plan)
  const share: Share = { count: 0, numbers: [], parts: [] }
  try {
    for (let number = claims.next(); number < blocks.count; number = claims.next()) {
      const returned = body(blocks.startOf(number), blocks.endOf(number))
      // Not awaited always: a block may be shorter than a turn of the microtask queue.
      const part = isThenable(returned) ? await returned : returned
      share.count++
      if (!keep) continue
      share.numbers.push(number)
      share.parts.push(part)
    }
  } catch (thrown) {
    claims.stop()
    throw thrown
  }
  return share
}
