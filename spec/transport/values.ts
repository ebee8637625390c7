// Values of every kind that structured clone takes, generated from a seed: nested, shared, cyclic, and at the edges of each type.

export type Random = () => number

/** A generator of numbers from 0 to before 1 (mulberry32). */
export function randomFrom(seed: number): Random {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

const NUMBERS = [0, -0, 1, -1, 2 ** 26, 2 ** 27, -(2 ** 27), 2 ** 28, 2 ** 31 - 1, -(2 ** 31), 2 ** 31, 2 ** 53, 0.1, 1e300, NaN, Infinity, -Infinity, Number.MIN_VALUE] // prettier-ignore
const BIGINTS = [0n, 1n, -1n, 2n ** 63n - 1n, -(2n ** 63n), 2n ** 63n, 2n ** 64n, -(2n ** 200n)]
const TEXTS = ['', 'a', 'key', 'ä', 'ÿ', '€', '😀', '\ud800', 'x\udc00y', '\0', '\u2028', 'twenty characters ok', 'twenty-one characters', 'a'.repeat(300), 'ö'.repeat(99), '__proto__'] // prettier-ignore
const KEYS = ['a', 'b', 'id', 'name', 'ä', '1', '0', '', 'constructor', 'toString', 'length', '$', '😀', '\ud800', 'then', 'a b', '"'] // prettier-ignore
const ARRAYS = [Uint8Array, Int8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array, Float32Array, Float64Array, BigInt64Array, BigUint64Array, DataView] // prettier-ignore
const ERRORS = [Error, TypeError, RangeError, SyntaxError, EvalError, ReferenceError, URIError]

class Point {
  x = 1
  #hidden = 2
  get sum(): number {
    return this.x + this.#hidden
  }
}

/** A sequence of values. */
export class Values {
  readonly #random: Random
  /** Objects of the value that is being made, which may occur in it again. */
  #made: unknown[] = []

  constructor(random: Random) {
    this.#random = random
  }

  next(): unknown {
    this.#made = []
    return this.#value(0)
  }

  #below(n: number): number {
    return Math.floor(this.#random() * n)
  }

  #one<T>(of: readonly T[]): T {
    return of[this.#below(of.length)]!
  }

  #value(depth: number): unknown {
    const kind = this.#below(depth > 4 ? 8 : 20)
    switch (kind) {
      case 0:
        return this.#one(NUMBERS)
      case 1:
        return this.#below(1000) - 500
      case 2:
        return this.#random() * 10 ** this.#below(20)
      case 3:
      case 4:
        return this.#one(TEXTS) + this.#one(TEXTS)
      case 5:
        return this.#one(BIGINTS)
      case 6:
        return this.#one([undefined, null, true, false])
      case 7:
        return this.#made.length > 0 && this.#below(4) === 0 ? this.#one(this.#made) : this.#below(2) === 0
      case 8:
      case 9:
      case 10:
        return this.#object({}, depth)
      case 11:
      case 12:
        return this.#array(depth)
      case 13: {
        const map = this.#keep(new Map())
        for (let n = this.#below(4); n > 0; n--) map.set(this.#value(depth + 1), this.#value(depth + 1))
        return map
      }
      case 14: {
        const set = this.#keep(new Set())
        for (let n = this.#below(4); n > 0; n--) set.add(this.#value(depth + 1))
        return set
      }
      case 15:
        return this.#keep(new Date(this.#one([0, NaN, -1, 1.7e12])))
      case 16:
        return this.#keep(this.#one([/a/g, /[^\n]/u, /(?:)/, /\//i]))
      case 17:
        return this.#bytes()
      case 18:
        return this.#keep(this.#other(depth))
      default:
        return this.#object(this.#below(2) === 0 ? Object.create(null) : new Point(), depth)
    }
  }

  #keep<T>(object: T): T {
    this.#made.push(object)
    return object
  }

  #object(object: Record<string, unknown>, depth: number): unknown {
    this.#keep(object)
    // Mostly few key sets, so that they recur; rarely many keys.
    const count = this.#below(12) === 0 ? this.#below(60) : this.#below(5)
    for (let n = 0; n < count; n++) {
      const key = this.#below(3) > 0 ? KEYS[n % KEYS.length]! : this.#one(KEYS) + this.#below(50)
      object[key] = this.#value(depth + 1)
    }
    if (this.#below(50) === 0) Object.defineProperty(object, '__proto__', { value: 1, enumerable: true })
    if (this.#below(50) === 0) Object.defineProperty(object, 'hidden', { value: () => {}, enumerable: false })
    if (this.#below(50) === 0) Object.defineProperty(object, 'got', { get: () => 'by a getter', enumerable: true })
    return object
  }

  #array(depth: number): unknown {
    const array: unknown[] = this.#keep([])
    for (let n = this.#below(6); n > 0; n--) array.push(this.#value(depth + 1))
    if (this.#below(12) === 0) array[array.length + this.#below(5)] = 'after holes'
    if (this.#below(12) === 0) array.length += 2
    if (this.#below(12) === 0) Object.assign(array, { index: 3, input: 'as a match has it' })
    if (array.length > 1 && this.#below(20) === 0) {
      Reflect.deleteProperty(array, 0)
      Object.assign(array, { extra: 1 }) // As many keys as items.
    }
    if (this.#below(40) === 0) return Array.from({ length: 2000 }, (_, i) => i * (i % 7 === 0 ? 0.5 : 1))
    return array
  }

  #bytes(): unknown {
    const shared = this.#made.filter((made) => made instanceof ArrayBuffer)
    const buffer = shared.length > 0 && this.#below(2) === 0 ? this.#one(shared) : new ArrayBuffer(8 * this.#below(40))
    new Uint8Array(buffer).forEach((_, i, bytes) => (bytes[i] = this.#below(256)))
    if (this.#below(4) === 0) return this.#keep(buffer)
    if (this.#below(6) === 0) return this.#keep(Buffer.from(this.#one(TEXTS)))
    this.#made.push(buffer)
    return this.#keep(new (this.#one(ARRAYS) as new (buffer: ArrayBuffer) => object)(buffer))
  }

  #other(depth: number): unknown {
    switch (this.#below(3)) {
      case 0:
        return Object(this.#one([1, 'text', true, 5n]))
      case 1: {
        // A copy: structuredClone itself throws where a cause leads back to its error.
        const cause: unknown = structuredClone(this.#value(depth + 2))
        return new (this.#one(ERRORS))(this.#one(TEXTS), { cause })
      }
      default:
        return Object.assign(new (class Foo extends Map<unknown, unknown> {})([[1, this.#value(depth + 1)]]), {
          extra: 1,
        })
    }
  }
}
