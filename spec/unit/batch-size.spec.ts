// How many tasks of a function go into one lease, by what was measured of it.
import { array, assert as check, boolean, constantFrom, double, integer, property, record, tuple } from 'fast-check'
import {
  FunctionRegistry,
  FunctionStats,
  MAX_TASKS_PER_LEASE,
  PriorityQueue,
  takeBatch,
  type Queueable,
} from '#internals'
import { assert, suite } from '../harness.js'

const test = suite('batch size')

const LEASE_MS = 1

const definition = (name: string) => ({ kind: 'source', name, source: '() => 1', form: 'expression' }) as const
const newStats = () => new FunctionStats(0, definition('f'))

const callMs = double({ min: 0, max: 20, noNaN: true })
const measurements = array(tuple(integer({ min: 1, max: MAX_TASKS_PER_LEASE }), callMs), {
  minLength: 1,
  maxLength: 50,
})

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
        stats.record(count, count * ms)
        const fitting = Math.max(Math.floor(LEASE_MS / stats.averageMs!), 1)
        assert.is(stats.batchSize, Math.min(fitting, 2 * before, MAX_TASKS_PER_LEASE))
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
        stats.record(count, count * ms)
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
        each.record(1, ms)
        together.record(count, count * ms)
      }
      assert.ok(Math.abs(each.averageMs! - together.averageMs!) < 1e-9)
    }),
  )
})

test('settles for a function of constant speed, and falls with the first slow measurement', () => {
  check(
    property(callMs, (ms) => {
      const stats = newStats()
      for (let n = 0; n < 20; n++) stats.record(1, ms)
      const settled = stats.batchSize
      const fitting = Math.min(Math.max(LEASE_MS / ms, 1), MAX_TASKS_PER_LEASE)
      assert.ok(settled <= fitting + 1e-6 && settled > fitting - 1 - 1e-6, `${settled} calls of ${ms} ms`)
      stats.record(1, 20 * LEASE_MS)
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
  registry.record([c!.number, 2, 10, a!.number, 1, 3, 1000, 1, 1])
  assert.equal(
    [a, b, c].map((each) => each!.averageMs),
    [3, undefined, 5],
  )
})

interface Item extends Queueable {
  fn: { batchSize: number }
  alone: boolean
}

const items = array(
  record({
    batchSize: constantFrom(1, 2, 3, 7, 100, MAX_TASKS_PER_LEASE),
    alone: boolean(),
    repeat: integer({ min: 1, max: 300 }),
  }),
  { minLength: 1, maxLength: 8 },
)

test('a batch is the head of the queue: full, fair to the other workers, and alone where a job must be', () => {
  check(
    property(items, integer({ min: 1, max: 4 }), (kinds, workers) => {
      const queue = new PriorityQueue<Item>()
      const all = kinds.flatMap(({ batchSize, alone, repeat }) =>
        Array.from({ length: alone ? 1 : repeat }, (): Item => ({
          priority: 0,
          previous: undefined,
          next: undefined,
          fn: { batchSize },
          alone,
        })),
      )
      for (const item of all) queue.push(item)
      for (let taken = 0; queue.size > 0;) {
        const fairShare = Math.ceil(queue.size / workers)
        const batch = takeBatch(queue, workers)
        assert.ok(batch.length > 0 && batch.every((item, i) => item === all[taken + i]), 'the first, in their order')
        taken += batch.length
        const filled = batch.reduce((sum, { fn }) => sum + 1 / fn.batchSize, 0)
        const next = queue.peek()
        const [first] = batch
        assert.ok(batch.length === 1 || batch.every(({ alone }) => !alone), 'one that must be alone, is')
        assert.ok(
          batch.length === 1 || (batch.length <= fairShare && batch.length <= MAX_TASKS_PER_LEASE && filled < 1.01),
        )
        // Nothing more would have fitted.
        const isFull = filled + 1 / (next?.fn.batchSize ?? 0) > 1
        assert.ok(
          isFull || !next || first!.alone || next.alone || batch.length >= Math.min(fairShare, MAX_TASKS_PER_LEASE),
        )
      }
    }),
  )
})

test.run()
