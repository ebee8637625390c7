import {
  Array as SharedArray,
  BrokenProcessPool,
  CancelledError,
  DataCloneError,
  InlineExecutor,
  ProcessPoolExecutor,
  ShutdownError,
  TimeoutError,
  Value,
  WorkerDiedError,
  type Executor,
  type Range,
  type Schedule,
} from 'manyhands'
import { setTimeout as sleep } from 'node:timers/promises'
import { assert, suite, thrownBy } from '../harness.js'
import { Gate, passGate } from './gate.js'

const test = suite('parallelFor and parallelReduce')
const SCHEDULES: Schedule[] = ['static', 'dynamic', 'guided']

const pool = new ProcessPoolExecutor({ maxWorkers: 2 })
const wide = new ProcessPoolExecutor({ maxWorkers: 5 })
const inline = new InlineExecutor()
const executors: [string, Executor][] = [
  ['2 workers', pool],
  ['5 workers', wide],
  ['the calling thread', inline],
]

/** A body: count each index of the block, and the block. */
function visit(start: number, end: number, offset: number, visits: SharedArray<'i'>, calls: Value<'i'>): void {
  calls.add(1)
  for (let index = start; index < end; index++) visits.add(index - offset, 1)
}

/** A body: the indices of the block. */
function indices(start: number, end: number): number[] {
  return Array.from({ length: end - start }, (_, index) => start + index)
}

/** A body: block at the gate with each block, until it opens. */
function passGateOnce(start: number, _end: number, words: Int32Array): void {
  Atomics.add(words, 0, 1)
  Atomics.wait(words, 1, 0)
  if (start < 0) throw new Error('never')
}

const concat = <T>(a: T[], b: T[]) => [...a, ...b]
const lengthOf = (range: Range) => (typeof range === 'number' ? range : range.end - range.start)
const startOf = (range: Range) => (typeof range === 'number' ? 0 : range.start)

for (const [name, executor] of executors)
  for (const schedule of SCHEDULES)
    test(`a range covers every index exactly once: ${schedule}, ${name}`, async () => {
      const ranges: Range[] = [1, 2, 3, 7, 64, 1000, { start: -5, end: 6 }, { start: 99, end: 1123 }]
      for (const range of ranges)
        for (const grain of [undefined, 1, 3, 10, 1000, 5000]) {
          const [visits, calls] = [new SharedArray('i', lengthOf(range), { lock: false }), new Value('i', 0)]
          const args: [number, SharedArray<'i'>, Value<'i'>] = [startOf(range), visits, calls]
          await executor.parallelFor(range, visit, { schedule, grain, args })
          assert.ok(
            visits.view.every((count) => count === 1),
            JSON.stringify({ range, schedule, grain }),
          )
          if (grain === undefined) continue
          // No block but the last is smaller than the grain, unless the range is.
          assert.ok(calls.value <= Math.max(1, Math.ceil(lengthOf(range) / grain)), `${calls.value} blocks`)
          if (schedule === 'dynamic') assert.is(calls.value, Math.ceil(lengthOf(range) / grain))
        }
    })

test('static gives each worker one block of equal size; guided begins with large blocks', async () => {
  const sizes = (schedule: Schedule, grain?: number) =>
    wide.parallelReduce(1003, (start: number, end: number) => [end - start], concat, { schedule, grain })
  assert.equal(await sizes('static'), [201, 201, 201, 200, 200])
  assert.equal(await sizes('static', 400), [502, 501])
  assert.equal(await sizes('dynamic', 400), [400, 400, 203])
  const guided = await sizes('guided', 20)
  assert.is(guided[0], 101)
  assert.equal(
    guided,
    guided.toSorted((a, b) => b - a),
  )
  assert.ok(guided.slice(0, -1).every((size) => size >= 20))
})

