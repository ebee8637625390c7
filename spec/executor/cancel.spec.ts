import {
  CancelledError,
  currentProcess,
  DataCloneError,
  InlineExecutor,
  ProcessPoolExecutor,
  TimeoutError,
  type Future,
} from 'manyhands'
import { once } from 'node:events'
import { MessageChannel, type MessagePort } from 'node:worker_threads'
import { assert, suite, thrownBy, until } from '../harness.js'
import { Gate, passGate } from './gate.js'

const test = suite('cancelling')
const threadOf = () => import('node:worker_threads').then(({ threadId }) => threadId)
declare const kept: { signal: AbortSignal }
const count = (words: Int32Array) => void Atomics.add(words, 0, 1)

test('succeeds as long as a task is queued, and it never runs', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  const gate = new Gate()
  const runs = new Gate()
  const running = executor.submit(passGate<string>, gate.words, 'through')
  const queued = Array.from({ length: 3 }, () => executor.submit(count, runs.words))
  await gate.begun()
  assert.equal([running.running(), queued[0]!.running()], [true, false])
  assert.is(queued[1]!.cancel(), true)
  assert.is(queued[1]!.cancelled(), true)
  assert.is(executor.stats().queued, 2)
  assert.is(executor.stats().running, 1)
  gate.open()
  await Promise.all([queued[0], queued[2]])
  assert.instance(await thrownBy(() => queued[1]), CancelledError)
  assert.is(runs.count, 2)
  await executor.shutdown()
})

test('succeeds while the worker still boots, and the task never runs', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 2 })
  const runs = new Gate()
  const futures = [1, 2, 3].map(() => executor.submit(count, runs.words))
  for (const future of futures) {
    assert.is(future.running(), false)
    assert.is(future.cancel(), true)
  }
  assert.is(executor.stats().queued, 0)
  assert.is(await executor.submit(() => 'next'), 'next')
  await executor.shutdown()
  assert.is(runs.count, 0)
  assert.is(executor.stats().cancelled, 3)
})

test('succeeds while the worker that has the task runs its initializer', async () => {
  const [initializing, runs] = [new Gate(), new Gate()]
  const executor = new ProcessPoolExecutor({
    maxWorkers: 1,
    initializer: passGate<null>,
    initargs: [initializing.words, null],
  })
  const future = executor.submit(count, runs.words)
  await initializing.begun()
  assert.equal([future.running(), executor.stats().running, executor.stats().queued], [false, 0, 1])
  assert.is(future.cancel(), true)
  initializing.open()
  assert.is(await executor.submit(() => 'next'), 'next')
  assert.is(runs.count, 0)
  await executor.shutdown()
})

test('fails once a task runs, or is done', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  const gate = new Gate()
  const future = executor.submit(passGate<string>, gate.words, 'through')
  await gate.begun()
  assert.equal([future.running(), future.done()], [true, false])
  assert.is(future.cancel(), false)
  gate.open()
  assert.is(await future, 'through')
  assert.equal([future.running(), future.done(), future.cancelled()], [false, true, false])
  assert.is(future.cancel(), false)
  assert.is(await future.cancel({ force: true }), false)
  await executor.shutdown()
})

test('by force stops a task that runs, and replaces its worker', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  const thread = await executor.submit(threadOf)
  const gate = new Gate()
  const future = executor.submit((words: Int32Array) => {
    Atomics.add(words, 0, 1)
    for (;;);
  }, gate.words)
  const waiting = executor.submit(threadOf)
  await gate.begun()
  const cancelled = future.cancel({ force: true })
  assert.is(future.cancelled(), true)
  assert.is(await cancelled, true)
  assert.is(executor.stats().running, 0)
  assert.instance(await thrownBy(() => future), CancelledError)
  assert.is.not(await waiting, thread)
  assert.equal([executor.stats().workersLost, executor.stats().cancelled], [1, 1])
  await executor.shutdown()
})

test('by force takes back what is queued as it does without', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  const [gate, runs] = [new Gate(), new Gate()]
  const running = executor.submit(passGate<string>, gate.words, 'through')
  const queued = executor.submit(count, runs.words)
  await gate.begun()
  assert.is(await queued.cancel({ force: true, grace: 10_000 }), true)
  gate.open()
  assert.is(await running, 'through')
  assert.is(runs.count, 0)
  assert.is(executor.stats().workersLost, 0)
  await executor.shutdown()
})

