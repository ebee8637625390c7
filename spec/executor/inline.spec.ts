import { threadId } from 'node:worker_threads'
import {
  asCompleted,
  CancelledError,
  Future,
  InlineExecutor,
  ProcessPoolExecutor,
  ShutdownError,
  TimeoutError,
  wait,
  type Executor,
} from 'manyhands'
import { assert, suite, thrownBy } from '../harness.js'

const test = suite('an InlineExecutor')
const fail = () => {
  throw new RangeError('no')
}
const never = () => new Promise<never>(() => {})

test('does not wait for what was cancelled by force, and never ends', async () => {
  const executor = new InlineExecutor()
  for (const grace of [0, 5]) assert.is(await executor.submit(never).cancel({ force: true, grace }), true)
  await executor.shutdown()
  assert.equal([executor.stats().running, executor.stats().cancelled], [0, 2])
})

test('and a ProcessPoolExecutor do the same for one program', async () => {
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
    const aborted = executor.with({ signal: AbortSignal.abort('enough') }).submit(() => 1)
    seen.push(await aborted.exception())
    const futures = [1, 2, 3].map((n) => executor.submit((x: number) => x, n))
    const values = []
    for await (const done of asCompleted(futures)) values.push(await (done as Future<number>).result())
    seen.push(values.toSorted((a, b) => a - b))
    seen.push((await wait(futures)).done.size)
    seen.push(await thrownBy(() => executor.submit(5 as never)))
    seen.push(await thrownBy(() => executor.map((n: number) => n, [1], { chunksize: 0 })))
    seen.push(await thrownBy(() => executor.with({ timeout: NaN })))
    await executor.shutdown()
    await executor.shutdown()
    seen.push(await thrownBy(() => executor.submit(() => 1)))
    seen.push(await thrownBy(() => executor.map((n: number) => n, [1])))
    const { completed, failed, cancelled, queued, running, workersLost } = executor.stats()
    seen.push({ completed, failed, cancelled, queued, running, workersLost })
    return seen.map((each) => (each instanceof Error ? { name: each.name, message: each.message } : each))
  }
  assert.equal(await program(new InlineExecutor()), await program(new ProcessPoolExecutor({ maxWorkers: 1 })))
})

test('runs in the calling thread, with the very arguments, before submit returns', async () => {
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

test('has running tasks, which a shutdown waits for', async () => {
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

test('gives up tasks by force, by timeout and by signal', async () => {
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

test('maps lazily', async () => {
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
