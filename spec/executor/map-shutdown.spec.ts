import { CancelledError, InlineExecutor, Pool, ProcessPoolExecutor, ShutdownError } from 'manyhands'
import { assert, runProgram, suite, thrownBy, until } from '../harness.js'
import { Gate, passGate } from './gate.js'

const test = suite('a map that was called before a shutdown')

const LENGTH = 300
const numbers = (length = LENGTH) => Array.from({ length }, (_, n) => n)
const note = (runs: Int32Array, n: number) => {
  Atomics.add(runs, n, 1)
  return n
}
const newRuns = () => new Int32Array(new SharedArrayBuffer(4 * LENGTH))
const once = numbers().map(() => 1)

function* generated(): Generator<number> {
  yield* numbers()
}

function* endless(): Generator<number> {
  for (let n = 0; ; n++) yield n
}

async function* asynchronous(): AsyncGenerator<number> {
  for (const n of numbers()) {
    await new Promise((resolve) => setImmediate(resolve))
    yield n
  }
}

/** Inputs whose length is known, or that end when they are read. */
const inputs: Record<string, () => Iterable<number>> = {
  'an array': numbers,
  'a Set': () => new Set(numbers()),
  'a generator': generated,
}

const executors = {
  ProcessPoolExecutor: () => new ProcessPoolExecutor({ maxWorkers: 2 }),
  InlineExecutor: () => new InlineExecutor(),
}

for (const [name, make] of Object.entries(executors)) {
  for (const [what, input] of Object.entries(inputs)) {
    test(`over ${what} is done to its end, whoever takes its results (${name})`, async () => {
      for (const options of [{}, { buffersize: 3 }, { chunksize: 7, ordered: false }]) {
        for (const use of ['dropped', 'awaited', 'awaited later', 'iterated later', 'iterated'] as const) {
          const executor = make()
          const runs = newRuns()
          const results = executor.map(note, (function* () { for (;;) yield runs })(), input(), options) // prettier-ignore
          const early = use === 'awaited' ? Promise.resolve(results) : undefined
          const seen: number[] = []
          const iterator = results[Symbol.asyncIterator]()
          if (use === 'iterated') for (let n = 0; n < 10; n++) seen.push((await iterator.next()).value!)
          await executor.shutdown()
          assert.equal([...runs], once, `${use} with ${JSON.stringify(options)}`)
          assert.equal([executor.stats().completed, executor.stats().queued, executor.stats().running], [LENGTH, 0, 0])
          if (use === 'dropped') continue
          if (early) seen.push(...(await early))
          else if (use === 'awaited later') seen.push(...(await results))
          else for (let step; !(step = await iterator.next()).done;) seen.push(step.value)
          assert.equal(options.ordered === false ? seen.toSorted((a, b) => a - b) : seen, numbers())
        }
      }
    })
  }

  test(`goes on while its results are taken during the shutdown (${name})`, async () => {
    const executor = make()
    const slowly = async (n: number) => {
      await new Promise((resolve) => setTimeout(resolve, 1))
      return n
    }
    const results = executor.map(slowly, numbers(60))
    const awaited = executor.map(slowly, numbers(60)).then((all) => all.length)
    const seen: number[] = []
    let ended: Promise<void> | undefined
    for await (const n of results) {
      seen.push(n)
      if (n === 5) ended = executor.shutdown()
    }
    assert.equal(seen, numbers(60))
    assert.is(await awaited, 60)
    await ended
  })

  for (const [what, input] of Object.entries({ endless, asynchronous })) {
    test(`over an input that is ${what} ends with ShutdownError after what was read (${name})`, async () => {
      for (const use of ['iterated', 'awaited', 'dropped', 'stalled'] as const) {
        const executor = make()
        const results = executor.map((n: number) => n, input())
        const seen: number[] = []
        let error: unknown
        const iterator = results[Symbol.asyncIterator]()
        if (use === 'awaited') {
          const failed = thrownBy(() => results)
          await executor.shutdown()
          error = await failed
        } else {
          if (use !== 'dropped') for (let n = 0; n < 3; n++) seen.push((await iterator.next()).value!)
          await executor.shutdown()
          if (use === 'dropped') continue
          error = await thrownBy(async () => {
            for (let step; !(step = await iterator.next()).done;) seen.push(step.value)
          })
          assert.equal(seen, numbers(seen.length))
          assert.ok(seen.length >= 3)
        }
        assert.instance(error, ShutdownError)
        assert.is((error as ShutdownError).code, 'ERR_MANYHANDS_SHUTDOWN')
        assert.match((error as Error).message, what === 'endless' ? /endless/ : /async/)
        assert.equal([executor.stats().queued, executor.stats().running], [0, 0])
      }
    })
  }

  test(`gives what its input throws, and closes an input that it does not read to its end (${name})`, async () => {
    const executor = make()
    const throwing = executor.map((n: number) => n, (function* () { yield* numbers(); throw new RangeError('of the input') })()) // prettier-ignore
    let closed = 0
    const open = function* () {
      try {
        yield* endless()
      } finally {
        closed++
      }
    }
    const cut = executor.map((n: number) => n, open())
    await executor.shutdown()
    assert.instance(await thrownBy(() => throwing), RangeError)
    assert.instance(await thrownBy(() => cut), ShutdownError)
    assert.is(closed, 1)
  })

  test(`may be shut down by its own input (${name})`, async () => {
    const executor = make()
    let ended: Promise<void> | undefined
    const input = function* () {
      for (const n of numbers(50)) {
        if (n === 20) ended = executor.shutdown()
        yield n
      }
    }
    const results = executor.map((n: number) => n, input())
    assert.equal(await results, numbers(50))
    await ended
  })

  test(`ends with CancelledError at what has not begun, where the shutdown cancels (${name})`, async () => {
    const executor = make()
    const results = executor.map((n: number) => n, endless())[Symbol.asyncIterator]()
    const settled = executor.map((n: number) => n, numbers(), { settled: true })
    assert.is((await results.next()).value, 0)
    await executor.shutdown({ cancelFutures: true })
    assert.instance(
      await thrownBy(async () => {
        while (!(await results.next()).done);
      }),
      CancelledError,
    )
    await settled.catch((thrown) => assert.instance(thrown, CancelledError))
    const { queued, running, completed } = executor.stats()
    assert.equal([queued, running], [0, 0])
    assert.ok(completed < LENGTH)
  })

  test(`is left alone by the shutdown when its consumer has left (${name})`, async () => {
    const executor = make()
    const runs = newRuns()
    for await (const n of executor.map(note, (function* () { for (;;) yield runs })(), numbers(), { buffersize: 4 })) if (n === 2) break // prettier-ignore
    await executor.shutdown()
    assert.ok([...runs].reduce((sum, n) => sum + n) < 20)
  })
}

