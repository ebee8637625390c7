// How many tasks of a function go into one lease, by what was measured of it.
import { array, assert as check, double, integer, property, tuple } from 'fast-check'
import { FunctionRegistry, FunctionStats, MOST_TASKS } from '#internals'
import { assert, suite } from '../harness.js'

const test = suite('batch size')

const LEASE_MS = 1

const definition = (name: string) => ({ kind: 'source', name, source: '() => 1', form: 'expression' }) as const
const newStats = () => new FunctionStats(0, definition('f'))

const callMs = double({ min: 0, max: 20, noNaN: true })
const measurements = array(tuple(integer({ min: 1, max: MOST_TASKS }), callMs), { minLength: 1, maxLength: 50 })

test('is one until the function was measured, and its average unknown', () => {
  assert.is(newStats().batchSize, 1)
  assert.is(newStats().averageMs, undefined)
})

test('is what takes a millisecond, at most twice what it was and at most a full lease', () => {
  check(
    property(measurements, (list) => {
      const stats = newStats()
      for (const [count, ms] of list) {
        const before = stats.batchSize
        stats.measured(count, count * ms)
        const fitting = Math.max(Math.floor(LEASE_MS / stats.averageMs!), 1)
        assert.is(stats.batchSize, Math.min(fitting, 2 * before, MOST_TASKS))
      }
    }),
  )
})

test('averages: it stays within what was measured, and moves towards the latest', () => {
  check(
    property(measurements, (list) => {
      const stats = newStats()
      for (const [n, [count, ms]] of list.entries()) {
        const before = stats.averageMs
        stats.measured(count, count * ms)
        const after = stats.averageMs!
        const seen = list.slice(0, n + 1).map(([, each]) => each)
        assert.ok(after >= Math.min(...seen) - 1e-9 && after <= Math.max(...seen) + 1e-9, `average ${after}`)
        if (before === undefined) assert.ok(Math.abs(after - ms) < 1e-9, 'the first is the average')
        else assert.ok(Math.abs(after - ms) <= 0.9 * Math.abs(before - ms) + 1e-9, `${before}, then ${ms}: ${after}`)
      }
    }),
  )
})

test('does not depend on how many calls a measurement is made of', () => {
  check(
    property(measurements, (list) => {
      const [each, together] = [newStats(), newStats()]
      for (const [count, ms] of list) {
        each.measured(1, ms)
        together.measured(count, count * ms)
      }
      assert.ok(Math.abs(each.averageMs! - together.averageMs!) < 1e-9)
    }),
  )
})

test('settles for a function of constant speed, and falls with the first slow measurement', () => {
  check(
    property(callMs, (ms) => {
      const stats = newStats()
      for (let n = 0; n < 20; n++) stats.measured(1, ms)
      const settled = stats.batchSize
      const fitting = Math.min(Math.max(LEASE_MS / ms, 1), MOST_TASKS)
      assert.ok(settled <= fitting + 1e-6 && settled > fitting - 1 - 1e-6, `${settled} calls of ${ms} ms`)
      stats.measured(1, 20 * LEASE_MS)
      assert.is(stats.batchSize, 1)
    }),
  )
})

test('a function is registered once, and measured under its number, where somebody still has it', () => {
  const registry = new FunctionRegistry()
  const definitions = ['a', 'b', 'c'].map(definition)
  const [a, b, c] = definitions.map((each) => registry.of(each))
  assert.is(new Set([a!.number, b!.number, c!.number]).size, 3)
  assert.equal(
    definitions.map((each) => registry.of(each)),
    [a, b, c],
  )
  assert.is(registry.of(definition('a')) === a, false, 'another function of the same source')
  registry.measure([c!.number, 2, 10, a!.number, 1, 3, 1000, 1, 1])
  assert.equal(
    [a, b, c].map((each) => each!.averageMs),
    [3, undefined, 5],
  )
})

test.run()