test('by force with grace lets a task that looks end by itself, and its worker lives on', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  const thread = await executor.submit(threadOf)
  const looking = async (words: Int32Array): Promise<unknown> => {
    const { currentProcess } = await import('manyhands')
    Atomics.add(words, 0, 1)
    while (!currentProcess().cancelled);
    Atomics.add(words, 0, 1)
    return 'dropped'
  }
  const listening = async (words: Int32Array): Promise<unknown> => {
    const { CancelledError, currentProcess } = await import('manyhands')
    const { signal } = currentProcess()
    Atomics.add(words, 0, 1)
    await new Promise((resolve) => {
      const hold = setInterval(() => {}, 1000)
      signal.addEventListener('abort', () => resolve(clearInterval(hold)))
    })
    if (signal.aborted && signal.reason instanceof CancelledError) Atomics.add(words, 0, 1)
    throw signal.reason
  }
  for (const target of [looking, listening]) {
    const gate = new Gate()
    const future: Future = executor.submit(target, gate.words)
    await gate.begun()
    assert.is(await future.cancel({ force: true, grace: Infinity }), true)
    // It had ended when the promise resolved.
    assert.is(gate.count, 2)
    assert.instance(await thrownBy(() => future), CancelledError)
    assert.is(await executor.submit(threadOf), thread)
  }
  assert.is(executor.stats().workersLost, 0)
  await executor.shutdown()
})

test('by force asks the one task alone, not the next in the same worker', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  const gate = new Gate()
  const looking = async (words: Int32Array): Promise<void> => {
    const { currentProcess } = await import('manyhands')
    Atomics.add(words, 0, 1)
    while (!currentProcess().cancelled);
  }
  // A task before them has left its signal behind.
  await executor.submit(async () => {
    const { currentProcess } = await import('manyhands')
    Object.assign(globalThis, { kept: { signal: currentProcess().signal } })
  })
  const future = executor.submit(looking, gate.words)
  const next = executor.submit(async () => {
    const { currentProcess } = await import('manyhands')
    const now = [currentProcess().cancelled, currentProcess().signal.aborted]
    // Time for what should not happen.
    await new Promise((resolve) => setTimeout(resolve, 10))
    return [...now, kept.signal.aborted]
  })
  await gate.begun()
  await future.cancel({ force: true, grace: Infinity })
  assert.equal(await next, [false, false, false])
  assert.is(currentProcess().cancelled, false)
  await executor.shutdown()
})

test('by force with grace stops a task that does not look, when the time is over', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  const gate = new Gate()
  const future = executor.submit(passGate<string>, gate.words, 'never')
  await gate.begun()
  assert.is(await future.cancel({ force: true, grace: 10 }), true)
  assert.is(executor.stats().workersLost, 1)
  assert.is(await executor.submit(() => 'next'), 'next')
  await executor.shutdown()
})

test('by force again stops at once what was given time', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  const gate = new Gate()
  const future = executor.submit(passGate<string>, gate.words, 'never')
  await gate.begun()
  const patient = future.cancel({ force: true, grace: Infinity })
  assert.is(await future.cancel({ force: true }), true)
  assert.is(await patient, true)
  assert.is(executor.stats().workersLost, 1)
  await executor.shutdown()
})

