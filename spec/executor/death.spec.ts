import {
  BootstrapError,
  BrokenProcessPool,
  DataCloneError,
  ProcessPoolExecutor,
  tasksFrom,
  WorkerDiedError,
} from 'manyhands'
import { assert, runProgram, suite, thrownBy, until } from '../harness.js'
import { Gate, passGate, ThreadWatch } from './gate.js'

const test = suite('a worker that dies')
const fixtures = new URL('../../../spec/fixtures/executor/', import.meta.url)
const fixture = (name: string) => tasksFrom<{ run: () => string }>(new URL(name, fixtures)).run

test('by process.exit fails the task that it ran with its exit code, and is replaced', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  for (const code of [0, 3]) {
    const error = await thrownBy(() => executor.submit((n: number) => process.exit(n), code))
    assert.instance(error, WorkerDiedError)
    assert.equal([error.code, error.exitcode], ['ERR_MANYHANDS_WORKER_DIED', code])
    assert.match(error.message, `exit code ${code}`)
    assert.is(await executor.submit(() => 'alive'), 'alive')
  }
  assert.is(executor.stats().workersLost, 2)
  await executor.shutdown()
})

test('fails none that wait: they go to others, and nothing runs twice', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 2 })
  const runs = new Int32Array(new SharedArrayBuffer(4 * 40))
  const futures = Array.from({ length: 40 }, (_, i) =>
    executor.submit(
      (runs: Int32Array, i: number) => {
        Atomics.add(runs, i, 1)
        if (i % 5 === 0) process.exit(i)
        return i
      },
      runs,
      i,
    ),
  )
  const results = await Promise.allSettled(futures)
  for (const [i, result] of results.entries()) {
    if (i % 5 === 0) {
      assert.is(result.status, 'rejected')
      const { reason } = result as PromiseRejectedResult
      assert.instance(reason, WorkerDiedError)
      assert.is(reason.exitcode, i)
    } else assert.equal(result, { status: 'fulfilled', value: i })
  }
  assert.equal(
    [...runs],
    Array.from({ length: 40 }, () => 1),
  )
  assert.is(executor.stats().workersLost, 8)
  await executor.shutdown()
})

test('while a task that cannot be sent waits for another: its failure is not taken for a death', async () => {
  const boot = new Gate()
  boot.open()
  const executor = new ProcessPoolExecutor({ maxWorkers: 2, initializer: passGate, initargs: [boot.words, 0] })
  await executor.submit(() => 'the first worker is there')
  boot.close()
  const death = new Gate()
  const dies = executor.submit((words: Int32Array) => {
    Atomics.add(words, 0, 1)
    Atomics.wait(words, 1, 0)
    process.exit(3)
  }, death.words)
  await death.begun()
  const unsent = executor.submit((x: unknown) => x, { no: () => {} })
  death.open()
  assert.instance(await thrownBy(() => dies), WorkerDiedError)
  boot.open()
  assert.instance(await thrownBy(() => unsent), DataCloneError)
  await executor.shutdown()
})

test('of an uncaught error in a timer fails the task that it ran, with the error as cause', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  const error = await thrownBy(() =>
    executor.submit(async () => {
      setTimeout(() => {
        throw new RangeError('in a timer')
      }, 1)
      await new Promise(() => setInterval(() => {}, 1000))
    }),
  )
  assert.instance(error, WorkerDiedError)
  assert.is(error.exitcode, 1)
  assert.instance(error.cause, RangeError)
  assert.is(error.cause.message, 'in a timer')
  assert.is(await executor.submit(() => 'alive'), 'alive')
  await executor.shutdown()
})

test('for want of memory fails the task that it ran, and is replaced', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 1, resourceLimits: { maxOldGenerationSizeMb: 24 } })
  const error = await thrownBy(() =>
    executor.submit(() => {
      const all: number[][] = []
      for (;;) all.push(Array.from({ length: 1000 }, (_, i) => i + 0.5))
    }),
  )
  assert.instance(error, WorkerDiedError)
  assert.is(error.cause.code, 'ERR_WORKER_OUT_OF_MEMORY')
  assert.is(await executor.submit(() => 'alive'), 'alive')
  await executor.shutdown()
})

test('because somebody terminated it fails the task that it ran', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  const gate = new Gate()
  const started = new Promise<{ terminate(): void }>((resolve) => process.once('worker', resolve as never))
  const future = executor.submit(passGate<string>, gate.words, 'never')
  const waiting = executor.submit(() => 'alive')
  await gate.begun()
  ;(await started).terminate()
  const error = await thrownBy(() => future)
  assert.instance(error, WorkerDiedError)
  assert.is(error.exitcode, 1)
  assert.is(await waiting, 'alive')
  await executor.shutdown()
})