test('ranges reach to the ends of the safe integers', async () => {
  const last = Number.MAX_SAFE_INTEGER
  const bounds = (range: Range, schedule: Schedule, grain?: number) =>
    pool.parallelReduce(range, (start: number, end: number) => [[start, end]], concat, { schedule, grain })
  for (const schedule of SCHEDULES) {
    const blocks = await bounds(last, schedule)
    assert.is(blocks[0]![0], 0)
    assert.is(blocks.at(-1)![1], last)
    for (let i = 1; i < blocks.length; i++) assert.is(blocks[i]![0], blocks[i - 1]![1])
    assert.equal(await bounds({ start: last - 3, end: last }, schedule, 5), [[last - 3, last]])
  }
})

test('parallelReduce combines in the order of the range, whichever worker computed a block', async () => {
  for (const [, executor] of executors)
    for (const schedule of SCHEDULES)
      for (const grain of [1, 7, 100]) {
        const all = await executor.parallelReduce({ start: -50, end: 450 }, indices, concat, { schedule, grain })
        assert.equal(all, indices(-50, 450))
      }
})

test('parallelReduce combines from left to right, from the initial value on, which is the result of an empty range', async () => {
  const show = (a: string, b: string) => `(${a} ${b})`
  const body = (start: number, end: number) => `${start}-${end}`
  for (const [, executor] of executors) {
    const options = { schedule: 'dynamic', grain: 3 } as const
    assert.is(await executor.parallelReduce(8, body, show, options), '((0-3 3-6) 6-8)')
    assert.is(await executor.parallelReduce(8, body, show, { ...options, initial: 'i' }), '(((i 0-3) 3-6) 6-8)')
    assert.is(await executor.parallelReduce(8, body, async (a, b) => show(a, b), options), '((0-3 3-6) 6-8)')
    assert.is(await executor.parallelReduce(0, body, show, { initial: 'i' }), 'i')
    const thrown = await thrownBy(() => executor.parallelReduce({ start: 4, end: 4 }, body, show))
    assert.instance(thrown, TypeError)
    assert.match(thrown.message, 'initial')
  }
})

test('parallelReduce gives the same sum of floats each time', async () => {
  const sum = (start: number, end: number) => {
    let total = 0
    for (let index = start; index < end; index++) total += 1 / (index + 1)
    return total
  }
  for (const schedule of SCHEDULES) {
    const sums = new Set<number>()
    for (let i = 0; i < 20; i++) sums.add(await wide.parallelReduce(12_345, sum, (a, b) => a + b, { schedule }))
    assert.is(sums.size, 1)
  }
})

test('parallelFor and parallelReduce await async bodies', async () => {
  for (const [, executor] of executors) {
    const done = new Value('i', 0)
    await executor.parallelFor(
      4,
      async (start: number, end: number, count: Value<'i'>) => {
        await new Promise((resolve) => setTimeout(resolve, 20))
        count.add(end - start)
      },
      { args: [done], grain: 1 },
    )
    assert.is(done.value, 4)
    const double = async (start: number, end: number) => [start, end]
    assert.equal(await executor.parallelReduce(2, double, concat, { grain: 1 }), [0, 1, 1, 2])
  }
})

test('an empty range calls no body', async () => {
  for (const [, executor] of executors)
    for (const [range, schedule] of [0, { start: 7, end: 7 }].flatMap((range) =>
      SCHEDULES.map((how) => [range, how] as const),
    )) {
      const calls = new Value('i', 0)
      await executor.parallelFor(range, (_start: number, _end: number, count: Value<'i'>) => void count.add(1), {
        args: [calls],
        schedule,
      })
      assert.is(calls.value, 0)
    }
})

