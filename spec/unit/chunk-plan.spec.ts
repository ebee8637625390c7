// The sizes of a map's chunks: the plan alone, driven through whole maps by workers and consumers of any speed.
import { array, assert as check, boolean, double, integer, option, property, record, type Arbitrary } from 'fast-check'
import { ChunkPlan, MAX_NUMBERS_PER_CHUNK } from '#internals'
import { assert, suite } from '../harness.js'

const test = suite('chunk plan')

const CHUNK_MS = 2
const GROWTH = 4
const SMALLEST_PART = 8
const MIN_VALUES = 512
const MAX_VALUES = 2048
const CHEAP_BYTES = 2 ** 18
const MAX_UNSETTLED = 64
const MAX_CHUNK_BYTES = 2 ** 20
const MAX_BYTES = 2 ** 25

interface MapRun {
  chunksize: number | undefined
  buffersize: number | undefined
  busy: number
  total: number
  isTotalKnown: boolean
  /** Chunks of numbers. */
  isPacked: boolean
  /** Bytes of an item. */
  itemBytes: number
  /** Milliseconds of a call, known before the first chunk. */
  knownMs: number | undefined
  /** Milliseconds of a call as it is measured with each chunk, round and round. */
  callMs: (number | undefined)[]
  /** Which of the unsettled chunks is next, and how many results the consumer takes then, round and round. */
  picks: number[]
}

const count = integer({ min: 1, max: 600 })
const ms = double({ min: 0, max: 3, noNaN: true })
const maybe = <T>(value: Arbitrary<T>) => option(value, { nil: undefined })

const runs: Arbitrary<MapRun> = record({
  chunksize: maybe(count),
  buffersize: maybe(count),
  busy: integer({ min: 1, max: 100 }),
  total: integer({ min: 0, max: 3000 }),
  isTotalKnown: boolean(),
  isPacked: boolean(),
  itemBytes: integer({ min: 0, max: 1000 }),
  knownMs: maybe(ms),
  callMs: array(maybe(ms), { minLength: 1, maxLength: 5 }),
  picks: array(integer({ min: 0, max: 1000 }), { minLength: 1, maxLength: 10 }),
})

/** What a map is at when it asks for the size of a chunk. */
interface Moment {
  size: number
  ahead: number
  unsettled: number
  untaken: number
  left: number
}

const limits = (chunksInFlight: number) => ({ workers: chunksInFlight / 2, chunksInFlight, itemsPerChunk: Infinity })

const RESULT_BYTES = 8

/** Items of a chunk that are no numbers, by the bytes of one and its result. */
const maxValues = (bytes: number) => Math.min(Math.max(Math.floor(CHEAP_BYTES / bytes), MIN_VALUES), MAX_VALUES)

const averages = (averageMs: number | undefined, resultBytes = RESULT_BYTES) => ({ averageMs, resultBytes })

const NOTHING = { unsettled: 0, untaken: 0, bytes: 0 }

/** Run a whole map by the plan. `see` is told of every answer, also of 0. @returns how many items were read */
function runMap(
  run: MapRun,
  see: (moment: Moment) => void,
  onSettled: (count: number, callMs?: number) => void,
): number {
  const plan = new ChunkPlan(run, limits(run.busy), averages(run.knownMs))
  const [unsettled, untaken]: [number[], number[]] = [[], []]
  let [left, ahead] = [run.total, 0]
  const readOn = () => {
    while (left > 0) {
      const moment = { ahead, unsettled: unsettled.length, untaken: untaken.length, left }
      const size = plan.next(ahead, { ...moment, bytes: 0 }, run.isTotalKnown ? left : undefined)
      assert.ok(Number.isInteger(size) && size >= 0, `size ${size}`)
      see({ ...moment, size })
      if (size === 0) return
      unsettled.push(Math.min(size, left))
      left -= unsettled.at(-1)!
      ahead += unsettled.at(-1)!
    }
  }
  readOn()
  for (let turn = 0; unsettled.length + untaken.length > 0; turn++) {
    const pick = run.picks[turn % run.picks.length]!
    if (unsettled.length > 0) {
      const [settled] = unsettled.splice(pick % unsettled.length, 1)
      const callMs = run.callMs[turn % run.callMs.length]
      plan.settled(
        settled!,
        settled! * run.itemBytes,
        run.isPacked ? MAX_NUMBERS_PER_CHUNK : undefined,
        averages(callMs),
      )
      onSettled(settled!, callMs)
      untaken.push(settled!)
      readOn()
    }
    for (let taken = unsettled.length > 0 ? pick : Infinity; taken > 0 && untaken.length > 0; taken--) {
      if (--untaken[0]! === 0) untaken.shift()
      ahead--
      readOn()
    }
  }
  return run.total - left
}

