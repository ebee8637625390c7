import { DataCloneError, Manager, ManagerError, Process, ProcessPoolExecutor, task } from 'manyhands'
import { assert, runProgram, suite, thrownBy } from '../harness.js'
import { quietly } from '../process/replies.js'
import { managed } from './managed.js'
import {
  Account,
  addMany,
  callThenDie,
  collect,
  dropNothing,
  Fragile,
  Heap,
  pushDeep,
  returnIt,
} from './manager.tasks.js'

const test = suite('a manager')

async function run(target: unknown, args: unknown[]): Promise<Process> {
  const process = new Process({ target: target as never, args }).start()
  await process.join()
  return process
}

test('a managed dict has the methods of Map', () =>
  managed(async (manager) => {
    const dict = manager.dict<string, unknown>(new Map([['a', 1]]))
    assert.is(await dict.set('b', [2]), dict)
    assert.equal(await dict.get('b'), [2])
    assert.is(await dict.size, 2)
    assert.equal(await dict.keys(), ['a', 'b'])
    assert.equal(await dict.values(), [1, [2]])
    assert.equal(await dict.entries(), [['a', 1], ['b', [2]]]) // prettier-ignore
    assert.is(await dict.delete('a'), true)
    assert.is(await dict.has('a'), false)
    assert.equal(await manager.dict({ x: 5 }).entries(), [['x', 5]])
  }))

test('a managed list has the methods of Array', () =>
  managed(async (manager) => {
    const list = manager.list([3, 1, 2])
    assert.is(await list.push(5), 4)
    assert.is(await list.length, 4)
    assert.equal(await list.map((n) => n * 2), [6, 2, 4, 10])
    // oxlint-disable-next-line unicorn/no-array-sort
    assert.is(await list.sort((a, b) => b - a), list)
    assert.equal(await list.slice(), [5, 3, 2, 1])
    assert.is(await list.reduce((sum, n) => sum + n, 0), 11)
    assert.equal(await list.keys(), [0, 1, 2, 3])
  }))

test('the fields of a managed namespace are awaited and assigned', () =>
  managed(async (manager) => {
    const space = manager.namespace({ x: 1, deep: [1] })
    space.x = 5
    const read = () => space.x
    assert.is(await read(), 5)
    assert.equal(await space.deep, [1])
    const error = await thrownBy(() => {
      space.deep = (() => 1) as never
    })
    assert.instance(error, DataCloneError)
  }))

test('a proxy refuses fields that it cannot have', () =>
  managed(async (manager) => {
    const fields = manager.namespace<any>({ x: 1 })
    for (const name of ['then', 'toJSON', 'constructor', '__proto__', Symbol.iterator]) {
      const error = await thrownBy(() => (fields[name as string] = 5))
      assert.instance(error, TypeError)
      assert.match(error.message, String(name))
    }
    assert.is(await fields.x, 1)
  }))

test('iterating over a managed object gives all items, page by page', () =>
  managed(async (manager) => {
    const numbers = Array.from({ length: 1000 }, (_, i) => i)
    const seen: number[] = []
    for await (const n of manager.list(numbers)) seen.push(n)
    assert.equal(seen, numbers)
    const keys: string[] = []
    for await (const [key] of manager.dict(numbers.map((n) => [String(n), n]))) {
      keys.push(key)
      if (keys.length === 300) break
    }
    assert.is(keys.length, 300)
  }))

test('a manager has objects of the program’s classes, in its thread', async () => {
  const manager = await Manager.start({ name: 'bank' })
  const account = manager.create(Account, 10)
  assert.is(await account.deposit(5), account)
  assert.is(await account.balance, 15)
  assert.is(await account.where(), 'bank')
  assert.equal(await account.each(async (n) => n * 10), [10, 20])
  const thrown = await thrownBy(() => account.each(() => Promise.reject(new SyntaxError('mine'))))
  assert.instance(thrown, SyntaxError)
  const bad = manager.create(Account, -1)
  assert.match((await thrownBy(() => bad.where())).message, 'a balance of -1')
  await manager.shutdown()
})

test('errors of managed objects keep class, code, cause and stack', () =>
  managed(async (manager) => {
    const error = await thrownBy(() => manager.create(Account, 1).fail())
    assert.instance(error, RangeError)
    assert.is(error.code, 'E_OVERDRAWN')
    assert.instance(error.cause, TypeError)
    assert.match(error.stack, /Account\.fail[^]*--- submitted by ---[^]*manager\.spec/)
  }))

