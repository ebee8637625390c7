import {
  BrokenProcessPool,
  CancelledError,
  Event,
  InlineExecutor,
  ProcessPoolExecutor,
  ShutdownError,
  tasksFrom,
  WorkerDiedError,
} from 'manyhands'
import { assert, suite, thrownBy, until } from '../harness.js'
import { Gate, passGate, ThreadWatch } from './gate.js'

const test = suite('shutting an executor down')

async function settled(promise: Promise<unknown>): Promise<boolean> {
  let done = false
  void promise.then(() => (done = true))
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve))
  return done
}

test('refuses what comes after it, and does what came before', async () => {
  const threads = new ThreadWatch()
  const executor = new ProcessPoolExecutor({ maxWorkers: 2 })
  const futures = [1, 2, 3, 4, 5].map((n) => executor.submit((x: number) => x * 2, n))
  const ended = executor.shutdown()
  for (const late of [
    () => executor.submit(() => 1),
    () => executor.with({ timeout: 5 }).submit(() => 1),
    () => executor.map((n: number) => n, [1]),
  ]) {
    const error = await thrownBy(late)
    assert.instance(error, ShutdownError)
    assert.is(error.code, 'ERR_MANYHANDS_SHUTDOWN')
  }
  assert.equal(await Promise.all(futures), [2, 4, 6, 8, 10])
  await ended
  assert.equal([threads.started, threads.alive, executor.stats().workers], [2, 0, 0])
  assert.instance(await thrownBy(() => executor.submit(() => 1)), ShutdownError)
  threads.stop()
})

test('waits until all is done and all threads have ended', async () => {
  const threads = new ThreadWatch()
  const executor = new ProcessPoolExecutor({ maxWorkers: 2 })
  const gate = new Gate()
  const futures = [1, 2, 3].map((n) => executor.submit(passGate<number>, gate.words, n))
  await gate.begun(2)
  const ended = [executor.shutdown(), executor.shutdown(), executor.with({}).shutdown()]
  assert.is(await settled(Promise.race(ended)), false)
  gate.open()
  for (const end of ended) {
    await end
    assert.is(threads.alive, 0)
  }
  assert.ok(futures.every((future) => future.done()))
  await executor.shutdown()
  threads.stop()
})

test('again, at any time, waits for the threads as the first time', async () => {
  const threads = new ThreadWatch()
  const executor = new ProcessPoolExecutor({ maxWorkers: 2 })
  await executor.map((n: number) => n, [1, 2, 3, 4])
  const first = executor.shutdown()
  await executor.shutdown()
  assert.is(threads.alive, 0)
  await first
  // Piscina replaces threads whose exit it does not expect: none may come after the end.
  await new Promise((resolve) => setTimeout(resolve, 20))
  assert.is(threads.alive, 0)
  threads.stop()
})

test('without waiting returns at once, and the work is still done', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  const gate = new Gate()
  const futures = [1, 2].map((n) => executor.submit(passGate<number>, gate.words, n))
  await gate.begun()
  await executor.shutdown({ wait: false })
  assert.ok(!futures.some((future) => future.done()))
  assert.instance(await thrownBy(() => executor.submit(() => 1)), ShutdownError)
  gate.open()
  assert.equal(await Promise.all(futures), [1, 2])
  await executor.shutdown()
})

test('cancels what has not begun, when it is asked to', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  const [gate, runs] = [new Gate(), new Gate()]
  const running = executor.submit(passGate<number>, gate.words, 1)
  const queued = [1, 2, 3].map((n) => executor.submit(passGate<number>, runs.words, n))
  await gate.begun()
  const ended = executor.shutdown({ cancelFutures: true })
  assert.equal([running.cancelled(), ...queued.map((future) => future.cancelled())], [false, true, true, true])
  gate.open()
  assert.is(await running, 1)
  await ended
  assert.is(runs.count, 0)
  for (const future of queued) assert.instance(await thrownBy(() => future), CancelledError)
})

test('cancels after it was first asked not to', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  const gate = new Gate()
  const running = executor.submit(passGate<number>, gate.words, 1)
  const queued = executor.submit(() => 2)
  await gate.begun()
  const ended = executor.shutdown()
  const cancelled = executor.shutdown({ cancelFutures: true })
  assert.equal([running.cancelled(), queued.cancelled()], [false, true])
  gate.open()
  await Promise.all([ended, cancelled])
})

