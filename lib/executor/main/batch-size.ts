// How many tasks share a lease. A lease should take about a millisecond: long enough that its message costs little beside it,
// short enough that no task waits long for the one before it. A function goes one task at a time until it has been measured.
import type { Definition } from '../../task/target.js'
import { MAX_TASKS_PER_LEASE } from '../protocol/lease-slots.js'
import type { PriorityQueue, Queueable } from './priority-queue.js'

const LEASE_MS = 1

/** The weight of the latest measurement in the average. */
const WEIGHT = 0.3

/** What an executor knows of one function. */
export class FunctionStats {
  /** The number by which workers know the function. */
  readonly number: number
  readonly definition: Definition
  /** How many tasks of it fill a lease. */
  batchSize = 1
  #averageMs: number | undefined
  #resultBytes: number | undefined

  constructor(number: number, definition: Definition) {
    this.number = number
    this.definition = definition
  }

  /** Milliseconds that a call takes on average; `undefined` before the first measurement. */
  get averageMs(): number | undefined {
    return this.#averageMs
  }

  /** Bytes of a result of its maps; `undefined` before the first one. */
  get resultBytes(): number | undefined {
    return this.#resultBytes
  }

  /** Record the results of a map: those of `count` calls have so many bytes. */
  recordResults(count: number, totalBytes: number): void {
    const bytes = totalBytes / count
    const before = this.#resultBytes ?? 0
    // Up at once, and down by and by: a chunk of large results costs memory, one of small ones a message.
    this.#resultBytes = bytes > before ? bytes : before + WEIGHT * (bytes - before)
  }

  /** Record a measurement: `count` calls took `totalMs`. */
  record(count: number, totalMs: number): void {
    const ms = totalMs / count
    this.#averageMs = this.#averageMs === undefined ? ms : this.#averageMs + WEIGHT * (ms - this.#averageMs)
    const wanted = Math.max(1, Math.floor(LEASE_MS / this.#averageMs))
    // At most doubled: a few measurements say little.
    this.batchSize = Math.min(wanted, 2 * this.batchSize, MAX_TASKS_PER_LEASE)
  }
}

/** The functions of one executor, each once. */
export class FunctionRegistry {
  readonly #byDefinition = new WeakMap<Definition, FunctionStats>()
  #lastNumber = -1

  of(definition: Definition): FunctionStats {
    let stats = this.#byDefinition.get(definition)
    if (!stats) {
      stats = new FunctionStats(++this.#lastNumber, definition)
      this.#byDefinition.set(definition, stats)
    }
    return stats
  }
}

/**
 * Record the measurements of a lease.
 * @param spent as in LeaseEnd: a function's number, its calls, milliseconds, and so on, in the order of the jobs
 */
export function recordSpent(jobs: readonly { fn: FunctionStats }[], spent: readonly number[]): void {
  let index = 0
  for (let i = 0; i < spent.length; i += 3) {
    while (jobs[index]!.fn.number !== spent[i]) index++
    jobs[index]!.fn.record(spent[i + 1]!, spent[i + 2]!)
  }
}

/** What a batch is made of. */
interface Batchable extends Queueable {
  /** The function that it calls. */
  readonly fn: Pick<FunctionStats, 'batchSize'>
  /** Whether it needs a lease of its own. */
  readonly alone: boolean
}

/** Take the jobs of the next lease out of the queue: the first, and those behind it that fill a lease with it. */
export function takeBatch<J extends Batchable>(queue: PriorityQueue<J>, maxWorkers: number): J[] {
  // A worker's fair share, so that a short queue does not end up in one lease.
  const most = Math.min(Math.ceil(queue.size / maxWorkers), MAX_TASKS_PER_LEASE)
  const jobs: J[] = []
  let filled = 0 // How much of a lease they fill. Thirds do not add up to exactly 1.
  for (let job; (job = queue.peek());) {
    filled += 1 / job.fn.batchSize
    if (jobs.length > 0 && (job.alone || filled > 1 + 1e-9 || jobs.length >= most)) break
    jobs.push(queue.shift()!)
    if (job.alone) break
  }
  return jobs
}
