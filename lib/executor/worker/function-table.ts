// Worker side: the functions that this worker knows, by the number that its executor gave each.
import { ImportFailure, loadTarget, type Definition } from '../../task/target.js'
import { encodeFailure } from '../../transport/error-codec.js'
import type { LeaseEnd, LeaseMessage } from '../protocol/messages.js'

export interface WorkerFunction {
  definition: Definition
  /** Loaded when a task first needs it. */
  fn: Function | undefined
}

/** A task's module cannot be imported, so no task of it can run in any worker. Breaks the executor. */
export class UnloadableModule {
  readonly end: LeaseEnd
  readonly #brand = true

  /** Not by instanceof: a task may throw a proxy that resists even that. */
  static is(thrown: unknown): thrown is UnloadableModule {
    return typeof thrown === 'object' && thrown !== null && #brand in thrown
  }

  constructor(name: string, reason: unknown) {
    const what = `the module of the task ${name} cannot be imported`
    this.end = { kind: 'broken', what, failure: encodeFailure(reason) }
    void this.#brand
  }
}

export class FunctionTable {
  readonly #functions = new Map<number, WorkerFunction>()

  define(definitions: LeaseMessage['definitions']): void {
    for (const [number, definition] of definitions) this.#functions.set(number, { definition, fn: undefined })
  }

  forget(numbers: readonly number[]): void {
    for (const number of numbers) this.#functions.delete(number)
  }

  get(number: number): WorkerFunction {
    return this.#functions.get(number)!
  }

  /** @throws UnloadableModule, TaskNotFoundError */
  async load(number: number): Promise<Function> {
    const known = this.get(number)
    try {
      return (known.fn ??= await loadTarget(known.definition))
    } catch (thrown) {
      throw thrown instanceof ImportFailure ? new UnloadableModule(known.definition.name, thrown.reason) : thrown
    }
  }
}
