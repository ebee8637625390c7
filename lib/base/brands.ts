// What a value is, of whatever realm. A node:vm context, as jest and vitest run tests in, has an Error, a Map and an Object of its
// own, and what comes from another thread is of the main realm. So neither `instanceof` nor a prototype of this realm tells what a
// value is that a caller gave or a message brought. Brands do: of most classes, `types` of node:util asks for them.
import { types } from 'node:util'

/** Whether it is the `Object.prototype` of a realm. */
export function isObjectPrototype(object: object): boolean {
  return (
    object === Object.prototype || (Object.getPrototypeOf(object) === null && Object.hasOwn(object, 'isPrototypeOf'))
  )
}

type ContainerKind = 'array' | 'plain' | 'map' | 'set'

/** Whether the object holds values of any kind, and how. */
export function containerKind(value: object): ContainerKind | undefined {
  if (Array.isArray(value)) return 'array'
  const prototype = prototypeOf(value)
  return prototype === null || prototype === Object.prototype ? 'plain' : rareContainerKind(value, prototype)
}

/** As `containerKind`, for what is neither an array nor a plain object of this realm. */
export function rareContainerKind(value: object, prototype: object): ContainerKind | undefined {
  // Most are instances of a class of this realm. To ask for their brands would take longer than to look where they come from.
  for (let from: object | null = prototype; from !== null; from = prototypeOf(from)) {
    if (from === Object.prototype) return undefined
    if (from === Map.prototype || from === Set.prototype) return brandedKind(value)
  }
  return isObjectPrototype(prototype) ? 'plain' : brandedKind(value)
}

function brandedKind(value: object): 'map' | 'set' | undefined {
  return types.isMap(value) ? 'map' : types.isSet(value) ? 'set' : undefined
}

/** Whether it is an error: a native one, or what inherits from a realm's `Error.prototype`, as a DOMException does. */
export function isError(value: unknown): value is Error {
  if (types.isNativeError(value)) return true
  if (typeof value !== 'object' || value === null) return false
  for (let from = prototypeOf(value); from; from = prototypeOf(from)) if (isErrorPrototype(from)) return true
  return false
}

export function prototypeOf(object: object): object | null {
  return Object.getPrototypeOf(object) as object | null
}

function isErrorPrototype(object: object): boolean {
  return Object.hasOwn(object, 'message') && Object.getOwnPropertyDescriptor(object, 'name')?.value === 'Error'
}

/** Whether it is a native error of that name: `RangeError`. */
export function isErrorNamed(value: unknown, name: string): value is Error {
  return types.isNativeError(value) && value.name === name
}

/** The brand of what Node adds to JavaScript: `DOMException`, `ReadableStream`. Any object may claim one. */
export function brandOf(value: unknown): unknown {
  return typeof value === 'object' && value !== null
    ? (value as { [Symbol.toStringTag]?: unknown })[Symbol.toStringTag]
    : undefined
}
/** Whether it is to be awaited. Awaiting every value would cost a turn of the microtask queue each. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    ((typeof value === 'object' && value !== null) || typeof value === 'function') &&
    typeof (value as { then?: unknown }).then === 'function'
  )
}
