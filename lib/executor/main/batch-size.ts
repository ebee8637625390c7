// How many tasks of a function go into one lease. A lease shall take about a millisecond: long enough that its message costs
// little beside it, short enough that nobody waits for it. A function is given one at a time until it has been measured.
import type { Definition } from '../../task/target.js'
import { MOST_TASKS } from '../protocol/lease-slots.js'

const LEASE_MS = 1

/** The weight of the latest measurement in the average. */
const WEIGHT = 0.3

/** A function that an executor runs. */
export class FunctionStats {
  /** Its number among the executor's functions, by which workers know it. */
  readonly number: number
  readonly definition: Definition
  /** How many of it make a lease. */
  batchSize = 1
  #averageMs: number | undefined

  constructor(number: number, definition: Definition) {
    this.number = number
    this.definition = definition
  }

  /** Milliseconds that a call takes on average, once somebody knows. */
  get averageMs(): number | undefined {
    return this.#averageMs
  }

  /** So many calls took so long. */
  measured(count: number, totalMs: number): void {
    const ms = totalMs / count
    this.#averageMs = this.#averageMs === undefined ? ms : this.#averageMs + WEIGHT * (ms - this.#averageMs)
    const wanted = Math.max(1, Math.floor(LEASE_MS / this.#averageMs))
    // At most twice as many as before: few measurements say little.
    this.batchSize = Math.min(wanted, 2 * this.batchSize, MOST_TASKS)
  }
}

/** The functions that an executor has been given, each once. */
export class FunctionRegistry {
  readonly #byDefinition = new WeakMap<Definition, FunctionStats>()
  readonly #byNumber: WeakRef<FunctionStats>[] = []

  of(definition: Definition): FunctionStats {
    let known = this.#byDefinition.get(definition)
    if (!known) {
      known = new FunctionStats(this.#byNumber.length, definition)
      this.#byNumber.push(new WeakRef(known))
      this.#byDefinition.set(definition, known)
    }
    return known
  }

  /** Take the measurements of a lease: number, calls, milliseconds, for each function that ran. */
  measure(spent: readonly number[]): void {
    for (let i = 0; i < spent.length; i += 3) this.#byNumber[spent[i]!]?.deref()?.measured(spent[i + 1]!, spent[i + 2]!)
  }
}