test('reads every item of a map, whatever its options and the speeds of workers and consumer', () => {
  check(
    property(runs, (run) =>
      assert.is(
        runMap(
          run,
          () => {},
          () => {},
        ),
        run.total,
      ),
    ),
  )
})

test('reads when nothing is under way, and never further ahead than the options allow', () => {
  check(
    property(runs, (run) => {
      const { chunksize, buffersize = chunksize && run.busy * chunksize, busy } = run
      const see = ({ size, ahead, unsettled, untaken }: Moment) => {
        if (unsettled + untaken === 0) assert.ok(size > 0, 'nothing is under way, and nothing is read')
        if (size === 0) return
        if (buffersize !== undefined) assert.ok(ahead + size <= buffersize, `${ahead} ahead, and ${size} more`)
        else assert.ok(unsettled + untaken < busy, `${unsettled} unsettled, ${untaken} untaken`)
        if (chunksize !== undefined) return
        assert.ok(unsettled < Math.max(busy, MAX_UNSETTLED), `${unsettled} unsettled`)
        if (buffersize !== undefined) assert.ok(size <= Math.ceil(buffersize / busy), 'one worker has the share of two')
      }
      runMap(run, see, () => {})
    }),
  )
})

test('gives every worker a chunk as long as there are items, where no option says how much may be read', () => {
  check(
    property(runs, (run) => {
      const see = ({ size, unsettled, untaken }: Moment) =>
        assert.is(size > 0, unsettled + untaken < run.busy, `${unsettled} unsettled, ${untaken} untaken`)
      runMap({ ...run, chunksize: undefined, buffersize: undefined }, see, () => {})
    }),
  )
})

test('gives chunks of just the chunksize, unless the buffer holds less', () => {
  check(
    property(runs, count, (run, chunksize) => {
      const wanted = Math.min(chunksize, run.buffersize ?? Infinity)
      runMap(
        { ...run, chunksize },
        ({ size }) => assert.ok(size === 0 || size === wanted, `size ${size}`),
        () => {},
      )
    }),
  )
})

test('measures: a chunk takes two milliseconds at most, and is four times the last one at most', () => {
  check(
    property(runs, (run) => {
      const most = run.isPacked ? MAX_NUMBERS_PER_CHUNK : maxValues(run.itemBytes + RESULT_BYTES)
      let [limit, callMs] = [run.knownMs === undefined ? 1 : MIN_VALUES, run.knownMs ?? 0]
      const see = ({ size, left }: Moment) => {
        assert.ok(size <= limit, `size ${size}, limit ${limit}`)
        assert.ok(size <= 1 || size * callMs <= CHUNK_MS, `${size} calls of ${callMs} ms`)
        if (!run.isTotalKnown) return
        const share = Math.max(Math.ceil(left / run.busy), Math.ceil(limit / SMALLEST_PART))
        assert.ok(size <= share, `size ${size} of ${left} items left for ${run.busy}`)
      }
      runMap({ ...run, chunksize: undefined }, see, (settled, measuredMs) => {
        if (measuredMs !== undefined) [limit, callMs] = [Math.min(GROWTH * settled, most), measuredMs]
      })
    }),
  )
})

