import {
  Array as SharedArray,
  Lock,
  Process,
  ProcessPoolExecutor,
  RLock,
  Struct,
  StructArray,
  Value,
  type ManyhandsError,
} from 'manyhands'
import { assert, suite, thrownBy } from '../harness.js'
import { addMany, addManyBig, casMany, release, incrementLocked, sameTwice } from './shared.tasks.js'

const test = suite('Value')

const INTEGERS = { b: 8, B: 8, h: 16, H: 16, i: 32, I: 32 } as const
const NAMES = {
  int8: 'b',
  uint8: 'B',
  int16: 'h',
  uint16: 'H',
  int32: 'i',
  uint32: 'I',
  int64: 'q',
  uint64: 'Q',
} as const

test('a Value is zero, false or the character of code 0 unless told otherwise', () => {
  for (const code of 'bBhHiIfd') assert.is(new Value(code as 'i').value, 0)
  for (const code of 'lLqQ') assert.is(new Value(code as 'q').value, 0n)
  assert.is(new Value('?').value, false)
  assert.is(new Value('c').value, '\0')
})

test('a Value wraps integers at the width of its code', () => {
  for (const [code, bits] of Object.entries(INTEGERS)) {
    const signed = code === code.toLowerCase()
    const most = signed ? 2 ** (bits - 1) - 1 : 2 ** bits - 1
    const value = new Value(code as 'i', most)
    assert.is(value.add(1), most, code)
    assert.is(value.value, signed ? -(2 ** (bits - 1)) : 0, code)
    value.value = 2 ** bits + 3
    assert.is(value.value, 3, code)
  }
  for (const code of ['q', 'l', 'int64'] as const) {
    const value = new Value(code, 2n ** 63n - 1n)
    value.add(1n)
    assert.is(value.value, -(2n ** 63n))
  }
  for (const code of ['Q', 'L', 'uint64'] as const) {
    const value = new Value(code, 0n)
    assert.is(value.sub(1n), 0n)
    assert.is(value.value, 2n ** 64n - 1n)
  }
})

test('a Value takes its type by letter or by name', () => {
  for (const [name, letter] of Object.entries(NAMES))
    assert.is(new Value(name as 'int8').getObj().value, new Value(letter as 'b').value)
  assert.is(new Value('float32', 0.1).value, Math.fround(0.1))
  assert.is(new Value('float64', 0.1).value, 0.1)
  assert.is(new Value('char', 'x').value, 'x')
  assert.is(new Value('bool', true).value, true)
})

test('a Value returns the previous value from every operation', () => {
  const value = new Value('i', 12)
  assert.is(value.add(3), 12)
  assert.is(value.sub(5), 15)
  assert.is(value.and(6), 10)
  assert.is(value.or(5), 2)
  assert.is(value.xor(1), 7)
  assert.is(value.exchange(40), 6)
  assert.is(value.compareExchange(1, 2), 40)
  assert.is(value.value, 40)
  assert.is(value.compareExchange(40, 41), 40)
  assert.is(value.value, 41)
})

test('a Value adds and exchanges floats', () => {
  for (const code of ['d', 'f'] as const) {
    const value = new Value(code, 1.5)
    assert.is(value.add(0.25), 1.5)
    assert.is(value.sub(2), 1.75)
    assert.is(value.exchange(-0), -0.25)
    assert.is(value.compareExchange(0, 7), -0)
    assert.is(value.value, 7)
    value.value = NaN
    assert.ok(Number.isNaN(value.compareExchange(NaN, 8)))
    assert.is(value.value, 8)
    value.value = Infinity
    assert.is(value.value, Infinity)
  }
  const single = new Value('f', 0.1)
  assert.is(single.compareExchange(0.1, 1), Math.fround(0.1))
  assert.is(single.value, 1)
})

test('a Value has the bitwise operations for booleans, and none for floats and characters', async () => {
  const flag = new Value('?', true)
  assert.is(flag.and(false), true)
  assert.is(flag.or(true), false)
  assert.is(flag.xor(true), true)
  assert.is(flag.value, false)
  assert.instance(await thrownBy(() => flag.add(true)), TypeError)
  assert.match((await thrownBy(() => new Value('d', 1).and(1))).message, 'no and for floats')
  assert.match((await thrownBy(() => new Value('c', 'x').xor('y'))).message, 'no xor for characters')
})

