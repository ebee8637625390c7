import {
  AsyncResult,
  BrokenProcessPool,
  CancelledError,
  cpuCount,
  DataCloneError,
  InvalidStateError,
  Pool,
  ShutdownError,
  TimeoutError,
  Value,
  WorkerDiedError,
} from 'manyhands'
import { assert, runProgram, suite, thrownBy } from '../harness.js'
import { Gate, passGate, ThreadWatch } from '../executor/gate.js'

const test = suite('Pool')
const square = (n: number) => n * n
const add = (a: number, b: number) => a + b
const numbers = Array.from({ length: 50 }, (_, i) => i)
declare const kept: { base: number }
const failAt3 = (n: number) => {
  if (n === 3) throw new RangeError('no 3')
  return n
}

/** Use a pool, then close and join it. */
async function withPool(processes: number, use: (pool: Pool) => Promise<void>): Promise<void> {
  const pool = new Pool(processes)
  try {
    await use(pool)
    pool.close()
  } finally {
    pool.close()
    await pool.join()
  }
}

test('Pool.apply calls functions, with arguments and without', () =>
  withPool(2, async (pool) => {
    assert.is(await pool.apply(add, [3, 4]), 7)
    assert.is(await pool.apply(() => 'none'), 'none')
    assert.is(await pool.apply(async (n: number) => n + 1, [1]), 2)
    assert.instance(await thrownBy(() => pool.apply(failAt3, [3])), RangeError)
  }))

test('Pool.map gives results in the order of the items, for any chunksize', () =>
  withPool(2, async (pool) => {
    for (const chunksize of [undefined, 1, 7, 100])
      assert.equal(await pool.map(square, numbers, { chunksize }), numbers.map(square))
    assert.equal(await pool.map(square, []), [])
    assert.equal(await pool.map(square, new Set([2, 3])), [4, 9])
    async function* slowly() {
      yield* [1, 2, 3]
    }
    assert.equal(await pool.map(square, slowly()), [1, 4, 9])
    const thrown = await thrownBy(() => pool.map(failAt3, numbers))
    assert.instance(thrown, RangeError)
    assert.is(thrown.message, 'no 3')
  }))

test('Pool.starmap takes each item as the arguments of a call', () =>
  withPool(2, async (pool) => {
    const pairs = numbers.map((n): [number, number] => [n, 100])
    for (const chunksize of [undefined, 7])
      assert.equal(
        await pool.starmap(add, pairs, { chunksize }),
        numbers.map((n) => n + 100),
      )
    const count = (...args: unknown[]) => args.length
    assert.equal(await pool.starmap(count, [[], [1], [1, 2, 3]]), [0, 1, 3])
    async function* slowly() {
      yield* pairs
    }
    assert.equal((await pool.starmap(add, slowly())).length, 50)
    assert.is(
      await pool
        .starmapAsync(add, [[1, 2]])
        .get()
        .then(String),
      '3',
    )
    const thrown = await thrownBy(() => pool.starmap(add, [[1, 2], 5 as never]))
    assert.instance(thrown, TypeError)
    assert.match(thrown.message, 'not 5')
  }))

test('Pool.imap gives the results one by one, in order', () =>
  withPool(2, async (pool) => {
    for (const chunksize of [undefined, 1, 7]) {
      const results: number[] = []
      for await (const result of pool.imap(square, numbers, { chunksize })) results.push(result)
      assert.equal(results, numbers.map(square))
    }
    const seen: number[] = []
    const thrown = await thrownBy(async () => {
      for await (const n of pool.imap(failAt3, numbers)) seen.push(n)
    })
    assert.is(thrown.message, 'no 3')
    assert.equal(seen, [0, 1, 2])
  }))

