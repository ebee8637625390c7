import {
  currentProcess,
  InlineExecutor,
  ProcessPoolExecutor,
  TimeoutError,
  WorkerDiedError,
  type ExecutorStats,
  type Future,
} from 'manyhands'
import { assert, suite, thrownBy, until } from '../harness.js'
import { Gate, passGate } from './gate.js'

const priorities = suite('with a priority')

/** One worker, busy until the gate opens, and a record of the order in which tasks run. */
async function blocked() {
  const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  const gate = new Gate()
  const order = new Int32Array(new SharedArrayBuffer(4 * 400))
  void executor.submit(passGate<null>, gate.words, null)
  await gate.begun()
  return { executor, gate, order, ran: () => [...order.subarray(1, 1 + order[0]!)] }
}

const note = (order: Int32Array, n: number) => {
  order[Atomics.add(order, 0, 1) + 1] = n
  return n
}

priorities('tasks of greater priority go first, and equal ones in the order of submission', async () => {
  const { executor, gate, order, ran } = await blocked()
  const ranks = [0, 5, -1, 0, 5, Infinity, 2.5, -Infinity, -1]
  const futures = ranks.map((priority, i) =>
    priority === 0 ? executor.submit(note, order, i) : executor.with({ priority }).submit(note, order, i),
  )
  gate.open()
  await Promise.all(futures)
  assert.equal(ran(), [5, 1, 4, 6, 0, 3, 2, 8, 7])
  await executor.shutdown()
})

priorities('a task of greater priority overtakes hundreds of short tasks and a map', async () => {
  const { executor, gate, order, ran } = await blocked()
  const many = Array.from({ length: 300 }, (_, i) => executor.submit(note, order, i))
  const mapped = executor.with({ priority: 1 }).map((o: Int32Array, n: number) => {
    o[Atomics.add(o, 0, 1) + 1] = n
  }, [order, order], [1001, 1002]) // prettier-ignore
  const urgent = executor.with({ priority: 2 }).submit(note, order, 2000)
  many[3]!.cancel()
  gate.open()
  await Promise.allSettled([...many, mapped, urgent])
  assert.equal(ran().slice(0, 7), [2000, 1001, 1002, 0, 1, 2, 4])
  assert.is(ran().length, 302)
  await executor.shutdown()
})

const retries = suite('with retries')

const failing = (runs: Int32Array, times: number, how: 'throw' | 'exit' | 'hang') => {
  const run = Atomics.add(runs, 0, 1)
  if (run >= times) return run
  if (how === 'exit') process.exit(4)
  if (how === 'hang') return new Promise<number>(() => {})
  throw new RangeError(`run ${run}`)
}

const counter = () => new Int32Array(new SharedArrayBuffer(4))

retries('a task that throws, dies or takes too long is retried as often as retries says', async () => {
  for (const executor of [new ProcessPoolExecutor({ maxWorkers: 1 }), new InlineExecutor()]) {
    const patient = executor.with({ retries: 2 })
    const ways =
      executor instanceof InlineExecutor ? (['throw', 'hang'] as const) : (['throw', 'exit', 'hang'] as const)
    for (const how of ways) {
      const through = how === 'hang' ? patient.with({ timeout: 500 }) : patient
      assert.is(await through.submit(failing, counter(), 2, how), 2)
      const runs = counter()
      const error = await thrownBy(() => through.submit(failing, runs, 3, how))
      assert.instance(error, { throw: RangeError, exit: WorkerDiedError, hang: TimeoutError }[how])
      assert.is(runs[0], 3)
    }
    assert.equal([executor.stats().completed, executor.stats().failed], [ways.length, ways.length])
    await executor.shutdown()
  }
})

retries('InlineExecutor does not retry a task that was cancelled or aborted', async () => {
  const executor = new InlineExecutor()
  const controller = new AbortController()
  const reason = new RangeError('enough')
  let runs = 0
  const target = async () => {
    runs++
    await new Promise((resolve) => currentProcess().signal.addEventListener('abort', resolve))
    throw new Error('asked to stop')
  }
  const future = executor.with({ retries: 5 }).submit(target)
  assert.is(await future.cancel({ force: true, grace: Infinity }), true)
  const aborted = executor.with({ retries: 5, signal: controller.signal }).submit(target)
  controller.abort(reason)
  assert.is(await thrownBy(() => aborted), reason)
  const own = new AbortController()
  const abortsItself = () => {
    runs++
    own.abort(reason)
    throw new Error('after that')
  }
  assert.is(await thrownBy(() => executor.with({ retries: 5, signal: own.signal }).submit(abortsItself)), reason)
  await new Promise((resolve) => setImmediate(resolve))
  assert.is(runs, 3)
  await executor.shutdown()
})

