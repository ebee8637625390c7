// The collections that a manager makes itself: dicts, lists and namespaces, in the manager's thread. They are Map, Array and plain
// objects. Methods that would return what cannot be sent (an iterator, say), or that those do not have, are defined here.
import { checkInteger } from '../base/validate.js'

/** One kind of collection. */
export interface Collection {
  make(init?: unknown): object
  /** Methods that replace those of the object. */
  methods: Record<string, (value: never, ...args: never[]) => unknown>
  /** Methods that take a function of the caller's. It runs in the manager's thread, and no other call comes between. */
  methodsWithFunction: Record<string, (value: never, fn: Function, ...args: never[]) => unknown>
}

const dict: Collection = {
  make(init?: object | null) {
    if (init === undefined || init === null) return new Map()
    return Symbol.iterator in init ? new Map(init as Iterable<[unknown, unknown]>) : new Map(Object.entries(init))
  },
  methods: withoutPrototype({
    keys: (map: Map<unknown, unknown>) => [...map.keys()],
    values: (map: Map<unknown, unknown>) => [...map.values()],
    entries: (map: Map<unknown, unknown>) => [...map],
  }),
  methodsWithFunction: withoutPrototype({
    async update(map: Map<unknown, unknown>, fn: Function, key: unknown, ...args: unknown[]) {
      const made: unknown = await fn(map.get(key), ...args)
      map.set(key, made)
      return made
    },
  }),
}

const list: Collection = {
  make: (init?: Iterable<unknown> | null) => (init === undefined || init === null ? [] : Array.from(init)),
  methods: withoutPrototype({
    keys: (array: unknown[]) => [...array.keys()],
    values: (array: unknown[]) => [...array],
    entries: (array: unknown[]) => [...array.entries()],
  }),
  methodsWithFunction: withoutPrototype({
    async update(array: unknown[], fn: Function, index: number, ...args: unknown[]) {
      checkInteger(index, 'index', 0, array.length - 1)
      const made: unknown = await fn(array[index], ...args)
      array[index] = made
      return made
    },
  }),
}

const namespace: Collection = {
  make: (init?: object) => ({ ...init }),
  methods: withoutPrototype({}),
  methodsWithFunction: withoutPrototype({
    async update(fields: Record<string, unknown>, fn: Function, name: string, ...args: unknown[]) {
      const made: unknown = await fn(fields[name], ...args)
      fields[name] = made
      return made
    },
  }),
}

/** The names come from callers: `constructor` must not find a method. */
function withoutPrototype<T extends object>(methods: T): T {
  return Object.assign<object, T>(Object.create(null) as object, methods)
}

export const collections: Record<'dict' | 'list' | 'namespace', Collection> = { dict, list, namespace }