test('Pool.imapUnordered gives results as they come', () =>
  withPool(2, async (pool) => {
    const gate = new Gate()
    const pass = (words: Int32Array) => {
      if (words.length > 1) Atomics.wait(words, 1, 0)
      return words.length
    }
    const results: number[] = []
    for await (const result of pool.imapUnordered(pass, [gate.words, new Int32Array(1)], { chunksize: 1 })) {
      results.push(result)
      gate.open()
    }
    assert.equal(results, [1, 2])
    const all: number[] = []
    for await (const result of pool.imapUnordered(square, numbers, { chunksize: 3 })) all.push(result)
    assert.equal(
      all.toSorted((a, b) => a - b),
      numbers.map(square),
    )
  }))

test('Pool.imap reads no more of an endless input than it needs, and closes it when the loop is left', () =>
  withPool(2, async (pool) => {
    let read = 0
    let closed = false
    function* endless() {
      try {
        for (;;) yield read++
      } finally {
        closed = true
      }
    }
    for await (const result of pool.imap(square, endless())) if (result === 100) break
    assert.ok(closed)
    assert.ok(read < 5000, `${read} were read`)
  }))

test('Pool.applyAsync gives an AsyncResult, which gets ready', () =>
  withPool(1, async (pool) => {
    const gate = new Gate()
    const result = pool.applyAsync(passGate<string>, [gate.words, 'through'])
    assert.instance(result, AsyncResult)
    assert.is(result.ready(), false)
    const early = await thrownBy(() => result.successful())
    assert.instance(early, InvalidStateError)
    assert.is(early.code, 'ERR_MANYHANDS_INVALID_STATE')
    assert.is(await result.wait({ timeout: 1 }), undefined)
    assert.is(await result.wait(1), undefined)
    assert.is(result.ready(), false)
    for (const limit of [{ timeout: 1 }, 1, 0]) {
      const late = await thrownBy(() => result.get(limit))
      assert.instance(late, TimeoutError)
      assert.is(late.code, 'ERR_MANYHANDS_TIMEOUT')
    }
    assert.instance(await thrownBy(() => result.get({ timeout: NaN })), RangeError)
    for (const bad of [null, '1', { timeout: '1' }, { signal: {} }] as never[]) {
      assert.instance(await thrownBy(() => result.get(bad)), TypeError)
      assert.instance(await thrownBy(() => result.wait(bad)), TypeError)
    }
    assert.instance(await thrownBy(() => result.wait(NaN)), RangeError)
    for (const reason of ['enough', new TimeoutError('of the caller')]) {
      const signal = AbortSignal.abort(reason)
      assert.is(await thrownBy(() => result.get({ signal })), reason)
      assert.is(await thrownBy(() => result.wait({ signal })), reason)
    }
    gate.open()
    await result.wait()
    assert.equal([result.ready(), result.successful()], [true, true])
    assert.is(await result.get(), 'through')
    assert.is(await result.get({ timeout: 0 }), 'through')
    assert.is(await result.wait(0), undefined)
  }))

test('an AsyncResult that failed throws from get only', () =>
  withPool(1, async (pool) => {
    const result = pool.applyAsync(failAt3, [3])
    await result.wait()
    assert.equal([result.ready(), result.successful()], [true, false])
    for (let i = 0; i < 2; i++) assert.instance(await thrownBy(() => result.get()), RangeError)
    const mapped = pool.mapAsync(failAt3, numbers)
    assert.instance(await thrownBy(() => mapped.get()), RangeError)
    assert.is(mapped.successful(), false)
  }))

test('a Pool calls back once, with the result or the error', () =>
  withPool(2, async (pool) => {
    const calls: unknown[] = []
    const callbacks = {
      callback: (result: unknown) => calls.push(result),
      errorCallback: (error: Error) => calls.push(error.message),
    }
    const results = [
      () => pool.applyAsync(add, [1, 2], callbacks),
      () => pool.applyAsync(failAt3, [3], callbacks),
      () => pool.mapAsync(square, [1, 2], callbacks),
      () => pool.mapAsync(failAt3, numbers, callbacks),
      () => pool.starmapAsync(add, [[1, 2]], callbacks),
    ]
    for (const start of results) await start().wait()
    await pool.map(square, [5], callbacks)
    assert.equal(calls, [3, 'no 3', [1, 4], 'no 3', [3], [25]])
  }))