retries('a task without retries, cancelled, or that cannot be sent is not retried', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  const runs = counter()
  await thrownBy(() => executor.submit(failing, runs, 9, 'throw'))
  assert.is(runs[0], 1)
  const gate = new Gate()
  const future: Future = executor.with({ retries: 5 }).submit(passGate<null>, gate.words, null)
  await gate.begun()
  await future.cancel({ force: true })
  await executor.submit(() => 1)
  assert.is(gate.count, 1)
  const controller = new AbortController()
  const aborted = executor.with({ retries: 5, signal: controller.signal }).submit(passGate<null>, gate.words, null)
  await gate.begun(2)
  controller.abort('enough')
  assert.is(await thrownBy(() => aborted), 'enough')
  await executor.submit(() => 1)
  assert.is(gate.count, 2)
  const unsent = executor.with({ retries: 5 }).submit((x: unknown) => x, () => {}) // prettier-ignore
  assert.is((await thrownBy(() => unsent)).code, 'ERR_MANYHANDS_DATA_CLONE')
  await executor.shutdown()
})

retries('map retries the calls of a chunk whose worker dies, or that takes too long', async () => {
  const pool = new ProcessPoolExecutor({ maxWorkers: 1 })
  for (const [executor, how] of [
    [pool, 'exit'],
    [pool, 'hang'],
    [new InlineExecutor(), 'hang'],
  ] as const) {
    const runs = counter()
    const through = executor.with(how === 'hang' ? { retries: 1, timeout: 200 } : { retries: 1 })
    const results = await through.map(failing, [runs, runs], [1, 1], [how, how])
    assert.equal(
      results.toSorted((a, b) => a - b),
      [1, 2],
    )
    assert.is(runs[0], 3)
  }
  await pool.shutdown()
})

retries('map retries calls that throw', async () => {
  for (const executor of [new ProcessPoolExecutor({ maxWorkers: 1 }), new InlineExecutor()]) {
    const runs = new Int32Array(new SharedArrayBuffer(4 * 4))
    const flaky = (words: Int32Array, n: number) => {
      if (Atomics.add(words, n, 1) === 0) throw new RangeError(`${n}`)
      return n
    }
    const words = Array.from({ length: 4 }, () => runs)
    assert.equal(await executor.with({ retries: 1 }).map(flaky, words, [0, 1, 2, 3], { chunksize: 2 }), [0, 1, 2, 3])
    assert.equal([...runs], [2, 2, 2, 2])
    assert.equal([executor.stats().completed, executor.stats().failed], [4, 0])
    await executor.shutdown()
  }
})

/** Items of a map with retries that kill their worker in their first runs. @returns how often each item was run */
async function mapWithDeaths(
  die: (words: Int32Array, n: number) => unknown,
  options: { retries: number; timeout?: number; settled?: true },
): Promise<{ results: unknown[]; runs: number[]; stats: ExecutorStats }> {
  const pool = new ProcessPoolExecutor({ maxWorkers: 2, resourceLimits: { maxOldGenerationSizeMb: 32 } })
  const runs = new Int32Array(new SharedArrayBuffer(4 * 60))
  const { settled = false, ...call } = options
  const words = Array.from({ length: 60 }, () => runs)
  const mapped = pool.with(call).map(die, words, runs.keys(), { chunksize: 20, settled })
  const results: unknown[] = await mapped
  const stats = pool.stats()
  await pool.shutdown()
  return { results, runs: [...runs], stats }
}

const dieFirst = {
  'an exit': (words: Int32Array, n: number) =>
    Atomics.add(words, n, 1) === 0 && n % 10 === 7 ? process.exit(4) : n % 2 ? n : { n },
  'want of memory': (words: Int32Array, n: number) => {
    if (Atomics.add(words, n, 1) === 0 && n % 20 === 17)
      for (const all: number[][] = []; ;) all.push(Array.from({ length: 1000 }, (_, i) => i + 0.5))
    return n % 2 ? n : { n }
  },
  'a time limit': (words: Int32Array, n: number) => {
    if (Atomics.add(words, n, 1) === 0 && n % 20 === 17) for (;;);
    return n % 2 ? n : { n }
  },
}

for (const [what, die] of Object.entries(dieFirst))
  retries(`map runs only what had not returned again after ${what} amid a chunk`, async () => {
    const options = what === 'a time limit' ? { retries: 1, timeout: 1000 } : { retries: 1 }
    const { results, runs, stats } = await mapWithDeaths(die, options)
    const died = (n: number) => (what === 'an exit' ? n % 10 === 7 : n % 20 === 17)
    assert.equal(results, Array.from({ length: 60 }, (_, n) => (n % 2 ? n : { n }))) // prettier-ignore
    assert.equal(runs, Array.from({ length: 60 }, (_, n) => (died(n) ? 2 : 1))) // prettier-ignore
    assert.equal([stats.completed, stats.failed, stats.cancelled], [60, 0, 0])
  })

