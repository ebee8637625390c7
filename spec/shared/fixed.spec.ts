// A property that shared memory does not have cannot be set: what was written would be seen by nobody.
import { Array as SharedArray, Process, Queue, Struct, StructArray, Value } from 'manyhands'
import { assert, suite } from '../harness.js'

const test = suite('a property that shared memory does not have')

type Loose = Record<PropertyKey, unknown>

const refuses = (object: object, key: PropertyKey) =>
  assert.throws(
    () => ((object as Loose)[key] = 9),
    (error: unknown) => error instanceof TypeError,
  )

test('an index of an Array is not assigned', () => {
  const array = new SharedArray('i', [7])
  for (const key of [0, 1, '0', -1, 'lenght', Symbol('s')]) refuses(array, key)
  refuses(array, 'length')
  assert.is((array as unknown as Loose)[0], undefined)
  assert.is(array.get(0), 7)
  array.view[0] = 9
  assert.is(array.get(0), 9)
  refuses(array.getObj(), 0)
})

test('a misspelt field of a Struct, of a record of a StructArray and of a Value is not assigned', () => {
  const point = new Struct({ x: 'd', y: 'd' }, { x: 1 })
  refuses(point, 'z')
  point.x = 4
  assert.equal(point.copy(), { x: 4, y: 0 })
  const points = new StructArray({ x: 'd' }, 2)
  refuses(points, 0)
  refuses(points.get(1), 'X')
  points.get(1).x = 5
  assert.is(points.get(1).x, 5)
  for (const record of points) refuses(record, 'z')
  const value = new Value('i', 3)
  refuses(value, 'valeu')
  value.value = 4
  assert.is(value.value, 4)
})

test('nor is it in another thread', async () => {
  const refusedThere = (told: Queue, ...objects: Loose[]) => {
    for (const object of objects)
      try {
        object['other'] = 9
        told.putNowait('lost')
      } catch (error) {
        told.putNowait((error as Error).name)
      }
  }
  const told = new Queue<string>()
  const objects = [
    new SharedArray('i', 1),
    new Struct({ x: 'd' }),
    new StructArray({ x: 'd' }, 1),
    new StructArray({ x: 'd' }, 1).get(0),
    new Value('i'),
  ]
  await new Process({ target: refusedThere, args: [told, ...objects] as never }).start().join()
  assert.equal(
    await told.getMany(objects.length),
    objects.map(() => 'TypeError'),
  )
})

test('a class that extends Array or Value has what properties it likes', () => {
  class Grid extends SharedArray<'i'> {
    readonly width: number
    constructor(width: number, height: number) {
      super('i', width * height)
      this.width = width
    }
  }
  assert.is(new Grid(3, 4).width, 3)
})

test.run()