test('a Pool prints what a callback throws, and goes on', async () => {
  const { stdout, stderr, code } = await runProgram(`
    import { Pool } from 'manyhands'
    const pool = new Pool(1)
    const bad = () => { throw new Error('in a callback') }
    console.log(await pool.applyAsync(() => 1, [], { callback: bad }).get())
    pool.applyAsync(() => { throw new Error('nobody looks') })
    const later = async () => { throw new Error('in an asynchronous errorCallback') }
    await pool.applyAsync(() => { throw 1 }, [], { errorCallback: later }).wait()
    await pool.mapAsync(() => { throw 1 }, [1], { errorCallback: () => { throw new Error('in an errorCallback') } }).wait()
    pool.close()
    await pool.join()
  `)
  assert.is(stdout, '1\n')
  for (const where of ['in a callback', 'in an errorCallback', 'in an asynchronous errorCallback'])
    assert.match(stderr, where)
  assert.not.match(stderr, 'nobody looks')
  assert.is(code, 0)
})

test('a Pool runs its initializer in each worker, and replaces workers after maxTasksPerChild', async () => {
  const initializer = (base: number) => {
    Object.assign(globalThis, { kept: { base } })
  }
  const pool = new Pool(1, { initializer, initargs: [40], maxTasksPerChild: 2 })
  const run = (n: number) => [kept.base + n, 0]
  assert.is((await pool.apply(run, [2]))[0], 42)
  const pids = new Set<unknown>()
  const pidOf = () => import('node:worker_threads').then(({ threadId }) => threadId)
  for (let i = 0; i < 5; i++) pids.add(await pool.apply(pidOf))
  assert.is(pids.size, 3)
  pool.close()
  await pool.join()
})

test('a Pool uses the number of processes that it was given', () =>
  withPool(3, async (pool) => {
    const gate = new Gate()
    const all = [1, 2, 3].map((n) => pool.applyAsync(passGate<number>, [gate.words, n]))
    await gate.begun(3)
    gate.open()
    assert.equal(await Promise.all(all.map((one) => one.get())), [1, 2, 3])
  }))

test('a Pool uses the available parallelism by default', async () => {
  const threads = new ThreadWatch()
  const pool = new Pool()
  const gate = new Gate()
  const all = Array.from({ length: cpuCount() + 1 }, (_, n) => pool.applyAsync(passGate<number>, [gate.words, n]))
  await gate.begun(cpuCount())
  gate.open()
  for (const [n, one] of all.entries()) assert.is(await one.get(), n)
  assert.is(threads.started, cpuCount())
  threads.stop()
  pool.close()
  await pool.join()
})

test('a Pool whose initializer fails is broken, and can be ended', async () => {
  const initializer = () => {
    throw new RangeError('cannot begin')
  }
  const pool = new Pool(1, { initializer })
  const result = pool.applyAsync(add, [1, 2])
  const mapped = pool.mapAsync(square, numbers)
  for (const broken of [
    await thrownBy(() => result.get()),
    await thrownBy(() => mapped.get()),
    await thrownBy(() => pool.apply(add, [1, 2])),
    await thrownBy(async () => pool.imap(square, numbers)),
  ]) {
    assert.instance(broken, BrokenProcessPool)
    assert.instance(broken.cause, RangeError)
  }
  assert.is(result.successful(), false)
  pool.close()
  await pool.join()
})

test('a Pool refuses join before close, and work after it, by errors with a code', async () => {
  const pool = new Pool(1)
  const open = await thrownBy(() => pool.join())
  assert.instance(open, InvalidStateError)
  assert.is(open.code, 'ERR_MANYHANDS_INVALID_STATE')
  assert.is(await pool.apply(add, [1, 1]), 2)
  const refused = async () => {
    for (const call of [
      () => pool.apply(add, [1, 2]),
      () => pool.applyAsync(add, [1, 2]),
      () => pool.map(square, [1]),
      () => pool.mapAsync(square, [1]),
      () => pool.imap(square, [1]),
      () => pool.imapUnordered(square, [1]),
      () => pool.starmap(add, [[1, 2]]),
      () => pool.starmapAsync(add, [[1, 2]]),
    ]) {
      const thrown = await thrownBy(async () => call())
      assert.instance(thrown, ShutdownError)
      assert.is(thrown.code, 'ERR_MANYHANDS_SHUTDOWN')
    }
  }
  pool.close()
  await refused()
  pool.close()
  await Promise.all([pool.join(), pool.join()])
  await pool.join()
  pool.terminate()
  await pool.join()
  await refused()
})