test('is waited for at the end of an `await using` block', async () => {
  const runs = newRuns()
  {
    await using executor = new ProcessPoolExecutor({ maxWorkers: 2 })
    executor.map(note, numbers().map(() => runs), numbers()) // prettier-ignore
  }
  assert.equal([...runs], once)
})

test('is done, also where items fail, kill their worker, or are run again', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 2 })
  const runs = newRuns()
  const target = (runs: Int32Array, n: number) => {
    const before = Atomics.add(runs, n, 1)
    if (n % 100 === 50 && before === 0) process.exit(3)
    if (n % 100 === 70 && before === 0) throw new RangeError(`${n}`)
    return n
  }
  const memory = numbers().map(() => runs)
  const settled = executor.map(target, memory, numbers(), { settled: true, chunksize: 30 })
  const retried = newRuns()
  const again = executor
    .with({ retries: 1 })
    .map(target, numbers().map(() => retried), numbers()) // prettier-ignore
  await executor.shutdown()
  assert.equal([...runs], once)
  assert.is((await settled).filter(({ status }) => status === 'rejected').length, 6)
  assert.equal([...retried], numbers().map((n) => (n % 100 === 50 || n % 100 === 70 ? 2 : 1))) // prettier-ignore
  assert.equal(await again, numbers())
})

test('is done though it waits for a worker that other work blocks', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  const gate = new Gate()
  const blocking = executor.submit(passGate<number>, gate.words, 1)
  const results = executor.map((n: number) => n, numbers())
  await gate.begun()
  const ended = executor.shutdown()
  gate.open()
  await ended
  assert.equal([await blocking, (await results).length], [1, LENGTH])
})

test('is done when the workers of a Pool end, too', async () => {
  const pool = new Pool(2)
  const all = pool.map((n: number) => n, generated())
  pool.close()
  await pool.join()
  assert.is((await all).length, LENGTH)
})

test('ends with its executor when that breaks, whatever its input', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 1, initializer: () => process.exit(1) })
  const maps = [executor.map((n: number) => n, endless()), executor.map((n: number) => n, numbers())]
  const settled = executor.map((n: number) => n, numbers(), { settled: true })
  await executor.shutdown()
  for (const map of maps) assert.instance(await thrownBy(() => map), Error)
  assert.is((await settled).filter(({ status }) => status === 'rejected').length, LENGTH)
})

test('ends with its executor when the workers are terminated', async () => {
  for (const settled of [false, true]) {
    const executor = new ProcessPoolExecutor({ maxWorkers: 2 })
    const gate = new Gate()
    const results = executor.map(passGate<number>, (function* () { for (;;) yield gate.words })(), endless(), { settled }) // prettier-ignore
    const failed = thrownBy(() => results)
    await gate.begun(2)
    await executor.terminateWorkers()
    assert.instance(await failed, Error)
    assert.equal([executor.stats().workers, executor.stats().running, executor.stats().queued], [0, 0, 0])
  }
})

test('does not keep a program alive that is done with it', async () => {
  const { code, stdout } = await runProgram(`
    import { ProcessPoolExecutor } from 'manyhands'
    const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
    executor.map((n) => n, Array.from({ length: 300 }, (_, n) => n))
    console.log('done')
  `)
  assert.equal([code, stdout], [0, 'done\n'])
})

test('has catch and finally, as a promise has', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  const fails = (n: number) => {
    throw new RangeError(`${n}`)
  }
  assert.is(await executor.map(fails, [1]).catch((thrown: Error) => thrown.message), '1')
  assert.equal(await executor.map((n: number) => n, [1, 2]).catch(() => 'unused'), [1, 2])
  let settled = 0
  assert.equal(await executor.map((n: number) => n, [1, 2]).finally(() => settled++), [1, 2])
  await thrownBy(() => executor.map(fails, [1]).finally(() => settled++))
  assert.is(settled, 2)
  await until(() => executor.stats().running === 0)
  await executor.shutdown()
})

test.run()
