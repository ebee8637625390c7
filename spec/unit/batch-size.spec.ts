// How many tasks of a function go into one lease, by its measurements, and which jobs a lease takes from the queue.
import { array, assert as check, constantFrom, double, integer, property, record, tuple } from 'fast-check'
import {
  FunctionRegistry,
  FunctionStats,
  MAX_TASKS_PER_LEASE,
  PriorityQueue,
  recordSpent,
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

test('the bytes of results go up at once and down by and by, and are unknown before the first map', () => {
  const stats = newStats()
  assert.is(stats.resultBytes, undefined)
  stats.record(10, 5)
  assert.is(stats.resultBytes, undefined)
  const seen = ([count, bytes]: [number, number]) => {
    stats.recordResults(count, bytes)
    return Math.round(stats.resultBytes!)
  }
  assert.equal(([[10, 1000], [1, 50_000], [5, 0], [1, 0]] as [number, number][]).map(seen), [100, 50_000, 35_000, 24_500]) // prettier-ignore
})

test('a function is registered once, and measured by the jobs of a lease', () => {
  const registry = new FunctionRegistry()
  const definitions = ['a', 'b', 'c'].map(definition)
  const [a, b, c] = definitions.map((each) => registry.of(each))
  assert.is(new Set([a!.number, b!.number, c!.number]).size, 3)
  assert.equal(
    definitions.map((each) => registry.of(each)),
    [a, b, c],
  )
  assert.is(registry.of(definition('a')) === a, false, 'another function of the same source')
  const jobs = [c, c, b, a, c, c].map((fn) => ({ fn: fn! }))
  // The one of b was not called.
  recordSpent(jobs, [c!.number, 2, 10, a!.number, 1, 3, c!.number, 1, 15, c!.number, 1, 15])
  assert.equal(
    [a, b, c].map((each) => each!.averageMs),
    [3, undefined, 10.1],
  )
})

interface Job extends Queueable {
  fn: { batchSize: number }
  alone: boolean
}

type Described = Pick<Job, 'priority' | 'alone'> & { batchSize: number }

/** A queue of new jobs: those of a run before are linked to its queue. */
function queueOf(described: readonly Described[]): PriorityQueue<Job> {
  const queue = new PriorityQueue<Job>()
  for (const { batchSize, ...job } of described)
    queue.push({ ...job, fn: { batchSize }, previous: undefined, next: undefined })
  return queue
}

const groups = array(
  record({
    priority: constantFrom(0, 0, 0, 1),
    batchSize: constantFrom(1, 2, 3, 7, MAX_TASKS_PER_LEASE),
    /** Seldom, so that not every batch is of one job. */
    alone: integer({ min: 0, max: 9 }).map((n) => n === 0),
    count: constantFrom(1, 1, 20),
  }),
  { maxLength: 30 },
)

test('a lease takes the first jobs of the queue, as many as fill it, and leaves the others in their order', () => {
  check(
    property(groups, integer({ min: 1, max: 8 }), (list, maxWorkers) => {
      const queue = queueOf(list.flatMap(({ count, ...job }) => Array.from({ length: count }, () => job)))
      while (queue.size > 0) {
        const before = [...queue]
        const batch = takeBatch(queue, maxWorkers)
        const rest = before.slice(batch.length)
        assert.ok(
          [...batch, ...rest].every((job, n) => job === before[n]),
          'not the first jobs',
        )
        assert.ok([...queue].every((job, n) => job === rest[n]) && queue.size === rest.length, 'not the others')
        assert.ok(batch.length > 0)
        const share = Math.min(Math.ceil(before.length / maxWorkers), MAX_TASKS_PER_LEASE)
        assert.ok(batch.length <= share, `${batch.length} jobs of ${before.length} for ${maxWorkers} workers`)
        if (batch.some(({ alone }) => alone)) assert.is(batch.length, 1)
        const filled = batch.reduce((sum, { fn }) => sum + 1 / fn.batchSize, 0)
        assert.ok(filled <= 1 + 1e-9, `${filled} leases in one`)
        const [next] = rest
        if (!next || next.alone || batch[0]!.alone || batch.length === share) continue
        assert.ok(filled + 1 / next.fn.batchSize > 1 + 1e-9, `there is room in a lease that is ${filled} full`)
      }
      assert.equal(takeBatch(queue, maxWorkers), [])
    }),
  )
})

test('a lease is full with exactly the batch size of a function, also where its parts do not add up to 1', () => {
  for (let batchSize = 1; batchSize < 500; batchSize++) {
    const queue = queueOf(Array.from({ length: batchSize + 1 }, () => ({ priority: 0, batchSize, alone: false })))
    assert.is(takeBatch(queue, 1).length, batchSize)
  }
})

test.run()