test('Pool.close leaves submitted work to be done, long maps and unread iterators included', async () => {
  const threads = new ThreadWatch()
  const calls = new Value('i', 0)
  const count = (n: number, total: Value<'i'>) => {
    total.add(1)
    return n
  }
  const pool = new Pool(2)
  const pairs = Array.from({ length: 500 }, (_, n): [number, Value<'i'>] => [n, calls])
  const mapped = pool.starmapAsync(count, pairs, { chunksize: 1 })
  const imap = pool.imap(square, numbers, { chunksize: 1 })
  const failing = pool.imap(failAt3, numbers)
  assert.is((await imap.next()).value, 0)
  pool.close()
  await pool.join()
  assert.is(threads.alive, 0)
  threads.stop()
  assert.is(calls.value, 500)
  assert.is(mapped.ready(), true)
  assert.equal((await mapped.get())[499], 499)
  const rest: number[] = []
  for await (const result of imap) rest.push(result)
  assert.equal(rest, numbers.slice(1).map(square))
  const seen: number[] = []
  assert.is(
    (
      await thrownBy(async () => {
        for await (const n of failing) seen.push(n)
      })
    ).message,
    'no 3',
  )
  assert.equal(seen, [0, 1, 2])
})

test('Pool.terminate ends what runs, cancels what waits, and leaves nothing pending', async () => {
  const threads = new ThreadWatch()
  const pool = new Pool(1)
  const gate = new Gate()
  const running = pool.applyAsync(passGate<number>, [gate.words, 1])
  const waiting = pool.applyAsync(add, [1, 2])
  const mapped = pool.mapAsync(square, numbers)
  const imap = pool.imap(square, numbers)
  await gate.begun()
  pool.terminate()
  pool.terminate()
  await pool.join()
  assert.is(threads.alive, 0)
  threads.stop()
  const died = await thrownBy(() => running.get())
  assert.instance(died, WorkerDiedError)
  assert.is(died.exitcode, -15)
  for (const one of [() => waiting.get(), () => mapped.get(), () => imap.next()])
    assert.instance(await thrownBy(one), CancelledError)
})

test('leaving the block of a Pool ends what runs, as in Python', async () => {
  const gate = new Gate()
  let running: AsyncResult<number>
  {
    await using pool = new Pool(1)
    running = pool.applyAsync(passGate<number>, [gate.words, 1])
    await gate.begun()
  }
  assert.is(running.ready(), true)
  assert.instance(await thrownBy(() => running.get()), WorkerDiedError)
})

test('a Pool survives the death of a worker, which fails its task alone', () =>
  withPool(1, async (pool) => {
    const dying = pool.applyAsync(() => process.exit(5))
    const next = pool.applyAsync(add, [1, 2])
    const died = await thrownBy(() => dying.get())
    assert.instance(died, WorkerDiedError)
    assert.is(died.exitcode, 5)
    assert.is(await next.get(), 3)
    const unsent = await thrownBy(() => pool.apply((value: object) => value, [{ f: () => {} }]))
    assert.instance(unsent, DataCloneError)
  }))

