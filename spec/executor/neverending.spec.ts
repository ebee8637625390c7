// Work that never begins: its worker's initializer does not end, or the import of its module does not.
import { CancelledError, ProcessPoolExecutor, tasksFrom, TimeoutError, type Future } from 'manyhands'
import { assert, suite, thrownBy, until } from '../harness.js'
import { ThreadWatch } from './gate.js'

const test = suite('a task that its worker never comes to')

interface Kind {
  executor: ProcessPoolExecutor
  submit(executor: ProcessPoolExecutor): Future
}

/** Each notes in the words that it has begun, and does not end. */
const neverEnding: Record<string, (words: Int32Array) => Kind> = {
  'an initializer that awaits': (words) => withInitializer(awaitForever, words),
  'an initializer that loops': (words) => withInitializer(loopForever, words),
  'a module that awaits': (words) => withModule('await new Promise(() => {})', words),
  'a module that loops': (words) => withModule('for (;;);', words),
}

function awaitForever(words: Int32Array): Promise<void> {
  Atomics.add(words, 0, 1)
  return new Promise(() => {})
}

function loopForever(words: Int32Array): void {
  Atomics.add(words, 0, 1)
  for (;;);
}

function withInitializer(initializer: (words: Int32Array) => unknown, words: Int32Array): Kind {
  const executor = new ProcessPoolExecutor({ maxWorkers: 1, initializer, initargs: [words] })
  return { executor, submit: (e: ProcessPoolExecutor) => e.submit(() => 1) }
}

function withModule(body: string, words: Int32Array): Kind {
  const setWords = (w: Int32Array): void => void ((globalThis as { words?: Int32Array }).words = w)
  const executor = new ProcessPoolExecutor({ maxWorkers: 1, initializer: setWords, initargs: [words] })
  const source = `Atomics.add(globalThis.words, 0, 1); ${body}; export const never = () => 1`
  const { never } = tasksFrom<{ never: () => number }>(`data:text/javascript,${encodeURIComponent(source)}`)
  return { executor, submit: (e: ProcessPoolExecutor) => e.submit(never) }
}

const newWords = () => new Int32Array(new SharedArrayBuffer(4))

/** All kinds at a time: some take five seconds to end. */
function testEach(sentence: string, run: (kind: Kind, words: Int32Array) => Promise<void>): void {
  test(sentence, async () => {
    const threads = new ThreadWatch()
    const runs = Object.entries(neverEnding).map(async ([what, make]) => {
      const words = newWords()
      try {
        await run(make(words), words)
      } catch (thrown) {
        ;(thrown as Error).message = `${what}: ${(thrown as Error).message}`
        throw thrown
      }
    })
    await Promise.all(runs)
    assert.is(threads.alive, 0)
    threads.stop()
  })
}

testEach('fails when its time is over, and a shutdown after it ends', async ({ executor, submit }) => {
  const future = submit(executor.with({ timeout: 300 }))
  assert.instance(await future.exception(), TimeoutError)
  await executor.shutdown()
})

testEach('fails when its time is over, and a shutdown that waits for it ends', async ({ executor, submit }) => {
  const future = submit(executor.with({ timeout: 300 }))
  await executor.shutdown()
  assert.instance(await future.exception(), TimeoutError)
})

testEach('is cancelled by a shutdown, which ends', async ({ executor, submit }, words) => {
  const future = submit(executor)
  await until(() => Atomics.load(words, 0) === 1)
  assert.is(future.running(), false)
  await executor.shutdown({ cancelFutures: true })
  assert.instance(await thrownBy(() => future), CancelledError)
})

for (const [how, end] of Object.entries({
  cancelled: (future: Future) => future.cancel(),
  'cancelled by force': (future: Future) => future.cancel({ force: true }),
  'cancelled by force, with grace': (future: Future) => future.cancel({ force: true, grace: 50 }),
}))
  testEach(`can be ${how}, and a shutdown after it ends`, async ({ executor, submit }, words) => {
    const future = submit(executor)
    await until(() => Atomics.load(words, 0) === 1)
    assert.is(await end(future), true)
    assert.instance(await thrownBy(() => future), CancelledError)
    await executor.shutdown()
  })

