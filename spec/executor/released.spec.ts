// What the package no longer refers to. Each program runs with the garbage collector at hand, in a process of its own.
import { assert, runProgram, suite } from '../harness.js'

const test = suite('nothing of ours refers any more to')

const PRELUDE = `
  import { asCompleted, wait, Future, InlineExecutor, Pool, ProcessPoolExecutor } from 'manyhands'
  const alive = new Set()
  const registry = new FinalizationRegistry((key) => alive.delete(key))
  const watch = (key, object) => { alive.add(key); registry.register(object, key); return object }
  const settle = async () => { for (let i = 0; i < 6; i++) { gc(); await new Promise((r) => setTimeout(r, 10)) } }
`

const cases: [what: string, program: string, mostAlive: number][] = [
  [
    'a future that asCompleted has yielded',
    `const make = () => Array.from({ length: 200 }, (_, n) => { const f = watch(n, new Future()); f.setResult([n]); return f })
     let n = 0
     await (async () => { for await (const f of asCompleted(make())) if (++n === 150) { await settle(); console.log(alive.size) } })()`,
    55,
  ],
  [
    'a future that asCompleted has yielded, which was pending before',
    `const use = async () => {
       const futures = Array.from({ length: 200 }, (_, n) => watch(n, new Future()))
       const open = asCompleted([...futures, new Future()])
       for (const future of futures) future.setResult(1)
       for (const _ of futures) await open.next()
       return open
     }
     const open = await use()
     await settle()
     console.log(alive.size, typeof open)`,
    5,
  ],
  ...(['ProcessPoolExecutor({ maxWorkers: 1 })', 'InlineExecutor()'] as const).map((make): [string, string, number] => [
    `a result of a map that was taken, of ${make}`,
    `const executor = new ${make}
       const results = executor.map((n) => ({ n, big: [n] }), Array.from({ length: 400 }, (_, n) => n), { chunksize: 200 })[Symbol.asyncIterator]()
       const take = async () => { const { value } = await results.next(); watch(value.n, value) }
       for (let n = 0; n < 190; n++) await take()
       await settle()
       console.log(alive.size)
       await results.return()
       await executor.shutdown()`,
    3,
  ]),
  [
    'a result that was awaited, or its arguments',
    `const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
     const use = async (n) => { watch('result', await executor.submit((o) => ({ ...o }), watch('argument', { n }))) }
     await use(1)
     await settle()
     console.log(alive.size)
     await executor.shutdown()`,
    0,
  ],
  [
    'the arguments of what was cancelled, though its future is kept',
    `const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
     const running = executor.submit(() => { for (;;); })
     while (!running.running()) await new Promise((resolve) => setTimeout(resolve, 1))
     const submit = (_, n) => executor.submit((o) => o, watch(n, { n }))
     const futures = Array.from({ length: 100 }, submit)
     for (const future of futures) future.cancel()
     await settle()
     console.log(alive.size, futures.length)
     await running.cancel({ force: true })
     await executor.shutdown()`,
    1,
  ],
  [
    'the items and results of a map, or an AsyncResult, that are done',
    `const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
     const pool = new Pool(1)
     const use = async () => {
       const items = Array.from({ length: 50 }, (_, n) => watch('item ' + n, { n }))
       for (const result of await watch('map', executor.map((o) => ({ ...o }), items))) watch('result ' + result.n, result)
       const async = watch('AsyncResult', pool.mapAsync((o) => ({ ...o }), items))
       for (const result of await async.get()) watch('pooled ' + result.n, result)
       for await (const result of pool.imap((o) => ({ ...o }), items)) watch('iterated ' + result.n, result)
       for await (const result of executor.with({ retries: 1 }).map((o) => ({ ...o }), items)) watch('retried ' + result.n, result)
     }
     await use()
     await settle()
     console.log(alive.size, [...alive].join())
     pool.terminate()
     await Promise.all([pool.join(), executor.shutdown()])`,
    2,
  ],
]

for (const [what, program, mostAlive] of cases)
  test(what, async () => {
    const { code, stdout, stderr } = await runProgram(PRELUDE + program, ['--expose-gc'])
    assert.is(code, 0, stderr)
    assert.ok(Number.parseInt(stdout) <= mostAlive, stdout)
  })

test('what asCompleted and wait have passed, which take linear time', async () => {
  const { code, stdout, stderr } = await runProgram(`
    import { asCompleted, Future, wait } from 'manyhands'
    const futures = Array.from({ length: 200_000 }, () => { const f = new Future(); f.setResult(1); return f })
    const startMs = performance.now()
    let n = 0
    for await (const future of asCompleted(futures)) n++
    await wait(futures)
    console.log(n, performance.now() - startMs < 8000)
  `)
  assert.equal([code, stdout, stderr], [0, '200000 true\n', ''])
})

test.run()
