// Main side: the functions that one worker knows. Main decides what the worker forgets, so that both agree: what was not used for
// longest, when there are too many. A forgotten function is defined again when it is needed.
import type { LeaseMessage } from '../../protocol/messages.js'
import type { FunctionStats } from '../batch-size.js'

/** A function takes some 10 KB in its worker. A lease that calls more different ones is no error. */
const MAX_KNOWN_FUNCTIONS = 512

export class FunctionsAtWorker {
  /** Their numbers, the least recently used first. */
  readonly #numbers = new Set<number>()

  /** The worker is to use a function. @returns whether it knows it */
  use(number: number): boolean {
    const known = this.#numbers
    if (!known.has(number)) return false
    if (known.size > MAX_KNOWN_FUNCTIONS / 2) {
      known.delete(number) // It becomes the last to be forgotten.
      known.add(number)
    }
    return true
  }

  /** What the message of a lease has to say. Call `sent` when it was sent. */
  newsFor(functions: Iterable<FunctionStats>): Pick<LeaseMessage, 'definitions' | 'forgotten'> {
    const definitions: LeaseMessage['definitions'] = []
    const known = this.#numbers
    for (const { number, definition } of functions) if (!this.use(number)) definitions.push([number, definition])
    const excess = known.size + definitions.length - MAX_KNOWN_FUNCTIONS
    if (excess <= 0) return { definitions }
    const needed = new Set(Array.from(functions, ({ number }) => number))
    const forgettable = [...known].filter((number) => !needed.has(number))
    return { definitions, forgotten: forgettable.slice(0, excess) }
  }

  sent({ definitions, forgotten = [] }: Pick<LeaseMessage, 'definitions' | 'forgotten'>): void {
    for (const [number] of definitions) this.#numbers.add(number)
    for (const number of forgotten) this.#numbers.delete(number)
  }
}
