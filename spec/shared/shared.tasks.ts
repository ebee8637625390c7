// What the specs of shared memory have other threads do.
import { task, type Array as SharedArray, type Struct, type StructArray, type Value } from 'manyhands'

export const addMany = task(
  import.meta.url,
  function addMany(value: Value<'i'> | Value<'d'>, amount: number, times: number) {
    for (let i = 0; i < times; i++) value.add(amount)
  },
)

export const addManyTo = task(
  import.meta.url,
  function addManyTo(array: SharedArray<'B'> | SharedArray<'f'>, index: number, amount: number, times: number) {
    for (let i = 0; i < times; i++) array.add(index, amount)
  },
)

export const addManyBig = task(import.meta.url, function addManyBig(value: Value<'q'>, times: number) {
  for (let i = 0; i < times; i++) value.add(1n)
})

export const incrementLocked = task(import.meta.url, function incrementLocked(value: Value<'i'>, times: number) {
  for (let i = 0; i < times; i++) {
    using _guard = value.getLock().holdSync()
    value.value += 1
  }
})

export const casMany = task(import.meta.url, function casMany(value: Value<'d'>, times: number) {
  for (let i = 0; i < times; i++) {
    let seen = value.value
    for (let was; (was = value.compareExchange(seen, seen + 1)) !== seen;) seen = was
  }
})

export const sameTwice = task(
  import.meta.url,
  function sameTwice(value: Value<'i'>, again: { deep: Map<string, Value<'i'>[]> }) {
    const found = again.deep.get('x')![0]!
    return [value === found, value.getLock() === found.getLock(), found.value]
  },
)

export const release = task(import.meta.url, function release<T>(thing: T): T {
  return thing
})

export const moveAll = task(import.meta.url, function moveAll(points: StructArray<{ x: 'd'; id: 'i' }>) {
  const x = points.column('x')
  for (let i = 0; i < points.length; i++) x[i] = i / 2
})

export const setFields = task(
  import.meta.url,
  function setFields(point: Struct<{ x: 'd'; big: 'q'; on: '?'; c: 'c' }>) {
    point.x = 2.5
    point.big = 7n
    point.on = true
    point.c = 'z'
  },
)
