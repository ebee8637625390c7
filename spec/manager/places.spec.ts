import { Manager, ManagerError, Pipe, Process, ProcessPoolExecutor, type RemoteList } from 'manyhands'
import { assert, runProgram, suite, thrownBy } from '../harness.js'
import {
  Account,
  answerThroughPipe,
  collect,
  Heap,
  Keeper,
  managerInProcess,
  managerInTask,
  holdAndWait,
  sendBack,
} from './manager.tasks.js'

const test = suite('managers and proxies')

test('an object of one manager keeps, uses and returns a proxy of another manager’s', async () => {
  const [first, second] = [await Manager.start({ name: 'first' }), await Manager.start({ name: 'second' })]
  const account = second.create(Account, 1)
  const dict = first.dict<string, any>()
  await dict.set('account', account)
  assert.is(await dict.get('account'), account)
  const keeper = first.create(Keeper)
  await keeper.store(account)
  assert.equal(await keeper.depositFromThere(5), { here: 'first', there: 'second' })
  assert.is(await account.balance, 6)
  assert.is(await keeper.stored(), account)
  assert.is(await dict.update('account', (kept: unknown) => kept), account)
  await second.shutdown()
  const error = await thrownBy(() => keeper.depositFromThere(5))
  assert.instance(error, ManagerError)
  assert.is(await dict.size, 1)
  await first.shutdown()
})

test('an object whose only proxy is kept in another manager lives as long as that', async () => {
  const [first, second] = [await Manager.start(), await Manager.start()]
  const heap = second.create(Heap)
  const there = first.create(Heap)
  const before = await heap.used()
  const dict = first.dict<string, any>()
  await dict.set('list', second.list(Array<number>(1_000_000).fill(7)))
  for (let i = 0; i < 3; i++) {
    collect()
    await new Promise((resolve) => setImmediate(resolve))
    await there.used()
  }
  assert.is(await (await dict.get('list')).at(-1), 7)
  assert.ok((await heap.used()) - before > 6_000_000)
  await dict.clear()
  do {
    collect()
    await there.used()
    await new Promise((resolve) => setTimeout(resolve, 5))
  } while ((await heap.used()) - before > 2_000_000)
  await Promise.all([first.shutdown(), second.shutdown()])
})

test('a process starts a manager, and uses it', async () => {
  const [here, there] = Pipe()
  const process = new Process({ target: managerInProcess, args: [there], name: 'starter' }).start()
  const list = (await here.recv()) as RemoteList<string>
  assert.equal(await list.slice(), ['in starter'])
  await list.push('from outside')
  assert.is(await here.recv(), 2)
  here.send('end')
  await process.join()
  assert.is(process.exitcode, 0)
  assert.instance(await thrownBy(() => list.length), ManagerError)
})

test('a task of an executor starts a manager that lives as long as its worker', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  const list = await executor.submit(managerInTask)
  assert.equal(await list.slice(), [1])
  assert.is(await list.push(2), 2)
  await executor.shutdown()
  assert.instance(await thrownBy(() => list.length), ManagerError)
})

test('proxies go through a pipe, both ways, and are used at the other end', async () => {
  await using manager = await Manager.start()
  const [here, there] = Pipe()
  const process = new Process({ target: answerThroughPipe, args: [there] }).start()
  const list = manager.list<string>()
  here.send({ deep: [list] })
  const { again, other } = (await here.recv()) as { again: unknown; other: RemoteList<string> }
  assert.is(again, list)
  assert.equal(await list.slice(), ['through the pipe'])
  assert.equal(await other.slice(), ['made there'])
  here.send('end')
  await process.join()
})

test('objects whose only proxies were in a terminated thread are freed', async () => {
  await using manager = await Manager.start()
  const heap = manager.create(Heap)
  const before = await heap.used()
  const [here, there] = Pipe()
  const process = new Process({ target: holdAndWait, args: [there] }).start()
  await (async () => here.send(manager.list(Array<number>(1_000_000).fill(7))))()
  assert.is(await here.recv(), 1_000_000)
  collect()
  assert.ok((await heap.used()) - before > 6_000_000)
  process.kill()
  await process.join()
  do {
    collect()
    await new Promise((resolve) => setTimeout(resolve, 5))
  } while ((await heap.used()) - before > 2_000_000)
})

// The manager read that this thread gave back a reference before it read the notice that counts it, and freed the object.
test('an object lives on whose proxy is received and dropped while the manager is busy', async () => {
  await using manager = await Manager.start()
  const heap = manager.create(Heap)
  const [here, there] = Pipe()
  const process = new Process({ target: sendBack, args: [there] }).start()
  const collectAll = async () => {
    for (let i = 0; i < 10; i++) {
      collect()
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }
  await (async () => here.send(manager.list([1, 2, 3])))()
  assert.is(await here.recv(), 3)
  await collectAll()
  await heap.used()
  const words = new Int32Array(new SharedArrayBuffer(8))
  const blocked = heap.block(words)
  while (Atomics.load(words, 0) === 0) await new Promise((resolve) => setTimeout(resolve, 1))
  here.send('send it')
  await (async () => void (await here.recv()))()
  await collectAll()
  Atomics.store(words, 1, 1)
  Atomics.notify(words, 1)
  await blocked
  here.send('use it')
  assert.is(await here.recv(), 3)
  await process.join()
  assert.is(process.exitcode, 0)
})

test('a manager that has ended keeps nothing of its thread, even where its proxies are still used', async () => {
  const { code, stdout, stderr } = await runProgram(`
    import { Manager } from 'manyhands'
    import { queryObjects } from 'node:v8'
    import { Worker } from 'node:worker_threads'
    for (let i = 0; i < 10; i++) {
      const manager = await Manager.start()
      const dict = manager.dict()
      await dict.set('a', 1)
      await manager.shutdown()
      await dict.get('a').catch(() => {})
    }
    await new Promise((resolve) => setTimeout(resolve, 100))
    console.log(queryObjects(Worker, { format: 'count' }))`)
  assert.is(code, 0, stderr)
  // The last is perhaps still in somebody's hands; the prototype counts, too.
  assert.ok(Number(stdout) <= 3, stdout)
})

test.run()
