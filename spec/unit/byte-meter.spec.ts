// What values weigh in bytes, and how many of them there is room for in a chunk.
import { ByteMeter, Room } from '#internals'
import { assert, suite } from '../harness.js'

const test = suite('byte meter')

const weigh = (value: unknown) => new ByteMeter().weigh(value)
const isAbout = (bytes: number, wanted: number) =>
  assert.ok(bytes >= 0.9 * wanted && bytes <= 1.1 * wanted + 100, `${bytes}, not ${wanted}`)

test('counts what strings and buffers hold, at any place, and a word for other values', () => {
  for (const value of [1, undefined, null, true, 1n, Symbol.iterator, () => 1]) assert.is(weigh(value), 8)
  const buffer = new Uint8Array(50_000)
  for (const value of [
    'x'.repeat(50_000),
    buffer,
    buffer.buffer,
    new DataView(buffer.buffer),
    [buffer],
    { deep: [{ buffer }] },
    new Map([[1, buffer]]),
    new Map([[buffer, 1]]),
    new Set([buffer]),
    Object.assign(new Error('no'), { buffer }),
    new Error('x'.repeat(50_000)),
    new Error('no', { cause: buffer }),
    Array.from({ length: 6250 }, (_, n) => n),
    Array.from({ length: 100 }, () => 'x'.repeat(492)),
    Object.fromEntries(Array.from({ length: 100 }, (_, n) => [n, 'x'.repeat(490)])),
  ])
    isAbout(weigh(value), 50_000)
})

test('counts a large object that comes again only once in a chunk, and shared memory not at all', () => {
  const buffer = new Uint8Array(50_000)
  const loop: Record<string, unknown> = { buffer, again: buffer }
  loop.itself = loop
  isAbout(weigh(loop), 50_000)
  const meter = new ByteMeter()
  isAbout(meter.weigh({ buffer }), 50_000)
  isAbout(meter.weigh(buffer), 0)
  meter.beginChunk()
  isAbout(meter.weigh(buffer), 50_000)
  const shared = new SharedArrayBuffer(50_000)
  for (const value of [shared, new Uint8Array(shared), { shared }]) isAbout(weigh(value), 0)
})

test('runs nothing of the caller, and ends soon whatever it is given', () => {
  let calls = 0
  const call = () => ++calls
  const getter = Object.defineProperty({}, 'x', { enumerable: true, get: call })
  const proxy = new Proxy({ x: 1 }, { ownKeys: () => [String(call())], getOwnPropertyDescriptor: () => void call() })
  const revoked = Proxy.revocable<object>({}, {})
  revoked.revoke()
  class Odd extends Map<unknown, unknown> {
    override get size(): number {
      return call()
    }
    override [Symbol.iterator](): never {
      throw new Error(String(call()))
    }
  }
  const sparse: unknown[] = []
  sparse[2 ** 31] = 1
  let nested: unknown = 1
  for (let depth = 0; depth < 1e5; depth++) nested = [nested]
  const wide = Array.from({ length: 1e6 }, () => ({ x: {} }))
  for (const value of [getter, proxy, revoked.proxy, new Odd([[1, 2]]), sparse, nested, wide])
    assert.ok(Number.isFinite(weigh([value])))
  assert.is(calls, 0)
})

test('looks at every string and buffer, and notices objects that become large within a chunk', () => {
  const meter = new ByteMeter()
  for (let n = 0; n < 1000; n++) meter.weigh({ n })
  isAbout(meter.weigh(new Uint8Array(50_000)), 50_000)
  isAbout(meter.weigh('x'.repeat(50_000)), 50_000)
  meter.beginChunk()
  const large = () => ({ data: new Uint8Array(50_000) })
  for (let n = 0; n < 3; n++) isAbout(meter.weigh(large()), 50_000)
})

test('weighs the results of a chunk, all of them where they are large', () => {
  const meter = new ByteMeter()
  assert.is(meter.weighChunk(new Float64Array(100)), 800)
  for (let n = 0; n < 5; n++) isAbout(meter.weighChunk(Array.from({ length: 512 }, () => 'small')), 512 * 13)
  isAbout(meter.weighChunk(Array.from({ length: 512 }, () => 'x'.repeat(5000))), 512 * 5000)
  assert.is(meter.weighChunk([]), 0)
})

test('a room takes one call of any size, and as much again as its limit', () => {
  const room = new Room(new ByteMeter(), 1000)
  const text = 'x'.repeat(392)
  assert.equal(
    [5000, 392, 392, 392].map((length) => room.put(['x'.repeat(length)], 0)),
    [true, true, true, false],
  )
  assert.is(room.bytes, 5008 + 800)
  assert.is(new Room(new ByteMeter(), 1000).putMany([text, text, text, text, text], 1), 3)
  assert.is(new Room(new ByteMeter(), 500).putMany([text, 1, text, 2, text, 3], 2), 4, 'whole calls only')
  assert.is(new Room(new ByteMeter(), Infinity).putMany([text, text, text, text, text], 1), 5)
})

test('a room knows whether it has only numbers', () => {
  const put = (values: unknown[] | Float64Array<ArrayBuffer>) => {
    const room = new Room(new ByteMeter(), 100)
    return [room.putMany(values, 1), room.onlyNumbers]
  }
  assert.equal(put([1, 2, 3]), [3, true])
  assert.equal(put([1, 'a', 3]), [3, false])
  assert.equal(put(new Float64Array(5)), [5, true])
  assert.equal(put(new Float64Array(50)), [13, true])
})

test.run()
