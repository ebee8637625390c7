import { threadId } from 'node:worker_threads'
import {
  asCompleted,
  CancelledError,
  currentProcess,
  Future,
  InlineExecutor,
  Process,
  ProcessPoolExecutor,
  ShutdownError,
  TimeoutError,
  wait,
  type Executor,
} from 'manyhands'
import { assert, suite, thrownBy, until } from '../harness.js'

const test = suite('an InlineExecutor')
const fail = () => {
  throw new RangeError('no')
}
const never = () => new Promise<never>(() => {})

test('shutdown of an InlineExecutor does not wait for a task that was cancelled by force and never ends', async () => {
  const executor = new InlineExecutor()
  for (const grace of [0, 5]) assert.is(await executor.submit(never).cancel({ force: true, grace }), true)
  await executor.shutdown()
  assert.equal([executor.stats().running, executor.stats().cancelled], [0, 2])
})

test('InlineExecutor and ProcessPoolExecutor do the same for one program', async () => {
  const program = async (executor: Executor) => {
    const future = executor.submit((a: number, b: number) => a + b, 1, 2)
    const seen: unknown[] = [future instanceof Future, await future, await future.exception()]
    seen.push(await executor.submit(async (s: string) => s, 'text'))
    seen.push(await executor.submit(fail).exception())
    seen.push(await executor.map((n: number) => n * 2, [1, 2, 3], { chunksize: 2 }))
    seen.push(await executor.map((a: number, b: number) => a * b, [1, 2, 3], [4, 5]))
    const settled = await executor.map(
      (n: number) => {
        if (n === 2) throw n
        return n
      },
      [1, 2, 3],
      { settled: true },
    )
    seen.push(settled)
    const progress: unknown[] = []
    await executor.map((n: number) => n, [1, 2], { onProgress: (told) => progress.push(told) })
    seen.push(progress)
    const mapped = await thrownBy(() => executor.map(fail, [1]))
    seen.push(mapped)
    for (const options of [{ ordered: false }, { buffersize: 1 }, { settled: true as boolean, chunksize: 3 }])
      seen.push(await executor.map((n: number) => n + 1, [1, 2, 3], options))
    const { workers: _workers, ...untilNow } = executor.stats()
    seen.push(untilNow)
    // Without the second limit, a task that the map no longer waits for would never end.
    const limited = executor.with({ timeout: 300 })
    seen.push(await thrownBy(() => limited.map(never, [1], { timeout: 100 })))
    seen.push(await thrownBy(() => executor.map((n: number) => n, [1], { signal: AbortSignal.abort('enough') })))
    const controller = new AbortController()
    const mapping = limited.map(never, [1, 2], { signal: controller.signal })
    controller.abort('later')
    seen.push(await thrownBy(() => mapping))
    const through = executor.with({ signal: AbortSignal.abort('enough') })
    const runs = new Int32Array(new SharedArrayBuffer(4))
    seen.push(await through.submit((words: Int32Array) => Atomics.add(words, 0, 1), runs).exception())
    seen.push(await thrownBy(() => through.map((words: Int32Array) => Atomics.add(words, 0, 1), [runs])))
    seen.push(await thrownBy(() => executor.with({ timeout: 0 }).map(never, [1])))
    const note = (_start: number, _end: number, words: Int32Array) => Atomics.add(words, 0, 1)
    seen.push(await thrownBy(() => through.parallelFor(3, note, { args: [runs] as [Int32Array] })))
    seen.push(await thrownBy(() => limited.parallelReduce(3, never, () => 1)), runs[0])
    seen.push(await executor.with({ priority: 7 }).submit((n: number) => n, 7))
    const buffer = new ArrayBuffer(8)
    seen.push(await executor.with({ transfer: [buffer] }).submit((moved: ArrayBuffer) => moved.byteLength, buffer))
    const flaky = (words: Int32Array) => {
      if (Atomics.add(words, 0, 1) < 2) throw new RangeError('not yet')
      return 'at last'
    }
    seen.push(await executor.with({ retries: 2 }).submit(flaky, runs))
    const futures = [1, 2, 3].map((n) => executor.submit((x: number) => x, n))
    const values = []
    for await (const done of asCompleted(futures)) values.push(await (done as Future<number>).result())
    seen.push(values.toSorted((a, b) => a - b))
    seen.push((await wait(futures)).done.size)
    seen.push(await thrownBy(() => executor.submit(5 as never)))
    seen.push(await thrownBy(() => executor.map((n: number) => n, [1], { chunksize: 0 })))
    seen.push(await thrownBy(() => executor.with({ timeout: NaN })))
    await executor.with({ timeout: 5 }).shutdown()
    await executor.shutdown()
    seen.push(await thrownBy(() => executor.submit(() => 1)))
    seen.push(await thrownBy(() => executor.with({ priority: 1 }).submit(() => 1)))
    seen.push(await thrownBy(() => executor.parallelFor(3, () => 1)))
    seen.push(await thrownBy(() => executor.map((n: number) => n, [1])))
    // Not compared: how many chunks and blocks have begun when a map or a range is abandoned.
    const { completed, queued, running } = executor.stats()
    seen.push({ completed, queued, running })
    return seen.map((each) => (each instanceof Error ? { name: each.name, message: each.message } : each))
  }
  assert.equal(await program(new InlineExecutor()), await program(new ProcessPoolExecutor({ maxWorkers: 1 })))
})