test('at any moment either keeps a task from running or lets it end', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 2 })
  const total = 600
  const runs = new Int32Array(new SharedArrayBuffer(4 * total))
  const run = (runs: Int32Array, i: number) => {
    Atomics.add(runs, i, 1)
    return i
  }
  const futures: Future<number>[] = []
  const taken: boolean[] = []
  for (let i = 0; i < total; i++) {
    futures.push(executor.submit(run, runs, i))
    // Some while queued, some while under way, some as they run.
    if (i % 3 === 0) taken[i] = futures[i]!.cancel()
    if (i % 3 === 1 && i > 6) taken[i - 6] = futures[i - 6]!.cancel()
    if (i % 7 === 0) await new Promise((resolve) => setImmediate(resolve))
    if (i % 50 === 0) await futures.findLast((future) => !future.done())?.catch(() => {})
  }
  const results = await Promise.allSettled(futures)
  for (const [i, result] of results.entries()) {
    if (taken[i]) {
      assert.is(runs[i], 0, `task ${i} was cancelled, and ran`)
      assert.instance((result as PromiseRejectedResult).reason, CancelledError)
    } else {
      assert.is(runs[i], 1, `task ${i} was not cancelled, and ran ${runs[i]} times`)
      assert.equal(result, { status: 'fulfilled', value: i })
    }
  }
  assert.ok(taken.includes(true))
  const { completed, cancelled, queued, running } = executor.stats()
  assert.equal([completed + cancelled, queued, running], [total, 0, 0])
  await executor.shutdown()
})

test('by force at any moment settles every future, runs nothing twice, and leaves the executor working', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 2 })
  const total = 40
  const runs = new Int32Array(new SharedArrayBuffer(4 * total))
  const spin = (runs: Int32Array, i: number) => {
    Atomics.add(runs, i, 1)
    for (let n = 0; n < 2e5; n++) Atomics.load(runs, i)
    return i
  }
  const futures: Future<number>[] = []
  const stops: Promise<boolean>[] = []
  for (let i = 0; i < total; i++) {
    futures.push(executor.submit(spin, runs, i))
    for (let turn = 0; turn < i % 6; turn++) await new Promise((resolve) => setImmediate(resolve))
    if (i % 2) stops.push(futures[i - 1]!.cancel({ force: true, grace: i % 4 === 1 ? 0 : 1 }))
  }
  const stopped = await Promise.all(stops)
  for (const [i, result] of (await Promise.allSettled(futures)).entries()) {
    assert.ok(runs[i]! <= 1, `task ${i} ran ${runs[i]} times`)
    if (i % 2 === 0 && stopped[i / 2]) assert.instance((result as PromiseRejectedResult).reason, CancelledError)
    else assert.equal(result, { status: 'fulfilled', value: i })
  }
  assert.is(await executor.submit(() => 'next'), 'next')
  await until(() => executor.stats().queued === 0)
  await executor.shutdown()
})

const suiteOfOptions = suite('with')

suiteOfOptions('a timeout, stops a task that runs too long, and replaces its worker', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  const thread = await executor.submit(threadOf)
  const gate = new Gate()
  const limited = executor.with({ timeout: 20 })
  const error = await thrownBy(() => limited.submit(passGate<string>, gate.words, 'never'))
  assert.instance(error, TimeoutError)
  assert.is(error.code, 'ERR_MANYHANDS_TIMEOUT')
  assert.match(error.message, '20 ms')
  assert.is.not(await executor.submit(threadOf), thread)
  assert.is(executor.stats().workersLost, 1)
  await executor.shutdown()
})

suiteOfOptions('a timeout, counts from the beginning of the task, not from its submission', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  const gate = new Gate()
  const first = executor.submit(passGate<string>, gate.words, 'first')
  await gate.begun()
  const waiting = executor.with({ timeout: 500 }).submit(() => 'second')
  assert.instance(await thrownBy(() => waiting.result(550)), TimeoutError)
  assert.is(waiting.done(), false)
  gate.open()
  assert.equal(await Promise.all([first, waiting]), ['first', 'second'])
  await executor.shutdown()
})

suiteOfOptions('a timeout, counts the initializing of a new worker, and not its boot', async () => {
  const gate = new Gate()
  const executor = new ProcessPoolExecutor({
    maxWorkers: 1,
    initializer: passGate<null>,
    initargs: [gate.words, null],
  })
  const late = executor.with({ timeout: 500 }).submit(() => 'late')
  assert.instance(await late.exception(), TimeoutError)
  assert.is(gate.count, 1)
  gate.open()
  assert.is(await executor.with({ timeout: 60_000 }).submit(() => 'in time'), 'in time')
  await executor.shutdown()
})