test('parallelFor and parallelReduce refuse bad ranges and options before anything starts', async () => {
  const fresh = new ProcessPoolExecutor({ maxWorkers: 2 })
  const nothing = () => {}
  const bad: [new () => Error, RegExp, (executor: Executor) => Promise<unknown>][] = [
    [RangeError, /NaN/, (on) => on.parallelFor(NaN, nothing)],
    [RangeError, /length.*2\.5/, (on) => on.parallelFor(2.5, nothing)],
    [RangeError, /length.*-1/, (on) => on.parallelFor(-1, nothing)],
    [RangeError, /Infinity/, (on) => on.parallelFor(Infinity, nothing)],
    [RangeError, /length/, (on) => on.parallelFor(2 ** 53, nothing)],
    [TypeError, /range.*'7'/, (on) => on.parallelFor('7' as never, nothing)],
    [TypeError, /range.*null/, (on) => on.parallelFor(null as never, nothing)],
    [TypeError, /end.*undefined/, (on) => on.parallelFor({ start: 1 } as never, nothing)],
    [RangeError, /start.*0\.5/, (on) => on.parallelFor({ start: 0.5, end: 2 }, nothing)],
    [RangeError, /end.*NaN/, (on) => on.parallelFor({ start: 0, end: NaN }, nothing)],
    [RangeError, /start 3, end 2/, (on) => on.parallelFor({ start: 3, end: 2 }, nothing)],
    [RangeError, /end - start/, (on) => on.parallelFor({ start: -(2 ** 53) + 1, end: 2 }, nothing)],
    [RangeError, /grain.*0/, (on) => on.parallelFor(5, nothing, { grain: 0 })],
    [RangeError, /grain.*-3/, (on) => on.parallelFor(5, nothing, { grain: -3 })],
    [RangeError, /grain.*1\.5/, (on) => on.parallelFor(5, nothing, { grain: 1.5 })],
    [RangeError, /grain.*NaN/, (on) => on.parallelFor(5, nothing, { grain: NaN })],
    [TypeError, /grain.*'2'/, (on) => on.parallelFor(5, nothing, { grain: '2' as never })],
    [RangeError, /1073741824 blocks/, (on) => on.parallelFor(2 ** 31, nothing, { grain: 1 })],
    [TypeError, /schedule.*'fair'/, (on) => on.parallelFor(5, nothing, { schedule: 'fair' as never })],
    [TypeError, /args.*5/, (on) => on.parallelFor(5, nothing, { args: 5 as never })],
    [TypeError, /signal/, (on) => on.parallelFor(5, nothing, { signal: {} as never })],
    [TypeError, /parallelFor.*'initial'/, (on) => on.parallelFor(5, nothing, { initial: 1 } as never)],
    [TypeError, /parallelFor.*'chunksize'/, (on) => on.parallelFor(5, nothing, { chunksize: 1 } as never)],
    [
      TypeError,
      /parallelReduce.*'chunksize'/,
      (on) => on.parallelReduce(5, nothing, nothing, { chunksize: 1 } as never),
    ],
    [TypeError, /range.*'step'/, (on) => on.parallelFor({ start: 0, end: 5, step: 2 } as never, nothing)],
    [TypeError, /options.*null/, (on) => on.parallelFor(5, nothing, null as never)],
    [TypeError, /function/, (on) => on.parallelFor(5, 'body' as never)],
    [TypeError, /function/, (on) => on.parallelFor(0, undefined as never)],
    [TypeError, /combine.*undefined/, (on) => on.parallelReduce(5, nothing, undefined as never)],
    [TypeError, /combine.*undefined/, (on) => on.parallelReduce(0, nothing, undefined as never)],
  ]
  for (const executor of [fresh, inline])
    for (const [errorClass, message, call] of bad) {
      const promise = call(executor)
      const thrown = await thrownBy(() => promise)
      assert.instance(thrown, errorClass, String(call))
      assert.match(thrown.message, message)
    }
  const { port1, port2 } = new MessageChannel()
  for (const executor of [fresh, inline]) {
    const moving = executor.with({ transfer: [port1 as never] })
    assert.instance(await thrownBy(() => moving.parallelFor(5, nothing)), TypeError)
  }
  for (const port of [port1, port2]) port.close()
  assert.is(fresh.stats().workers, 0)
  await fresh.shutdown()
  assert.instance(await thrownBy(() => fresh.parallelFor(5, nothing)), ShutdownError)
})

