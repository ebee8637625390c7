import { BrokenProcessPool, cpuCount, DataCloneError, ProcessPoolExecutor } from 'manyhands'
import { assert, suite, thrownBy, until } from '../harness.js'
import { Gate, passGate, ThreadWatch } from './gate.js'

const test = suite('options of a ProcessPoolExecutor')
const threadOf = () => import('node:worker_threads').then(({ threadId }) => threadId)

test('an executor uses maxWorkers workers when there is work, and no more', async () => {
  const threads = new ThreadWatch()
  const executor = new ProcessPoolExecutor({ maxWorkers: 5 })
  assert.is(threads.started, 0)
  const gate = new Gate()
  const futures = Array.from({ length: 8 }, (_, i) => executor.submit(passGate<number>, gate.words, i))
  await gate.begun(5)
  const { workers, maxWorkers, running, queued } = executor.stats()
  assert.equal({ workers, maxWorkers, running, queued }, { workers: 5, maxWorkers: 5, running: 5, queued: 3 })
  assert.equal(futures.map((future) => future.running()).filter(Boolean).length, 5)
  gate.open()
  assert.equal(await Promise.all(futures), [0, 1, 2, 3, 4, 5, 6, 7])
  assert.is(threads.started, 5)
  await executor.shutdown()
  threads.stop()
})

test('the workers of an executor are those of a piscina pool', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  const isPiscinas = () => import('piscina').then(({ isWorkerThread }) => isWorkerThread)
  assert.equal([await isPiscinas(), await executor.submit(isPiscinas)], [false, true])
  await executor.shutdown()
})

test('maxWorkers is the available parallelism by default', async () => {
  const executor = new ProcessPoolExecutor()
  assert.is(executor.stats().maxWorkers, cpuCount())
  await executor.shutdown()
})

test('an executor starts threads only when they are needed', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 4 })
  assert.is(executor.stats().workers, 0)
  for (let i = 0; i < 5; i++) await executor.submit(() => 1)
  const { workers } = executor.stats()
  assert.ok(workers === 1 || workers === 2, `${workers}`) // On a busy machine, one that is slow to tell its end seems blocked.
  await executor.shutdown()
  assert.is(executor.stats().workers, 0)
})

test('ProcessPoolExecutor refuses bad and unknown options', async () => {
  for (const name of ['maxWorkers', 'maxTasksPerChild']) {
    for (const bad of [0, -1, 1.5, NaN, -Infinity]) {
      const error = await thrownBy(() => new ProcessPoolExecutor({ [name]: bad }))
      assert.instance(error, RangeError)
      assert.match(error.message, name)
      assert.match(error.message, String(bad))
    }
    const error = await thrownBy(() => new ProcessPoolExecutor({ [name]: '2' }))
    assert.instance(error, TypeError)
    assert.match(error.message, `${name} must be a number, not '2'`)
  }
  assert.instance(await thrownBy(() => new ProcessPoolExecutor({ maxWorkers: Infinity })), RangeError)
  for (const idleTimeout of [NaN, -1])
    assert.instance(await thrownBy(() => new ProcessPoolExecutor({ idleTimeout })), RangeError)
  const bad = [
    { idleTimeout: '5' },
    { initializer: 'start' },
    { initializer: Math.max },
    { initargs: 'text' },
    { env: 'PATH' },
    { resourceLimits: 5 },
    { maxWorkers: null },
    { workers: 2 },
    { batch: true },
    null,
    5,
  ]
  for (const options of bad)
    assert.instance(await thrownBy(() => new ProcessPoolExecutor(options as never)), TypeError, JSON.stringify(options))
  const uncloneable = await thrownBy(
    () => new ProcessPoolExecutor({ initializer: (fn: () => void) => fn(), initargs: [() => {}] }),
  )
  assert.instance(uncloneable, DataCloneError)
  assert.is(uncloneable.path, 'initargs[0]')
})

test('an initializer that throws what this thread cannot read breaks the executor', async () => {
  // A worker has more stack than this thread: of these depths, some can be posted there and not be read here.
  for (const depth of [3000, 5000, 7000, 9000]) {
    const executor = new ProcessPoolExecutor({
      maxWorkers: 1,
      initializer: (depth: number) => {
        let nested: unknown[] = []
        for (let i = 0; i < depth; i++) nested = [nested]
        throw nested
      },
      initargs: [depth],
    })
    assert.instance(await executor.submit(() => 1).exception(), BrokenProcessPool, `depth ${depth}`)
    await executor.shutdown()
  }
})

test('initializer runs once in each worker, before its first task, with initargs', async () => {
  const gate = new Gate()
  const runs = new Int32Array(new SharedArrayBuffer(4))
  const executor = new ProcessPoolExecutor({
    maxWorkers: 2,
    initializer: async (runs: Int32Array, text: string) => {
      await new Promise((resolve) => setTimeout(resolve, 5))
      Atomics.add(runs, 0, 1)
      ;(globalThis as { text?: string }).text = text
    },
    initargs: [runs, 'set'],
  })
  const target = (words: Int32Array) => {
    Atomics.add(words, 0, 1)
    Atomics.wait(words, 1, 0)
    return (globalThis as { text?: string }).text
  }
  const futures = Array.from({ length: 6 }, () => executor.submit(target, gate.words))
  await gate.begun(2)
  assert.is(runs[0], 2)
  gate.open()
  assert.equal(new Set(await Promise.all(futures)), new Set(['set']))
  assert.is(runs[0], 2)
  // A replacement is initialized as well.
  await thrownBy(() => executor.submit(() => process.exit(1)))
  await executor.map(target, [gate.words, gate.words])
  await until(() => runs[0] === 3)
  await executor.shutdown()
})

