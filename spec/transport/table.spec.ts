// Lists of objects that are alike go as tables, and arrive as structuredClone gives them; whatever a table cannot hold goes another way.
import {
  anything,
  array,
  assert as check,
  boolean,
  constantFrom,
  dictionary,
  double,
  integer,
  letrec,
  nat,
  oneof,
  option,
  property,
  string,
  tuple,
  type Arbitrary,
} from 'fast-check'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deserialize, serialize } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { ColumnPacker, MetObjects, unpackColumn } from '#internals'
import { assert, runProgram, suite } from '../harness.js'
import { assertSame } from './same.js'
import { randomFrom, Values } from './values.js'

const test = suite('tables')

const seed = Date.now() % 2 ** 31
console.log(`\n# seed ${seed}`)

type Form = 'table' | 'tree' | 'as they are'

/** Send values as an executor does. @returns how they went, and what arrived */
function sent(values: unknown[], packer = new ColumnPacker()): { form: Form; arrived: unknown } {
  const packed = packer.pack(values)
  const form = packed === undefined ? 'as they are' : 'schema' in packed ? 'table' : 'tree'
  return { form, arrived: unpackColumn(structuredClone(packed ?? values)) }
}

/** Check that values arrive as from structuredClone. @returns how they went */
function arrive(values: unknown[], packer?: ColumnPacker): Form {
  const { form, arrived } = sent(values, packer)
  assertSame(arrived, structuredClone(values))
  return form
}

/** A packer that sends the next objects like these as a table, by the code that it has. */
function packerFor(make: (n: number) => unknown): ColumnPacker {
  const packer = new ColumnPacker()
  // The one after a new kind goes as a tree.
  for (const form of ['table', 'tree', 'table']) assert.is(arrive(rows(make), packer), form)
  return packer
}

/** Enough of them for a table. */
const rows = <T>(make: (n: number) => T, count = 40): T[] => Array.from({ length: count }, (_, n) => make(n))

const alike: Record<string, (n: number) => object> = {
  flat: (n) => ({ id: n, name: `item ${n}` }),
  nested: (n) => ({ at: { x: n / 2, y: { z: -n } }, user: { name: `u${n}`, isNew: n % 2 === 0 } }),
  lists: (n) => ({ n, list: rows((i) => i * n, n), names: rows((i) => `${i}`, n % 11), pairs: rows((i) => [i, `${n}`], n % 3) }), // prettier-ignore
  'empty lists': (n) => ({ n, list: [] }),
  'lists as rows': (n) => [n, `${n}`, n % 2 === 0],
  'null and undefined': (n) => ({ a: n % 3 ? n : null, b: n % 2 ? undefined : `${n}`, c: null, d: undefined }),
  'missing fields': (n) => ({ n, ...(n % 2 && { a: 1 }), ...(n % 3 && { b: 'b' }) }),
  'mixed kinds': (n) => ({ value: [n, `${n}`, true, null, { n }, [n]][n % 6] }),
  'fields in another order': (n) => (n % 2 ? { a: 1, b: n } : { b: n, a: 1 }),
  'the same contents': () => ({ ok: true, list: [], nested: {} }),
  'no fields': () => ({}),
  numbers: (n) => ({
    n: [0, -0, NaN, Infinity, -Infinity, 2 ** 31 - 1, -(2 ** 31), 2 ** 31, 2 ** 53, 0.1, 1e300][n % 11],
  }),
  'texts of every length': (n) => ({ text: 'x'.repeat([0, 1, 2, 12, 13, 511, 512, 513, 4095, 4096, 4097, 9000][n % 12]!) + n, next: '' }), // prettier-ignore
  'texts of every kind': (n) => ({
    a: ['', 'a', 'ä', 'ÿ', '€', '😀', '\ud800', '\udc00', '\0', '\u2028'][n % 10],
    b: `${n}`,
  }),
  'texts that end a block of joined ones': (n) => ({ a: 'x'.repeat(512), b: n % 8 === 7 ? 'y' : '', c: '' }),
  'large lists': (n) => ({ list: rows((i) => i, 90 + n), halves: rows((i) => i / 2, 60), last: n }),
  'fields that read like code': (n) => ({ '"]=1//': n, "'": n, '`${': n, '\n': n, '\u2028': n, '\\': n, '*/': n, '\ud800': n, '': n }), // prettier-ignore
  'fields called as methods are': (n) => ({
    constructor: n,
    toString: n,
    valueOf: `${n}`,
    hasOwnProperty: n,
    length: n,
  }),
  'without a prototype': (n) => Object.assign(Object.create(null) as object, { n }),
  'with what is not copied': (n) => Object.defineProperty({ n, [Symbol('s')]: n }, 'hidden', { value: () => {} }),
}

