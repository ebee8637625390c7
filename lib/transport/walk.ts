// What structured clone looks into, answered once: every walk through a value that is sent or was received is made of these.
//
//   value                what is looked into
//   plain object         its own enumerable properties
//   array                its items: not its holes, of which there may be 2^32, nor the named properties that it may have
//   Map, Set             keys and values; items
//   typed array, view    its buffer
//   Error                its cause
//   any other object     its own enumerable properties: it arrives as a plain object, or not at all
//
// Only in the first three rows, the containers, are shareables looked for.
import { types } from 'node:util'
import { containerKind, isObjectPrototype, prototypeOf, rareContainerKind } from '../base/brands.js'

/** What a walk meets: everything but the primitive values that can be cloned. */
type Contained = object | symbol

/**
 * Called for each child. @returns whether to stop
 * @param key the property's name, the item's index, or the Map's key
 * @param isKey whether the child itself is a Map's key; then `key` is its index
 */
export type ChildTest = (child: Contained, key: unknown, isKey: boolean) => boolean

/**
 * Levels that a walk enters. Structured clone refuses a value long before, unless the stack is very large; the limit ends the walk
 * through a value without end, made by getters.
 */
const MAX_WALK_DEPTH = 2 ** 16

export function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

function isContained(value: unknown): value is Contained {
  if (typeof value === 'number' || typeof value === 'string') return false // Asked first: a list of numbers takes half the time.
  return typeof value === 'object' ? value !== null : typeof value === 'function' || typeof value === 'symbol'
}

export function isPlain(value: object): value is Record<string, unknown> {
  const prototype = prototypeOf(value)
  return prototype === null || isObjectPrototype(prototype)
}

/** Whether it is a plain object, array, Map or Set. */
export function isContainer(value: object): boolean {
  return containerKind(value) !== undefined
}

/** Whether `test` is true for something directly in the value. Stops there. */
export function someChild(value: object, test: ChildTest): boolean {
  if (isContainer(value)) return someContent(value, test)
  if (ArrayBuffer.isView(value)) return test(value.buffer, 'buffer', false)
  if (types.isNativeError(value))
    return Object.hasOwn(value, 'cause') && isContained(value.cause) && test(value.cause, 'cause', false)
  return someProperty(value as Record<string, unknown>, test)
}

/** As `someChild`, for containers only; false for any other value. */
export function someContent(value: object, test: ChildTest): boolean {
  if (Array.isArray(value)) return someItem(value, test)
  const prototype = prototypeOf(value)
  if (prototype === Object.prototype || prototype === null) return someProperty(value as Record<string, unknown>, test)
  return someRareContent(value, prototype, test)
}

function someRareContent(value: object, prototype: object, test: ChildTest): boolean {
  const kind = rareContainerKind(value, prototype)
  if (kind === 'map') return someEntry(value as Map<unknown, unknown>, test)
  if (kind === 'set') return someMember(value as Set<unknown>, test)
  return kind === 'plain' && someProperty(value as Record<string, unknown>, test)
}

function someEntry(map: Map<unknown, unknown>, test: ChildTest): boolean {
  let index = 0
  for (const [key, item] of map) {
    if (isContained(key) && test(key, index, true)) return true
    if (isContained(item) && test(item, key, false)) return true
    index++
  }
  return false
}

function someMember(set: Set<unknown>, test: ChildTest): boolean {
  let index = 0
  for (const item of set) {
    if (isContained(item) && test(item, index, false)) return true
    index++
  }
  return false
}

function someProperty(object: Record<string, unknown>, test: ChildTest): boolean {
  for (const key of Object.keys(object)) {
    const child = object[key]
    if (isContained(child) && test(child, key, false)) return true
  }
  return false
}

/** By index up to the first hole, by key after it. Not: by key from the start. Listing the keys of a long array costs more than its items. */
export function someItem(array: readonly unknown[], test: ChildTest): boolean {
  const { length } = array
  let index = 0
  for (; index < length; index++) {
    const item = array[index]
    if (isContained(item)) {
      if (test(item, index, false)) return true
    } else if (item === undefined && !Object.hasOwn(array, index)) break
  }
  if (index === length) return false
  for (const at of indicesFrom(index, array)) {
    const item = array[at]
    if (isContained(item) && test(item, at, false)) return true
  }
  return false
}

