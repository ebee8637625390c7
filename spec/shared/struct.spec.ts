import { Process, ProcessPoolExecutor, RLock, Struct, StructArray } from 'manyhands'
import { assert, suite, thrownBy } from '../harness.js'
import { release, moveAll, setFields } from './shared.tasks.js'

const test = suite('Struct and StructArray')

test('a Struct has its fields as properties, and copies them to a plain object', () => {
  const point = new Struct({ x: 'd', y: 'f', id: 'i', flag: '?' }, { x: 1.5, id: 3 })
  point.y = 0.5
  point.flag = true
  point.id += 1
  assert.equal(point.copy(), { x: 1.5, y: 0.5, id: 4, flag: true })
  assert.instance(point, Struct)
})

test('a Struct keeps neighbouring fields of all widths apart', () => {
  const record = new Struct({ a: 'b', b: 'q', c: 'h', d: 'd', e: '?', f: 'c', g: 'I' })
  record.b = -1n
  record.a = 1
  record.d = 2.5
  record.c = -3
  record.g = 2 ** 32 - 1
  record.f = 'x'
  record.e = true
  assert.equal(record.copy(), { a: 1, b: -1n, c: -3, d: 2.5, e: true, f: 'x', g: 2 ** 32 - 1 })
})

test('a Struct refuses unknown codes, unknown fields, reserved names and values of another type', async () => {
  for (const bad of [
    () => new Struct({ x: 'zz' as 'd' }),
    () => new Struct({}),
    () => new Struct(null as never),
    () => new Struct({ copy: 'd' }),
    () => new Struct({ x: 'd' }, { y: 1 } as never),
    () => new Struct({ x: 'i' }, { x: 1.5 }),
    () => (new Struct({ x: 'i' }).x = 1.5),
  ])
    assert.instance(await thrownBy(bad), TypeError)
})

test('a Struct is changed by another thread', async () => {
  const point = new Struct({ x: 'd', big: 'q', on: '?', c: 'c' })
  await new Process({ target: setFields, args: [point] }).start().join()
  assert.equal(point.copy(), { x: 2.5, big: 7n, on: true, c: 'z' })
})

test('a Struct has a lock, and comes back as itself', async () => {
  await using executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  const point = new Struct({ x: 'd' })
  assert.instance(point.getLock(), RLock)
  assert.is(await executor.submit(release, point), point)
  assert.is((await thrownBy(() => new Struct({ x: 'd' }, {}, { lock: false }).getLock())).code, 'ERR_MANYHANDS_LOCK')
})

test('a StructArray keeps many records column by column, and gives live views of each', async () => {
  const points = new StructArray({ x: 'd', id: 'i' }, 100)
  await new Process({ target: moveAll, args: [points] }).start().join()
  assert.is(points.length, 100)
  assert.instance(points.column('x'), Float64Array)
  const tenth = points.get(10)
  assert.is(tenth.x, 5)
  tenth.id = 7
  points.column('x')[10] = 1
  assert.equal(tenth.copy(), { x: 1, id: 7 })
  assert.is(points.column('id')[10], 7)
  assert.is([...points].length, 100)
})

test('a view of one record of a StructArray can be sent on', async () => {
  await using executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  const points = new StructArray({ x: 'd', id: 'i' }, 3)
  const back = (await executor.submit(release, points.get(2))) as ReturnType<typeof points.get>
  back.x = 4
  assert.equal([...points.column('x')], [0, 0, 4])
})

test('a StructArray refuses an impossible index or length, and an unknown column', async () => {
  const points = new StructArray({ x: 'd' }, 3)
  for (const index of [-1, 3, 0.5]) assert.instance(await thrownBy(() => points.get(index)), RangeError)
  for (const length of [-1, NaN, 2.5])
    assert.instance(await thrownBy(() => new StructArray({ x: 'd' }, length)), RangeError)
  assert.match((await thrownBy(() => points.column('y' as 'x'))).message, /y.*x/)
})

test.run()