testEach('is aborted by its signal, and a shutdown after it ends', async ({ executor, submit }, words) => {
  const controller = new AbortController()
  const future = submit(executor.with({ signal: controller.signal }))
  await until(() => Atomics.load(words, 0) === 1)
  controller.abort(new RangeError('enough'))
  assert.instance(await thrownBy(() => future), RangeError)
  await executor.shutdown()
})

for (const [how, end] of Object.entries({
  cancelled: (future: Future): unknown => future.cancel(),
  'cancelled by force': (future: Future): unknown => future.cancel({ force: true }),
}))
  testEach(`keeps no worker from others once it is ${how}`, async ({ executor, submit }, words) => {
    const future = submit(executor)
    await until(() => Atomics.load(words, 0) === 1)
    end(future)
    const other = executor.with({ timeout: 500 }).submit(() => 1)
    const thrown = await other.exception({ timeout: 20_000 })
    if (thrown) assert.instance(thrown, TimeoutError)
    await executor.shutdown()
  })

testEach('is ended with the workers', async ({ executor, submit }, words) => {
  const future = submit(executor)
  await until(() => Atomics.load(words, 0) === 1)
  await executor.terminateWorkers()
  assert.ok(future.done())
})

test('because its worker is blocked by what another has left behind: its time limit comes, and its worker is replaced', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  const words = newWords()
  await executor.submit(
    (w: Int32Array) =>
      void setImmediate(() => {
        Atomics.store(w, 0, 1)
        for (;;);
      }),
    words,
  )
  await until(() => Atomics.load(words, 0) === 1)
  assert.instance(
    await executor
      .with({ timeout: 100 })
      .submit(() => 1)
      .exception(),
    TimeoutError,
  )
  assert.is(await executor.submit(() => 2), 2)
  await executor.shutdown()
})

test('in time, because the initializer takes part of it, has all of its own time', async () => {
  const initializer = () => new Promise((resolve) => setTimeout(resolve, 2000))
  const executor = new ProcessPoolExecutor({ maxWorkers: 1, initializer })
  const limited = executor.with({ timeout: 3000 })
  assert.is(await limited.submit(() => new Promise((resolve) => setTimeout(resolve, 1500, 1))), 1)
  await executor.shutdown()
})

test('when it is cancelled while its module is imported leaves a worker that runs others', async () => {
  const words = new Int32Array(new SharedArrayBuffer(8))
  const setWords = (w: Int32Array): void => void ((globalThis as { words?: Int32Array }).words = w)
  const executor = new ProcessPoolExecutor({ maxWorkers: 1, initializer: setWords, initargs: [words] })
  const source = `
    Atomics.add(globalThis.words, 0, 1)
    while (Atomics.load(globalThis.words, 1) === 0) await new Promise((resolve) => setTimeout(resolve, 2))
    export const run = () => Atomics.add(globalThis.words, 0, 10)
    export const square = (n) => n * n`
  const slow = tasksFrom<{ run: () => number; square: (n: number) => number }>(
    `data:text/javascript,${encodeURIComponent(source)}`,
  )
  const futures = [executor.submit(slow.run), executor.submit(slow.run), executor.map(slow.square, [1, 2, 3])] as const
  await until(() => Atomics.load(words, 0) === 1)
  assert.is(futures[0].cancel(), true)
  assert.is(futures[0].running(), false)
  Atomics.store(words, 1, 1)
  assert.is(await futures[1], 1)
  assert.equal(await futures[2], [1, 4, 9])
  assert.is(Atomics.load(words, 0), 11)
  const { completed, cancelled } = executor.stats()
  assert.equal([cancelled, completed >= 2], [1, true])
  await executor.shutdown()
})

test.run()