for (const [what, make] of Object.entries(alike))
  test(`objects that are alike go as a table, and arrive as they were: ${what}`, () => {
    const packer = packerFor(make)
    for (let times = 0; times < 8; times++) assert.is(arrive(rows(make), packer), 'table')
  })

test('objects of 64 fields go as a table, and those of more another way', () => {
  const wide = (count: number) => (n: number) => Object.fromEntries(rows((i) => [`field ${i}`, i * n], count))
  assert.is(arrive(rows(wide(64))), 'table')
  for (const count of [65, 2000]) assert.is(arrive(rows(wide(count))), 'tree')
})

class Point {
  x = 1
}

const others: Record<string, (n: number) => unknown> = {
  'another kind of number': (n) => [-0, 0.5, NaN, 2 ** 31, -(2 ** 31) - 1][n % 5],
  'another kind of value': (n) => ['text', true, null, undefined, { a: 1 }, [1]][n % 6],
  'an instance of a class': () => new Point(),
  'a Date': () => new Date(0),
  'a Map': () => new Map([[1, 2]]),
  'a bigint': () => 1n,
  'a typed array': () => new Uint8Array(2),
  'a hole': () => Array(2),
  'a hole and a named property': () => Object.assign([, 1], { named: 1 }), // oxlint-disable-line no-sparse-arrays
  'a list with named properties': () => Object.assign([1], { index: 3 }),
  'a match': () => /a/.exec('a'),
  'a class of lists': () => new (class extends Array<number> {})(1, 2),
  'an empty list made plain': () => Object.setPrototypeOf([], Object.prototype) as object,
  'a list made plain': () => Object.setPrototypeOf([1, 2], Object.prototype) as object,
  'a field called __proto__': () => JSON.parse('{"__proto__": {"a": 1}, "b": 2}') as object,
  'indices as fields': (n) => ({ 2: n, 1: n, a: n }),
  'a getter': (n) => ({
    get n() {
      return n
    },
  }),
  'a getter that removes what comes after it': () => {
    const object = { get a() { return delete (object as { b?: number }).b }, b: undefined } // prettier-ignore
    return object
  },
  'a key inherited': () => Object.create({ inherited: 1 }) as object,
}

for (const [what, make] of Object.entries(others))
  test(`objects arrive as from structuredClone where there is ${what}, in all, in some, and in the last one`, () => {
    for (const isThere of [() => true, (n: number) => n % 5 === 2, (n: number) => n === 39])
      for (const list of placed(make, isThere)) arrive(list)
    const plain = placed(
      (n) => n,
      () => false,
    )
    for (let n = 0; n < 7; n++)
      for (const [kind, list] of placed(
        () => make(n),
        (at) => at === 39,
      ).entries())
        arrive(
          list,
          packerFor((at) => plain[kind]![at]),
        )
  })

/** Lists of objects with odd values in several places. */
function placed(make: (n: number) => unknown, isThere: (n: number) => boolean): unknown[][] {
  return [
    rows((n) => ({ n, value: isThere(n) ? make(n) : n })),
    rows((n) => (n > 0 && isThere(n) ? make(n) : { n })),
    rows((n) => ({ list: [n, isThere(n) ? make(n) : n] })),
    rows((n) => ({ value: isThere(n) ? make(n) : { x: n } })),
    rows((n) => ({ value: isThere(n) ? make(n) : [n] })),
    rows((n) => ({ value: isThere(n) ? make(n) : {} })),
    rows((n) => ({ value: isThere(n) ? make(n) : n % 2 ? {} : { x: n } })),
  ]
}