suiteOfOptions('a timeout, counts the importing of the module', async () => {
  const { tasksFrom } = await import('manyhands')
  const { run } = tasksFrom<{ run: () => string }>(
    new URL('../../../spec/fixtures/executor/endless.mjs', import.meta.url),
  )
  const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  await executor.submit(() => 'booted')
  assert.instance(await thrownBy(() => executor.with({ timeout: 30 }).submit(run)), TimeoutError)
  assert.is(await executor.submit(() => 'next'), 'next')
  await executor.shutdown()
})

suiteOfOptions('no time at all, runs nothing', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  const runs = new Gate()
  for (const timeout of [0, -1])
    assert.instance(await thrownBy(() => executor.with({ timeout }).submit(count, runs.words)), TimeoutError)
  assert.is(await executor.submit(() => 'next'), 'next')
  assert.is(runs.count, 0)
  await executor.shutdown()
})

suiteOfOptions('a timeout, does not disturb a task that is in time', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  const limited = executor.with({ timeout: 20_000 })
  const thread = await limited.submit(threadOf)
  assert.is(await limited.submit(threadOf), thread)
  assert.equal(await limited.map((n: number) => n * 2, [1, 2, 3]), [2, 4, 6])
  await executor.shutdown()
})

suiteOfOptions('a signal, fails with its reason what is submitted when it has aborted, and never runs it', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  const runs = new Gate()
  const future = executor.with({ signal: AbortSignal.abort('enough') }).submit(count, runs.words)
  assert.is(future.done(), true)
  assert.is(future.cancelled(), false)
  assert.is(await thrownBy(() => future), 'enough')
  await executor.submit(() => 'next')
  assert.is(runs.count, 0)
  await executor.shutdown()
})

suiteOfOptions('a signal, fails what is queued and stops what runs as it aborts', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  const [gate, runs] = [new Gate(), new Gate()]
  const thread = await executor.submit(threadOf)
  const controller = new AbortController()
  const cancellable = executor.with({ signal: controller.signal })
  const running = cancellable.submit(passGate<string>, gate.words, 'never')
  const queued = cancellable.submit(count, runs.words)
  const other = executor.submit(threadOf)
  await gate.begun()
  const reason = new RangeError('enough')
  controller.abort(reason)
  assert.equal([running.done(), queued.done()], [true, true])
  assert.is(await thrownBy(() => running), reason)
  assert.is(await thrownBy(() => queued), reason)
  assert.is.not(await other, thread)
  assert.is(runs.count, 0)
  assert.is(executor.stats().failed, 2)
  await executor.shutdown()
})

suiteOfOptions('a signal, leaves what is done alone', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  const controller = new AbortController()
  const future = executor.with({ signal: controller.signal }).submit(threadOf)
  const thread = await future
  controller.abort()
  assert.is(await future, thread)
  assert.is(await executor.submit(threadOf), thread)
  await executor.shutdown()
})

suiteOfOptions('options upon options, has all of them', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  const gate = new Gate()
  const controller = new AbortController()
  const both = executor.with({ timeout: 60_000 }).with({ signal: controller.signal }).with({ timeout: 90_000 })
  const future = both.submit(passGate<string>, gate.words, 'never')
  await gate.begun()
  controller.abort('enough')
  assert.is(await thrownBy(() => future), 'enough')
  const shorter = executor.with({ timeout: 20 }).with({ signal: new AbortController().signal })
  assert.instance(await thrownBy(() => shorter.submit(passGate<string>, gate.words, 'never')), TimeoutError)
  // The executor that they were made from has none of them.
  assert.is(await executor.submit(() => 'free'), 'free')
  await executor.shutdown()
})

suiteOfOptions('a transfer list, moves what it names', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  const bytes = new Uint8Array([1, 2, 3])
  const length = executor.with({ transfer: [bytes.buffer] }).submit((b: Uint8Array) => b.length, bytes)
  assert.is(await length, 3)
  assert.is(bytes.length, 0)
  const { port1, port2 } = new MessageChannel()
  const answered = new Promise((resolve) => port1.once('message', resolve))
  await executor.with({ transfer: [port2] }).submit((port: MessagePort) => port.postMessage('hello'), port2)
  assert.is(await answered, 'hello')
  port1.close()
  await executor.shutdown()
})

