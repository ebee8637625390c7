import { InlineExecutor, ProcessPoolExecutor, type ExecutorStats } from 'manyhands'
import { assert, suite, thrownBy, until } from '../harness.js'
import { Gate, passGate } from './gate.js'

const test = suite('what stats and maxTasksPerChild count')

const oddFails = (n: number) => {
  if (n % 2) throw new RangeError(`${n} is odd`)
  return n
}

const numbers = (length: number) => Array.from({ length }, (_, n) => n)
const done = ({ completed, failed, cancelled }: ExecutorStats) => [completed, failed, cancelled]

for (const make of [() => new ProcessPoolExecutor({ maxWorkers: 2 }), () => new InlineExecutor()]) {
  const { name } = make().constructor

  test(`the items of a map, in ${name}: those that returned, and those that failed`, async () => {
    for (const options of [{}, { chunksize: 70 }, { chunksize: 1 }]) {
      for (const retries of [0, 1]) {
        const executor = make()
        await executor.with({ retries }).map(oddFails, numbers(1000), { ...options, settled: true })
        assert.equal(done(executor.stats()), [500, 500, 0])
        await executor.shutdown()
      }
    }
  })

  test(`the items before a failure, it, and those behind it, in ${name}`, async () => {
    const executor = make()
    const fails = (n: number) => {
      if (n === 6) throw new RangeError('six')
      return n
    }
    await thrownBy(() => executor.map(fails, numbers(10), { chunksize: 10 }))
    assert.equal(done(executor.stats()), [6, 1, 3])
    await executor.shutdown()
  })

  test(`a range as one task, in ${name}`, async () => {
    const executor = make()
    await executor.parallelFor(1000, () => {}, { grain: 10 })
    await executor.parallelReduce(1000, (start: number, end: number) => end - start, (a, b) => a + b) // prettier-ignore
    await thrownBy(() => executor.parallelFor(1000, (start: number) => JSON.parse(`not JSON ${start}`)))
    await executor.shutdown()
    assert.equal(done(executor.stats()), [2, 1, 0])
  })
}

test('the items that cannot be sent, and whose results cannot, once each', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 2 })
  const items = numbers(40).map((n) => (n % 10 === 3 ? () => n : n))
  await executor.map((n: unknown) => n, items, { chunksize: 20, settled: true })
  assert.equal(done(executor.stats()), [36, 4, 0])
  const results = (n: number) => (n % 10 === 3 ? () => n : n)
  await executor.map(results, numbers(40), { chunksize: 20, settled: true })
  assert.equal(done(executor.stats()), [72, 8, 0])
  await executor.shutdown()
})

test('the items of a chunk whose worker dies, once each', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 2 })
  const exit = (n: number) => (n % 10 === 3 ? process.exit(n) : n)
  await executor.map(exit, numbers(40), { chunksize: 20, settled: true })
  assert.equal(done(executor.stats()), [36, 4, 0])
  await executor.shutdown()
})

test('the items that wait and that run', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  const gate = new Gate()
  const wait = (words: Int32Array, n: number) => {
    if (n !== 4) return n
    Atomics.add(words, 0, 1)
    Atomics.wait(words, 1, 0)
    return n
  }
  const mapped = executor.map(wait, Array.from({ length: 20 }, () => gate.words), numbers(20), { chunksize: 10, buffersize: 20 }) // prettier-ignore
  await gate.begun()
  const { running, queued } = executor.stats()
  assert.equal([running, queued], [1, 5 + 10])
  gate.open()
  await mapped
  assert.equal([executor.stats().running, executor.stats().queued, ...done(executor.stats())], [0, 0, 20, 0, 0])
  await executor.shutdown()
})

test('a worker runs at most maxTasksPerChild items of maps, whatever the chunks', async () => {
  const thread = async (n: number) => [n, (await import('node:worker_threads')).threadId]
  for (const options of [{}, { chunksize: 5 }, { chunksize: 1 }, { buffersize: 7 }]) {
    for (const retries of [0, 1]) {
      const executor = new ProcessPoolExecutor({ maxWorkers: 2, maxTasksPerChild: 3 })
      // An odd number of calls before: a worker has less left than a chunk has items.
      await executor.submit(thread, 0)
      const results = (await executor.with({ retries }).map(thread, numbers(25), options)) as [number, number][]
      assert.equal(results.map(([n]) => n), numbers(25)) // prettier-ignore
      const perThread = new Map<number, number>()
      for (const [, id] of results) perThread.set(id, (perThread.get(id) ?? 0) + 1)
      assert.ok(
        Math.max(...perThread.values()) <= 3,
        `${[...perThread.values()].join()} with ${JSON.stringify(options)}`,
      )
      assert.equal(done(executor.stats()), [26, 0, 0])
      await executor.shutdown()
    }
  }
})

test('maxTasksPerChild moves no item to a worker that would not run it', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 1, maxTasksPerChild: 2 })
  const buffers = numbers(7).map((n) => new Uint8Array([n]).buffer)
  const moving = executor.with({ transfer: buffers })
  await executor.submit(() => 1)
  const first = (buffer: ArrayBuffer) => new Uint8Array(buffer)[0]
  assert.equal(await moving.map(first, buffers, { chunksize: 3 }), numbers(7))
  assert.ok(buffers.every(({ byteLength }) => byteLength === 0))
  await executor.shutdown()
})

test('cancelling by force what has finished unseen gives its result, and kills nothing', async () => {
  for (const value of [7, { seven: 7 }]) {
    const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
    const finished = new Int32Array(new SharedArrayBuffer(4))
    await executor.submit(() => 1)
    const future = executor.submit(
      (words: Int32Array, value: unknown) => {
        setTimeout(() => Atomics.store(words, 0, 1), 20)
        return value
      },
      finished,
      value,
    )
    // The event loop does not turn here: nothing tells this thread of the end.
    while (Atomics.load(finished, 0) === 0);
    assert.equal([future.running(), future.done(), future.cancel()], [true, false, false])
    const cancelled = future.cancel({ force: true })
    assert.equal([future.done(), future.cancelled(), await cancelled], [true, false, false])
    assert.equal(await future, value)
    const { running, completed, workersLost } = executor.stats()
    assert.equal([running, completed, workersLost], [0, 2, 0])
    await executor.shutdown()
  }
})

test('a signal that aborts when the task has finished unseen does not fail it', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  const controller = new AbortController()
  const finished = new Int32Array(new SharedArrayBuffer(4))
  await executor.submit(() => 1)
  const future = executor.with({ signal: controller.signal }).submit((words: Int32Array) => {
    setTimeout(() => Atomics.store(words, 0, 1), 20)
    return 'in time'
  }, finished)
  while (Atomics.load(finished, 0) === 0);
  controller.abort()
  assert.is(await future, 'in time')
  assert.is(executor.stats().workersLost, 0)
  await executor.shutdown()
})

test('a running range is left alone by cancel, and its future never goes back', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  const gate = new Gate()
  const future = executor.submit(passGate<number>, gate.words, 1)
  await gate.begun()
  assert.is(future.running(), true)
  gate.open()
  let neither = false
  await until(() => {
    const isDone = future.done()
    neither ||= !isDone && !future.running()
    return isDone
  })
  assert.is(neither, false)
  await executor.shutdown()
})

test.run()
