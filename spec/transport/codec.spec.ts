import { decode, encode, keepAll } from '#internals'
import { assert, suite } from '../harness.js'
import { assertSame } from './same.js'
import { throughCodec } from './through-codec.js'

const test = suite('the codec')

/** Numbers, texts and trees are encoded as words; bytes are of typed arrays, or V8's. */
const isWords = (value: unknown) => encode(value).bytes === undefined

const nested = (depth: number): unknown => (depth === 0 ? 1 : [nested(depth - 1)])

test('trees of plain objects and arrays are encoded as words', () => {
  const manyKeys = Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`key ${i}`, undefined]))
  for (const value of [
    [1, -0, 2 ** 27, 2 ** 31, 'ä', 'a', 5n, undefined, null, true],
    { a: { b: [] } },
    Object.assign(Object.create(null), { a: 1 }),
    manyKeys,
    nested(200),
  ]) {
    assert.ok(isWords(value))
    assertSame(throughCodec(value), structuredClone(value))
  }
})

test('values that are no such tree are left to V8', () => {
  const twice = {}
  const cycle: unknown[] = []
  cycle.push(cycle)
  for (const value of [
    [twice, twice],
    cycle,
    [new Date(0)],
    [new Uint8Array(1)],
    [2n ** 63n],
    Array(3),
    Object.assign([1], { named: 2 }),
    nested(201),
    JSON.parse('{"__proto__": 1}'),
    new (class Point {
      x = 1
    })(),
  ] as unknown[]) {
    assert.not.ok(isWords(value))
    assertSame(throughCodec(value), structuredClone(value))
  }
})

// V8 calls the getters again, so these leave the value alike however often they are called.
test('a value whose getter removes what comes after it arrives as structuredClone gives it', () => {
  const object: Record<string, unknown> = { get a() { return delete object.b }, b: 1, c: 2 } // prettier-ignore
  const array: unknown[] = [{ get a() { return (array.length = 2) } }, 1, 2, undefined, 3] // prettier-ignore
  const list: unknown[] = [1, undefined, 3]
  // More keys than a key set has.
  const many: Record<string, unknown> = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`k${i}`, undefined]))
  const others = [{ get a() { return [delete many.k7, (list.length = 2)] } }, list, many] // prettier-ignore
  const again: Record<string, unknown> = { get a() { delete again.b; return (again.b = 2) }, b: 1 } // prettier-ignore
  for (const value of [object, array, others, again]) assertSame(throughCodec(value), structuredClone(value))
})

test('a getter of a tree is called once', () => {
  let calls = 0
  const value = { get n() { return ++calls }, missing: undefined } // prettier-ignore
  assertSame(throughCodec(value), { n: 1, missing: undefined })
  assert.is(calls, 1)
})

test('an object is received with its keys in order, before and after its key set is compiled', () => {
  for (let n = 0; n < 40; n++) assertSame(throughCodec({ z: n, a: 'x', 1: n }), { 1: n, z: n, a: 'x' })
})

test('what Object.prototype has does not show in what is received', () => {
  let calls = 0
  const inherited: PropertyDescriptorMap = {
    withSetter: { set: () => void calls++, configurable: true },
    readOnly: { value: 1, writable: false, configurable: true },
  }
  const value = { withSetter: 2, readOnly: 3 }
  const { prototype } = Object
  Object.defineProperties(prototype, inherited)
  try {
    for (let n = 0; n < 40; n++) assertSame(throughCodec(value), value)
  } finally {
    for (const key of Object.keys(inherited)) Reflect.deleteProperty(prototype, key)
  }
  assert.is(calls, 0)
})

test('the frames of many values, short and long, are kept side by side', () => {
  const kinds = [
    (n: number) => n,
    (n: number) => `${n}`,
    (n: number) => ({ n, list: Array.from({ length: n % 40 }, (_, i) => i * n) }),
    (n: number) => 'x'.repeat(n % 7 === 0 ? 5000 + n : n % 300),
    (n: number) => new Uint8Array([n, n >> 8]),
    (n: number) => new Date(n),
    () => '',
  ]
  const values = Array.from({ length: 5000 }, (_, n) => kinds[n % kinds.length]!(n))
  for (const [n, { tag, length, words, from, bytes }] of keepAll(values, (value) => encode(value)).entries()) {
    const inbox = bytes ? new Int32Array(new Uint8Array([...bytes, ...new Uint8Array(4 - (length % 4))]).buffer) : words.slice(from) // prettier-ignore
    assertSame(decode(tag, length, inbox, undefined), structuredClone(values[n]))
  }
})

test.run()