test('update is atomic, from many processes at once', () =>
  managed(async (manager) => {
    const dict = manager.dict({ n: 0 })
    const all = await Promise.all([1, 2, 3].map(() => run(addMany, [dict, 100])))
    assert.equal(all.map(({ exitcode }) => exitcode), [0, 0, 0]) // prettier-ignore
    assert.is(await dict.get('n'), 300)
  }))

test('a result is what it was when the call was made', () =>
  managed(async (manager) => {
    const list = manager.list<number[]>([[1]])
    const item = [2]
    const pushed = list.push(item)
    item.push(3)
    const first = list.at(1)
    await pushed
    assert.equal(await first, [2])
  }))

test('proxies can be nested, and a change is seen through all of them', () =>
  managed(async (manager) => {
    const inner = manager.list([1])
    const outer = manager.dict<string, any>({ inner })
    const again = await outer.get('inner')
    assert.is(again, inner)
    await again.push(2)
    assert.equal(await inner.slice(), [1, 2])
  }))

test('a nested object lives on when its own proxy was dropped', () =>
  managed(async (manager) => {
    const outer = manager.dict<string, any>()
    await outer.set('inner', manager.list([7]))
    assert.is(await (await outer.get('inner')).at(0), 7)
  }))

test('a proxy reaches processes and executors at any depth, and comes back as the same proxy', () =>
  managed(async (manager) => {
    const list = manager.list<string>()
    await run(pushDeep, [{ deep: new Map([['k', [list]]]) }])
    assert.is(await list.length, 1)
    const account = manager.create(Account, 1)
    const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
    assert.is(await executor.submit(returnIt, account), account)
    assert.is(await executor.submit(returnIt, account), account)
    assert.is(await account.balance, 3)
    await executor.shutdown()
  }))

test('a manager lives on when a caller dies', () =>
  managed(async (manager) => {
    const list = manager.list<number>()
    const { exitcode } = await run(callThenDie, [list])
    assert.is(exitcode, 0)
    assert.is(await list.at(0), 1)
  }))

// It ended with an uncaught error: there is no call that could reject.
test('a manager lives on when a field cannot be set, or an iterator throws at its end', async () => {
  const printed = await quietly(() =>
    managed(async (manager) => {
      const unmade = manager.create(Account, -1)
      unmade.balance = 5
      const fragile = manager.create(Fragile)
      fragile.field = 6
      for await (const item of fragile) if (item === 3) break
      assert.match((await thrownBy(() => unmade.where())).message, 'a balance of -1')
      assert.is(await manager.list([7]).at(0), 7)
    }),
  )
  assert.match(printed, /setting the field balance of a managed object threw:\nRangeError: a balance of -1/)
  assert.match(printed, /setting the field field of a managed object threw:\nRangeError: no field for 6/)
  assert.match(printed, /the end of an iteration that was left threw:\nRangeError: no end/)
})

test('pending and later calls reject with ManagerError when the manager is shut down', async () => {
  const manager = await Manager.start()
  const account = manager.create(Account, 1)
  const pending = thrownBy(() => account.never())
  await account.balance
  await manager.shutdown()
  await manager.shutdown()
  for (const error of [await pending, await thrownBy(() => account.deposit(1)), await thrownBy(() => manager.dict())]) {
    assert.instance(error, ManagerError)
    assert.is(error.code, 'ERR_MANYHANDS_MANAGER')
    assert.match(error.message, 'was shut down')
  }
})

test('pending and later calls reject with ManagerError when the manager dies', async () => {
  const manager = await Manager.start()
  const account = manager.create(Account, 1)
  const errors = await Promise.all([account.never(), account.die()].map((call) => thrownBy(() => call)))
  errors.push(await thrownBy(() => account.balance))
  for (const error of errors) {
    assert.instance(error, ManagerError)
    assert.match(error.message, 'exit code 3')
  }
})

test('a manager does not hold the program open, but a pending call does', async () => {
  const { code, stdout } = await runProgram(`
    import { Manager } from 'manyhands'
    const manager = await Manager.start()
    const list = manager.list([1])
    list.at(0).then((n) => console.log('got', n))
  `)
  assert.is(stdout, 'got 1\n')
  assert.is(code, 0)
})

