// Key sets: which keys an object has, in which order. A thread remembers those it has met, so that the keys of the next object
// with the same ones are written as a block of words, and recognized by comparing words, without making a string.
//
// A description, in words: hash of the rest; number of keys; for each key its length in UTF-16 units, then the units, two to a word.
// Threads agree on nothing in advance: each message describes every key set it uses, once.

export interface KeySet {
  readonly keys: readonly string[]
  /** The description. */
  readonly words: Int32Array
  /** An object with these keys, each value in turn taken from `next`. */
  make(next: () => unknown): object
  /** The encoder whose current message has described this key set; a getter may start another encoder meanwhile. */
  encoder: object | undefined
  /** Its number in that message. */
  number: number
}

const MAX_KEYS = 32
/** Characters of a key. */
const MAX_KEY_LENGTH = 100
/** Key sets that a thread remembers, those it has written and those it has read each. */
const MAX_KEY_SETS = 1000
/** Key sets with the same first key. More are a sign that objects are used as dictionaries. */
const MAX_SETS_PER_FIRST_KEY = 16
/** Decoded objects after which a key set gets a constructor of its own, which costs 30 µs to compile. */
const COMPILE_AFTER_USES = 20

const byFirstKey = new Map<string, KeySet[]>()
let keySetCount = 0

/** The key set of these keys; `undefined` if it is not one to remember. */
export function keySetOf(keys: readonly string[]): KeySet | undefined {
  const candidates = byFirstKey.get(keys.length === 0 ? '' : keys[0]!)
  if (candidates) for (let i = 0; i < candidates.length; i++) if (hasKeys(candidates[i]!, keys)) return candidates[i]
  return addKeySet(keys, candidates)
}

function hasKeys(keySet: KeySet, keys: readonly string[]): boolean {
  const own = keySet.keys
  if (own.length !== keys.length) return false
  for (let i = 0; i < own.length; i++) if (own[i] !== keys[i]) return false
  return true
}

function addKeySet(keys: readonly string[], sameFirstKey: KeySet[] = []): KeySet | undefined {
  if (keys.length > MAX_KEYS || keySetCount >= MAX_KEY_SETS || sameFirstKey.length >= MAX_SETS_PER_FIRST_KEY)
    return undefined
  if (keys.includes('__proto__') || keys.some((key) => key.length > MAX_KEY_LENGTH)) return undefined
  const words = [0, keys.length]
  for (const key of keys) {
    words.push(key.length)
    for (let i = 0; i < key.length; i += 2) words.push(key.charCodeAt(i) | (key.charCodeAt(i + 1) << 16))
  }
  for (let i = 1; i < words.length; i++) words[0] = Math.imul(words[0]! ^ words[i]!, 0x01000193) ^ (words[0]! >>> 15)
  keySetCount++
  const keySet = makeKeySet([...keys], Int32Array.from(words))
  sameFirstKey.push(keySet)
  byFirstKey.set(keys.length === 0 ? '' : keys[0]!, sameFirstKey)
  return keySet
}

function makeKeySet(keys: string[], words: Int32Array): KeySet {
  let uses = 0
  const keySet: KeySet = {
    keys,
    words,
    encoder: undefined,
    number: 0,
    make(next) {
      if (++uses === COMPILE_AFTER_USES) keySet.make = compileConstructor(keys) ?? keySet.make
      const object: Record<string, unknown> = {}
      for (const key of keys) setOwn(object, key, next())
      return object
    },
  }
  return keySet
}

/** Set a property of a plain object as a literal does, although Object.prototype may have a setter of that name, or be frozen. */
function setOwn(object: Record<string, unknown>, key: string, value: unknown): void {
  if (key in Object.prototype)
    Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true })
  else object[key] = value
}

/** A function around an object literal, ten times faster than the loop; `undefined` where code from strings is forbidden. */
function compileConstructor(keys: readonly string[]): KeySet['make'] | undefined {
  try {
    // oxlint-disable-next-line typescript/no-implied-eval -- of quoted keys only
    return new Function(
      'next',
      `return {${keys.map((key) => `${JSON.stringify(key)}:next()`).join()}}`,
    ) as KeySet['make']
  } catch {
    return undefined
  }
}

const byHash = new Map<number, KeySet>()

/** The key set described by the `length` words at `start`; `undefined` if this thread has not read it before. */
export function knownKeySet(words: Int32Array, start: number, length: number): KeySet | undefined {
  const keySet = byHash.get(words[start]!)
  if (!keySet || keySet.words.length !== length) return undefined
  const own = keySet.words
  for (let i = 1; i < length; i++) if (own[i] !== words[start + i]) return undefined
  return keySet
}

/** Read a description, and remember its key set. */
export function readKeySet(words: Int32Array, start: number): KeySet {
  const keys: string[] = []
  let at = start + 2
  for (let count = words[start + 1]!; count > 0; count--) {
    const length = words[at++]!
    let key = ''
    for (let i = 0; i < length; i += 2, at++)
      key += String.fromCharCode(words[at]! & 0xffff) + (i + 1 < length ? String.fromCharCode(words[at]! >>> 16) : '')
    keys.push(key)
  }
  const keySet = makeKeySet(keys, words.slice(start, at))
  if (byHash.size >= MAX_KEY_SETS) byHash.clear()
  byHash.set(words[start]!, keySet)
  return keySet
}