retries('map runs an item that always kills its worker as often as retries says, and the others once', async () => {
  const die = (words: Int32Array, n: number) => (Atomics.add(words, n, 1) >= 0 && n === 30 ? process.exit(4) : n)
  const { results, runs, stats } = await mapWithDeaths(die, { retries: 2, settled: true })
  assert.equal(runs, Array.from({ length: 60 }, (_, n) => (n === 30 ? 3 : 1))) // prettier-ignore
  for (const [n, result] of (results as PromiseSettledResult<number>[]).entries())
    if (n !== 30) assert.equal(result, { status: 'fulfilled', value: n })
    else assert.instance((result as PromiseRejectedResult).reason, WorkerDiedError)
  assert.equal([stats.completed, stats.failed, stats.cancelled], [59, 1, 0])
})

/** A task that fails again and again, and waits for its next attempt behind one that blocks the only worker. */
async function betweenAttempts() {
  const pool = new ProcessPoolExecutor({ maxWorkers: 1 })
  const [gate, runs] = [new Gate(), counter()]
  const failing = pool.with({ retries: Infinity, priority: -1 }).submit((words: Int32Array) => {
    throw new RangeError(`run ${Atomics.add(words, 0, 1)}`)
  }, runs)
  await until(() => Atomics.load(runs, 0) > 3)
  // Of a greater priority.
  const blocking = pool.submit(passGate<number>, gate.words, 1)
  await gate.begun()
  return { pool, gate, runs, failing, blocking }
}

retries(
  'a task that waits for its next attempt runs, until a shutdown that cancels ends it as its last attempt did',
  async () => {
    const { pool, gate, runs, failing, blocking } = await betweenAttempts()
    const { running, queued } = pool.stats()
    assert.equal([failing.running(), failing.done(), failing.cancel(), running, queued], [true, false, false, 2, 0])
    const ended = pool.shutdown({ cancelFutures: true })
    assert.equal([failing.running(), failing.done(), failing.cancelled()], [false, true, false])
    assert.match((await thrownBy(() => failing)).message, `run ${runs[0]! - 1}`)
    gate.open()
    assert.is(await blocking, 1)
    await ended
    assert.equal([pool.stats().failed, pool.stats().completed], [1, 1])
  },
)

retries('a task that waits for its next attempt can be cancelled by force, and is not run again', async () => {
  const { pool, gate, runs, failing, blocking } = await betweenAttempts()
  const before = runs[0]
  assert.is(await failing.cancel({ force: true }), true)
  gate.open()
  await blocking
  await pool.submit(() => 1)
  assert.is(runs[0], before)
  await pool.shutdown()
})

retries('a task that is run again and again ends with a shutdown that cancels', async () => {
  const pool = new ProcessPoolExecutor({ maxWorkers: 2 })
  const runs = counter()
  const again = pool.with({ retries: Infinity })
  const failing = again.submit((words: Int32Array) => {
    throw new RangeError(`run ${Atomics.add(words, 0, 1)}`)
  }, runs)
  const others = counter()
  const mapped = thrownBy(() => again.map((words: Int32Array, n: number) => {
    throw new RangeError(`${n} ${Atomics.add(words, 0, 1)}`)
  }, [others, others, others], [1, 2, 3])) // prettier-ignore
  await until(() => Atomics.load(runs, 0) > 5 && Atomics.load(others, 0) > 15)
  await pool.shutdown({ cancelFutures: true })
  assert.instance(await failing.exception(), RangeError)
  assert.instance(await mapped, Error)
  assert.equal([pool.stats().running, pool.stats().queued], [0, 0])
})

retries('with refuses bad retries and priorities at the call', async () => {
  for (const executor of [new ProcessPoolExecutor({ maxWorkers: 1 }), new InlineExecutor()]) {
    for (const bad of [-1, 1.5, NaN, -Infinity])
      assert.instance(await thrownBy(() => executor.with({ retries: bad })), RangeError)
    assert.instance(await thrownBy(() => executor.with({ priority: NaN })), RangeError)
    for (const bad of [{ retries: '1' }, { priority: '1' }, { priority: null }])
      assert.instance(await thrownBy(() => executor.with(bad as never)), TypeError)
    const error = await thrownBy(() => executor.with({ retries: 1 }).with({ transfer: [new ArrayBuffer(1)] }))
    assert.instance(error, TypeError)
    assert.match(error.message, 'retries and transfer')
    await executor.shutdown()
  }
})

priorities.run()
retries.run()
