import { CancelledError, ProcessPoolExecutor, TimeoutError, WorkerDiedError } from 'manyhands'
import { assert, suite, thrownBy, until } from '../harness.js'
import { Gate, ThreadWatch } from './gate.js'

const test = suite('stopping a task')

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** Notes in word 0 that it has begun, and in word 1 that it was asked to stop. */
async function stopWhenAsked(words: Int32Array): Promise<void> {
  const { signal } = (await import('manyhands')).currentProcess()
  Atomics.add(words, 0, 1)
  await new Promise((resolve) => signal.addEventListener('abort', resolve))
  Atomics.add(words, 1, 1)
}

/** Blocks in native code for `ms`, where nothing can end the thread. */
function blockInNative(words: Int32Array, ms: number): void {
  const { execFileSync } = process.getBuiltinModule('node:child_process')
  Atomics.add(words, 0, 1)
  execFileSync(process.execPath, ['-e', `setTimeout(() => {}, ${ms})`])
}

test('by its time limit asks it first, where there is grace, and leaves its worker if it stops', async () => {
  const threads = new ThreadWatch()
  const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  const gate = new Gate()
  const future = executor.with({ timeout: 200, grace: 60_000 }).submit(stopWhenAsked, gate.words)
  assert.instance(await future.exception(), TimeoutError)
  assert.is(await executor.submit((words: Int32Array) => Atomics.load(words, 1), gate.words), 1)
  assert.is(threads.started, 1)
  await executor.shutdown()
  threads.stop()
})

test('by its signal does, too', async () => {
  const threads = new ThreadWatch()
  const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  const gate = new Gate()
  const controller = new AbortController()
  const future = executor.with({ signal: controller.signal, grace: 60_000 }).submit(stopWhenAsked, gate.words)
  await gate.begun()
  controller.abort(new RangeError('enough'))
  assert.instance(await thrownBy(() => future), RangeError)
  assert.is(await executor.submit((words: Int32Array) => Atomics.load(words, 1), gate.words), 1)
  assert.is(threads.started, 1)
  await executor.shutdown()
  threads.stop()
})

test('by its time limit ends its worker when the grace is over', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  const gate = new Gate()
  const spin = (words: Int32Array): void => {
    Atomics.add(words, 0, 1)
    for (;;);
  }
  for (const timed of [
    executor.with({ timeout: 200, grace: 100 }),
    executor.with({ grace: 100 }).with({ timeout: 200 }),
  ])
    assert.instance(await timed.submit(spin, gate.words).exception(), TimeoutError)
  assert.is(await executor.submit(() => 2), 2)
  assert.is(executor.stats().workersLost, 2)
  await executor.shutdown()
})

test('refuses a grace that is no time', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  assert.instance(await thrownBy(() => executor.with({ grace: NaN })), RangeError)
  assert.instance(await thrownBy(() => executor.with({ grace: '1' as never })), TypeError)
  await executor.shutdown()
})

test('in a native call settles it in time, and another worker takes its place at once', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 2 })
  const gate = new Gate()
  const controller = new AbortController()
  const futures = [
    executor.with({ timeout: 100 }).submit(blockInNative, gate.words, 8000),
    executor.with({ signal: controller.signal }).submit(blockInNative, gate.words, 8000),
  ]
  await gate.begun(2)
  const done = performance.now() + 7000
  controller.abort(new RangeError('enough'))
  assert.instance(await futures[0]!.exception(), TimeoutError)
  assert.instance(await futures[1]!.exception(), RangeError)
  assert.equal(await executor.map((n: number) => n * 2, [1, 2, 3, 4], { chunksize: 1 }), [2, 4, 6, 8])
  const forced = executor.submit(blockInNative, gate.words, 8000)
  await gate.begun(3)
  assert.is(await forced.cancel({ force: true }), true)
  assert.instance(await thrownBy(() => forced), CancelledError)
  assert.is(await executor.submit(() => 5), 5)
  assert.ok(executor.stats().workers <= 2)
  assert.ok(performance.now() < done, 'while the calls run')
  await executor.shutdown()
})

test('in a native call never gives what it returns there to another task', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  const gate = new Gate()
  for (let round = 1; round <= 8; round++) {
    const future = executor.with({ timeout: 50 }).submit(blockInNative, gate.words, 700)
    assert.instance(await future.exception(), TimeoutError)
    for (let i = 0; i < 100; i++) assert.is(await executor.submit((n: number) => n, i), i)
  }
  await until(() => gate.count >= 1)
  await pause(800)
  assert.equal(await executor.map((n: number) => n, [1, 2, 3]), [1, 2, 3])
  await executor.shutdown()
})

test('in a native call with all workers fails it, and does not wait for the call', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  const gate = new Gate()
  const future = executor.submit(blockInNative, gate.words, 20_000)
  await gate.begun()
  const done = performance.now() + 19_000
  await executor.terminateWorkers()
  assert.instance(await future.exception(), WorkerDiedError)
  assert.ok(performance.now() < done, 'while the call runs')
})

test.run()
