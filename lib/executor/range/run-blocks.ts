// One worker's part in a range: claim a block, compute it, and claim the next, until none is left.
import { isThenable } from '../../base/brands.js'
import type { BlockCounter } from './block-counter.js'
import { Blocks, type Plan } from './blocks.js'

/** What one worker did of a range. */
export interface Share {
  /** How many blocks it computed. */
  count: number
  /** Their numbers, and what the body returned for each. Empty unless `keep`. */
  numbers: number[]
  parts: unknown[]
}

/**
 * Compute blocks until none is left. If one fails, no thread claims another.
 * @param body computes a block; a promise that it returns is awaited
 * @param keep whether what it returns is wanted
 * @throws what the body throws
 */
export async function computeBlocks(
  plan: Plan,
  counter: BlockCounter,
  body: (start: number, end: number) => unknown,
  keep: boolean,
): Promise<Share> {
  const blocks = new Blocks(plan)
  const share: Share = { count: 0, numbers: [], parts: [] }
  try {
    for (let number = counter.next(); number < blocks.count; number = counter.next()) {
      const returned = body(blocks.startOf(number), blocks.endOf(number))
      // Not: always await. A block may be shorter than a turn of the microtask queue.
      const part = isThenable(returned) ? await returned : returned
      share.count++
      if (!keep) continue
      share.numbers.push(number)
      share.parts.push(part)
    }
  } catch (thrown) {
    counter.stop()
    throw thrown
  }
  return share
}
