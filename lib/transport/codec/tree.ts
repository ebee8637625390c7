// Trees of plain objects and arrays with primitives as leaves, as a row of 32-bit words: the format and its encoder.
// tree-decoder.ts reads it, README.md draws it. A value that is no such tree is not encoded here but by V8: one with a cycle, an
// object that occurs twice, a hole, an instance of a class, or a getter that removes what the encoder has yet to read.
//
// word: tag | argument << 4
//
// tag          argument                        words that follow
// SPECIAL      index in SPECIALS               none
// SMALL        the integer, 28 bits, signed    none
// INTEGER      unused                          1: the integer
// DOUBLE       unused                          2: its bits
// BIGINT       unused                          2: its 64 bits, signed
// ASCII        length in bytes                 the bytes, padded to a word
// WIDE         length in bytes                 two bytes per UTF-16 unit, padded to a word
// ARRAY        number of items                 the items
// DICTIONARY   number of properties            key, value, key, value …
// OBJECT       words of its key set            the key set (key-sets.ts), then the values in its order
// SAME_KEYS    number of a key set that this   the values in its order
//              message has described
import { types } from 'node:util'
import { isObjectPrototype, prototypeOf } from '../../base/brands.js'
import { keySetOf, type KeySet } from './key-sets.js'
import { writeAscii, writeWide } from './text.js'

export const SPECIAL = 0
export const SMALL = 1
export const INTEGER = 2
export const DOUBLE = 3
export const BIGINT = 4
export const ASCII = 5
export const WIDE = 6
export const ARRAY = 7
export const DICTIONARY = 8
export const OBJECT = 9
const SAME_KEYS = 10

export const SPECIALS = [undefined, null, true, false] as const
const [, NULL, TRUE, FALSE] = SPECIALS.map((_, index) => SPECIAL | (index << 4)) as [number, number, number, number]

/** Items, properties, or bytes of a text. An argument has 28 bits; this fits whether it is read as signed or not. */
const MAX_ARGUMENT = 2 ** 27 - 1
/** Levels of nesting. Encoding and decoding are recursive. */
const MAX_DEPTH = 200
/** Objects that are looked up in a list; beyond, a Set is faster. */
const MAX_LISTED = 16
/** Words that an encoder may keep between messages: one megabyte. */
const MAX_KEPT_WORDS = 2 ** 18

/** To turn a number or a bigint into two words, and back. */
export const double: Float64Array = new Float64Array(1)
export const bigint: BigInt64Array = new BigInt64Array(double.buffer)
export const halves: Int32Array = new Int32Array(double.buffer)

export class TreeEncoder {
  words: Int32Array = new Int32Array(1024)
  #bytes: Buffer = Buffer.from(this.words.buffer as ArrayBuffer)
  #at = 0
  /** The objects met so far: in a list, or all of them in a Set once there are more than MAX_LISTED. */
  readonly #listed: (object | undefined)[] = []
  #listedCount = 0
  #met: Set<object> | undefined
  /** The key sets that this message has described, by number. */
  readonly #keySets: KeySet[] = []
  #keySetCount = 0

  /** In bytes. */
  get length(): number {
    return this.#at * 4
  }

  /** Whether it has grown too large to be kept for the next message. */
  get isLarge(): boolean {
    return this.words.length > MAX_KEPT_WORDS
  }

  /** Encode into `words`. @returns whether the value is a tree; if not, `words` holds nothing of use */
  encode(value: unknown): boolean {
    this.#at = 0
    try {
      return this.#value(value, 0)
    } finally {
      this.#end()
    }
  }