test('InlineExecutor runs a task in the calling thread, with the same arguments, before submit returns', async () => {
  const executor = new InlineExecutor()
  const argument = { fn: () => {} }
  let ran = 0
  const future = executor.submit((given: unknown) => {
    ran++
    return [given, threadId]
  }, argument)
  assert.is(ran, 1)
  assert.is(future.done(), true)
  const [given, thread] = await future
  assert.is(given, argument)
  assert.is(thread, 0)
  const error = new Error('the very one')
  const failed = executor.submit(() => {
    throw error
  })
  assert.is(await failed.exception(), error)
})

test('shutdown of an InlineExecutor waits for running tasks', async () => {
  const executor = new InlineExecutor()
  let finish!: (value: string) => void
  const future = executor.submit(() => new Promise<string>((resolve) => (finish = resolve)))
  assert.equal([future.running(), future.done(), future.cancel()], [true, false, false])
  assert.is(executor.stats().running, 1)
  const ended = executor.shutdown().then(() => future.done())
  await executor.shutdown({ wait: false })
  assert.instance(await thrownBy(() => executor.submit(() => 1)), ShutdownError)
  finish('finished')
  assert.is(await ended, true)
  assert.is(await future, 'finished')
  assert.is(executor.stats().running, 0)
})

test('InlineExecutor abandons a task on a forced cancel, a timeout and an abort', async () => {
  const executor = new InlineExecutor()
  const controller = new AbortController()
  const late = await thrownBy(() => executor.with({ timeout: 10 }).submit(never))
  assert.instance(late, TimeoutError)
  const aborted = executor.with({ signal: controller.signal }).submit(never)
  controller.abort('enough')
  assert.is(await thrownBy(() => aborted), 'enough')
  let finish!: () => void
  const forced = executor.submit(() => new Promise<void>((resolve) => (finish = resolve)))
  const stopped = forced.cancel({ force: true })
  assert.is(forced.cancelled(), true)
  finish()
  assert.is(await stopped, true)
  assert.instance(await thrownBy(() => forced), CancelledError)
})

const words = () => new Int32Array(new SharedArrayBuffer(4))

/** A task that checks whether it is asked to stop. Its word is 1 while it runs, and 2 when it has stopped. */
const look = async (state: Int32Array) => {
  state[0] = 1
  while (!currentProcess().cancelled) await new Promise((resolve) => setImmediate(resolve))
  state[0] = 2
}

test('a forced cancel asks that task alone to stop, and waits for it during its grace', async () => {
  const executor = new InlineExecutor()
  for (const grace of [Infinity, 60_000]) {
    const [state, others] = [words(), words()]
    const [future, other] = [executor.submit(look, state), executor.submit(look, others)]
    assert.is(await future.cancel({ force: true, grace }), true)
    assert.equal([state[0], others[0]], [2, 1])
    assert.instance(await thrownBy(() => future), CancelledError)
    assert.equal([other.running(), currentProcess().cancelled], [true, false])
    await other.cancel({ force: true, grace })
    assert.is(others[0], 2)
  }
  assert.equal([executor.stats().running, executor.stats().cancelled], [0, 4])
  await executor.shutdown()
})

test('each task of an InlineExecutor has a signal of its own, which aborts when it is asked to stop', async () => {
  const executor = new InlineExecutor()
  const seen: AbortSignal[] = []
  const listen = async () => {
    const { signal } = currentProcess()
    seen.push(signal)
    await new Promise((resolve) => signal.addEventListener('abort', resolve))
    seen.push(currentProcess().signal)
  }
  const future = executor.submit(listen)
  assert.is(await future.cancel({ force: true, grace: Infinity }), true)
  assert.ok(seen.length === 2 && seen[0] === seen[1])
  assert.instance(seen[0]!.reason, CancelledError)
  const next = await executor.submit(() => currentProcess().signal)
  assert.equal([next === seen[0], next.aborted, currentProcess().signal.aborted], [false, false, false])
  await executor.shutdown()
})