test('grows to chunks of two milliseconds in a few steps, and to no more than is cloned at once', () => {
  check(
    property(
      double({ min: 0, max: 5, noNaN: true }),
      boolean(),
      integer({ min: 0, max: 2000 }),
      (callMs, isPacked, itemBytes) => {
        const plan = new ChunkPlan({}, limits(1), averages(undefined))
        const next = () => plan.next(0, NOTHING, undefined)
        const maxNumbers = isPacked ? MAX_NUMBERS_PER_CHUNK : undefined
        for (let step = 0; step < 8; step++) plan.settled(next(), next() * itemBytes, maxNumbers, averages(callMs))
        const most = maxNumbers ?? maxValues(itemBytes + RESULT_BYTES)
        const wanted = Math.min(CHUNK_MS / callMs, most)
        assert.ok(
          Math.abs(next() - Math.max(Math.floor(wanted), 1)) <= 1e-3 * wanted,
          `${next()} calls of ${callMs} ms`,
        )
      },
    ),
  )
})

test('begins with one item, or with two milliseconds of them where it is known what a call takes', () => {
  const first = (knownMs: number | undefined) =>
    new ChunkPlan({}, limits(4), averages(knownMs)).next(0, NOTHING, undefined)
  assert.equal([undefined, 10, 2, 0.5, 0.01, 0].map(first), [1, 1, 1, 4, 200, MIN_VALUES])
})

test('gets smaller towards a known end, but not below an eighth', () => {
  const plan = new ChunkPlan({}, limits(4), averages(undefined))
  for (let step = 0; step < 8; step++) plan.settled(400, 3200, undefined, averages(CHUNK_MS / 400))
  const sizes = [1600, 800, 401, 200, 100, 1].map((left) => plan.next(0, NOTHING, left))
  assert.equal(sizes, [400, 200, 101, 50, 50, 50])
})

test('gives chunks whose results have a megabyte at most, and less where many are in flight', () => {
  check(
    property(runs, integer({ min: 1, max: 2 ** 25 }), (run, resultBytes) => {
      const plan = new ChunkPlan({ buffersize: run.buffersize }, limits(run.busy), averages(0, resultBytes))
      const size = plan.next(0, NOTHING, undefined)
      const most = Math.min(MAX_CHUNK_BYTES, MAX_BYTES / run.busy)
      assert.ok(size === 1 || size * resultBytes <= most, `${size} results of ${resultBytes} bytes`)
      assert.ok(plan.maxItemBytes <= most)
    }),
  )
  assert.is(new ChunkPlan({}, limits(4), { averageMs: 0, resultBytes: undefined }).next(0, NOTHING, undefined), 16)
  const fixed = new ChunkPlan({ chunksize: 500 }, limits(4), averages(0, MAX_CHUNK_BYTES))
  assert.equal([fixed.next(0, NOTHING, undefined), fixed.maxItemBytes], [500, Infinity])
})

test('reads nothing while 32 megabytes are in flight, unless a worker has no chunk, or a buffersize is given', () => {
  check(
    property(runs, integer({ min: 0, max: 2 * MAX_BYTES }), count, count, (run, bytes, unsettled, untaken) => {
      const sizeAt = (held: number, options: { chunksize?: number; buffersize?: number }) =>
        new ChunkPlan(options, limits(run.busy), averages(0)).next(0, { unsettled, untaken, bytes: held }, undefined)
      const isFull = bytes >= MAX_BYTES && unsettled + untaken >= run.busy / 2
      for (const options of [{}, { chunksize: 5 }])
        assert.is(sizeAt(bytes, options), isFull ? 0 : sizeAt(0, options), JSON.stringify(options))
      for (const options of [{ buffersize: 50 }, { chunksize: 5, buffersize: 50 }])
        assert.is(sizeAt(bytes, options), sizeAt(0, options), JSON.stringify(options))
    }),
  )
})

test('may send a chunk that is not full only where no chunksize was given', () => {
  assert.is(new ChunkPlan({}, limits(2), averages(undefined)).flexible, true)
  assert.is(new ChunkPlan({ buffersize: 10 }, limits(2), averages(undefined)).flexible, true)
  assert.is(new ChunkPlan({ chunksize: 10 }, limits(2), averages(undefined)).flexible, false)
})

test.run()
