import { Pipe, ProcessPoolExecutor, WorkerDiedError, type Connection } from 'manyhands'
import { assert, runProgram, suite, thrownBy } from '../harness.js'

const test = suite('leases')

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

test('reach a worker though the thread that submits is blocked at once, whenever that is', async () => {
  await using executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  const words = new Int32Array(new SharedArrayBuffer(4))
  const set = (words: Int32Array): void => {
    Atomics.store(words, 0, 1)
    Atomics.notify(words, 0)
  }
  await executor.submit(set, words)
  for (const restMs of [0, 1, 2, 5, 8, 10, 12, 15, 18, 20, 22, 25, 30, 50, 100]) {
    await pause(restMs)
    Atomics.store(words, 0, 0)
    const future = executor.submit(set, words)
    assert.is.not(Atomics.wait(words, 0, 0, 20_000), 'timed-out', `after ${restMs} ms`)
    await future
  }
})

test('do not keep a program whose worker is blocked by what a task has left behind', async () => {
  const { code, stdout } = await runProgram(`
    import { ProcessPoolExecutor } from 'manyhands'
    const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
    await executor.submit(() => void setImmediate(() => { for (;;); }))
    console.log('done')
  `)
  assert.equal({ code, stdout }, { code: 0, stdout: 'done\n' })
})

test('do not depend on timers that a program has replaced', async () => {
  const { code, stdout } = await runProgram(`
    import { mock } from 'node:test'
    import { ProcessPoolExecutor } from 'manyhands'
    const executor = new ProcessPoolExecutor({ maxWorkers: 2 })
    mock.timers.enable({ apis: ['setTimeout'] })
    console.log(await executor.submit(() => 1))
    const half = executor.submit(() => new Promise(() => {}))
    console.log(await half.cancel({ force: true }))
    mock.timers.reset()
    console.log(await executor.map((n) => n, [2, 3]))
  `)
  assert.equal({ code, stdout }, { code: 0, stdout: '1\ntrue\n[ 2, 3 ]\n' })
})

test('are not kept by a busy worker when they are done', async () => {
  const { code, stdout } = await runProgram(`
    import { ProcessPoolExecutor } from 'manyhands'
    import { setFlagsFromString } from 'node:v8'
    setFlagsFromString('--expose-gc')
    const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
    const MB = 2 ** 20
    const length = (bytes) => bytes.length
    const collect = () => {
      globalThis.gc()
      return process.memoryUsage().arrayBuffers
    }
    console.log(await executor.submit(length, new Uint8Array(64 * MB)) / MB)
    let kept
    for (let i = 0; i < 50; i++) kept = await executor.submit(collect)
    console.log(kept < 8 * MB || kept)
  `)
  assert.equal({ code, stdout }, { code: 0, stdout: '64\ntrue\n' })
})

test('may be given while another is being made: by a getter of its arguments', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 2 })
  await executor.submit(() => 0)
  let inner: PromiseLike<string> | undefined
  const outer = executor.submit((x: { a: string }) => x.a, {
    get a() {
      inner ??= executor.submit(() => 'inner')
      return 'outer'
    },
  })
  assert.is(await outer, 'outer')
  assert.is(await inner, 'inner')
  await executor.shutdown()
})

test('are not done again when the workers are ended', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 2 })
  const words = new Int32Array(new SharedArrayBuffer(4))
  const future = executor.with({ retries: 3 }).submit((words: Int32Array) => {
    Atomics.add(words, 0, 1)
    Atomics.notify(words, 0)
    return new Promise<void>(() => {})
  }, words)
  await (Atomics.waitAsync(words, 0, 0) as { value: Promise<string> }).value
  await executor.terminateWorkers()
  const error = await thrownBy(() => future)
  assert.instance(error, WorkerDiedError)
  assert.is(error.exitcode, -15)
  assert.is(words[0], 1)
  assert.is(executor.stats().workers, 0)
})

test('that come to a worker just as it dies go to another, and what it died of is told', async () => {
  const { code, stdout, stderr } = await runProgram(`
    import { ProcessPoolExecutor } from 'manyhands'
    const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
    console.log(await executor.submit(() => { void Promise.reject(new Error('nobody looks')); return 1 }))
    console.log(await executor.submit(() => 2))
  `)
  assert.equal({ code, stdout }, { code: 0, stdout: '1\n2\n' })
  assert.is(stderr.match(/An idle worker died:\nError: nobody looks/g)?.length, 1, stderr)
})