test('an InlineExecutor in a process asks its tasks to stop when the process is asked', async () => {
  const state = words()
  const target = async (shared: Int32Array) => {
    const { currentProcess: current, InlineExecutor: Inline } = await import('manyhands')
    const executor = new Inline()
    const looking = executor.submit(async () => {
      while (!current().cancelled) await new Promise((resolve) => setImmediate(resolve))
    })
    const listening = executor.submit(async () => {
      const { signal } = current()
      shared[0] = signal === current().signal ? 1 : -1
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
    })
    await Promise.all([looking, listening])
    shared[0] = 2
  }
  const child = new Process({ target, args: [state] }).start()
  await until(() => Atomics.load(state, 0) !== 0)
  assert.is(state[0], 1)
  child.terminate({ grace: 60_000 })
  await child.join()
  assert.equal([child.exitcode, state[0]], [0, 2])
})

test('a timeout and an abort ask a task to stop, and shutdown does not wait for it', async () => {
  const executor = new InlineExecutor()
  const controller = new AbortController()
  const [late, aborted] = [words(), words()]
  assert.instance(await thrownBy(() => executor.with({ timeout: 5 }).submit(look, late)), TimeoutError)
  const cancellable = executor.with({ signal: controller.signal })
  const [looking, endless] = [cancellable.submit(look, aborted), cancellable.submit(never)]
  controller.abort('enough')
  for (const future of [looking, endless]) assert.is(await thrownBy(() => future), 'enough')
  assert.instance(await thrownBy(() => executor.with({ timeout: 5 }).submit(never)), TimeoutError)
  assert.is(executor.stats().running, 0)
  await executor.shutdown()
  await until(() => late[0] === 2 && aborted[0] === 2)
})

test('shutdown of an InlineExecutor stops waiting for a task that is cancelled by force meanwhile', async () => {
  const executor = new InlineExecutor()
  const future = executor.submit(never)
  const ended = executor.shutdown()
  assert.is(await future.cancel({ force: true }), true)
  await ended
})

test('InlineExecutor does not call a task that has no time, and drops the result of one that took too long', async () => {
  const executor = new InlineExecutor()
  let runs = 0
  for (const timeout of [0, -1])
    assert.instance(await thrownBy(() => executor.with({ timeout }).submit(() => runs++)), TimeoutError)
  assert.is(runs, 0)
  const overrun = () => {
    const sinceMs = performance.now()
    while (performance.now() - sinceMs < 5);
  }
  const fails = () => {
    overrun()
    throw new RangeError('late as well')
  }
  for (const target of [overrun, fails, async () => overrun(), async () => fails()]) {
    const error = await thrownBy(() => executor.with({ timeout: 4 }).submit(target))
    assert.instance(error, TimeoutError)
    assert.match(error.message, '4 ms')
  }
  assert.is(await executor.with({ timeout: 60_000 }).submit(async () => 'in time'), 'in time')
  await executor.shutdown()
})

test('a task that InlineExecutor retried no longer counts as running', async () => {
  const executor = new InlineExecutor()
  let runs = 0
  // The first attempt fails after an await; the second returns at once.
  const target = (): number | Promise<number> =>
    runs++ === 0 ? Promise.reject<number>(new RangeError('the first time')) : runs
  assert.is(await executor.with({ retries: 1 }).submit(target), 2)
  assert.equal([executor.stats().running, executor.stats().completed, executor.stats().failed], [0, 1, 0])
  await executor.shutdown()
})

test('map of an InlineExecutor with ordered: false gives results as they come', async () => {
  await using executor = new InlineExecutor()
  const finish: ((value: string) => void)[] = []
  const wait = () => new Promise<string>((resolve) => finish.push(resolve))
  const results = executor.map(wait, ['a', 'b', 'c'], { ordered: false, buffersize: 3 })[Symbol.asyncIterator]()
  const seen: unknown[] = []
  for (const which of [2, 0, 1]) {
    finish[which]!(`number ${which}`)
    seen.push((await results.next()).value)
  }
  assert.equal(seen, ['number 2', 'number 0', 'number 1'])
})

test('InlineExecutor refuses options', async () => {
  const error = await thrownBy(() => new InlineExecutor({ initializer: () => {} } as never))
  assert.instance(error, TypeError)
  assert.match(error.message, 'initializer')
})

test('map of an InlineExecutor reads lazily', async () => {
  await using executor = new InlineExecutor()
  let read = 0
  let closed = false
  function* endless() {
    try {
      for (;;) yield read++
    } finally {
      closed = true
    }
  }
  for await (const n of executor.map((n: number) => n, endless(), { buffersize: 3 })) if (n === 5) break
  assert.ok(closed && read <= 10, `${read} were read`)
})

test.run()
