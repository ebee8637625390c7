import { Array as SharedArray, Pool, ProcessPoolExecutor, Value } from 'manyhands'
import { assert, runProgram, suite, thrownBy, until } from '../harness.js'
import { Gate, passGate, ThreadWatch } from './gate.js'

const test = suite('a worker that ends')

/** Notes 1 from the finalizer and 2 from an exit handler, in their order. */
type Notes = SharedArray<'i'>

const newNotes = (): Notes => new SharedArray('i', 8)

function watchExit(notes: Notes): void {
  process.on('exit', () => notes.set(notes.add(0, 1) + 1, 2))
}

async function finalize(notes: Notes): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 20))
  notes.set(notes.add(0, 1) + 1, 1)
}

const noted = (notes: Notes) => notes.slice(1, 1 + notes.get(0))

/** An executor whose worker notes that it is finalized, and that it exits. */
function newNoting() {
  const notes = newNotes()
  const executor = new ProcessPoolExecutor({
    maxWorkers: 1,
    initializer: watchExit,
    finalizer: finalize,
    initargs: [notes],
  })
  return { notes, executor }
}

test('at a shutdown runs its finalizer, which is awaited, and then its exit handlers', async () => {
  const { notes, executor } = newNoting()
  await executor.submit(() => 1)
  assert.equal(noted(notes), [])
  await executor.shutdown()
  assert.equal(noted(notes), [1, 2])
})

test('because its pool was closed does, too', async () => {
  const notes = newNotes()
  const pool = new Pool(1, { initializer: watchExit, initargs: [notes] })
  await pool.apply(() => 1)
  pool.close()
  await pool.join()
  assert.equal(noted(notes), [2])
})

test('because it has run its tasks does, before its successor starts', async () => {
  const notes = newNotes()
  const executor = new ProcessPoolExecutor({
    maxWorkers: 1,
    maxTasksPerChild: 1,
    initializer: watchExit,
    finalizer: finalize,
    initargs: [notes],
  })
  assert.is(await executor.submit((n: Notes) => n.get(0), notes), 0)
  assert.is(await executor.submit((n: Notes) => n.get(0), notes), 2)
  await executor.shutdown()
  assert.equal(noted(notes), [1, 2, 1, 2])
})

test('because it was idle for too long does, too', async () => {
  const notes = newNotes()
  const options = { maxWorkers: 2, idleTimeout: 20, initializer: watchExit, finalizer: finalize, initargs: [notes] }
  const executor = new ProcessPoolExecutor(options)
  const gate = new Gate()
  const futures = [1, 2].map((n) => executor.submit(passGate<number>, gate.words, n))
  await gate.begun(2)
  gate.open()
  await Promise.all(futures)
  await until(() => executor.stats().workers === 1)
  assert.equal(noted(notes), [1, 2])
  await executor.shutdown()
  assert.equal(noted(notes), [1, 2, 1, 2])
})

test('gives its finalizer the objects that its initializer got', async () => {
  const same = new Value('i', 0)
  const executor = new ProcessPoolExecutor({
    maxWorkers: 1,
    initializer: (state: { open?: boolean }) => void (state.open = true),
    finalizer: (state: { open?: boolean }, value: Value<'i'>) => void (value.value = state.open ? 1 : 2),
    initargs: [{}, same],
  })
  await executor.submit(() => 1)
  await executor.shutdown()
  assert.is(same.value, 1)
})

test('with others: they end at the same time', async () => {
  const waiting = new Gate()
  const meet = (words: Int32Array): void => {
    if (Atomics.add(words, 0, 1) === 3) Atomics.store(words, 1, 1)
    while (Atomics.load(words, 1) === 0) Atomics.wait(words, 1, 0, 5)
  }
  const executor = new ProcessPoolExecutor({ maxWorkers: 4, finalizer: meet, initargs: [waiting.words] })
  const gate = new Gate()
  const futures = [1, 2, 3, 4].map((n) => executor.submit(passGate<number>, gate.words, n))
  await gate.begun(4)
  gate.open()
  await Promise.all(futures)
  await executor.shutdown()
  assert.is(waiting.count, 4)
})