test('parallelFor and parallelReduce refuse an executor whose workers share no memory with the caller', async () => {
  const remote = new InlineExecutor()
  Object.defineProperty(remote, 'runRange', { value: undefined })
  for (const call of [() => remote.parallelFor(5, () => {}), () => remote.parallelReduce(5, indices, concat)]) {
    const error = await thrownBy(call)
    assert.instance(error, TypeError)
    assert.match(error.message, 'share memory')
  }
})

test('a range rejects with the first error, and begins no other block', async () => {
  for (const [, executor] of executors)
    for (const body of [
      (start: number, _end: number, calls: Value<'i'>) => {
        calls.add(1)
        if (start === 3) throw new RangeError('the third')
      },
      async (start: number, _end: number, calls: Value<'i'>) => {
        calls.add(1)
        await Promise.resolve()
        if (start === 3) throw new RangeError('the third')
      },
    ]) {
      const calls = new Value('i', 0)
      const thrown = await thrownBy(() => executor.parallelFor(2 ** 30, body, { grain: 1, args: [calls] }))
      assert.instance(thrown, RangeError)
      assert.is(thrown.message, 'the third')
      assert.match(thrown.stack, 'parallel.spec')
      // The executor works, and its workers are free: none of them computes the rest.
      assert.is(
        await executor.parallelReduce(
          5,
          (a: number, b: number) => b - a,
          (a, b) => a + b,
        ),
        5,
      )
      assert.ok(calls.value < 2 ** 30)
    }
})

test('a range rejects while another worker still computes a block, which ends by itself', async () => {
  const gate = new Gate()
  const body = (start: number, end: number, words: Int32Array) => {
    Atomics.add(words, 0, 1)
    if (start > 0) {
      while (Atomics.load(words, 0) < 2);
      throw new Error(`of ${start} to ${end}`)
    }
    Atomics.wait(words, 1, 0)
  }
  const thrown = await thrownBy(() => pool.parallelFor(100, body, { grain: 1, args: [gate.words] }))
  assert.is(thrown.message, 'of 1 to 2')
  gate.open()
  assert.is(await pool.submit(() => 'free'), 'free')
  assert.is(gate.count, 2)
})

test("a range rejects with its signal's reason, and begins no other block", async () => {
  const gate = new Gate()
  const controller = new AbortController()
  const { signal } = controller
  const aborted = pool.parallelFor(1000, passGateOnce, { grain: 1, args: [gate.words], signal })
  await gate.begun(2)
  const reason = new Error('enough')
  controller.abort(reason)
  assert.is(await thrownBy(() => aborted), reason)
  gate.open()
  await Promise.all([pool.submit(() => 'free'), pool.submit(() => 'free')])
  assert.is(gate.count, 2)
  assert.is(await thrownBy(() => pool.parallelFor(1000, passGateOnce, { args: [gate.words], signal })), reason)
  assert.is(await thrownBy(() => inline.parallelFor(1000, passGateOnce, { args: [gate.words], signal })), reason)
  assert.is(gate.count, 2)
})

test('a range in the calling thread sees an abort between async blocks', async () => {
  const own = new InlineExecutor()
  const controller = new AbortController()
  let calls = 0
  const body = async () => {
    calls++
    await sleep(1)
    if (calls === 3) controller.abort(new Error('enough'))
  }
  // A task in the calling thread may use outer variables.
  const thrown = await thrownBy(() => own.parallelFor(100, body, { grain: 1, signal: controller.signal }))
  assert.is(thrown.message, 'enough')
  await own.shutdown()
  assert.is(calls, 3)
})

