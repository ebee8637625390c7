// Shapes: which keys an object has, in which order. A thread remembers those that it has met, so that the keys of the next object
// of that shape are written as a block of words, and recognized by comparing those, without making a string.
//
// A description: hash of the rest, number of keys, then for each its length in characters and its characters, two to a word.
// Nothing is agreed upon between threads: each message describes its shapes, once.

export interface Shape {
  readonly keys: readonly string[]
  readonly words: Int32Array
  /** An object with these keys, each value in turn taken from `next`. */
  make(next: () => unknown): object
  /** Who has described it in the message that is being encoded, and its number there. A getter may encode another meanwhile. */
  encoder: object | undefined
  local: number
}

const MOST_KEYS = 32
const MOST_SHAPES = 1000
/** As many shapes may begin with the same key. More are a sign that objects are used as dictionaries. */
const MOST_ALIKE = 16
/** A shape that was met so often gets a constructor of its own, which costs 30 µs to compile. */
const OFTEN = 20

const byFirstKey = new Map<string, Shape[]>()
let shapeCount = 0

/** The shape with these keys; `undefined`: none is remembered for them. */
export function shapeOf(keys: readonly string[]): Shape | undefined {
  const alike = byFirstKey.get(keys.length === 0 ? '' : keys[0]!)
  if (alike) for (let i = 0; i < alike.length; i++) if (hasKeys(alike[i]!, keys)) return alike[i]
  return addShape(keys, alike)
}

function hasKeys(shape: Shape, keys: readonly string[]): boolean {
  const own = shape.keys
  if (own.length !== keys.length) return false
  for (let i = 0; i < own.length; i++) if (own[i] !== keys[i]) return false
  return true
}

function addShape(keys: readonly string[], alike: Shape[] = []): Shape | undefined {
  if (keys.length > MOST_KEYS || shapeCount >= MOST_SHAPES || alike.length >= MOST_ALIKE) return undefined
  if (keys.includes('__proto__') || keys.some((key) => key.length > 100)) return undefined
  const words = [0, keys.length]
  for (const key of keys) {
    words.push(key.length)
    for (let i = 0; i < key.length; i += 2) words.push(key.charCodeAt(i) | (key.charCodeAt(i + 1) << 16))
  }
  for (let i = 1; i < words.length; i++) words[0] = Math.imul(words[0]! ^ words[i]!, 0x01000193) ^ (words[0]! >>> 15)
  shapeCount++
  const shape = makeShape([...keys], Int32Array.from(words))
  alike.push(shape)
  byFirstKey.set(keys.length === 0 ? '' : keys[0]!, alike)
  return shape
}

function makeShape(keys: string[], words: Int32Array): Shape {
  let uses = 0
  const shape: Shape = {
    keys,
    words,
    encoder: undefined,
    local: 0,
    make(next) {
      if (++uses === OFTEN) shape.make = compile(keys) ?? shape.make
      const object: Record<string, unknown> = {}
      for (const key of keys) object[key] = next()
      return object
    },
  }
  return shape
}

/** A constructor by an object literal, ten times faster than a loop; `undefined` where code from strings is not allowed. */
function compile(keys: readonly string[]): Shape['make'] | undefined {
  try {
    // oxlint-disable-next-line typescript/no-implied-eval -- of quoted keys only
    return new Function(
      'next',
      `return {${keys.map((key) => `${JSON.stringify(key)}:next()`).join()}}`,
    ) as Shape['make']
  } catch {
    return undefined
  }
}

const byHash = new Map<number, Shape>()

/** The shape that is described there; `undefined`: not met so far. */
export function shapeWith(words: Int32Array, at: number, length: number): Shape | undefined {
  const shape = byHash.get(words[at]!)
  if (!shape || shape.words.length !== length) return undefined
  const own = shape.words
  for (let i = 1; i < length; i++) if (own[i] !== words[at + i]) return undefined
  return shape
}

/** Read the description of a shape, and remember it. */
export function describeShape(words: Int32Array, start: number): Shape {
  const keys: string[] = []
  let at = start + 2
  for (let count = words[start + 1]!; count > 0; count--) {
    const length = words[at++]!
    let key = ''
    for (let i = 0; i < length; i += 2, at++)
      key += String.fromCharCode(words[at]! & 0xffff) + (i + 1 < length ? String.fromCharCode(words[at]! >>> 16) : '')
    keys.push(key)
  }
  const shape = makeShape(keys, words.slice(start, at))
  if (byHash.size >= MOST_SHAPES) byHash.clear()
  byHash.set(words[start]!, shape)
  return shape
}
