import { Future, InlineExecutor, Pool, ProcessPoolExecutor } from 'manyhands'
import { assert, suite, thrownBy } from '../harness.js'

const test = suite('what executors and futures refuse')

const executors = [() => new ProcessPoolExecutor({ maxWorkers: 1 }), () => new InlineExecutor()]

test('a generator function as a task, with what to do instead', async () => {
  function* rows(n: number) {
    for (let i = 0; i < n; i++) yield i
  }
  async function* asyncRows(n: number) {
    yield* rows(n)
  }
  for (const make of executors) {
    const executor = make()
    for (const target of [rows, asyncRows] as unknown as ((n: number) => number)[]) {
      const submissions = [
        () => executor.submit(target, 3),
        () => executor.map(target, [3]),
        () => executor.parallelFor(3, target),
        () => executor.parallelReduce(3, () => 1, target),
      ]
      for (const submit of submissions) {
        const error = await thrownBy(submit)
        assert.instance(error, TypeError)
        assert.match(error.message, /'(asyncR|r)ows' is a generator function.*array/)
      }
    }
    assert.is(await executor.submit(() => 'alive'), 'alive')
    await executor.shutdown()
  }
})

test('options and arguments that there are none of', async () => {
  const pool = new ProcessPoolExecutor({ maxWorkers: 1 })
  const bad: (() => unknown)[] = [
    () => new Future({ timeout: 5 } as never),
    () => new Future(null as never),
    () => (new Future().cancel as Function).call(new Future(), {}, { force: true }),
    () => pool.terminateWorkers({ grace: 5 }),
    () => pool.killWorkers({ grace: 5 }),
    () => pool.stats({ reset: true }),
    () => pool.shutdown({ cancel: true } as never),
    () => pool.shutdown(Object.create({ cancelFuture: true }) as never),
    () => pool.shutdown({}, { wait: false }),
    () => new InlineExecutor().shutdown({}, 5),
    () => new InlineExecutor().stats(5),
  ]
  for (const call of bad) assert.instance(await thrownBy(call), TypeError, String(call))
  assert.is(await pool.submit(() => 'not shut down'), 'not shut down')
  await pool.shutdown()
  const workers = new Pool(1)
  assert.instance(await thrownBy(() => workers.apply(() => 1, [], { callback: () => {} })), TypeError)
  workers.terminate()
  await workers.join()
})

test.run()