/** The indices of the array's own items, from `start` on. Not: by counting through the holes. */
function indicesFrom(start: number, array: readonly unknown[]): number[] {
  return Object.keys(array).map(Number).filter((index) => index >= start) // prettier-ignore
}

/**
 * Call `enter` for each object at any depth of a value, the value included, once.
 * @param enter whether to look into the object
 * @param look how: `someChild`, or `someContent` for containers only
 * @throws RangeError the value is nested too deeply; what a getter throws
 */
export function walk(root: unknown, enter: (value: object) => boolean, look: typeof someChild): void {
  if (!isObject(root)) return
  const seen = new Set<object>([root])
  // Not: recursion. JavaScript's stack ends at fewer levels than structured clone reaches. Here are the objects yet to enter, the
  // next one last; an `undefined` lies below the contents of each object.
  const pending: (object | undefined)[] = [root]
  let depth = 0
  let isMarked = false
  const meet = (child: Contained): boolean => {
    if (typeof child !== 'object') return false
    const { size } = seen
    if (seen.add(child).size === size) return false
    if (!isMarked) pending.push(undefined)
    isMarked = true
    pending.push(child)
    return false
  }
  while (pending.length > 0) {
    const value = pending.pop()
    if (value === undefined) {
      depth--
    } else if (enter(value)) {
      isMarked = false
      look(value, meet)
      if (isMarked && ++depth > MAX_WALK_DEPTH) throw new RangeError(`nested more than ${MAX_WALK_DEPTH} levels deep`)
    }
  }
}

/**
 * Replace objects at any depth of a value. Identities and cycles are kept. Containers are changed in place; to leave them as they
 * are, replace each by its `shallowCopy`.
 * @param replace returns what replaces the object, or the object itself. Called once for each object
 * @param enter whether to look into a container, which may be a replacement
 * @returns the value, or what replaces it
 * @throws RangeError the value is nested too deeply; what a getter throws
 */
export function replaceWithin(
  root: unknown,
  replace: (value: object) => object,
  enter: (value: object) => boolean,
): unknown {
  const results = new Map<object, object>()
  const resultOf = <T>(value: T): T | object => {
    if (!isObject(value)) return value
    let result = results.get(value)
    if (!result) results.set(value, (result = replace(value)))
    return result
  }
  const result = resultOf(root)
  walk(
    result,
    (container) => {
      if (!enter(container)) return false
      replaceChildren(container, resultOf)
      return true
    },
    someContent,
  )
  return result
}

function replaceChildren(container: object, resultOf: (value: unknown) => unknown): void {
  if (!(types.isMap(container) || types.isSet(container))) {
    someContent(container, (child, key) => {
      const result = resultOf(child)
      if (result !== child) (container as Record<PropertyKey, unknown>)[key as PropertyKey] = result
      return false
    })
    return
  }
  // Filled anew, so that keys and items keep their order.
  if (!someContent(container, (child) => resultOf(child) !== child)) return
  const entries = [...container.entries()]
  container.clear()
  for (const [key, item] of entries) {
    if (types.isMap(container)) container.set(resultOf(key), resultOf(item))
    else container.add(resultOf(item))
  }
}

/** A copy of a container, with the same contents and holes. */
export function shallowCopy(container: object): object {
  if (types.isMap(container)) return new Map(container)
  if (types.isSet(container)) return new Set(container)
  return Array.isArray(container) ? copyArray(container) : { ...container }
}

function copyArray(array: readonly unknown[]): unknown[] {
  let dense = 0
  while (dense < array.length && (array[dense] !== undefined || Object.hasOwn(array, dense))) dense++
  const copy = array.slice(0, dense)
  if (dense === array.length) return copy
  for (const index of indicesFrom(dense, array)) copy[index] = array[index]
  copy.length = array.length
  return copy
}