test('what structuredClone refuses is left to it: proxies, functions, symbols, arguments', () => {
  const trapped = () => assert.unreachable('a trap was called')
  const proxies = [new Proxy({ n: 1 }, { get: trapped }), new Proxy([1], { get: trapped })]
  const argumentsOf = function () { return arguments } as (...args: unknown[]) => unknown // prettier-ignore
  const refused = [...proxies, () => 1, Symbol('s'), argumentsOf(), argumentsOf(1)] // prettier-ignore
  for (const value of refused)
    for (const at of [1, 39]) {
      const lists = placed(
        () => value,
        (n) => n === at,
      )
      const plain = placed(
        (n) => n,
        () => false,
      )
      for (const [kind, list] of lists.entries()) {
        assert.is(packerFor((n) => plain[kind]![n]).pack(list), undefined)
        assert.throws(() => structuredClone(list))
      }
    }
})

test('arguments are left to structuredClone among objects with indices as keys, too', () => {
  const argumentsOf = function () { return arguments } as (...args: unknown[]) => unknown // prettier-ignore
  const packer = new ColumnPacker()
  for (let times = 0; times < 3; times++) arrive(rows((n) => ({ 0: n })), packer) // prettier-ignore
  assert.is(packer.pack(rows((n) => (n === 39 ? argumentsOf(n) : { 0: n }))), undefined)
})

const shared = { x: 1 }
const sharedList = [1, 2]
const sharings: Record<string, (n: number) => unknown> = {
  'in all rows': (n) => ({ n, shared }),
  'in the first and the last row': (n) => ({ n, other: n % 39 ? { x: 1 } : shared }),
  'as a row and in another': (n) => (n === 20 ? shared : { x: n === 30 ? shared : 1 }),
  'as two rows': (n) => (n % 13 === 7 ? shared : { x: n }),
  'twice in one row': (n) => ({ n, a: n === 39 ? shared : { x: 1 }, b: { c: n === 39 ? shared : { x: 1 } } }),
  'as a list in two rows': (n) => ({ list: n % 20 === 3 ? sharedList : [1, 2] }),
  'as items of one list': (n) => ({ list: [{ x: 1 }, n === 30 ? shared : { x: 1 }, n === 30 ? shared : { x: 1 }] }),
  'in a cycle': (n) => {
    const object: Record<string, unknown> = { n, child: null }
    if (n === 17) object.child = object
    return object
  },
  'in a longer cycle': (n) => {
    const object = { n, child: { n, parent: null as unknown } }
    if (n === 17) object.child.parent = object
    return object
  },
}

for (const [where, make] of Object.entries(sharings))
  test(`an object that occurs twice arrives as one: ${where}`, () => {
    assert.is(arrive(rows(make)), 'as they are')
  })

test('an object that occurs twice among thousands with the same contents arrives as one', () => {
  for (const [first, second] of [
    [0, 4999],
    [4000, 4001],
    [10, 3000],
  ]) {
    // prettier-ignore
    assert.is(arrive(rows((n) => (n === first || n === second ? shared : { x: 1 }), 5000)), 'as they are')
    assert.is(arrive(rows((n) => ({ n, o: n === first || n === second ? shared : { x: 1 } }), 5000)), 'as they are')
  }
  assert.is(arrive(rows(() => ({ x: 1 }), 5000)), 'table')
})

test('an object is met once, also where the hashes are alike, and again once all are forgotten', () => {
  const random = randomFrom(seed)
  const met = new MetObjects()
  for (const [count, hashes] of [
    [10, 1e9],
    [40, 1],
    [3000, 3],
    [9000, 1e9],
    [70_000, 50_000],
    [2000, 10],
  ] as const) {
    // prettier-ignore
    const objects = rows((n) => ({ n, hash: Math.floor(random() * hashes) }), count)
    const expected = new Set<object>()
    for (let n = 0; n < 2 * count; n++) {
      const object = objects[Math.floor(random() * count)]!
      assert.is(met.add(object, object.hash), !expected.has(object))
      expected.add(object)
    }
    met.forget()
  }
})

