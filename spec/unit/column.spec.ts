// How the values of a chunk are packed: what arrives is what structured clone would give, whether it was packed or not.
import {
  anything,
  array,
  assert as check,
  constantFrom,
  double,
  integer,
  nat,
  oneof,
  option,
  property,
  sparseArray,
  tuple,
  type Arbitrary,
} from 'fast-check'
import {
  areNumbers,
  ColumnBuilder,
  ColumnPacker,
  copyNumbers,
  MAX_NUMBERS_PER_CHUNK,
  packNumbers,
  unpackColumn,
} from '#internals'
import { assert, suite } from '../harness.js'
import { assertSame } from '../transport/same.js'

const test = suite('columns')

type Column = unknown[] | Float64Array

/** Fewer numbers are sent as they are. */
const MIN_PACKED = 8

const number = oneof(double(), integer(), constantFrom(0, -0, NaN, Infinity, -Infinity, 2 ** 53, Number.MIN_VALUE))
const numbers = array(number, { maxLength: 40, size: 'max' })
const views = tuple(numbers, nat(3), nat(3)).map(([list, before, after]) => {
  const view = new Float64Array(before + list.length + after).subarray(before, before + list.length)
  view.set(list)
  return view
})
const scalar = oneof(number, constantFrom(undefined, null, true, '', '1', 1n), anything())
const mixed = tuple(numbers, array(scalar, { maxLength: 5 }), numbers).map((parts) => parts.flat(1))
const record = oneof(
  number.map((x) => ({ x, text: `${x}` })),
  numbers.map((list) => ({ list })),
  anything({ withNullPrototype: true, withDate: true, withMap: true, withBigInt: true, withSparseArray: true }),
)
const columns: Arbitrary<Column> = oneof(
  numbers,
  views,
  mixed,
  sparseArray(number, { maxLength: 40 }),
  array(record, { maxLength: 20 }),
  array(option(record), { maxLength: 20 }),
)

/** As plain values, in which holes are told from `undefined` as long as it is no view. */
const plain = (column: Column) => (column instanceof Float64Array ? [...column] : column)

/** Send a column as the executor does: packed if it can be, cloned at once, and unpacked. */
function sent(packer: ColumnPacker, values: Column): Column {
  return unpackColumn(structuredClone(packer.pack(values) ?? values))
}

test('arrive as from structuredClone: numbers, views, mixed values, holes and objects, one after another', () => {
  check(
    property(array(columns, { maxLength: 8 }), (list) => {
      const packer = new ColumnPacker()
      for (const values of list) assertSame(plain(sent(packer, values)), structuredClone(plain(values)))
    }),
    { numRuns: 300 },
  )
})

test('of numbers are packed from eight on, of anything else never, and holes are no numbers', () => {
  check(
    property(columns, (values) => {
      const list = plain(values)
      const all = list.length === Object.keys(list).length && list.every((value) => typeof value === 'number')
      const isPacked = values instanceof Float64Array || (all && list.length >= MIN_PACKED)
      assert.is(areNumbers(values), isPacked)
      const packed = packNumbers(values)
      assert.is(packed instanceof Float64Array, isPacked)
      assert.is(new ColumnPacker().pack(values) instanceof Float64Array, isPacked)
      if (!isPacked || values instanceof Float64Array) assert.is(packed, values)
      else assertSame([...packed], list)
    }),
    { numRuns: 300 },
  )
})

test('of numbers are packed in full where a chunk has the usual size, and again after that', () => {
  for (const length of [
    MAX_NUMBERS_PER_CHUNK - 1,
    MAX_NUMBERS_PER_CHUNK,
    MAX_NUMBERS_PER_CHUNK,
    MAX_NUMBERS_PER_CHUNK + 1,
  ])
    for (const sign of [1, -1]) {
      const values = Array.from({ length }, (_, n) => sign * n)
      assertSame([...sent(new ColumnPacker(), values)], values)
    }
})

test('of objects are packed as words, and are not the objects that were sent', () => {
  const values = Array.from({ length: 10 }, (_, n) => ({ n, text: `${n}`, list: [n] }))
  assert.instance(new ColumnPacker().pack(values), Int32Array)
  const arrived = sent(new ColumnPacker(), values)
  assertSame(arrived, values)
  assert.is.not(arrived[0], values[0])
})

test('that begin with no object are left to structured clone', () => {
  for (const first of [undefined, null, 'text', 1, 1n]) assert.is(new ColumnPacker().pack([first, { a: 1 }]), undefined)
  assert.is(new ColumnPacker().pack([]), undefined)
})

test('are tried less and less often as words where that was in vain, and each time again once it worked', () => {
  const packer = new ColumnPacker()
  let tried = false
  const tree = [{ a: 1 }]
  const noTree = [
    {
      get a() {
        tried = true
        return new Date(0)
      },
    },
  ]
  /** How many columns are left as they are, untried, until the next one is tried. */
  const skipped = () => {
    tried = false
    for (let count = 0; ; count++) {
      assert.is(packer.pack(noTree), undefined)
      if (tried) return count
    }
  }
  const backOff = [1, 3, 7, 15, 31, 63, 64, 64]
  assert.is(skipped(), 0)
  assert.equal(backOff.map(skipped), backOff)
  while (!packer.pack(tree));
  assert.instance(packer.pack(tree), Int32Array)
  assert.is(skipped(), 0)
  assert.equal(backOff.map(skipped), backOff)
})

test('are built of any values, packed as long as all are numbers', () => {
  const lengths = tuple(oneof(numbers, mixed, array(record, { maxLength: 12 })), nat(3))
  check(
    property(lengths, ([values, spare]) => {
      const builder = new ColumnBuilder(values.length + spare)
      for (const [n, value] of values.entries()) {
        assert.is(builder.length, n)
        builder.push(value)
      }
      const column = builder.finish()
      const isPacked = values.length + spare >= MIN_PACKED && values.every((value) => typeof value === 'number')
      assert.is(column instanceof Float64Array, isPacked)
      assert.is(column.length, values.length)
      for (const [n, value] of values.entries()) assert.ok(Object.is(column[n], value), `value ${n}`)
      // What is sent of it is the values, and no memory behind them.
      if (column instanceof Float64Array) assert.is(column.buffer.byteLength, 8 * values.length)
    }),
    { numRuns: 300 },
  )
})

test('are copied into a list from a place on, and the rest of the list stays', () => {
  check(
    property(views, nat(50), nat(10), (view, from, at) => {
      const list: unknown[] = Array.from({ length: 20 }, (_, n) => `old ${n}`)
      const expected = [...list]
      for (const [n, value] of [...view].slice(from).entries()) expected[at + n] = value
      copyNumbers(list, at, view, from)
      assertSame(list, expected)
    }),
  )
})

test.run()