test('with nothing submitted ends at once, without a thread', async () => {
  const threads = new ThreadWatch()
  for (const end of ['shutdown', 'terminateWorkers', 'killWorkers'] as const) {
    const executor = new ProcessPoolExecutor()
    await executor[end]()
    await executor[end]()
    assert.instance(await thrownBy(() => executor.submit(() => 1)), ShutdownError)
  }
  assert.is(threads.started, 0)
  threads.stop()
})

test('while the threads boot waits for the work, or cancels it', async () => {
  const threads = new ThreadWatch()
  const working = new ProcessPoolExecutor({ maxWorkers: 2 })
  const futures = [1, 2, 3].map((n) => working.submit((x: number) => x, n))
  await working.shutdown()
  assert.equal(await Promise.all(futures), [1, 2, 3])
  const cancelled = new ProcessPoolExecutor({ maxWorkers: 2 })
  const never = [1, 2, 3].map((n) => cancelled.submit((x: number) => x, n))
  await cancelled.shutdown({ cancelFutures: true })
  assert.ok(never.every((future) => future.cancelled()))
  assert.is(threads.alive, 0)
  threads.stop()
})

test('by terminating fails what runs with exit code -15, by killing with -9, and cancels what waits', async () => {
  for (const [end, exitcode] of [
    ['terminateWorkers', -15],
    ['killWorkers', -9],
  ] as const) {
    const threads = new ThreadWatch()
    const executor = new ProcessPoolExecutor({ maxWorkers: 2 })
    const gate = new Gate()
    const blocked = executor.submit(passGate<number>, gate.words, 1)
    const spinning = executor.submit((words: Int32Array) => {
      Atomics.add(words, 0, 1)
      for (;;);
    }, gate.words)
    const queued = [1, 2, 3].map((n) => executor.submit((x: number) => x, n))
    await gate.begun(2)
    const ended = executor[end]()
    assert.ok(queued.every((future) => future.cancelled()))
    assert.instance(await thrownBy(() => executor.submit(() => 1)), ShutdownError)
    for (const future of [blocked, spinning]) {
      const error = await thrownBy(() => future)
      assert.instance(error, WorkerDiedError)
      assert.is(error.exitcode, exitcode)
    }
    await ended
    assert.equal([threads.started, threads.alive, executor.stats().workers], [2, 0, 0])
    await executor[end]()
    threads.stop()
  }
})

test('by terminating while the threads boot, or half of them, settles everything', async () => {
  const threads = new ThreadWatch()
  for (let turns = 0; turns < 12; turns++) {
    const executor = new ProcessPoolExecutor({ maxWorkers: 3 })
    const futures = Array.from({ length: 5 }, (_, n) => executor.submit((x: number) => x, n))
    for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setTimeout(resolve, 4))
    await executor.terminateWorkers()
    for (const [n, { status, ...result }] of (await Promise.allSettled(futures)).entries()) {
      if (status === 'fulfilled') assert.equal(result, { value: n })
      else {
        const { reason } = result as PromiseRejectedResult
        assert.ok(reason instanceof CancelledError || reason instanceof WorkerDiedError, String(reason))
      }
    }
    assert.is(threads.alive, 0)
  }
  threads.stop()
})

test('after a shutdown that waits for a task, terminates it', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  const gate = new Gate()
  const future = executor.submit(passGate<number>, gate.words, 1)
  await gate.begun()
  const ended = executor.shutdown()
  await executor.terminateWorkers()
  await ended
  assert.is((await thrownBy(() => future)).exitcode, -15)
})

test('at the end of an `await using` block waits as well', async () => {
  const threads = new ThreadWatch()
  let future
  {
    await using executor = new ProcessPoolExecutor({ maxWorkers: 1 })
    future = executor.submit(() => 'done')
  }
  assert.is(future.done(), true)
  assert.is(threads.alive, 0)
  threads.stop()
})

test('from a done callback ends it, too', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  const ended = new Promise<void>((resolve) => {
    const future = executor.submit(() => 1)
    future.addDoneCallback(() => void executor.shutdown().then(resolve))
  })
  await ended
  assert.is(executor.stats().workers, 0)
})

test('while it is broken ends it, too', async () => {
  const threads = new ThreadWatch()
  const executor = new ProcessPoolExecutor({ maxWorkers: 2, initializer: () => process.exit(1) })
  const futures = [1, 2, 3].map((n) => executor.submit((x: number) => x, n))
  const ended = executor.shutdown()
  for (const future of futures) assert.instance(await thrownBy(() => future), BrokenProcessPool)
  await ended
  await executor.terminateWorkers()
  assert.is(threads.alive, 0)
  threads.stop()
})