test('is not finalized when it is terminated, or was never initialized', async () => {
  for (const end of ['terminateWorkers', 'killWorkers'] as const) {
    const { notes, executor } = newNoting()
    await executor.submit(() => 1)
    await executor[end]()
    assert.equal(noted(notes), [], end)
  }
  const notes = newNotes()
  const initializer = (n: Notes) => {
    process.on('exit', () => n.set(n.add(0, 1) + 1, 2))
    n.set(7, 1)
    return new Promise(() => {})
  }
  const executor = new ProcessPoolExecutor({ maxWorkers: 1, initializer, finalizer: finalize, initargs: [notes] })
  const future = executor.submit(() => 1)
  await until(() => notes.get(7) === 1)
  await executor.shutdown({ cancelFutures: true })
  assert.ok(future.cancelled())
  assert.equal(noted(notes), [2])
})

test('prints what its finalizer throws, and what an exit handler throws, and ends', async () => {
  const { code, stdout, stderr } = await runProgram(`
    import { ProcessPoolExecutor, tasksFrom } from 'manyhands'
    const finalizers = [
      () => { throw new RangeError('not at the end') },
      async () => { throw new RangeError('not at the end') },
      () => new Promise(() => setTimeout(() => { throw new RangeError('not at the end') })),
      () => void process.on('exit', () => { throw new RangeError('not at the end') }),
      tasksFrom('data:text/javascript,throw new RangeError("not at the end")').gone,
    ]
    for (const finalizer of finalizers) {
      const executor = new ProcessPoolExecutor({ maxWorkers: 1, finalizer })
      await executor.submit(() => 1)
      await executor.shutdown()
    }
    console.log('ended')
  `)
  assert.equal([code, stdout], [0, 'ended\n'])
  assert.is(stderr.match(/^PoolWorker-\d+:/gm)?.length, 5, stderr)
  assert.is(stderr.match(/^RangeError.*: not at the end/gm)?.length, 5, stderr)
})

test('may call process.exit in its finalizer', async () => {
  const notes = newNotes()
  const finalizer = () => process.exit(3)
  const executor = new ProcessPoolExecutor({ maxWorkers: 1, initializer: watchExit, finalizer, initargs: [notes] })
  await executor.submit(() => 1)
  await executor.shutdown()
  assert.equal(noted(notes), [2])
})

test('is terminated after a time if it does not end, with a warning', async () => {
  const { code, stdout, stderr } = await runProgram(`
    import { ProcessPoolExecutor } from 'manyhands'
    const forever = [
      { finalizer: () => new Promise(() => setInterval(() => {}, 1000)) },
      { finalizer: () => { for (;;); } },
      { initializer: () => void process.on('exit', () => { for (;;); }), maxTasksPerChild: 2 },
    ]
    await Promise.all(forever.map(async (options) => {
      const executor = new ProcessPoolExecutor({ maxWorkers: 1, ...options })
      await executor.submit(() => 1)
      await executor.submit(() => 1)
      await executor.shutdown()
    }))
    console.log('ended')
  `)
  assert.equal([code, stdout], [0, 'ended\n'])
  assert.is(stderr.match(/MANYHANDS_WORKER_TERMINATED/g)?.length, 3, stderr)
})

test('leaves no thread, when it is terminated while it is being finalized', async () => {
  const threads = new ThreadWatch()
  const gate = new Gate()
  const finalizer = (words: Int32Array): void => {
    Atomics.add(words, 0, 1)
    for (;;);
  }
  const executor = new ProcessPoolExecutor({ maxWorkers: 2, finalizer, initargs: [gate.words] })
  await executor.map((n: number) => n, [1, 2, 3, 4])
  const ended = executor.shutdown()
  await gate.begun(1) // A worker that still boots has nothing to finalize.
  await executor.terminateWorkers()
  await ended
  assert.is(threads.alive, 0)
  threads.stop()
})

test('prints all that its exit handlers print', async () => {
  const { code, stdout } = await runProgram(`
    import { ProcessPoolExecutor } from 'manyhands'
    const executor = new ProcessPoolExecutor({
      maxWorkers: 2,
      initializer: () => process.on('exit', () => { for (let i = 0; i < 300; i++) console.log('x'.repeat(999)) }),
    })
    await Promise.all([1, 2].map(() => executor.submit(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100))))
    const { workers } = executor.stats()
    await executor.shutdown()
    console.log(workers)
  `)
  assert.is(code, 0)
  assert.is(stdout.match(/x/g)?.length, 2 * 300 * 999)
})

test('has a finalizer that can be sent', async () => {
  const error = await thrownBy(() => new ProcessPoolExecutor({ finalizer: 5 as never }))
  assert.instance(error, TypeError)
  assert.match(error.message, /finalizer|function/)
})

test.run()