test('maxTasksPerChild retires workers, and loses no task', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 1, maxTasksPerChild: 2 })
  const threads: number[] = []
  for (let i = 0; i < 5; i++) threads.push(await executor.submit(threadOf))
  assert.equal([threads[0] === threads[1], threads[1] === threads[2], threads[2] === threads[3]], [true, false, true])
  assert.is(new Set(threads).size, 3)
  await executor.shutdown()
  const many = new ProcessPoolExecutor({ maxWorkers: 2, maxTasksPerChild: 1 })
  const runs = new Int32Array(new SharedArrayBuffer(4 * 12))
  const results = await many.map(
    (runs: Int32Array, i: number) => {
      Atomics.add(runs, i, 1)
      if (i % 4 === 3) throw new RangeError(`${i}`)
      return i % 4 === 0 ? i : i % 4 === 1 ? { i } : undefined
    },
    Array.from({ length: 12 }, () => runs),
    runs.keys(),
    { settled: true },
  )
  assert.equal(
    [...runs],
    Array.from({ length: 12 }, () => 1),
  )
  assert.equal((results as any[]).filter(({ status }) => status === 'rejected').length, 3)
  assert.equal((results[4] as any).value, 4)
  assert.equal((results[5] as any).value, { i: 5 })
  assert.is(many.stats().workersLost, 0)
  await many.shutdown()
})

test('maxTasksPerChild loses no result when the thread has ended before the main thread looks', async () => {
  const gone = new Int32Array(new SharedArrayBuffer(4))
  const last = (gone: Int32Array, value: unknown) => {
    process.on('exit', () => {
      Atomics.store(gone, 0, 1)
      Atomics.notify(gone, 0)
    })
    return value
  }
  for (const value of [5, undefined, { five: 5 }]) {
    const executor = new ProcessPoolExecutor({ maxWorkers: 1, maxTasksPerChild: 1 })
    gone[0] = 0
    const future = executor.submit(last, gone, value)
    // Blocks this thread until some time after the worker's has ended.
    Atomics.wait(gone, 0, 0, 10_000)
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 30)
    assert.equal(await future, value)
    await executor.shutdown()
  }
})

test('maxTasksPerChild moves nothing to a worker that retires', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 1, maxTasksPerChild: 1 })
  const futures = Array.from({ length: 10 }, (_, i) => {
    const bytes = new Uint8Array([i])
    return executor.with({ transfer: [bytes.buffer] }).submit((b: Uint8Array) => b[0], bytes)
  })
  assert.equal(await Promise.all(futures), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  await executor.shutdown()
})

test('idleTimeout ends idle workers, except one', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 3, idleTimeout: 20 })
  const gate = new Gate()
  const futures = [1, 2, 3].map((n) => executor.submit(passGate<number>, gate.words, n))
  await gate.begun(3)
  gate.open()
  await Promise.all(futures)
  await until(() => executor.stats().workers === 1)
  assert.is(executor.stats().workersLost, 0)
  assert.equal(await executor.map((n: number) => n, [1, 2, 3, 4]), [1, 2, 3, 4])
  await executor.shutdown()
})

test('idleTimeout may be longer than the longest timer', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 2, idleTimeout: 2 ** 40 })
  const gate = new Gate()
  const futures = [1, 2].map((n) => executor.submit(passGate<number>, gate.words, n))
  await gate.begun(2)
  gate.open()
  await Promise.all(futures)
  await new Promise((resolve) => setTimeout(resolve, 20))
  assert.is(executor.stats().workers, 2)
  await executor.shutdown()
})

test("env is the environment of the workers, by default a copy of the program's", async () => {
  process.env.SPEC_OPTIONS = 'inherited'
  const variables = () => {
    const { SPEC_OPTIONS, ONLY } = process.env
    process.env.ONLY = 'changed'
    return [SPEC_OPTIONS, ONLY]
  }
  const inheriting = new ProcessPoolExecutor({ maxWorkers: 1 })
  const given = new ProcessPoolExecutor({ maxWorkers: 1, env: { ONLY: 'this' } })
  assert.equal(await inheriting.submit(variables), ['inherited', undefined])
  assert.equal(await given.submit(variables), [undefined, 'this'])
  assert.is(process.env.ONLY, undefined)
  delete process.env.SPEC_OPTIONS
  await Promise.all([inheriting.shutdown(), given.shutdown()])
})

test('resourceLimits apply to each worker', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 1, resourceLimits: { maxOldGenerationSizeMb: 33 } })
  const limits = await executor.submit(() => import('node:worker_threads').then(({ resourceLimits }) => resourceLimits))
  assert.is(limits.maxOldGenerationSizeMb, 33)
  await executor.shutdown()
})

test.run()