test('objects are freed when their proxies are collected, or their threads have ended', () =>
  managed(async (manager) => {
    const heap = manager.create(Heap)
    const before = await heap.used()
    for (let i = 0; i < 20; i++) await manager.list(Array(100_000).fill(i)).length
    await run(dropNothing, [manager.list(Array(100_000).fill(0))])
    let used: number
    do {
      collect()
      await new Promise((resolve) => setTimeout(resolve, 10))
      used = await heap.used()
    } while (used - before > 2_000_000)
  }))

test('many calls do not make the heap grow', async () => {
  const { code, stdout, stderr } = await runProgram(
    `
    import { Manager } from 'manyhands'
    const manager = await Manager.start()
    const dict = manager.dict({ a: 1 })
    const calls = async () => {
      for (let i = 0; i < 100; i++) await Promise.all(Array.from({ length: 500 }, () => dict.get('a')))
      gc()
      return process.memoryUsage().heapUsed
    }
    const before = await calls()
    console.log((await calls()) - before < 3_000_000)
  `,
    ['--expose-gc'],
  )
  assert.is(stderr, '')
  assert.is(stdout, 'true\n')
  assert.is(code, 0)
})

test('a manager refuses bad input with what was wrong', () =>
  managed(async (manager) => {
    const refused: [() => unknown, string][] = [
      [() => Manager.start({ name: 5 as never }), 'name must be a string, not 5'],
      [() => Manager.start(5 as never), 'the options of Manager.start must be an object, { name }, not 5'],
      [() => Manager.start({ nam: 'bank' } as never), "the options of Manager.start do not include 'nam'; they are { name }"],
      [() => manager.dict(5 as never), 'init must be a Map, entries or an object, not 5'],
      [() => manager.list(5 as never), 'init must be iterable, not 5'],
      [() => manager.namespace(5 as never), 'init must be an object, not 5'],
      [() => manager.create(Date, 0), 'classTask must be a class that the manager can import, task('],
    ] // prettier-ignore
    for (const [call, message] of refused) {
      const refusal = await thrownBy(call)
      assert.instance(refusal, TypeError)
      assert.match(refusal.message, message)
    }
    const list = manager.list()
    assert.match((await thrownBy(() => (list as any).nothing())).message, 'nothing is not a method of the list')
    const error = await thrownBy(() => list.push({ deep: () => 1 }))
    assert.instance(error, DataCloneError)
    assert.is(error.path, 'args[0].deep')
    assert.is(await list.length, 0)
  }))

test('update takes tasks', () =>
  managed(async (manager) => {
    const dict = manager.dict({ n: 1 })
    assert.is(await dict.update('n', add, 4), 5)
  }))

const add = task(import.meta.url, function add(n: number, more: number) {
  return n + more
})

test('a function in place of a value is refused, and changes nothing', async () => {
  const manager = await Manager.start()
  const [dict, list] = [manager.dict<string, unknown>({ k: 1 }), manager.list<unknown>([1])]
  for (const call of [
    () => dict.set('f', () => 1),
    () => list.push('a', () => 1),
    () => list.fill(() => 1),
    () => dict.set('g', Math.max),
  ])
    assert.is((await thrownBy(call)).code, 'ERR_MANYHANDS_DATA_CLONE')
  assert.equal(await dict.entries(), [['k', 1]])
  assert.equal(await list.slice(), [1])
  await manager.shutdown()
})

test('converting a proxy to a string calls nothing', async () => {
  const { code, stdout } = await runProgram(`
    import { Manager } from 'manyhands'
    const manager = await Manager.start()
    const dict = manager.dict()
    console.log(\`\${dict}\`.startsWith('Remote dict'), dict == 1, [dict].join().length > 0)
    await manager.shutdown()
  `)
  assert.equal([code, stdout], [0, 'true false true\n'])
})

test('a result that is nested too deeply for the caller’s stack fails the call', async () => {
  await using manager = await Manager.start()
  const heap = manager.create(Heap)
  // The manager's is larger.
  assert.instance(await thrownBy(() => heap.nest(8000)), DataCloneError)
  assert.ok((await heap.nest(10)) instanceof Map)
})

test.run()
