// What a manager makes by itself: dicts, lists and namespaces. They are Map, Array and plain objects; what those cannot do
// from afar (give iterators, say) is done here. In the manager's thread.

/** One kind of them. */
export interface BuiltIn {
  make(init?: any): object
  /** In place of the methods that the object has. */
  methods: Record<string, (value: never, ...args: any[]) => unknown>
  /** Those that get a function of the caller's, which is in this thread by then. */
  running: Record<string, (value: never, fn: Function, ...args: any[]) => unknown>
}

const dict: BuiltIn = {
  make(init?: object) {
    if (init === undefined || init === null) return new Map()
    return Symbol.iterator in init ? new Map(init as Iterable<[unknown, unknown]>) : new Map(Object.entries(init))
  },
  methods: Object.assign(Object.create(null) as object, {
    keys: (map: Map<unknown, unknown>) => [...map.keys()],
    values: (map: Map<unknown, unknown>) => [...map.values()],
    entries: (map: Map<unknown, unknown>) => [...map],
  }),
  running: Object.assign(Object.create(null) as object, {
    async update(map: Map<unknown, unknown>, fn: Function, key: unknown, ...args: unknown[]) {
      const made: unknown = await fn(map.get(key), ...args)
      map.set(key, made)
      return made
    },
  }),
}

const list: BuiltIn = {
  make: (init) => (init === undefined || init === null ? [] : Array.from(init as Iterable<unknown>)),
  methods: Object.assign(Object.create(null) as object, {
    keys: (array: unknown[]) => [...array.keys()],
    values: (array: unknown[]) => [...array],
    entries: (array: unknown[]) => [...array.entries()],
  }),
  running: Object.assign(Object.create(null) as object, {
    async update(array: unknown[], fn: Function, index: number, ...args: unknown[]) {
      if (!Number.isInteger(index) || index < 0 || index >= array.length)
        throw new RangeError(`index must be an integer from 0 to ${array.length - 1}, not ${String(index)}`)
      const made: unknown = await fn(array[index], ...args)
      array[index] = made
      return made
    },
  }),
}

const namespace: BuiltIn = {
  make: (init) => Object.assign({}, init),
  methods: Object.create(null) as BuiltIn['methods'],
  running: Object.assign(Object.create(null) as object, {
    async update(fields: Record<string, unknown>, fn: Function, name: string, ...args: unknown[]) {
      const made: unknown = await fn(fields[name], ...args)
      fields[name] = made
      return made
    },
  }),
}

export const builtIns: Record<'dict' | 'list' | 'namespace', BuiltIn> = { dict, list, namespace }