test('right after its task has returned takes nothing back', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  const gone = new Int32Array(new SharedArrayBuffer(4))
  const returned = executor.submit((gone: Int32Array) => {
    process.on('exit', () => {
      Atomics.store(gone, 0, 1)
      Atomics.notify(gone, 0)
    })
    setTimeout(() => process.exit(5), 5)
    return { value: 'returned' }
  }, gone)
  assert.equal(await returned, { value: 'returned' })
  await until(() => Atomics.load(gone, 0) === 1)
  assert.is(await executor.submit(() => 'alive'), 'alive')
  await executor.shutdown()
})

test('when it has nothing to do is replaced, and its error is printed', async () => {
  const { code, stdout, stderr } = await runProgram(`
    import { ProcessPoolExecutor } from 'manyhands'
    const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
    const died = new Promise((resolve) => process.once('worker', (worker) => worker.once('exit', resolve)))
    await executor.submit(() => void setTimeout(() => { throw new RangeError('left behind') }, 1))
    const hold = setInterval(() => {}, 1000)
    await died
    clearInterval(hold)
    console.log(await executor.submit(() => 'alive'))
    await executor.shutdown()
  `)
  assert.equal([code, stdout], [0, 'alive\n'])
  assert.match(stderr, /RangeError.*left behind/)
})

test('in a map fails the item that it ran, in its place', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 2 })
  const seen: unknown[] = []
  const exitAt3 = (n: number) => (n === 3 ? process.exit(9) : n)
  const error = await thrownBy(async () => {
    for await (const n of executor.map(exitAt3, [1, 2, 3, 4, 5])) seen.push(n)
  })
  assert.equal(seen, [1, 2])
  assert.instance(error, WorkerDiedError)
  assert.is(error.exitcode, 9)
  await executor.shutdown()
})

type How = 'exit' | 'error' | 'heap'

/** Dies at every tenth. */
function dieAt7(n: number, runs: Int32Array, how: How): unknown {
  Atomics.add(runs, n, 1)
  if (n % 10 !== 7) return n % 2 ? n : { n }
  if (how === 'exit') process.exit(n)
  if (how === 'heap') for (const all: number[][] = []; ;) all.push(Array.from({ length: 1000 }, (_, i) => i + 0.5))
  setImmediate(() => {
    throw new Error('later')
  })
  return new Promise(() => {})
}

/** Map 0 … 39 in two chunks. @returns which items failed, and how often each was begun */
async function mapWithDeaths(how: How): Promise<{ failed: number[]; runs: number[] }> {
  const executor = new ProcessPoolExecutor({ maxWorkers: 2, resourceLimits: { maxOldGenerationSizeMb: 32 } })
  const runs = new Int32Array(new SharedArrayBuffer(4 * 40))
  const inputs = Array.from({ length: 40 }, (_, n) => n)
  const [memory, hows] = [inputs.map(() => runs), inputs.map(() => how)]
  const results: unknown = await executor.map(dieAt7, inputs, memory, hows, { settled: true, chunksize: 20 } as never)
  const settled = results as PromiseSettledResult<unknown>[]
  const failed: number[] = []
  for (const [n, result] of settled.entries()) {
    if (result.status === 'fulfilled') assert.equal(result.value, n % 2 ? n : { n })
    else {
      failed.push(n)
      assert.instance(result.reason, WorkerDiedError)
    }
  }
  assert.is(executor.stats().workersLost, 4)
  await executor.shutdown()
  return { failed, runs: [...runs] }
}

const ONCE_EACH = Array.from({ length: 40 }, () => 1)

for (const how of ['exit', 'error'] as const) {
  test(`by ${how} amid a chunk of a map fails one item: what it had done is kept, and others do the rest`, async () => {
    assert.equal(await mapWithDeaths(how), { failed: [7, 17, 27, 37], runs: ONCE_EACH })
  })
}

test('for want of memory amid a chunk takes along what it had done of it, and nothing that it had not begun', async () => {
  const upTo = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i)
  assert.equal(await mapWithDeaths('heap'), { failed: [...upTo(0, 17), ...upTo(20, 37)], runs: ONCE_EACH })
})

