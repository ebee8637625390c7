import { CancelledError, Future, InlineExecutor, ProcessPoolExecutor, TimeoutError, wait } from 'manyhands'
import { assert, suite, thrownBy } from '../harness.js'

const test = suite('options that add up')

test('with after with: the shorter time limit counts, each signal aborts, transfer stays', async () => {
  await using executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  const buffer = new ArrayBuffer(8)
  await executor
    .with({ transfer: [buffer] })
    .with({ timeout: 60_000 })
    .submit((moved: ArrayBuffer) => moved, buffer)
  assert.is(buffer.byteLength, 0)
  const reason = new CancelledError('before')
  const aborted = executor.with({ signal: AbortSignal.abort(reason) }).with({ signal: new AbortController().signal })
  assert.is(await thrownBy(() => aborted.submit(() => 1)), reason)
  const limited = executor.with({ timeout: 200 }).with({ timeout: 60_000 })
  assert.is((await thrownBy(() => limited.submit(() => new Promise<void>(() => {})))).code, 'ERR_MANYHANDS_TIMEOUT')
})

test('map moves each object of transfer with the chunk that has it', async () => {
  await using executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  const buffers = [1, 2, 3].map((size) => new ArrayBuffer(size))
  const views = buffers.map((buffer) => ({ view: new Uint8Array(buffer) }))
  const sizes = await executor.with({ transfer: buffers }).map(({ view }: { view: Uint8Array }) => view.length, views)
  assert.equal(sizes, [1, 2, 3])
  assert.equal(
    buffers.map(({ byteLength }) => byteLength),
    [0, 0, 0],
  )
})

test('timeout of with limits each item of a map or, with chunksize, each chunk', async () => {
  for (const executor of [new ProcessPoolExecutor({ maxWorkers: 1 }), new InlineExecutor()]) {
    const unless4 = (n: number) => (n === 4 ? new Promise<never>(() => {}) : n)
    // It is measured as fast: without a time limit, many of its calls would go in one chunk.
    await executor.map(unless4, [0, 1, 2, 3])
    const limited = executor.with({ timeout: 1000 })
    const failed = async (chunksize?: number) => {
      const settled = await limited.map(unless4, [0, 1, 2, 3, 4, 5, 6, 7], { settled: true, chunksize })
      for (const result of settled) if (result.status === 'rejected') assert.instance(result.reason, TimeoutError)
      return settled.flatMap(({ status }, n) => (status === 'rejected' ? [n] : []))
    }
    assert.equal(await failed(), [4])
    assert.equal(await failed(2), [4, 5])
    await executor.shutdown()
  }
})

test('waiting for a future again and again leaves nothing behind', async () => {
  const future = new Future<number>()
  const before = process.memoryUsage().heapUsed
  for (let n = 0; n < 3000; n++) await wait([future], { timeout: 0 })
  const perWait = (process.memoryUsage().heapUsed - before) / 3000
  // A callback that stayed would cost some kilobytes each time.
  assert.ok(perWait < 1500, `${perWait} bytes per wait`)
})

test('a frozen error arrives unchanged', async () => {
  await using executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  const error = await thrownBy(() =>
    executor.submit(() => {
      throw Object.freeze(new ReferenceError('fz'))
    }),
  )
  assert.instance(error, ReferenceError)
  assert.match(error.message, /^fz/)
})

test('InlineExecutor awaits any value that has a then', async () => {
  // oxlint-disable-next-line unicorn/no-thenable -- the test is about such objects
  const thenable = { then: (_: unknown, reject: (reason: unknown) => void) => reject(new RangeError('late')) }
  assert.instance(await new InlineExecutor().submit(() => thenable as never).exception(), RangeError)
})

test('ProcessPoolExecutor refuses bad limits, environments and numbers of workers', async () => {
  for (const [options, kind] of [
    [{ resourceLimits: { maxOldGenerationSizeMb: -5 } }, TypeError],
    [{ resourceLimits: { maxOldGenerationSizeMb: NaN } }, TypeError],
    [{ env: 'A=1' }, TypeError],
    [{ maxWorkers: 1e9 }, RangeError],
  ] as const)
    assert.instance(await thrownBy(() => new ProcessPoolExecutor(options as never)), kind)
})

test('map refuses an iterator that breaks the protocol', async () => {
  await using executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  const broken = { [Symbol.iterator]: () => ({ next: () => 5 }) }
  assert.instance(await thrownBy(() => executor.map((n: unknown) => n, broken as never)), TypeError)
})

test('a task that finished in time has not timed out because this thread was busy', async () => {
  await using executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  const ended = new Int32Array(new SharedArrayBuffer(4))
  const quick = (words: Int32Array): string => {
    Atomics.store(words, 0, 1)
    return 'ok'
  }
  await executor.submit(quick, new Int32Array(1))
  const future = executor.with({ timeout: 300 }).submit(quick, ended)
  while (Atomics.load(ended, 0) === 0) await new Promise((resolve) => setImmediate(resolve))
  const since = performance.now()
  while (performance.now() - since < 400);
  assert.is(await future, 'ok')
})

test('a ReferenceError whose stack is no string fails its task alone', async () => {
  await using executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  const failing = () => {
    Error.prepareStackTrace = (_, sites) => sites
    // @ts-expect-error -- it is not defined
    return notDefined
  }
  assert.instance(await executor.submit(failing).exception(), ReferenceError)
  assert.is(await executor.submit(() => 1), 1)
})

test.run()