test('refuses options that are none, and is not shut down', async () => {
  for (const executor of [new ProcessPoolExecutor({ maxWorkers: 1 }), new InlineExecutor()]) {
    for (const [bad, message] of [
      [null, /options of shutdown.*{ wait, cancelFutures }.*null/],
      [false, /options of shutdown.*false/],
      [{ wait: 0 }, /wait must be true or false, not 0/],
      [{ cancelFutures: 'all' }, /cancelFutures.*'all'/],
    ] as const) {
      const error = await thrownBy(() => executor.shutdown(bad as never))
      assert.instance(error, TypeError)
      assert.match(error.message, message)
    }
    assert.is(await executor.submit(() => 'goes on'), 'goes on')
    await executor.shutdown()
  }
})

test('leaves statistics that add up', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 2 })
  assert.equal(executor.stats(), {
    workers: 0,
    maxWorkers: 2,
    queued: 0,
    running: 0,
    completed: 0,
    failed: 0,
    cancelled: 0,
    workersLost: 0,
  })
  const futures = [
    executor.submit(() => 1),
    executor.submit(() => {
      throw 1
    }),
    executor.submit(() => process.exit(1)),
    executor.submit(() => 2),
  ]
  futures[3]!.cancel()
  // What is settled does not count as running, though its worker may not be known to be free.
  const totals: number[] = []
  for (const future of futures) {
    future.addDoneCallback(() => {
      const { running, completed, failed, cancelled, queued } = executor.stats()
      totals.push(running + completed + failed + cancelled + queued)
    })
  }
  await Promise.allSettled(futures)
  assert.equal(totals, [4, 4, 4, 4])
  const { queued, running, completed, failed, cancelled, workersLost } = executor.stats()
  assert.equal([queued, running, completed, failed, cancelled, workersLost], [0, 0, 1, 2, 1, 1])
  await executor.shutdown()
})

test('counts in its statistics what is finished, though no promise has told of it', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  const gate = new Gate()
  const future = executor.submit(passGate<number>, gate.words, 1)
  await gate.begun()
  gate.open()
  const deadline = performance.now() + 30_000
  let stats
  do stats = executor.stats()
  while (stats.running > 0 && performance.now() < deadline)
  assert.equal([stats.queued, stats.running, stats.completed], [0, 0, 1])
  assert.is(await future, 1)
  await executor.shutdown()
})

test('a shutdown ends that a getter of an argument asks for, though the message cannot be made', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  let ended: Promise<void> | undefined
  const future = executor.submit((x: unknown) => x, {
    get a() {
      ended ??= executor.shutdown({ cancelFutures: true })
      return () => {}
    },
  })
  assert.is(future.cancelled(), true)
  await ended
})

test('a shutdown does not wait for a worker that is blocked by what a task has left behind', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 2 })
  const leave = (words: Int32Array): void =>
    void setImmediate(() => {
      Atomics.add(words, 0, 1)
      for (;;);
    })
  const words = new Int32Array(new SharedArrayBuffer(4))
  await executor.submit(leave, words)
  await until(() => Atomics.load(words, 0) === 1)
  // It goes to the blocked worker, and then to a new one.
  assert.is(await executor.submit((n: number) => n, 2), 2)
  const future = executor.submit((n: number) => n, 3)
  future.cancel()
  await executor.shutdown()
  assert.is(executor.stats().workers, 0)
})

test('a retry fails that was on its way when the executor broke', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 2 })
  const gate = new Gate()
  await Promise.all([1, 2].map(() => executor.submit((ms: number) => new Promise((r) => setTimeout(r, ms)), 100)))
  const retried = executor.with({ retries: 1 }).submit((words: Int32Array) => {
    Atomics.add(words, 0, 1)
    Atomics.notify(words, 0)
    Atomics.wait(words, 1, 0)
    throw new Error('the first time')
  }, gate.words)
  await gate.begun()
  const breaking = executor.submit(
    tasksFrom<{ run: () => void }>(new URL('../../../spec/fixtures/executor/throws.mjs', import.meta.url)).run,
  )
  gate.open()
  // Both ends are heard while this thread blocks, and told after that.
  assert.not.ok(new Event().waitSync(500))
  assert.instance(await breaking.exception(), BrokenProcessPool)
  const error = await retried.exception()
  assert.ok(error instanceof BrokenProcessPool || (error as Error).message === 'the first time', String(error))
  await executor.shutdown()
})

test.run()