test('a range rejects with WorkerDiedError when a worker dies, and the others stop', async () => {
  const gate = new Gate()
  const body = (start: number, _end: number, words: Int32Array) => {
    Atomics.add(words, 0, 1)
    if (start === 0) process.exit(7)
    Atomics.wait(words, 1, 0)
  }
  const thrown = await thrownBy(() => pool.parallelFor(1000, body, { grain: 1, args: [gate.words] }))
  assert.instance(thrown, WorkerDiedError)
  assert.is(thrown.exitcode, 7)
  gate.open()
  await Promise.all([pool.submit(() => 'free'), pool.submit(() => 'free')])
  assert.ok(gate.count <= 2, `${gate.count} blocks were begun`)
  assert.equal(await pool.parallelReduce(4, indices, concat), [0, 1, 2, 3])
})

test('timeout and signal of with stop the workers of a range', async () => {
  const endless = () => {
    for (;;);
  }
  assert.instance(await thrownBy(() => pool.with({ timeout: 100 }).parallelFor(10, endless)), TimeoutError)
  const controller = new AbortController()
  const aborted = pool.with({ signal: controller.signal }).parallelFor(10, endless)
  const reason = new Error('enough')
  controller.abort(reason)
  assert.is(await thrownBy(() => aborted), reason)
  assert.equal(await pool.parallelReduce(4, indices, concat), [0, 1, 2, 3])
})

test('retries of with do not apply to ranges', async () => {
  for (const [, executor] of executors) {
    const calls = new Value('i', 0)
    const fails = (_start: number, _end: number, count: Value<'i'>) => {
      count.add(1)
      throw new RangeError('no')
    }
    const trying = executor.with({ retries: 3 }).parallelFor(1, fails, { args: [calls] })
    assert.instance(await thrownBy(() => trying), RangeError)
    assert.is(calls.value, 1)
  }
})

test('priority of with applies to ranges', async () => {
  const single = new ProcessPoolExecutor({ maxWorkers: 1 })
  const gate = new Gate()
  const busy = single.submit(passGate<null>, gate.words, null)
  await gate.begun()
  const order: string[] = []
  const waiting = [
    single.submit(() => {}).then(() => order.push('submitted')),
    single.parallelFor(1, () => {}).then(() => order.push('for')),
    single
      .with({ priority: 1 })
      .parallelFor(1, () => {})
      .then(() => order.push('urgent')),
  ]
  gate.open()
  await Promise.all([busy, ...waiting])
  assert.is(order[0], 'urgent')
  await single.shutdown()
})

test('a range uses the workers that are free, and does not wait for the others', async () => {
  const gate = new Gate()
  const busy = pool.submit(passGate<string>, gate.words, 'through')
  await gate.begun()
  for (const schedule of SCHEDULES) {
    assert.equal(await pool.parallelReduce(100, indices, concat, { schedule, grain: 3 }), indices(0, 100))
    assert.is(busy.done(), false)
  }
  assert.is(pool.stats().queued, 0)
  gate.open()
  await busy
})

test('several ranges wait for a worker while all are busy', async () => {
  const gate = new Gate()
  const busy = [1, 2].map(() => pool.submit(passGate<string>, gate.words, 'through'))
  await gate.begun(2)
  const ranges = [10, 100, 1000].map((length) => pool.parallelReduce(length, indices, concat, { grain: 7 }))
  gate.open()
  assert.equal(
    await Promise.all(ranges),
    [10, 100, 1000].map((length) => indices(0, length)),
  )
  await Promise.all(busy)
})