suiteOfOptions('a transfer list, refuses what cannot be moved before anything starts', async () => {
  const detached = new ArrayBuffer(8)
  structuredClone(detached, { transfer: [detached] })
  const { port1: closed, port2: other } = new MessageChannel()
  const bothClosed = Promise.all([closed, other].map((port) => once(port, 'close')))
  closed.close()
  await bothClosed
  const twice = new ArrayBuffer(8)
  const bad: [transfer: unknown[], message: RegExp][] = [
    [[detached], /transfer\[0\] must be an ArrayBuffer that is not detached, .*not ArrayBuffer \{ \(detached\)/],
    [[new ArrayBuffer(8), detached], /transfer\[1\]/],
    [[closed], /transfer\[0\] must be .*an open MessagePort, .*not MessagePort/],
    [[new Uint8Array([7])], /not Uint8Array\(1\) \[ 7 \]/],
    [[new SharedArrayBuffer(8)], /not SharedArrayBuffer/],
    [[{ a: 1 }], /not \{ a: 1 \}/],
    [[undefined], /not undefined/],
    [['all'], /not 'all'/],
    [[5], /not 5/],
    [[twice, twice], /transfer\[1\] must not be in the list before: ArrayBuffer/],
  ]
  for (const executor of [new ProcessPoolExecutor({ maxWorkers: 1 }), new InlineExecutor()]) {
    for (const [transfer, message] of bad) {
      const error = await thrownBy(() => executor.with({ transfer: transfer as never }))
      assert.instance(error, TypeError)
      assert.match(error.message, message)
    }
    assert.is(twice.byteLength, 8)
    await executor.shutdown()
  }
})

suiteOfOptions('a transfer list, leaves what it is only asked about as it is', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  const { port1, port2 } = new MessageChannel()
  const streams = [new ReadableStream(), new WritableStream(), new TransformStream()] as const
  executor.with({ transfer: [port1, ...streams] })
  assert.equal([streams[0].locked, streams[1].locked, streams[2].readable.locked], [false, false, false])
  const kinds = executor.with({ transfer: [...streams] }).submit((...all: object[]) => all.map(String), ...streams)
  assert.equal(await kinds, ['[object ReadableStream]', '[object WritableStream]', '[object TransformStream]'])
  const received = once(port2, 'message')
  port1.postMessage('open')
  assert.equal(await received, ['open'])
  port1.close()
  await executor.shutdown()
})

suiteOfOptions('a transfer list, of what was moved since then fails the one task, which never runs', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  const [buffer, runs] = [new ArrayBuffer(8), new Gate()]
  const size = (moved: ArrayBuffer, words: Int32Array) => {
    Atomics.add(words, 0, 1)
    return moved.byteLength
  }
  const moving = executor.with({ transfer: [buffer] })
  const futures = [1, 2].map(() => moving.submit(size, buffer, runs.words))
  assert.is(await futures[0], 8)
  const error = await thrownBy(() => futures[1])
  assert.instance(error, DataCloneError)
  assert.is(error.path, 'transfer[0]')
  assert.match(error.message, '(detached)')
  const buffers = [8, 16].map((length) => new ArrayBuffer(length))
  const mapping = executor.with({ transfer: buffers })
  structuredClone(buffers[0], { transfer: [buffers[0]!] })
  const words = [runs.words, runs.words]
  const settled: unknown = await mapping.map(size, buffers, words, { settled: true, chunksize: 2 } as never)
  const [failed, passed] = settled as [PromiseRejectedResult, PromiseFulfilledResult<number>]
  assert.instance(failed.reason, DataCloneError)
  assert.is(passed.value, 16)
  assert.is(runs.count, 2)
  await executor.shutdown()
})

suiteOfOptions('wrong options, throws at the call', async () => {
  for (const executor of [new ProcessPoolExecutor(), new InlineExecutor()]) {
    assert.instance(await thrownBy(() => executor.with({ timeout: NaN })), RangeError)
    for (const bad of [null, 5, undefined, { timeout: '5' }, { signal: {} }, { transfer: 'all' }, { transfer: null }])
      assert.instance(await thrownBy(() => executor.with(bad as never)), TypeError)
    assert.match((await thrownBy(() => executor.with(5 as never))).message, /options of with.*{ timeout, .*not 5/)
  }
})

test.run()
suiteOfOptions.run()
