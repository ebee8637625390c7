// The iterations of one thread over managed objects: pages of items, each asked for by the cursor that came with the last. In
// the manager's thread.
import { isThenable } from '../base/brands.js'
import { ManagerError } from '../errors.js'
import { callSafely } from '../base/safe-callback.js'
import type { IterationPage } from './messages.js'

/** Maximum items that travel together. */
const MAX_PAGE_ITEMS = 256

type AnyIterator = Iterator<unknown> | AsyncIterator<unknown>

export class Iterations {
  readonly #iterators = new Map<number, AnyIterator>()
  #lastCursor = 0

  /** The first page. */
  begin(value: object): IterationPage | Promise<IterationPage> {
    return this.#pageOf(++this.#lastCursor, iteratorOf(value))
  }

  next(cursor: number): IterationPage | Promise<IterationPage> {
    const iterator = this.#iterators.get(cursor)
    if (!iterator) throw new ManagerError(`there is no iteration ${cursor}; it was ended`)
    return this.#pageOf(cursor, iterator)
  }

  /** The caller has left the loop early. */
  end(cursor: number): void {
    const iterator = this.#iterators.get(cursor)
    this.#iterators.delete(cursor)
    // Nobody waits for an answer, and a `finally` that throws must not end the manager.
    callSafely('the end of an iteration that was left', () => iterator?.return?.())
  }

  clear(): void {
    this.#iterators.clear()
  }

  #pageOf(cursor: number, iterator: AnyIterator): IterationPage | Promise<IterationPage> {
    const items: unknown[] = []
    const page = (done: boolean): IterationPage => {
      if (done) this.#iterators.delete(cursor)
      else this.#iterators.set(cursor, iterator)
      return { items, cursor: done ? undefined : cursor }
    }
    const pull = (): IterationPage | Promise<IterationPage> => {
      while (items.length < MAX_PAGE_ITEMS) {
        const next = iterator.next()
        if (isThenable(next)) return pullAsync(next)
        if (next.done) return page(true)
        items.push(next.value)
      }
      return page(false)
    }
    const pullAsync = async (next: Promise<IteratorResult<unknown>>): Promise<IterationPage> => {
      const { done, value } = await next
      if (done) return page(true)
      items.push(value)
      return pull()
    }
    return pull()
  }
}

function iteratorOf(value: object): AnyIterator {
  const { [Symbol.asyncIterator]: makeAsync, [Symbol.iterator]: makeSync } = value as AsyncIterable<unknown> &
    Iterable<unknown>
  const make = makeAsync ?? makeSync
  if (typeof make !== 'function') throw new TypeError('the object cannot be iterated over')
  return make.call(value)
}
