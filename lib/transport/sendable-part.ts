// The part of a value that can be sent, for the properties of errors: an HTTP client's error holds functions, sockets and agents
// beside the status that one wants to see. What structured clone refuses is left out, and everything around it is kept.
//
//   in the value                                     in the copy
//   primitive value                                  the same
//   plain object, instance of a class                a plain object with the own enumerable properties that can be sent
//   array, Map, Set                                  the same, with `undefined` in place of an item that cannot be sent
//   Error                                            a place for it: the caller encodes it
//   Date, RegExp, bytes, a shareable, …              a clone
//   function, symbol, port, native object            left out, as is a property whose getter throws
//
// Copied level by level, so that where a limit cuts, what is near the error is kept.
import { types } from 'node:util'
import { MessagePort } from 'node:worker_threads'
import { isError } from '../base/brands.js'
import { cloneOf } from './clone-error.js'
import { isShareable } from './shareable.js'
import { insteadOfSending } from './unsendable.js'
import { isObject, isPlain } from './walk.js'

/** Objects that are copied of what hangs on one thrown value. The others are left out. */
const MAX_COPIED_OBJECTS = 10_000

/** Levels below a property that are copied. */
const MAX_COPIED_DEPTH = 100

/** Where an error stood: `container` is the copy. A Map has its key, a Set none. */
export interface ErrorPlace {
  container: object
  key: unknown
  error: Error
}

/** What is left of something: nothing, or a value. */
type Part = { value: unknown } | undefined

/** The copies of one thrown value's properties. An object that two of them share is copied once. */
export class SendableParts {
  readonly #copies = new Map<object, Part>()
  /** Containers whose contents are yet to be copied. */
  #pending: { source: object; copy: object }[] = []
  #places: ErrorPlace[] = []

  /**
   * @param value no error
   * @param places those of the errors in it are added
   * @returns `undefined`: nothing of it can be sent
   */
  copy(value: unknown, places: ErrorPlace[]): Part {
    this.#places = places
    const part = this.#begin(value)
    for (let depth = 0; this.#pending.length > 0 && depth < MAX_COPIED_DEPTH; depth++) {
      const level = this.#pending
      this.#pending = []
      for (const { source, copy } of level) this.#tryFill(source, copy)
    }
    this.#pending = []
    return part
  }

  #begin(value: unknown): Part {
    if (typeof value === 'function' || typeof value === 'symbol') return undefined
    if (!isObject(value)) return { value }
    if (this.#copies.has(value)) return this.#copies.get(value)
    if (this.#copies.size >= MAX_COPIED_OBJECTS) return undefined
    let part: Part
    try {
      part = this.#beginObject(value)
    } catch {
      part = undefined // It cannot be cloned, or looked at.
    }
    this.#copies.set(value, part)
    return part
  }

  /** @throws what keeps it from being cloned */
  #beginObject(value: object): Part {
    if (value instanceof MessagePort || insteadOfSending(value) !== undefined) return undefined
    if (isShareable(value) || !isCopiedByProperty(value)) return { value: cloneOf(value) }
    const copy = emptyCopy(value)
    this.#pending.push({ source: value, copy })
    return { value: copy }
  }

  #tryFill(source: object, copy: object): void {
    try {
      this.#fill(source, copy)
    } catch {
      // Its iterator has thrown. What was copied stays.
    }
  }

  #fill(source: object, copy: object): void {
    if (types.isMap(source)) {
      for (const [key, item] of source) {
        const part = isError(key) ? cloneOfError(key) : this.#begin(key)
        if (part) this.#put(copy, part.value, item)
      }
    } else if (types.isSet(source)) {
      for (const item of source) this.#put(copy, undefined, item)
    } else {
      for (const key of keysOf(source)) {
        const read = readPart(source, key)
        if (read) this.#put(copy, key, read.value)
      }
    }
  }

  #put(container: object, key: unknown, item: unknown): void {
    let isPlace: boolean
    try {
      isPlace = isError(item)
    } catch {
      return // A proxy that cannot be looked at.
    }
    if (isPlace) {
      this.#places.push({ container, key, error: item as Error })
      if (!types.isSet(container)) putIn(container, key, undefined)
      return
    }
    const part = this.#begin(item)
    if (part) putIn(container, key, part.value)
  }
}

/** Put a value into a copy. */
export function putIn(container: object, key: unknown, value: unknown): void {
  if (types.isMap(container)) container.set(key, value)
  else if (types.isSet(container)) container.add(value)
  // Not by assignment: the key may be '__proto__'.
  else Object.defineProperty(container, key as string, { value, enumerable: true, writable: true, configurable: true })
}

/** Whether the object is made of its properties or items. Not: Date, bytes, Blob, KeyObject and the like. */
function isCopiedByProperty(value: object): boolean {
  if (Array.isArray(value) || types.isMap(value) || types.isSet(value) || isPlain(value)) return true
  if (types.isBoxedPrimitive(value) || types.isDate(value) || types.isRegExp(value)) return false
  if (types.isAnyArrayBuffer(value) || types.isArrayBufferView(value) || types.isPromise(value)) return false
  // What Node can clone keeps its state out of sight.
  return keysOf(value).length > 0
}

function emptyCopy(value: object): object {
  if (types.isMap(value)) return new Map()
  if (types.isSet(value)) return new Set()
  if (!Array.isArray(value)) return {}
  const copy: unknown[] = []
  copy.length = value.length
  return copy
}

function keysOf(value: object): string[] {
  try {
    return Object.keys(value)
  } catch {
    return [] // A proxy that cannot be looked at.
  }
}

function readPart(object: object, key: string): Part {
  try {
    return { value: (object as Record<string, unknown>)[key] }
  } catch {
    return undefined
  }
}

function cloneOfError(error: Error): Part {
  try {
    return { value: structuredClone(error) }
  } catch {
    return undefined
  }
}
