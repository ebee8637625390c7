// How many bytes the values of a map take in messages, about: the contents of strings and buffers, and a word for any other value.
// Numbers, strings and views are counted one by one. Into other objects only some are looked, so that small ones cost nearly
// nothing: after a small one, the next ones are taken to be alike. Nothing of the caller's runs, neither getters nor proxies.
import { types } from 'node:util'
import type { Column } from '../../transport/number-column.js'

/** Of a number, and of whatever holds no bytes of its own. */
export const WORD_BYTES = 8

/** An object of more bytes is large: the next one is looked into, too. */
const LARGE_BYTES = 2 ** 11

/** Results of fewer bytes each are small. */
const SMALL_BYTES = 2 ** 8

/** Upper bound of the back-off, in objects that are not looked into, after small ones. */
const MAX_SKIPPED_OBJECTS = 127

/** Entries of an object, and small results of a chunk, that are looked at. Those between them are taken to be alike. */
const MAX_LOOKS = 64

/** Values in one item that are looked at in all, and how deep. */
const MAX_LOOKS_IN_ITEM = 1024
const MAX_LOOK_DEPTH = 16

/** A view of fewer bytes is counted each time that it is met. */
const MIN_SHARED_BYTES = 1024

const mapSize = Object.getOwnPropertyDescriptor(Map.prototype, 'size')!.get!
const setSize = Object.getOwnPropertyDescriptor(Set.prototype, 'size')!.get!

export class ByteMeter {
  /** Objects of the chunk that were counted. One that is in two items is sent once. */
  readonly #seen = new Set<object>()
  /** Whether the results of the last chunk were small on average. */
  #wereSmall = false
  #lastBytes = 0
  #skipping = 0
  #toSkip = 0
  /** Values that may still be looked at for this item. */
  #valuesLeft = 0

  /** The next values are of another chunk. */
  beginChunk(): void {
    this.#toSkip = 0
    if (this.#seen.size > 0) this.#seen.clear()
  }

  /** The bytes of one item or result. */
  weigh(value: unknown): number {
    if (typeof value === 'number') return WORD_BYTES
    if (typeof value === 'string') return WORD_BYTES + value.length
    if (typeof value !== 'object' || value === null) return WORD_BYTES
    if (ArrayBuffer.isView(value)) return this.#bytesOfView(value)
    if (this.#toSkip > 0) {
      this.#toSkip--
      return this.#lastBytes
    }
    this.#valuesLeft = MAX_LOOKS_IN_ITEM
    const bytes = this.#bytesOf(value, 0)
    this.#lastBytes = bytes
    this.#skipping = bytes > LARGE_BYTES ? 0 : Math.min(2 * this.#skipping + 1, MAX_SKIPPED_OBJECTS)
    this.#toSkip = this.#skipping
    return bytes
  }

  /** The bytes of the results of one chunk. After small ones, only some are looked at. */
  weighChunk(values: Column): number {
    if (types.isFloat64Array(values)) return values.byteLength
    const step = this.#wereSmall ? Math.ceil(values.length / MAX_LOOKS) : 1
    let bytes = 0
    let looked = 0
    for (let at = 0; at < values.length; at += step, looked++) bytes += this.weigh(values[at])
    this.beginChunk() // Not: keep the objects until the next chunk comes.
    bytes = extrapolate(bytes, looked, values.length)
    this.#wereSmall = bytes < SMALL_BYTES * values.length
    return bytes
  }

  #bytesOf(value: unknown, depth: number): number {
    if (typeof value === 'string') return WORD_BYTES + value.length
    if (typeof value !== 'object' || value === null) return WORD_BYTES
    if (ArrayBuffer.isView(value)) return this.#bytesOfView(value)
    if (types.isProxy(value) || this.#seen.has(value)) return WORD_BYTES
    this.#seen.add(value)
    if (types.isArrayBuffer(value)) return WORD_BYTES + value.byteLength
    if (types.isSharedArrayBuffer(value) || depth === MAX_LOOK_DEPTH) return WORD_BYTES
    if (Array.isArray(value)) return this.#bytesOfArray(value, depth)
    if (types.isMap(value)) return this.#bytesOfEntries(Map.prototype.entries.call(value), mapSize.call(value), depth)
    if (types.isSet(value)) return this.#bytesOfEntries(Set.prototype.values.call(value), setSize.call(value), depth)
    return this.#bytesOfProperties(value, depth)
  }

  #bytesOfView(view: ArrayBufferView): number {
    const bytes = view.byteLength
    if (bytes < MIN_SHARED_BYTES) return WORD_BYTES + bytes
    // Shared memory is not copied.
    if (this.#seen.has(view) || types.isSharedArrayBuffer(view.buffer)) return WORD_BYTES
    this.#seen.add(view)
    return WORD_BYTES + bytes
  }

  /** Not: item by item. An array may have 2^32 holes. */
  #bytesOfArray(array: readonly unknown[], depth: number): number {
    const { length } = array
    const looks = Math.min(length, MAX_LOOKS)
    let bytes = 0
    let looked = 0
    for (; looked < looks && this.#valuesLeft > 0; looked++)
      bytes += this.#bytesOfProperty(array, Math.floor((looked * length) / looks), depth)
    return WORD_BYTES + extrapolate(bytes, looked, length)
  }

  #bytesOfEntries(entries: Iterator<unknown>, size: number, depth: number): number {
    let bytes = 0
    let looked = 0
    for (; looked < MAX_LOOKS && this.#valuesLeft > 0; looked++) {
      const { done, value } = entries.next()
      if (done) break
      this.#valuesLeft--
      bytes += this.#bytesOf(value, depth + 1)
    }
    return WORD_BYTES + extrapolate(bytes, looked, size)
  }

  #bytesOfProperties(object: object, depth: number): number {
    const keys = Object.keys(object)
    // Those of an error cannot be enumerated.
    if (types.isNativeError(object)) keys.push('message', 'cause')
    let bytes = 0
    let looked = 0
    for (; looked < keys.length && looked < MAX_LOOKS && this.#valuesLeft > 0; looked++) {
      const key = keys[looked]!
      bytes += key.length + this.#bytesOfProperty(object, key, depth)
    }
    return WORD_BYTES + extrapolate(bytes, looked, keys.length)
  }

  /** Of an accessor nothing is known: to call it would run the caller's code once more. */
  #bytesOfProperty(object: object, key: PropertyKey, depth: number): number {
    this.#valuesLeft--
    const property = Object.getOwnPropertyDescriptor(object, key)
    return property ? this.#bytesOf(property.value, depth + 1) : 0
  }
}

function extrapolate(bytes: number, looked: number, count: number): number {
  return looked === 0 ? 0 : (bytes / looked) * count
}
