// Which blocks a range is cut into: they cover it once, in order, under every schedule.
import {
  array,
  assert as check,
  asyncProperty,
  boolean,
  constantFrom,
  integer,
  maxSafeInteger,
  property,
  record,
  type Arbitrary,
} from 'fast-check'
import { BlockCounter, Blocks, computeBlocks, type Plan } from '#internals'
import { assert, suite, thrownBy } from '../harness.js'

const test = suite('blocks of a range')

const MAX_LENGTH = 5000

const plans: Arbitrary<Plan> = record({
  start: maxSafeInteger(),
  length: integer({ min: 0, max: MAX_LENGTH }),
  schedule: constantFrom('static', 'dynamic', 'guided'),
  grain: integer({ min: 1, max: 2 * MAX_LENGTH }),
  /** Most grains are smaller than a range. */
  isFine: boolean(),
  workers: integer({ min: 1, max: 20 }),
}).map(({ start: anywhere, length, schedule, grain, isFine, workers }) => {
  const start = Math.min(anywhere, Number.MAX_SAFE_INTEGER - length)
  return { start, end: start + length, schedule, grain: isFine ? (grain % 50) + 1 : grain, workers }
})

const ofSchedule = (schedule: Plan['schedule']) => plans.map((plan): Plan => ({ ...plan, schedule }))

function boundsOf(plan: Plan): { start: number; end: number; size: number }[] {
  const blocks = new Blocks(plan)
  return Array.from({ length: blocks.count }, (_, number) => {
    const [start, end] = [blocks.startOf(number), blocks.endOf(number)]
    return { start, end, size: end - start }
  })
}

test('cover the range exactly once, in order, and none is empty', () => {
  check(
    property(plans, (plan) => {
      let at = plan.start
      for (const { start, end } of boundsOf(plan)) {
        assert.is(start, at)
        assert.ok(end > start, `${start} to ${end}`)
        at = end
      }
      assert.is(at, plan.end)
    }),
    { numRuns: 500 },
  )
})

test('static: one for each worker, equal but for one index, and none below the grain unless it is the only one', () => {
  check(
    property(ofSchedule('static'), (plan) => {
      const sizes = boundsOf(plan).map(({ size }) => size)
      const wanted = Math.min(plan.workers, Math.floor((plan.end - plan.start) / plan.grain))
      assert.is(sizes.length, plan.end === plan.start ? 0 : Math.max(wanted, 1))
      if (sizes.length === 0) return
      assert.ok(Math.max(...sizes) - Math.min(...sizes) <= 1, sizes.join())
      if (sizes.length > 1) assert.ok(Math.min(...sizes) >= plan.grain, sizes.join())
    }),
  )
})

test('dynamic: each of the size of the grain, but for the last', () => {
  check(
    property(ofSchedule('dynamic'), (plan) => {
      const sizes = boundsOf(plan).map(({ size }) => size)
      for (const size of sizes.slice(0, -1)) assert.is(size, plan.grain)
      if (sizes.length > 0) assert.ok(sizes.at(-1)! <= plan.grain)
    }),
  )
})

test('guided: each is half of a fair share of what is left, or of the size of the grain', () => {
  check(
    property(ofSchedule('guided'), (plan) => {
      const bounds = boundsOf(plan)
      for (const { start, end, size } of bounds) {
        const share = Math.ceil((plan.end - start) / (2 * plan.workers))
        if (end < plan.end) assert.is(size, Math.max(share, plan.grain))
        else assert.ok(size <= Math.max(share, plan.grain), `the last of ${size}`)
      }
      const sizes = bounds.map(({ size }) => size)
      assert.equal(
        sizes,
        sizes.toSorted((a, b) => b - a),
      )
    }),
  )
})

test('of a range as long as integers reach, too, are exact to the end', () => {
  const [start, end] = [-Number.MAX_SAFE_INTEGER, 0]
  for (const [schedule, grain] of [
    ['static', 1],
    ['dynamic', 2 ** 25],
    ['guided', 2 ** 25],
  ] as const) {
    const blocks = new Blocks({ start, end, schedule, grain, workers: 7 })
    assert.is(blocks.startOf(0), start)
    assert.is(blocks.endOf(blocks.count - 1), end)
    for (let number = 1; number < blocks.count; number += Math.ceil(blocks.count / 1000))
      assert.is(blocks.endOf(number - 1), blocks.startOf(number))
  }
})

test('are computed once each, whoever claims them and in which turns', async () => {
  const turns = array(integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 10 })
  await check(
    asyncProperty(plans, turns, boolean(), async (plan, pauses, keep) => {
      const counter = new BlockCounter()
      const computed: number[] = []
      const body = (start: number, end: number): unknown => {
        computed.push(start)
        let pause = pauses[computed.length % pauses.length]!
        if (pause === 0) return end
        return (async () => {
          while (pause-- > 0) await Promise.resolve()
          return end
        })()
      }
      const shares = await Promise.all(
        Array.from({ length: Math.min(plan.workers, 4) }, () => computeBlocks(plan, counter, body, keep)),
      )
      const bounds = boundsOf(plan)
      assert.equal(
        computed.toSorted((a, b) => a - b),
        bounds.map(({ start }) => start),
      )
      assert.is(
        shares.reduce((sum, { count }) => sum + count, 0),
        bounds.length,
      )
      const parts = shares.flatMap(({ numbers, parts }) => numbers.map((number, n) => [number, parts[n]] as const))
      assert.equal(
        parts.toSorted(([a], [b]) => a - b),
        keep ? bounds.map(({ end }, number) => [number, end]) : [],
      )
    }),
  )
})

test('are claimed no further once a body has thrown, or somebody has stopped them', async () => {
  const plan: Plan = { start: 0, end: 100, schedule: 'dynamic', grain: 1, workers: 2 }
  const failed = new BlockCounter()
  const body = (start: number) => {
    if (start === 3) throw new Error('in block 3')
  }
  assert.is((await thrownBy(() => computeBlocks(plan, failed, body, false))).message, 'in block 3')
  const stopped = new BlockCounter()
  stopped.stop()
  for (const counter of [failed, stopped]) {
    const share = await computeBlocks(plan, counter, () => assert.unreachable('a block was claimed'), true)
    assert.equal(share, { count: 0, numbers: [], parts: [] })
  }
})

test.run()