test('what a getter does meanwhile shows as structuredClone would show it', () => {
  assert.is(arrive(rows(others['a getter']!)), 'tree')
  const plain = (n: number) => ({ a: n as unknown, b: undefined as unknown, list: [n, undefined] })
  const packer = packerFor(plain)
  const last = (get: (object: ReturnType<typeof plain>) => unknown) => {
    const all = rows(plain)
    const object = all.at(-1)!
    Object.defineProperty(object, 'a', { get: () => get(object), enumerable: true })
    return all
  }
  const removing = () =>
    last((object) => {
      Reflect.deleteProperty(object, 'b')
      return 1
    })
  const shortening = () => last((object) => (object.list.length = 1))
  const packing = () => last(() => (packer.pack(rows(plain)) ? 7 : 8))
  for (const make of [removing, shortening, packing]) assertSame(sent(make(), packer).arrived, structuredClone(make()))
  const throwing = last(() => {
    throw new RangeError('by a getter')
  })
  assert.throws(() => packer.pack(throwing), /by a getter/)
  assert.is(arrive(rows(plain), packer), 'table')
})

test('objects arrive as from structuredClone while they inherit a property, whether it can be enumerated or not', () => {
  const prototypes = [Object.prototype, runInNewContext('Object.prototype') as object]
  for (const prototype of prototypes)
    for (const enumerable of [true, false]) {
      const make = (n: number) => Object.assign(Object.create(prototype) as object, { n, inherited: n })
      const last = Object.assign(Object.create(prototype) as object, { n: 39 })
      const packer = packerFor(make)
      const lists = [rows(make), rows((n) => (n < 39 ? make(n) : last))]
      Object.defineProperty(prototype, 'inherited', { value: 1, enumerable, writable: true, configurable: true })
      try {
        for (const list of lists) arrive(list, packer)
      } finally {
        Reflect.deleteProperty(prototype, 'inherited')
      }
    }
})

test('an object whose keys are others than those of the objects before arrives as it is', () => {
  const make = (n: number) => ({ a: n, b: n as number | undefined, c: undefined })
  for (const odd of [
    { a: 1 },
    { a: 1, b: 2 },
    { b: 1, a: 2, c: undefined },
    { a: 1, b: 2, c: undefined, d: 4 },
    { a: 1, b: 2, d: 4 },
    {},
    { c: undefined },
  ])
    // prettier-ignore
    for (const list of [rows((n) => (n === 39 ? odd : make(n))), rows((n) => ({ list: [n === 39 ? odd : make(n)] }))])
      arrive(list, packerFor('list' in list[0]! ? (n) => ({ list: [make(n)] }) : make))
  for (const odd of [{}, { a: 1 }])
    arrive(
      rows((n) => ({ o: n === 39 ? odd : {} })),
      packerFor(() => ({ o: {} })),
    )
})

test('more kinds of objects than a thread remembers go as tables, and the first of them again', () => {
  const kind = (number: number) => rows((n) => ({ [`key ${number}`]: n }))
  for (let number = 0; number < 300; number++) assert.is(arrive(kind(number)), 'table')
  assert.is(arrive(kind(0)), 'table')
})

test('objects that are never alike are tried less and less often, and those that are come through again', () => {
  const packer = new ColumnPacker()
  const forms = (make: (n: number) => object, times: number) => rows(() => arrive(rows(make), packer), times)
  let kind = 0
  const tables = forms((n) => ({ [`kind ${(kind += n === 0 ? 1 : 0)}`]: n }), 300).filter((form) => form === 'table')
  assert.ok(tables.length < 15, `${tables.length} of 300 went as tables`)
  assert.is(forms((n) => ({ n, name: `${n}` }), 200).at(-1), 'table')
})

