// Async contexts (AsyncLocalStorage): whose context a function runs in.
//
//   callback of a user                           that of who gave it: bindContext
//   tasks of one lease, items of one chunk, …    each begins with the same: OwnContext
import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks'

const { runInAsyncScope } = AsyncResource.prototype
const RESOURCE_TYPE = 'manyhands'

/** Whether stores are properties of the current resource. The method copies them to a new resource. */
const SEES_CHANGES = '_propagate' in AsyncLocalStorage.prototype

/** A user's callback, to be called in the async context of now. */
export function bindContext<A extends unknown[], R>(fn: (...args: A) => R): (...args: A) => R {
  const resource = new AsyncResource(RESOURCE_TYPE)
  return (...args) => resource.runInAsyncScope(fn, undefined, ...args)
}

/**
 * Runs functions one after another, each in the async context in which this was made: what one enters by `enterWith`, the next does
 * not see.
 *
 * Node keeps the stores of a context as properties of the current resource (until Node 24, where frames take their place). So each
 * run has a resource of its own, which inherits the others' stores. Not: a new AsyncResource, which takes three times as long.
 */
export class OwnContext {
  /** No function runs in it: it stays as it was made. */
  readonly #base = new AsyncResource(RESOURCE_TYPE)
  #watched: AsyncResource | undefined
  #changed = false

  /** Call a function. If it awaits something, what follows keeps its own context. */
  run<R>(fn: () => R): R {
    return runInAsyncScope.call(Object.create(this.#base), fn) as R
  }

  /** Call a function that makes several calls. It has to return when `changed` is true after one, and to be called again. */
  runSeveral<R>(fn: () => R): R {
    this.#watched ??= new Proxy(this.#base, {
      set: (target, key, value, receiver) => {
        this.#changed = true
        return Reflect.set(target, key, value, receiver)
      },
    })
    this.#changed = !SEES_CHANGES
    return runInAsyncScope.call(Object.create(this.#watched), fn) as R
  }

  /** Within `runSeveral`: whether the context was changed since it began, or may have been. */
  get changed(): boolean {
    return this.#changed
  }
}
