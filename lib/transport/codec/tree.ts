// Trees of plain objects and arrays, with numbers, strings and other primitives as leaves, as a row of 32-bit words. What is no
// such tree (a cycle, an object that occurs twice, a hole, a class) is not encoded: it is V8's affair.
//
// word: tag | argument << 4, then by tag:
//   SPECIAL   argument: which one                    SMALL   argument: the integer
//   INTEGER   the integer                            DOUBLE  two words
//   BIGINT    two words                              ASCII, WIDE  argument: length in bytes; the bytes, padded to a word
//   ARRAY     argument: length; the items            LOOSE   argument: how many; key, value, key, value …
//   OBJECT    argument: words of the shape; those; the values      AGAIN   argument: which shape of this message; the values
//   GONE      what was there when its object was begun, and was removed by a getter: no such key, or a hole
import { types } from 'node:util'
import { describeShape, shapeOf, shapeWith, type Shape } from './key-sets.js'
import { decodeAscii, decodeWide, writeAscii, writeWide } from './text.js'

const SPECIAL = 0
const SMALL = 1
const INTEGER = 2
const DOUBLE = 3
const BIGINT = 4
const ASCII = 5
const WIDE = 6
const ARRAY = 7
const LOOSE = 8
const OBJECT = 9
const AGAIN = 10
const GONE = 11

const SPECIALS = [undefined, null, true, false] as const
const [, NULL, TRUE, FALSE] = SPECIALS.map((_, index) => SPECIAL | (index << 4)) as [number, number, number, number]

/** What an argument holds. */
const MOST = 2 ** 27 - 1
const DEEPEST = 200
const FEW = 16

const double = new Float64Array(1)
const bigint = new BigInt64Array(double.buffer)
const halves = new Int32Array(double.buffer)

export class TreeEncoder {
  words: Int32Array = new Int32Array(1024)
  #bytes: Buffer = Buffer.from(this.words.buffer as ArrayBuffer)
  #at = 0
  /** Objects met so far: the first few in a list, the others in a set. */
  readonly #few: object[] = []
  #many: Set<object> | undefined
  readonly #shapes: Shape[] = []

  /** In bytes. */
  get length(): number {
    return this.#at * 4
  }

  /** Whether it has grown so much that it should not be kept. */
  get isLarge(): boolean {
    return this.words.length > 2 ** 18
  }

  /** Encode into `words`. Whether it could: otherwise what is there means nothing. */
  encode(value: unknown): boolean {
    this.#at = 0
    try {
      return this.#value(value, 0)
    } finally {
      this.#end()
    }
  }