test('a Pool refuses bad arguments and unknown options before anything starts', async () => {
  for (const [errorClass, make] of [
    [RangeError, () => new Pool(0)],
    [RangeError, () => new Pool(1.5)],
    [RangeError, () => new Pool(NaN)],
    [TypeError, () => new Pool('2' as never)],
    [TypeError, () => new Pool(null as never)],
    [TypeError, () => new Pool(1, null as never)],
    [TypeError, () => new Pool(1, 2 as never)],
    [TypeError, () => new Pool(1, { initializer: square, initargs: 5 as never })],
    [DataCloneError, () => new Pool(1, { initializer: (fn: () => void) => fn(), initargs: [() => {}] })],
    [TypeError, () => new Pool(1, { initializer: 5 as never })],
    [RangeError, () => new Pool(1, { maxTasksPerChild: 0 })],
    [TypeError, () => new Pool(1, { maxWorkers: 2 } as never)],
    [TypeError, () => new AsyncResult()],
  ] as const)
    assert.instance(await thrownBy(make), errorClass, String(make))
  assert.match((await thrownBy(() => new Pool(0))).message, 'processes')
  const threads = new ThreadWatch()
  await withPool(1, async (pool) => {
    for (const [errorClass, call] of [
      [TypeError, () => pool.apply(5 as never)],
      [TypeError, () => pool.apply(add, 5 as never)],
      [TypeError, () => pool.apply(add, null as never)],
      [TypeError, () => pool.applyAsync('add' as never)],
      [TypeError, () => pool.applyAsync(add, [1, 2], null as never)],
      // As in Python: a callback or a chunksize by its position.
      [TypeError, () => pool.applyAsync(add, [1, 2], square as never)],
      [TypeError, () => pool.imap(square, [1], 5 as never)],
      [TypeError, () => pool.imapUnordered(square, [1], 5 as never)],
      [TypeError, () => pool.applyAsync(add, [1, 2], { callback: 5 as never })],
      [TypeError, () => pool.applyAsync(add, [1, 2], { errorCallback: {} as never })],
      [TypeError, () => pool.map(square, 5 as never)],
      [TypeError, () => pool.map(square, [1], 5 as never)],
      [TypeError, () => pool.map(5 as never, [1])],
      [TypeError, () => pool.map(square, [1], null as never)],
      [RangeError, () => pool.map(square, [1], { chunksize: 0 })],
      [TypeError, () => pool.map(square, [1], { ordered: false } as never)],
      [TypeError, () => pool.imap(square, [1], { callback: square } as never)],
      [TypeError, () => pool.applyAsync(add, [1, 2], { chunksize: 1 } as never)],
      [TypeError, () => pool.mapAsync(square, 5 as never)],
      [TypeError, () => pool.mapAsync(square, [1], { chunksize: '2' as never })],
      [TypeError, () => pool.mapAsync(square, [1], { errorCallback: 5 as never })],
      [TypeError, () => pool.map(square, [1], { callback: 'x' as never })],
      [TypeError, () => pool.starmap(add, 5 as never)],
      [TypeError, () => pool.starmap(5 as never, [[1, 2]])],
      [RangeError, () => pool.starmap(add, [[1, 2]], { chunksize: NaN })],
      [TypeError, () => pool.starmapAsync(add, null as never)],
      [TypeError, () => pool.starmapAsync(add, [[1, 2]], 5 as never)],
      [TypeError, () => pool.starmapAsync(add, [[1, 2]], { callback: {} as never })],
      [TypeError, () => pool.imap(square, null as never)],
      [TypeError, () => pool.imap(5 as never, [1])],
      [TypeError, () => pool.imap(square, [1], null as never)],
      [TypeError, () => pool.imapUnordered(square, 5 as never)],
      [TypeError, () => pool.imapUnordered({} as never, [1])],
      [RangeError, () => pool.imapUnordered(square, [1], { chunksize: 1.5 })],
    ] as const)
      assert.instance(await thrownBy(async () => call()), errorClass, String(call))
  })
  assert.is(threads.started, 0)
  threads.stop()
})

test('a program that forgets to close its pool ends when its work is done', async () => {
  const { stdout, code } = await runProgram(`
    import { Pool } from 'manyhands'
    const pool = new Pool(2)
    pool.applyAsync((n) => n + 1, [1], { callback: console.log })
  `)
  assert.is(stdout, '2\n')
  assert.is(code, 0)
})

test.run()
