// What a proxy looks like to the compiler. No types of browsers: comlink's own need them.

/** A method of an object in a manager: its arguments are sent there, and the result back. */
type RemoteMethod<F> = F extends (...args: infer A) => infer R
  ? (...args: A) => Promise<RemoteResult<Awaited<R>>>
  : never

/** Iterators arrive as arrays. */
type RemoteResult<R> = R extends IterableIterator<infer T> ? T[] : R

type ItemOf<T> = T extends Iterable<infer I> | AsyncIterable<infer I> ? I : never

/**
 * A proxy of an object that lives in a manager. Each method call is a promise; a field is read by `await remote.field` and
 * written by `remote.field = value`; what can be iterated over, is with `for await`. Shareable.
 */
export type Remote<T> = {
  [K in keyof T as K extends string ? K : never]: T[K] extends (...args: any[]) => unknown
    ? RemoteMethod<T[K]>
    : T[K] | Promise<T[K]>
} & ([ItemOf<T>] extends [never] ? unknown : AsyncIterable<ItemOf<T>>)

/** What both dicts and lists can do besides. */
interface Updates<K, V> {
  /**
   * Put in the place of an item what a function makes of it. Nothing else happens to the object meanwhile.
   * @param fn a task, or a function that is sent by its source; it runs in the manager, and gets the item and `args`
   * @returns what it made
   */
  update<A extends unknown[]>(key: K, fn: (item: any, ...args: A) => V | Promise<V>, ...args: A): Promise<V>
}

/** A managed dictionary: Map's methods, as promises; `keys`, `values` and `entries` give arrays. */
export type RemoteDict<K, V> = Omit<Remote<Map<K, V>>, 'set' | 'forEach'> &
  AsyncIterable<[K, V]> &
  Updates<K, V> & {
    set(key: K, value: V): Promise<RemoteDict<K, V>>
    forEach(fn: (value: V, key: K, copy: Map<K, V>) => void): Promise<void>
  }

/** The methods of arrays whose types do not survive being mapped. */
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

/** A managed list: Array's methods, as promises; `keys`, `values` and `entries` give arrays. */
export type RemoteList<T> = Omit<Remote<T[]>, keyof ListMethods<T>> &
  AsyncIterable<T> &
  ListMethods<T> &
  Updates<number, T>

/** A managed object with fields: `namespace.x = 1`, `await namespace.x`. */
export type RemoteNamespace<T> = { [K in keyof T]: T[K] | Promise<T[K]> } & Updates<keyof T, any>