const leaf: Arbitrary<unknown> = oneof(
  integer(),
  nat(300),
  double(),
  constantFrom(0, -0, 2 ** 31, null, undefined, true, ''),
  boolean(),
  string({ unit: 'binary' }),
  string({ maxLength: 5 }),
)
const { node } = letrec<{ node: unknown }>((tie) => ({
  node: oneof(
    { depthSize: 'small', withCrossShrink: true },
    leaf,
    dictionary(string({ maxLength: 4 }), tie('node'), { maxKeys: 5 }),
    array(tie('node'), { maxLength: 5 }),
  ),
}))
/** What is put in somewhere: mostly what a table can take after widening its schema. */
const odd = oneof(
  { weight: 6, arbitrary: node },
  {
    weight: 1,
    arbitrary: anything({
      withDate: true,
      withMap: true,
      withBigInt: true,
      withSparseArray: true,
      withNullPrototype: true,
    }),
  },
)
/** Changes to a list of copies: which row, which place in it, what is put there; or an object of another place. */
const changes = array(tuple(nat(), nat(), option(odd.map((value) => () => value), { freq: 12 })), { maxLength: 3 }) // prettier-ignore

/** The objects in a value, the value first. */
function objectsIn(value: unknown, found: object[] = []): object[] {
  if (typeof value !== 'object' || value === null || found.includes(value)) return found
  found.push(value)
  for (const key of Object.keys(value)) objectsIn((value as Record<string, unknown>)[key], found)
  return found
}

test('copies of generated objects with changes in some of them arrive as from structuredClone', () => {
  const forms = { table: 0, tree: 0, 'as they are': 0 }
  const examples = array(
    tuple(dictionary(string({ maxLength: 6 }), node, { maxKeys: 8 }), nat(60), changes, boolean()),
    {
      maxLength: 6,
    },
  )
  check(
    property(examples, (lists) => {
      const packer = new ColumnPacker()
      for (const [example, extra, edits, isNew] of lists) {
        const list = rows(() => structuredClone(example), 16 + extra)
        for (const [row, place, make] of edits) {
          const objects = objectsIn(list[row % list.length])
          const target = objects[place % objects.length] as Record<string, unknown>
          const keys = Object.keys(target)
          const key = keys[place % (keys.length + 1)] ?? 'added'
          // Another object of the list, which then occurs twice.
          const elsewhere = () => objectsIn(list).slice(1)[(place * 7 + row) % (objectsIn(list).length - 1)]
          if (key !== '__proto__') target[key] = make ? make() : elsewhere()
        }
        forms[arrive(list, isNew ? undefined : packer)]++
      }
    }),
    { numRuns: 200, seed },
  )
  console.log(`# ${JSON.stringify(forms)}`)
  for (const [form, count] of Object.entries(forms)) assert.ok(count > 20, `only ${count} went ${form}`)
})

test('generated values of every kind arrive as from structuredClone in lists of objects that are else alike', () => {
  const values = new Values(randomFrom(seed))
  const random = randomFrom(seed + 1)
  const packer = new ColumnPacker()
  for (let n = 0; n < 1500; n++) {
    const odd = values.next()
    const at = Math.floor(random() * 20)
    arrive(
      rows((row) => ({ row, value: row === at ? odd : [row, `${row}`] }), 20),
      n % 2 ? packer : undefined,
    )
  }
})

test('where code from strings is forbidden, tables that come from elsewhere are read, and none are made', async () => {
  const lists = Object.values(alike).map((make) => rows(make))
  const tables = lists.map((values) => new ColumnPacker().pack(values))
  const folder = mkdtempSync(join(tmpdir(), 'manyhands-'))
  const file = join(folder, 'tables')
  writeFileSync(file, serialize([tables, lists]))
  const program = `
    import { readFileSync } from 'node:fs'
    import { deserialize, serialize } from 'node:v8'
    import { ColumnPacker, unpackColumn } from '#internals'
    const [tables, lists] = deserialize(readFileSync(${JSON.stringify(file)}))
    const made = lists.filter((values) => 'schema' in (new ColumnPacker().pack(values) ?? {}))
    process.stdout.write(serialize([tables.map(unpackColumn), made.length]).toString('base64'))`
  const { stdout, stderr } = await runProgram(program, ['--disallow-code-generation-from-strings'])
  rmSync(folder, { recursive: true })
  assert.is(stderr, '')
  const [arrived, made] = deserialize(Buffer.from(stdout, 'base64')) as [unknown, number]
  assertSame(arrived, structuredClone(lists))
  assert.is(made, 0)
})

test.run()
