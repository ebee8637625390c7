// What the caller of `map` gets. It holds the executor, as long as results can be asked for; the map itself does not, since the
// executor's pool has it in its list: one that is dropped with a map that nobody reads would never be collected.
import { Promise } from '../../base/clock.js'
import { markUnsendable, unsendableMark } from '../../transport/unsendable.js'
import type { Mapping } from './map.js'
import type { MapResult } from './map-options.js'

const UNSENDABLE_MAP = unsendableMark('await it, and send the results')

export class HeldMap<R, All> implements MapResult<R, All> {
  readonly #mapping: Mapping<R, All>
  readonly #executor: object
  #all: Promise<All> | undefined

  constructor(mapping: Mapping<R, All>, executor: object) {
    markUnsendable(this, UNSENDABLE_MAP)
    this.#mapping = mapping
    this.#executor = executor
  }

  [Symbol.asyncIterator](): AsyncIterator<R, undefined, undefined> {
    // Both hold this object, and with it the executor.
    return {
      next: () => this.#mapping.next(),
      return: () => {
        this.#mapping.leave()
        return Promise.resolve({ done: true, value: undefined })
      },
    }
  }

  // oxlint-disable-next-line unicorn/no-thenable -- awaiting it gives all results
  then<A = All, B = never>(
    onResult?: ((value: All) => A | PromiseLike<A>) | null,
    onError?: ((reason: any) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#whole().then(onResult, onError)
  }

  catch<B = never>(onError?: ((reason: any) => B | PromiseLike<B>) | null): Promise<All | B> {
    return this.#whole().catch(onError)
  }

  finally(onSettled?: (() => void) | null): Promise<All> {
    return this.#whole().finally(onSettled)
  }

  #whole(): Promise<All> {
    // The callback refers to the executor: a pending promise keeps it from being collected.
    return (this.#all ??= this.#mapping.all().finally(() => void this.#executor))
  }
}
