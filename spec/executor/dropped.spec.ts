import { WATCH_THREADS } from '../dropped.js'
import { assert, runProgram, suite } from '../harness.js'

const test = suite('an executor that is dropped without a shutdown')

const PRELUDE = `${WATCH_THREADS}
  import { Pool, ProcessPoolExecutor, Value } from 'manyhands'
  /** Collect until no more threads than this are alive, or for a long time. */
  const collected = async (most = 0) => {
    for (const end = Date.now() + 30_000; alive > most && Date.now() < end; await turn()) gc()
    return alive
  }
`

const WAYS: Record<string, string> = {
  'after a call': 'await executor().submit((x) => x, 1)',
  'after a call with options':
    'await executor().with({ timeout: 60_000, signal: new AbortController().signal }).submit((x) => x, 1)',
  'after a call that threw': 'await executor().submit(() => { throw new RangeError() }).exception()',
  'after a map': 'await executor().map((x) => x, [1, 2, 3])',
  'after a map that was left early': 'for await (const x of executor().map((x) => x, [1, 2, 3])) break',
  'after a map that nobody reads': `
    executor().map((x) => x, function* () { for (let i = 0; i < 99; i++) yield i }())
    await turn()`,
  'after a map of which a part is read': `
    await executor().map((x) => x, Array(99).fill(1), { buffersize: 2 })[Symbol.asyncIterator]().next()`,
  'after a range': 'await executor().parallelFor(10, () => {})',
  'after a call of a pool': 'await new Pool(1).apply((x) => x, [1])',
  'after an imap of a pool': 'for await (const x of new Pool(1).imap((x) => x, [1, 2, 3]));',
  'with a call that nobody awaits': 'void executor().submit((x) => x, 1); await turn()',
}

for (const [when, code] of Object.entries(WAYS))
  test(`${when} gives its threads back, and warns once`, async () => {
    const { stdout, stderr } = await runProgram(`${PRELUDE}
      const executor = () => new ProcessPoolExecutor({ maxWorkers: 1 })
      const drop = async () => { ${code} }
      for (let i = 0; i < 3; i++) await drop()
      // The last may still lie on the stack.
      console.log(await collected(1) <= 1, warnings)
    `)
    assert.is(stdout, "true [ 'MANYHANDS_NOT_SHUT_DOWN' ]\n", stderr)
  })

test('finishes what was submitted, and ends its workers cleanly', async () => {
  const { stdout, stderr } = await runProgram(`${PRELUDE}
    const ends = new Value('i', 0)
    const slow = (n) => new Promise((resolve) => setTimeout(resolve, 100, n))
    const submit = () => {
      const executor = new ProcessPoolExecutor({ maxWorkers: 1, finalizer: (ends) => void ends.add(1), initargs: [ends] })
      return [executor.submit(slow, 1), executor.submit(slow, 2), executor.map(slow, [3, 4, 5], { chunksize: 1 })]
    }
    const results = submit()
    const collecting = setInterval(gc, 5)
    console.log(await Promise.all(results))
    clearInterval(collecting)
    results.length = 0
    await collected()
    console.log(alive, ends.value)
  `)
  assert.is(stdout, '[ 1, 2, [ 3, 4, 5 ] ]\n0 1\n', stderr)
})

test('finishes a map that nobody reads', async () => {
  const { stdout, stderr } = await runProgram(`${PRELUDE}
    const calls = new Value('i', 0)
    const drop = () => {
      const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
      const input = function* () { for (let i = 0; i < 500; i++) yield calls }
      executor.map((calls) => void calls.add(1), input(), { buffersize: 2 })
    }
    drop()
    await turn()
    await collected()
    console.log(alive, calls.value)
  `)
  assert.is(stdout, '0 500\n', stderr)
})

test('goes on while a map over it is awaited, or its map is kept', async () => {
  const { stdout, stderr } = await runProgram(`${PRELUDE}
    const make = () => new ProcessPoolExecutor({ maxWorkers: 1 })
    // Not told of a shutdown: it would end.
    const input = async function* () {
      for (let i = 0; i < 20; i++) {
        gc()
        await turn()
        yield i
      }
    }
    const awaited = await make().map((x) => x, input())
    const map = make().map((x) => x, input(), { buffersize: 1 })
    for (let i = 0; i < 20; i++) {
      gc()
      await turn()
    }
    console.log(awaited.length, (await map).length)
  `)
  assert.is(stdout, '20 20\n', stderr)
})

test('while a map over it is being iterated, or one of its faces is kept, goes on', async () => {
  const { stdout, stderr } = await runProgram(`${PRELUDE}
    const make = (options) => new ProcessPoolExecutor({ maxWorkers: 1, ...options })
    const seen = []
    for await (const x of make().map((x) => x, (function* () { for (let i = 0; i < 20; i++) yield i })(), { chunksize: 1, buffersize: 1 })) {
      gc()
      await turn()
      gc()
      seen.push(x)
    }
    const face = make().with({ timeout: 60_000 })
    for (let i = 0; i < 10; i++) {
      gc()
      await turn()
      seen.push(await face.submit((x) => x, i))
    }
    console.log(seen.length, seen.at(-1))
    await face.shutdown()
  `)
  assert.is(stdout, '30 9\n', stderr)
})

test('and had been shut down, or never had a thread, does not warn', async () => {
  const { stdout, stderr } = await runProgram(`${PRELUDE}
    for (let i = 0; i < 3; i++) {
      const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
      await executor.submit(() => 1)
      await executor.shutdown()
      new ProcessPoolExecutor()
    }
    for (let i = 0; i < 20; i++) {
      gc()
      await turn()
    }
    console.log(alive, warnings)
  `)
  assert.is(stdout, '0 []\n', stderr)
})

test.run()