  /**
   * As `encode`, for an array of independent trees: an object that occurs in two of them is written twice.
   * @param maxBytes stop, and return false, once a tree has ended beyond this length
   */
  encodeApart(trees: readonly unknown[], maxBytes: number): boolean {
    this.#at = 0
    try {
      this.words[this.#at++] = ARRAY | (trees.length << 4)
      for (const tree of trees) {
        if (!this.#value(tree, 1) || this.length > maxBytes) return false
        this.#forgetObjects()
      }
      return true
    } finally {
      this.#end()
    }
  }

  /** Runs even when a getter has thrown. */
  #end(): void {
    this.#forgetObjects()
    for (let i = 0; i < this.#keySetCount; i++)
      if (this.#keySets[i]!.encoder === this) this.#keySets[i]!.encoder = undefined
    this.#keySetCount = 0
  }

  #forgetObjects(): void {
    // Not: set the length, which takes 90 ns.
    for (let i = 0; i < this.#listedCount; i++) this.#listed[i] = undefined
    this.#listedCount = 0
    this.#met = undefined
  }

  /** Encode a string alone, without a tag. @returns whether it is ASCII */
  encodeText(text: string): boolean {
    this.#at = 0
    this.#reserve(text.length + 4)
    if (writeAscii(text, this.#bytes, 0)) return true
    writeWide(text, this.#bytes, 0)
    return false
  }

  /** Make room for `count` more words. */
  #reserve(count: number): void {
    if (this.#at + count <= this.words.length) return
    const words = new Int32Array(Math.max(2 * this.words.length, this.#at + count))
    words.set(this.words.subarray(0, this.#at))
    this.words = words
    this.#bytes = Buffer.from(words.buffer)
  }

  #value(value: unknown, depth: number): boolean {
    if (this.#at + 4 > this.words.length) this.#reserve(4)
    switch (typeof value) {
      case 'number':
        this.#number(value)
        return true
      case 'string':
        return this.#text(value)
      case 'undefined':
        this.words[this.#at++] = SPECIAL
        return true
      case 'boolean':
        this.words[this.#at++] = value ? TRUE : FALSE
        return true
      case 'bigint':
        if (BigInt.asIntN(64, value) !== value) return false
        bigint[0] = value
        this.#pair(BIGINT)
        return true
      case 'object':
        if (value === null) {
          this.words[this.#at++] = NULL
          return true
        }
        return depth < MAX_DEPTH && this.#object(value, depth)
      default:
        return false
    }
  }

  #number(value: number): void {
    const { words } = this
    if ((value | 0) !== value || (value === 0 && 1 / value < 0)) {
      double[0] = value
      this.#pair(DOUBLE)
    } else if ((value << 4) >> 4 === value) words[this.#at++] = SMALL | (value << 4)
    else {
      words[this.#at++] = INTEGER
      words[this.#at++] = value
    }
  }

  #pair(tag: number): void {
    const { words } = this
    words[this.#at++] = tag
    words[this.#at++] = halves[0]!
    words[this.#at++] = halves[1]!
  }

  #text(text: string): boolean {
    const { length } = text
    if (2 * length > MAX_ARGUMENT) return false
    this.#reserve((length >> 1) + 2)
    const start = this.#at + 1
    const ascii = writeAscii(text, this.#bytes, start * 4)
    if (!ascii) writeWide(text, this.#bytes, start * 4)
    const size = ascii ? length : 2 * length
    this.words[this.#at] = (ascii ? ASCII : WIDE) | (size << 4)
    this.#at = start + ((size + 3) >> 2)
    return true
  }

  #object(object: object, depth: number): boolean {
    if (!this.#isNew(object)) return false
    if (Array.isArray(object)) return this.#array(object, depth)
    const prototype = prototypeOf(object)
    if (prototype !== null && !isObjectPrototype(prototype)) return false
    if (types.isProxy(object)) return false
    const keys = Object.keys(object)
    if (isExotic(prototype, object, keys)) return false
    const keySet = keySetOf(keys)
    if (keySet) this.#keySet(keySet)
    else if (!this.#dictionary(keys.length)) return false
    for (const key of keys) {
      if (!keySet && (key === '__proto__' || !this.#text(key))) return false
      const item = (object as Record<string, unknown>)[key]
      if (item === undefined && !Object.hasOwn(object, key)) return false // A getter has removed it.
      if (!this.#value(item, depth + 1)) return false
    }
    return true
  }

  #keySet(keySet: KeySet): void {
    if (keySet.encoder === this) {
      this.words[this.#at++] = SAME_KEYS | (keySet.number << 4)
      return
    }
    const { words: description } = keySet
    this.#reserve(description.length + 1)
    const { words } = this
    words[this.#at++] = OBJECT | (description.length << 4)
    for (let i = 0; i < description.length; i++) words[this.#at++] = description[i]!
    keySet.encoder = this
    keySet.number = this.#keySetCount
    this.#keySets[this.#keySetCount++] = keySet
  }

  #dictionary(count: number): boolean {
    this.words[this.#at++] = DICTIONARY | (count << 4)
    return count <= MAX_ARGUMENT
  }

  #array(items: unknown[], depth: number): boolean {
    if (!hasOnlyItems(items) || items.length > MAX_ARGUMENT) return false
    const { length } = items
    this.words[this.#at++] = ARRAY | (length << 4)
    for (let i = 0; i < length; i++) {
      const item = items[i]
      if (item === undefined && !Object.hasOwn(items, i)) return false // A getter has removed it.
      if (!this.#value(item, depth + 1)) return false
    }
    return true
  }

  #isNew(object: object): boolean {
    const listed = this.#listed
    if (this.#met === undefined) {
      const count = this.#listedCount
      for (let i = 0; i < count; i++) if (listed[i] === object) return false
      if (count < MAX_LISTED) {
        listed[count] = object
        this.#listedCount++
      } else this.#met = new Set(listed as object[]).add(object)
      return true
    }
    const { size } = this.#met
    return this.#met.add(object).size > size
  }
}

/** Whether an array is no proxy, and has neither holes nor named properties. */
export function hasOnlyItems(items: readonly unknown[]): boolean {
  if (types.isProxy(items)) return false
  // Holes and named properties show in the keys, of which the indices come first.
  const keys = Object.keys(items)
  return keys.length === items.length && (keys.length === 0 || keys[keys.length - 1] === String(keys.length - 1))
}

/** Whether an object with a plain object's prototype is one that structured clone refuses: `arguments`, or a module's exports. */
function isExotic(prototype: unknown, object: object, keys: readonly string[]): boolean {
  if (prototype === null) return types.isModuleNamespaceObject(object)
  return (keys.length === 0 || keys[0] === '0') && types.isArgumentsObject(object)
}