  /**
   * As `encode`, for an array of trees that have nothing to do with one another: what occurs in two of them, is written twice.
   * @param most bytes, about: longer ones are not encoded
   */
  encodeApart(trees: readonly unknown[], most: number): boolean {
    this.#at = 0
    try {
      this.words[this.#at++] = ARRAY | (trees.length << 4)
      for (const tree of trees) {
        if (!this.#value(tree, 1) || this.length > most) return false
        this.#forget()
      }
      return true
    } finally {
      this.#end()
    }
  }

  /** Even when a getter has thrown. */
  #end(): void {
    this.#forget()
    for (const shape of this.#shapes) if (shape.encoder === this) shape.encoder = undefined
    this.#shapes.length = 0
  }

  #forget(): void {
    this.#few.length = 0
    this.#many = undefined
  }

  /** A string alone, without a tag. Whether it is ASCII. */
  encodeText(text: string): boolean {
    this.#at = 0
    this.#reserve(text.length + 4)
    if (writeAscii(text, this.#bytes, 0)) return true
    writeWide(text, this.#bytes, 0)
    return false
  }

  /** Make room for so many words. */
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
        return depth < DEEPEST && this.#object(value, depth)
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
    if (2 * length > MOST) return false
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
    const prototype: unknown = Object.getPrototypeOf(object)
    if (prototype !== Object.prototype && prototype !== null) return false
    if (types.isProxy(object)) return false
    const keys = Object.keys(object)
    if (isExotic(prototype, object, keys)) return false
    const shape = shapeOf(keys)
    if (shape) this.#shape(shape)
    else if (!this.#loose(keys.length)) return false
    for (const key of keys) {
      if (!shape && (key === '__proto__' || !this.#text(key))) return false
      const item = (object as Record<string, unknown>)[key]
      if (item === undefined && !Object.hasOwn(object, key)) this.#gone()
      else if (!this.#value(item, depth + 1)) return false
    }
    return true
  }

  /** Only a getter can have removed it: nobody else runs meanwhile. */
  #gone(): void {
    this.#reserve(1)
    this.words[this.#at++] = GONE
  }

  #shape(shape: Shape): void {
    if (shape.encoder === this) {
      this.words[this.#at++] = AGAIN | (shape.local << 4)
      return
    }
    const { words: description } = shape
    this.#reserve(description.length + 1)
    const { words } = this
    words[this.#at++] = OBJECT | (description.length << 4)
    for (let i = 0; i < description.length; i++) words[this.#at++] = description[i]!
    shape.encoder = this
    shape.local = this.#shapes.length
    this.#shapes.push(shape)
  }

  #loose(count: number): boolean {
    this.words[this.#at++] = LOOSE | (count << 4)
    return count <= MOST
  }

  #array(items: unknown[], depth: number): boolean {
    const { length } = items
    // Holes and properties beside the items show in the keys, of which the indices come first.
    const keys = Object.keys(items)
    if (keys.length !== length || (length > 0 && keys[length - 1] !== String(length - 1))) return false
    if (length > MOST || types.isProxy(items)) return false
    this.words[this.#at++] = ARRAY | (length << 4)
    for (let i = 0; i < length; i++) {
      const item = items[i]
      if (item === undefined && !Object.hasOwn(items, i)) this.#gone()
      else if (!this.#value(item, depth + 1)) return false
    }
    return true
  }

  #isNew(object: object): boolean {
    const few = this.#few
    if (this.#many === undefined) {
      for (let i = 0; i < few.length; i++) if (few[i] === object) return false
      if (few.length < FEW) few.push(object)
      else this.#many = new Set(few).add(object)
      return true
    }
    const { size } = this.#many
    return this.#many.add(object).size > size
  }
}

/** Whether an object with a plain one's prototype is of a kind that structured clone refuses: `arguments`, or a module's exports. */
function isExotic(prototype: unknown, object: object, keys: readonly string[]): boolean {
  if (prototype === null) return types.isModuleNamespaceObject(object)
  return (keys.length === 0 || keys[0] === '0') && types.isArgumentsObject(object)
}

// Of the tree that is decoded just now. Decoding runs nobody's code.
let words: Int32Array = new Int32Array(0)
let at = 0
const shapes: Shape[] = []
let someGone = false

/** Stands for what is gone until the tree is whole. */
const nothing = Symbol('gone')

export function decodeTree(encoded: Int32Array): unknown {
  words = encoded
  at = 0
  shapes.length = 0
  someGone = false
  const root = next()
  if (someGone) removeGone(root)
  return root
}

function removeGone(tree: unknown): void {
  if (typeof tree !== 'object' || tree === null) return
  for (const key of Object.keys(tree)) {
    const item: unknown = Reflect.get(tree, key)
    if (item === nothing) Reflect.deleteProperty(tree, key)
    else removeGone(item)
  }
}

function next(): unknown {
  const word = words[at++]!
  const argument = word >>> 4
  switch (word & 15) {
    case SPECIAL:
      return SPECIALS[argument]
    case SMALL:
      return word >> 4
    case INTEGER:
      return words[at++]
    case DOUBLE:
      pair()
      return double[0]
    case BIGINT:
      pair()
      return bigint[0]
    case ASCII: {
      const start = at * 4
      at += (argument + 3) >> 2
      return decodeAscii(words, start, argument)
    }
    case WIDE: {
      const start = at * 4
      at += (argument + 3) >> 2
      return decodeWide(words, start, argument)
    }
    case ARRAY: {
      const items: unknown[] = []
      for (let i = 0; i < argument; i++) items.push(next())
      return items
    }
    case LOOSE: {
      const object: Record<string, unknown> = {}
      for (let i = 0; i < argument; i++) object[next() as string] = next()
      return object
    }
    case OBJECT: {
      const shape = shapeWith(words, at, argument) ?? describeShape(words, at)
      at += argument
      shapes.push(shape)
      return shape.make(next)
    }
    case GONE:
      someGone = true
      return nothing
    default:
      return shapes[argument]!.make(next)
  }
}

function pair(): void {
  halves[0] = words[at++]!
  halves[1] = words[at++]!
}
