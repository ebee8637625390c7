// The types of proxies. Written without comlink's, which need the types of browsers.

/** A method of a managed object: the arguments are sent to the manager, and the result back. */
type RemoteMethod<F> = F extends (...args: infer A) => infer R
  ? (...args: A) => Promise<RemoteResult<Awaited<R>>>
  : never

/** Iterators arrive as arrays. */
type RemoteResult<R> = R extends IterableIterator<infer T> ? T[] : R

type ItemOf<T> = T extends Iterable<infer I> | AsyncIterable<infer I> ? I : never

/**
 * A proxy of an object that lives in a manager. Each method call returns a promise. A field is read by `await remote.field` and
 * written by `remote.field = value`. An iterable object is iterated over by `for await`. Shareable.
 */
export type Remote<T> = {
  [K in keyof T as K extends string ? K : never]: T[K] extends (...args: any[]) => unknown
    ? RemoteMethod<T[K]>
    : T[K] | Promise<T[K]>
} & ([ItemOf<T>] extends [never] ? unknown : AsyncIterable<ItemOf<T>>)

/** The method of all collections that Map, Array and plain objects do not have. */
interface Updates<K, V> {
  /**
   * Replace an item by the result of a function. Atomic: other calls to the object wait until the function has settled.
   * @param fn a task, or a function that is sent by its source. It runs in the manager, and is called with the item and `args`
   * @returns the new item
   */
  update<A extends unknown[]>(key: K, fn: (item: any, ...args: A) => V | Promise<V>, ...args: A): Promise<V>
}

/** A managed dictionary: Map's methods, which return promises. `keys`, `values` and `entries` resolve to arrays. */
export type RemoteDict<K, V> = Omit<Remote<Map<K, V>>, 'set' | 'forEach'> &
  AsyncIterable<[K, V]> &
  Updates<K, V> & {
    set(key: K, value: V): Promise<RemoteDict<K, V>>
    forEach(fn: (value: V, key: K, copy: Map<K, V>) => void): Promise<void>
  }

/** The methods of Array whose types a mapped type loses. */
interface ListMethods<T> {
  map<U>(fn: (item: T, index: number, copy: T[]) => U): Promise<U[]>
  flatMap<U>(fn: (item: T, index: number, copy: T[]) => U | readonly U[]): Promise<U[]>
  filter(fn: (item: T, index: number, copy: T[]) => unknown): Promise<T[]>
  find(fn: (item: T, index: number, copy: T[]) => unknown): Promise<T | undefined>
  findLast(fn: (item: T, index: number, copy: T[]) => unknown): Promise<T | undefined>
  every(fn: (item: T, index: number, copy: T[]) => unknown): Promise<boolean>
  reduce<U>(fn: (sum: U, item: T, index: number, copy: T[]) => U, initial: U): Promise<U>
  reduceRight<U>(fn: (sum: U, item: T, index: number, copy: T[]) => U, initial: U): Promise<U>
  sort(compare?: (a: T, b: T) => number): Promise<RemoteList<T>>
  reverse(): Promise<RemoteList<T>>
  fill(value: T, start?: number, end?: number): Promise<RemoteList<T>>
  copyWithin(target: number, start: number, end?: number): Promise<RemoteList<T>>
}

/** A managed list: Array's methods, which return promises. `keys`, `values` and `entries` resolve to arrays. */
export type RemoteList<T> = Omit<Remote<T[]>, keyof ListMethods<T>> &
  AsyncIterable<T> &
  ListMethods<T> &
  Updates<number, T>

/** A managed object with fields: `namespace.x = 1` writes one, `await namespace.x` reads it. */
export type RemoteNamespace<T> = { [K in keyof T]: T[K] | Promise<T[K]> } & Updates<keyof T, any>