/** Every task of the executor, early or late, fails as broken, for a reason in the chain of causes; and nothing is tried again. */
async function assertBroken(executor: ProcessPoolExecutor, target: () => unknown, reason: RegExp): Promise<any> {
  const threads = new ThreadWatch()
  const futures = Array.from({ length: 5 }, () => executor.submit(target))
  const mapped = executor.map(target, [1, 2, 3])
  const errors = [...futures.map((future) => thrownBy(() => future)), thrownBy(() => mapped)]
  for (const error of await Promise.all(errors)) {
    assert.instance(error, BrokenProcessPool)
    assert.is(error.code, 'ERR_MANYHANDS_BROKEN_POOL')
    assert.match(error.message, reason)
    assert.ok(error.cause)
  }
  const error = await thrownBy(() => executor.submit(() => 1))
  assert.instance(error, BrokenProcessPool)
  assert.instance(await thrownBy(() => executor.map((n: number) => n, [1])), BrokenProcessPool)
  await executor.shutdown()
  // Two may boot at a time; who is replaced is replaced once.
  assert.ok(threads.started <= 3, `${threads.started} threads were started`)
  assert.is(threads.alive, 0)
  const { queued, running, failed, completed } = executor.stats()
  assert.equal({ queued, running, completed }, { queued: 0, running: 0, completed: 0 })
  assert.ok(failed >= 5)
  threads.stop()
  return error
}

test('in its initializer, or whose initializer fails, breaks the executor', async () => {
  const failing: [() => unknown, RegExp][] = [
    [
      () => {
        throw new RangeError('not today')
      },
      /not today/,
    ],
    [async () => Promise.reject(new RangeError('not today')), /not today/],
    [() => process.exit(7), /7/],
    [() => new Promise(() => setTimeout(() => process.exit(7), 5)), /7/],
    [
      () =>
        new Promise(() =>
          setTimeout(() => {
            throw new RangeError('not today')
          }, 5),
        ),
      /not today/,
    ],
    [fixture('missing.mjs'), /missing\.mjs/],
  ]
  for (const [initializer, reason] of failing) {
    const executor = new ProcessPoolExecutor({ maxWorkers: 2, initializer })
    const { cause } = await assertBroken(executor, () => 1, reason)
    if (reason.source === 'not today') assert.instance(cause, RangeError)
    if (reason.source === '7') assert.is(cause.exitcode, 7)
  }
})

test('before it is ready breaks the executor', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 2, resourceLimits: { maxOldGenerationSizeMb: 1 } })
  const { cause } = await assertBroken(executor, () => 1, /memory/)
  assert.is(cause.code, 'ERR_WORKER_OUT_OF_MEMORY')
})

test('of a task module that cannot be imported breaks the executor', async () => {
  for (const [name, reason] of [
    ['missing.mjs', /missing\.mjs/],
    ['data:text/javascript,export function run( {', /Unexpected/],
    ['syntax.mjs', /notThere/],
    ['throws.mjs', /as it is imported/],
  ] as const) {
    const executor = new ProcessPoolExecutor({ maxWorkers: 2 })
    const { cause } = await assertBroken(executor, fixture(name), reason)
    if (name === 'syntax.mjs' || name.startsWith('data:')) assert.instance(cause, SyntaxError)
    if (name === 'throws.mjs') assert.instance(cause, RangeError)
  }
})

test('of a module that starts work while a worker imports it breaks the executor, with the reason', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  const { cause } = await assertBroken(executor, fixture('unguarded.mjs'), /isMainThread/)
  assert.instance(cause, BootstrapError)
  assert.is(cause.code, 'ERR_MANYHANDS_BOOTSTRAP')
})

test('of a broken module leaves what others have done', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  assert.is(await executor.submit(() => 'before'), 'before')
  await thrownBy(() => executor.submit(fixture('throws.mjs')))
  const { completed, failed } = executor.stats()
  assert.equal({ completed, failed }, { completed: 1, failed: 1 })
  await executor.shutdown()
})

test('while another runs: the executor breaks for that one, too', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 2 })
  const gate = new Gate()
  const running = executor.submit(passGate<string>, gate.words, 'never')
  await gate.begun()
  const bad = executor.submit(fixture('throws.mjs'))
  assert.instance(await thrownBy(() => running), BrokenProcessPool)
  assert.instance(await thrownBy(() => bad), BrokenProcessPool)
  await executor.shutdown()
})

test('a task may close its parent port, or post on it what it likes', async () => {
  const { stdout, stderr, code } = await runProgram(`
    import { ProcessPoolExecutor } from 'manyhands'
    const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
    const onPort = async (use, message) => {
      const { parentPort } = await import('node:worker_threads')
      parentPort[use](message)
      return { use }
    }
    for (const message of [{ hello: 1 }, null, 'text', { kind: 'outcome', slot: 0, outcome: { kind: 'unclaimed' } }])
      console.log(await executor.submit(onPort, 'postMessage', message))
    console.log(await executor.with({ timeout: 30_000 }).submit(onPort, 'close'))
    console.log(await executor.submit(() => ({ still: 'works' })))
    await executor.shutdown()
  `)
  assert.is(code, 0, stderr)
  assert.is(stdout, `${"{ use: 'postMessage' }\n".repeat(4)}{ use: 'close' }\n{ still: 'works' }\n`)
})

test.run()