test('a Value refuses what is not of its type, names it, and keeps its value', async () => {
  const bad: [code: string, value: unknown, named: string][] = [
    ['i', 1.5, '1.5'],
    ['B', NaN, 'NaN'],
    ['i', '1', "'1'"],
    ['i', 1n, '1n'],
    ['q', 1, '1'],
    ['d', '1', "'1'"],
    ['?', 1, '1'],
    ['c', 'xy', "'xy'"],
    ['c', '', "''"],
  ]
  for (const [code, wrong, named] of bad) {
    const value: any = new Value(code as 'i')
    const before = value.value
    for (const use of [
      () => (value.value = wrong),
      () => value.exchange(wrong),
      () => value.compareExchange(before, wrong),
      () => value.compareExchange(wrong, before),
      () => new Value(code as 'i', wrong as number),
    ]) {
      const error = await thrownBy(use)
      assert.instance(error, TypeError)
      assert.ok(error.message.startsWith(named), error.message)
    }
    assert.is(value.value, before)
  }
})

test('a Value refuses an unknown type code and names the known ones', async () => {
  for (const code of ['x', '', 'toString', undefined, 1]) {
    const error = await thrownBy(() => new Value(code as 'i'))
    assert.instance(error, TypeError)
    assert.match(error.message, 'int8')
  }
})

test('a Value has a re-entrant lock, none, or the one that it is given', async () => {
  const value = new Value('i')
  const lock = value.getLock()
  assert.instance(lock, RLock)
  assert.is(lock.acquireSync(), true)
  assert.is(lock.acquireSync(), true)
  lock.release()
  lock.release()
  const shared = new Lock()
  assert.is(new Value('i', 0, { lock: shared }).getLock(), shared)
  for (const bare of [new Value('i', 0, { lock: false }), value.getObj()]) {
    const error: ManyhandsError = await thrownBy(() => bare.getLock())
    assert.is(error.code, 'ERR_MANYHANDS_LOCK')
  }
  assert.instance(await thrownBy(() => new Value('i', 0, { lock: 'yes' as never })), TypeError)
})

test('an unknown option of a Value, an Array, a Struct or a StructArray is a TypeError that names it', async () => {
  const bad = { locked: true } as object
  for (const make of [
    () => new Value('i', 0, bad),
    () => new SharedArray('i', 1, bad),
    () => new Struct({ x: 'd' }, {}, bad),
    () => new StructArray({ x: 'd' }, 1, bad),
  ]) {
    const error = await thrownBy(make)
    assert.instance(error, TypeError)
    assert.match(error.message, 'locked')
  }
})

test('a Value shares its memory with getObj', () => {
  const value = new Value('i', 1)
  value.getObj().add(1)
  assert.is(value.value, 2)
})

test('a Value loses no addition of several threads, integers, bigints and floats', async () => {
  const TIMES = 20_000
  const [integer, float, big, cas] = [new Value('i'), new Value('d'), new Value('q'), new Value('d')]
  const processes = [1, 2, 3].flatMap(() => [
    new Process({ target: addMany, args: [integer, 1, TIMES] }),
    new Process({ target: addMany, args: [float, 0.5, TIMES] }),
    new Process({ target: addManyBig, args: [big, TIMES] }),
    new Process({ target: casMany, args: [cas, TIMES] }),
  ])
  for (const process of processes) process.start()
  await Promise.all(processes.map((process) => process.join()))
  assert.equal(
    [integer.value, float.value, big.value, cas.value],
    [3 * TIMES, 1.5 * TIMES, BigInt(3 * TIMES), 3 * TIMES],
  )
})

test('a Value loses no increment under its lock', async () => {
  const value = new Value('i')
  const processes = [1, 2, 3].map(() => new Process({ target: incrementLocked, args: [value, 5000] }).start())
  await Promise.all(processes.map((process) => process.join()))
  assert.is(value.value, 15_000)
})

test('a Value arrives as one object however often it is sent, and comes back as itself', async () => {
  await using executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  const value = new Value('i', 5)
  assert.equal(await executor.submit(sameTwice, value, { deep: new Map([['x', [value]]]) }), [true, true, 5])
  assert.is(await executor.submit(release, value), value)
})

test.run()
