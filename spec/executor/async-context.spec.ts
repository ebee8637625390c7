// Async contexts: a callback runs in that of who gave it, and each task begins with the worker's own, whatever others entered.
import { InlineExecutor, Manager, Pool, ProcessPoolExecutor, type Executor, type Target } from 'manyhands'
import { AsyncLocalStorage } from 'node:async_hooks'
import { assert, suite } from '../harness.js'
import {
  Account,
  enter,
  enterAndThrow,
  enterAsync,
  enterBlock,
  enterBlockAsync,
  look,
  runInside,
  tenant,
} from './async-context.tasks.js'

const test = suite('async contexts')

const request = new AsyncLocalStorage<string>()

/** What the tasks, submitted in one burst, return, and the messages of what they throw. */
async function settled(executor: Executor, targets: [Target<[any]>, unknown][]): Promise<unknown[]> {
  const futures = targets.map(([target, id]) => executor.submit(target, id))
  const results = await Promise.allSettled(futures)
  return results.map((result) => (result.status === 'fulfilled' ? result.value : (result.reason as Error).message))
}

const ids = 'abcdefghijkl'.split('')

test('tasks that share a lease each begin with the context of the worker, also the first ones that ever enter one', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  await Promise.all(ids.map(() => executor.submit(look as Target<[]>))) // known to be short: they share leases from now on
  for (let round = 0; round < 5; round++) {
    const mixed: [Target<[any]>, unknown][] = ids.map((id, i) => [i % 3 === 2 ? look : enter, id])
    assert.equal(new Set(await settled(executor, mixed)), new Set(['nothing']), `round ${round}`)
    const thrown = await settled(executor, ids.map((id) => [enterAndThrow, id])) // prettier-ignore
    assert.equal(new Set(thrown), new Set(['nothing']), `thrown ${round}`)
    const later = await settled(executor, ids.map((id) => [enterAsync, id])) // prettier-ignore
    assert.equal(later, ids.map((id) => `nothing, then ${id}`)) // prettier-ignore
    const inside = await settled(executor, ids.map((id) => [runInside, id])) // prettier-ignore
    assert.equal(inside, ids)
  }
  await executor.shutdown()
})

test('items of a chunk each begin with the context of the worker', async () => {
  for (const target of [enter, enterAndThrow, enterAsync]) {
    const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
    for (let round = 0; round < 3; round++) {
      const entries = await executor.map(target, ids, { chunksize: 4, settled: true })
      const seen = entries.map((entry) =>
        entry.status === 'fulfilled' ? String(entry.value).split(',')[0] : (entry.reason as Error).message,
      )
      assert.equal(seen, ids.map(() => 'nothing')) // prettier-ignore
    }
    await executor.shutdown()
  }
})

test('blocks of a range each begin with the context of the worker', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  for (const body of [enterBlock, enterBlockAsync]) {
    const options = { schedule: 'dynamic', grain: 1 } as const
    const found = await executor.parallelReduce(8, body as never, (a: string[], b: string[]) => [...a, ...b], options)
    assert.equal(found, Array.from({ length: 8 }, () => 'nothing')) // prettier-ignore
  }
  await executor.shutdown()
})

test('calls of a manager each begin with the context of its thread', async () => {
  const manager = await Manager.start()
  const account = manager.create(Account)
  const found = await Promise.all([
    account.enter('a'),
    account.look(),
    account.enter('b'),
    account.enterAsync('c'),
    account.look(),
  ])
  assert.equal(found, ['nothing', 'nothing', 'nothing', 'nothing', 'nothing'])
  assert.is(await account.look(), 'nothing')
  await manager.shutdown()
})

test('a task of an InlineExecutor begins with the context of its submitter, and leaves that as it was', async () => {
  const executor = new InlineExecutor()
  await tenant.run('submitter', async () => {
    assert.is(await executor.submit(enter, 'task'), 'submitter')
    assert.is(tenant.getStore(), 'submitter')
    assert.is(await executor.submit(enterAsync, 'task'), 'submitter, then task')
    assert.equal(await executor.map(enter, ['a', 'b', 'c'], { chunksize: 3 }), ['submitter', 'submitter', 'submitter'])
    const late = await executor.map(enterAsync, ['a', 'b'], { chunksize: 2 })
    assert.equal(late, ['submitter, then a', 'submitter, then b'])
    const body = (start: number) => enterBlock(start, start + 1) as string[]
    const found = await executor.parallelReduce(3, body, (a: string[], b: string[]) => [...a, ...b], { grain: 1 })
    assert.equal(found, ['submitter', 'submitter', 'submitter'])
    assert.is(tenant.getStore(), 'submitter')
  })
})

test('a done callback runs in the context in which it was added', async () => {
  for (const executor of [new ProcessPoolExecutor({ maxWorkers: 1 }), new InlineExecutor()]) {
    const seen: string[] = []
    const add = (id: string) => {
      const future = executor.submit(async (x: string) => {
        await new Promise((resolve) => setTimeout(resolve, 2))
        return x
      }, id)
      future.addDoneCallback(() => seen.push(`${id} sees ${request.getStore()}`))
      request.run('other', () => future.addDoneCallback(() => seen.push(`other sees ${request.getStore()}`)))
      return future
    }
    await Promise.all(['r1', 'r2', 'r3'].map((id) => request.run(id, () => add(id))))
    const done = executor.submit((x: number) => x, 1)
    await done
    request.run('late', () => done.addDoneCallback(() => seen.push(`late sees ${request.getStore()}`)))
    await executor.shutdown()
    assert.equal(seen.slice(0, -1).toSorted(), [
      'other sees other',
      'other sees other',
      'other sees other',
      'r1 sees r1',
      'r2 sees r2',
      'r3 sees r3',
    ])
    assert.is(seen.at(-1), 'late sees late')
  }
})

test('inputs and onProgress of a map run in the context of who called map, whoever takes the results', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  for (const isAsync of [false, true]) {
    const seen = new Set<unknown>()
    const see = () => void seen.add(request.getStore())
    const sync = function* () {
      try {
        for (let i = 0; ; i++) yield (see(), i)
      } finally {
        see()
      }
    }
    const asynchronous = async function* () {
      for (const i of sync()) yield i
    }
    const inputs = isAsync ? asynchronous() : sync()
    const results = request.run('mapper', () =>
      executor.map((x: number) => x, inputs, { chunksize: 1, buffersize: 2, onProgress: see }),
    )
    let taken = 0
    await request.run('consumer', async () => {
      for await (const _ of results) if (++taken === 20) break
    })
    assert.equal([...seen], ['mapper'])
  }
  await executor.shutdown()
})

test('callbacks of a Pool, and functions given to a manager, run in the context of who gave them', async () => {
  const pool = new Pool(1)
  const manager = await Manager.start()
  const list = manager.list([1, 2, 3])
  const seen: unknown[] = []
  const see = () => seen.push(request.getStore())
  const account = manager.create(Account)
  await account.look() // connected in no context
  await request.run('giver', async () => {
    await pool.applyAsync((x: number) => x, [1], { callback: see }).get()
    const failing = pool.applyAsync(() => Promise.reject(new Error('m')), [], { errorCallback: see })
    await failing.wait()
    await pool.mapAsync((x: number) => x, [1, 2], { callback: see }).get()
    await list.forEach(see)
    await account.callBack(see)
  })
  assert.is(seen.length, 7)
  assert.equal(new Set(seen), new Set(['giver']))
  pool.close()
  await pool.join()
  await manager.shutdown()
})

test.run()