test('a range sends one message to each worker, and no more than it has blocks', async () => {
  let reads = 0
  const args: [object] = [
    {
      get counted() {
        return reads++
      },
    },
  ]
  /** How often the argument is read to compute a range. */
  const readsOf = async (maxWorkers: number, length: number) => {
    reads = 0
    const executor = new ProcessPoolExecutor({ maxWorkers })
    await executor.parallelFor(length, (_start: number, _end: number, _counted: object) => {}, { args, grain: 1 })
    await executor.shutdown()
    return reads
  }
  const perMessage = await readsOf(1, 1)
  // A worker that does not begin at once has its part sent to another: up to two messages for each.
  for (const [length, workers] of [
    [10_000, 3],
    [2, 2],
  ] as const) {
    const messages = (await readsOf(3, length)) / perMessage
    assert.ok(messages <= 2 * workers, `${messages} messages for ${length} blocks`)
  }
})

test('DataCloneError of a range names the argument or part that cannot be sent', async () => {
  const args: [object] = [{ onDone: () => {} }]
  const unsent = await thrownBy(() => pool.parallelFor(10, (_a: number, _b: number, _c: object) => {}, { args }))
  assert.instance(unsent, DataCloneError)
  assert.is(unsent.path, 'args[0].onDone')
  const result = await thrownBy(() =>
    pool.parallelReduce(
      1,
      () => ({ fn: () => {} }),
      (a) => a,
    ),
  )
  assert.instance(result, DataCloneError)
  assert.is(result.path, 'result.fn')
  const advice = await thrownBy(() => pool.parallelFor(1, () => void args.length))
  assert.instance(advice, ReferenceError)
  assert.match(advice.message, 'task(import.meta.url')
})

test('parallelReduce rejects with what combine throws', async () => {
  for (const [, executor] of executors) {
    const combine = () => {
      throw new EvalError('combined')
    }
    assert.instance(await thrownBy(() => executor.parallelReduce(10, indices, combine, { grain: 1 })), EvalError)
  }
})

test('shutdown waits for a range; cancelFutures and terminateWorkers settle it', async () => {
  const one = new ProcessPoolExecutor({ maxWorkers: 2 })
  const visits = new SharedArray('i', 500)
  const computed = one.parallelFor(500, visit, { args: [0, visits, new Value('i', 0)] })
  await one.shutdown()
  await computed
  assert.ok(visits.view.every((count) => count === 1))

  const two = new ProcessPoolExecutor({ maxWorkers: 1 })
  const gate = new Gate()
  const busy = two.submit(passGate<string>, gate.words, 'through')
  await gate.begun()
  const cancelled = thrownBy(() => two.parallelFor(500, () => {}))
  const ended = two.shutdown({ cancelFutures: true })
  assert.instance(await cancelled, CancelledError)
  gate.open()
  await Promise.all([busy, ended])

  const three = new ProcessPoolExecutor({ maxWorkers: 2 })
  const never = new Gate()
  const killed = thrownBy(() => three.parallelFor(500, passGateOnce, { args: [never.words] }))
  await never.begun(2)
  await three.terminateWorkers()
  assert.instance(await killed, WorkerDiedError)

  const initializer = () => {
    throw new Error('cannot begin')
  }
  const broken = new ProcessPoolExecutor({ maxWorkers: 2, initializer })
  assert.instance(await thrownBy(() => broken.parallelFor(500, () => {})), BrokenProcessPool)
  await broken.shutdown()
})

test('a range leaves no listener on its signal', async () => {
  const controller = new AbortController()
  let listeners = 0
  const { addEventListener, removeEventListener } = controller.signal
  controller.signal.addEventListener = (...args: any) => {
    listeners++
    addEventListener.apply(controller.signal, args)
  }
  controller.signal.removeEventListener = (...args: any) => {
    listeners--
    removeEventListener.apply(controller.signal, args)
  }
  for (const range of [0, 1, 100]) await pool.parallelFor(range, () => {}, { signal: controller.signal })
  const fails = () => {
    throw new Error('no')
  }
  await thrownBy(() => pool.parallelFor(100, fails, { signal: controller.signal }))
  assert.is(listeners, 0)
})

test('the executors of these specs shut down', async () => {
  await Promise.all(executors.map(([, executor]) => executor.shutdown()))
})

test.run()