test('that end just before their worker dies are not what it died of: that is told', async () => {
  const { code, stdout, stderr } = await runProgram(`
    import { ProcessPoolExecutor } from 'manyhands'
    const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
    const [STEP, GO] = [0, 1]
    const words = new Int32Array(new SharedArrayBuffer(8))
    const future = executor.submit((words, STEP, GO) => {
      const reach = (step) => {
        Atomics.store(words, STEP, step)
        Atomics.notify(words, STEP)
      }
      process.on('exit', () => reach(2))
      void Promise.reject(new Error('nobody looks'))
      reach(1)
      Atomics.wait(words, GO, 0)
      return 1
    }, words, STEP, GO)
    await Atomics.waitAsync(words, STEP, 0).value
    // The rest happens while the event loop is blocked. It hears of the exit first, then of the lease's end.
    Atomics.store(words, GO, 1)
    Atomics.notify(words, GO)
    Atomics.wait(words, STEP, 1)
    Atomics.wait(words, STEP, 2, 200)
    console.log(await future)
  `)
  assert.equal({ code, stdout }, { code: 0, stdout: '1\n' })
  assert.is(stderr.match(/An idle worker died:\nError: nobody looks/g)?.length, 1, stderr)
})

test('take what was moved with them to the end, where their workers are ended before there is a thread', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  await thrownBy(() => executor.submit(() => process.exit(1)))
  const [here, there] = Pipe()
  const future = executor.submit((end: Connection) => end.send(1), there)
  await executor.terminateWorkers()
  await thrownBy(() => future)
  assert.is((await thrownBy(() => here.recv(10_000))).code, 'ERR_MANYHANDS_EOF')
  await executor.shutdown()
})

test('sent while workers retire have each its own numbers', async () => {
  await using executor = new ProcessPoolExecutor({ maxWorkers: 4, idleTimeout: 30 })
  const block = (ms: number): void => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
  const numbers = Array.from({ length: 32_768 }, (_, i) => i)
  for (let round = 0; round < 40; round++) {
    await Promise.all([1, 2, 3, 4].map(() => executor.submit(block, 5)))
    await pause(29 + (round % 5))
    assert.equal(await executor.map((n: number) => n, numbers, { chunksize: 8192 }), numbers)
  }
})

test('whose worker ends are settled, and followed by the next, though nothing else holds the program', async () => {
  const { code, stdout } = await runProgram(`
    import { ProcessPoolExecutor } from 'manyhands'
    const retiring = new ProcessPoolExecutor({ maxWorkers: 1, maxTasksPerChild: 1 })
    const leaveSlowly = (i) => {
      process.on('exit', () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20))
      return i
    }
    for (let i = 0; i < 6; i++) void retiring.submit(leaveSlowly, i).then(console.log)
    const dying = new ProcessPoolExecutor({ maxWorkers: 1 })
    for (let i = 0; i < 12; i++) void dying.submit(() => process.exit(30)).then(null, ({ exitcode }) => console.log(exitcode))
  `)
  const numbers = stdout.trim().split('\n').map(Number)
  assert.equal(
    numbers.toSorted((a, b) => a - b),
    [0, 1, 2, 3, 4, 5, ...Array.from({ length: 12 }, () => 30)],
  )
  assert.is(code, 0)
})

test('are not taken from a worker that waits for its thread: an idle time-out leaves it', async () => {
  await using executor = new ProcessPoolExecutor({ maxWorkers: 2, idleTimeout: 1 })
  const meet = (words: Int32Array): boolean => {
    if (Atomics.add(words, 0, 1) === 0) return Atomics.wait(words, 1, 0, 20_000) === 'ok'
    while (Atomics.notify(words, 1) === 0);
    return true
  }
  const words = () => new Int32Array(new SharedArrayBuffer(8))
  await executor.submit(() => 0)
  const holding = executor.submit((ms: number) => new Promise((resolve) => setTimeout(resolve, ms)), 200)
  await pause(20)
  // Its worker is started, and free again while the thread boots.
  assert.is(
    (
      await thrownBy(() =>
        executor.submit(
          (x: unknown) => x,
          () => {},
        ),
      )
    ).code,
    'ERR_MANYHANDS_DATA_CLONE',
  )
  await holding
  await pause(200)
  const shared = words()
  assert.equal(await Promise.all([executor.submit(meet, shared), executor.submit(meet, shared)]), [true, true])
})

test.run()
