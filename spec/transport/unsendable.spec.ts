// The package's own objects that belong to one thread: each is refused with its path and what to send instead, however it is sent.
import {
  currentProcess,
  DataCloneError,
  getLogger,
  InlineExecutor,
  Lock,
  Manager,
  parentProcess,
  Pipe,
  Pool,
  Process,
  ProcessPoolExecutor,
  RWLock,
  Queue,
  task,
  type Task,
} from 'manyhands'
import { isMainThread, MessageChannel } from 'node:worker_threads'
import { assert, suite, thrownBy } from '../harness.js'

const test = suite('objects that stay in their thread')

const look: Task<[unknown]> = task(import.meta.url, function look(value: unknown) {
  return Object.keys(value as object)
})

const makeOne: Task<[], unknown> = task(import.meta.url, function makeOne() {
  return { made: [new InlineExecutor()] }
})

const throwOne: Task<[]> = task(import.meta.url, function throwOne() {
  throw Object.assign(new Error('m'), { status: 5, config: { executor: new InlineExecutor(), url: 'x' } })
})

const parentOf: Task<[]> = task(import.meta.url, function parentOf() {
  return parentProcess()
})

/** A value of each kind, and what its user is told. */
async function everyKind(): Promise<{ kinds: Record<string, [object, RegExp]>; end: () => Promise<void> }> {
  const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  const pool = new Pool(1)
  const manager = await Manager.start()
  const process = new Process({ target: () => {} }).start()
  const imap = pool.imap((x: number) => x, [1])
  return {
    kinds: {
      ProcessPoolExecutor: [executor, /return what is to be submitted/],
      face: [executor.with({ retries: 1 }), /return what is to be submitted/],
      InlineExecutor: [new InlineExecutor(), /return what is to be submitted/],
      Future: [executor.submit((x: number) => x, 1), /await it, and send its result/],
      MapResult: [executor.map((x: number) => x, [1]), /await it, and send the results/],
      Pool: [pool, /make a Pool there/],
      AsyncResult: [pool.applyAsync((x: number) => x, [1]), /await its get\(\)/],
      imap: [imap, /send what it gives/],
      Manager: [manager, /send proxies of its objects/],
      Process: [process, /send its name or pid/],
      sentinel: [process.sentinel, /in the thread that started the process/],
      current: [currentProcess(), /send its name or pid/],
      logger: [getLogger(), /call getLogger\(\) there/],
      guard: [new Lock().holdSync(), /send the lock/],
      reading: [new RWLock().read, /send the RWLock, and use its read and write there/],
      writing: [new RWLock().write, /send the RWLock, and use its read and write there/],
    },
    async end() {
      for await (const _ of imap);
      await process.join()
      await executor.shutdown()
      pool.terminate()
      await pool.join()
      await manager.shutdown()
    },
  }
}

function check(error: unknown, path: string, advice: RegExp, kind: string): void {
  assert.instance(error, DataCloneError, kind)
  const { message } = error as DataCloneError
  assert.is((error as DataCloneError).path, path, `${kind}: ${message}`)
  assert.match(message, advice, kind)
}

if (isMainThread) {
  test('each kind is refused with its path, and the advice what to send instead, in every kind of message', async () => {
    const { kinds, end } = await everyKind()
    const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
    const manager = await Manager.start()
    const dict = manager.dict()
    const [connection, other] = Pipe()
    const queue = new Queue()
    for (const [kind, [value, advice]] of Object.entries(kinds)) {
      check(await executor.submit(look, { a: [value] }).exception(), 'args[0].a[0]', advice, kind)
      const mapped = await thrownBy(() => executor.map(look, [new Map([['k', value]])]))
      check(mapped, "args[0].get('k')", advice, kind)
      check(await thrownBy(() => connection.send({ value })), 'value.value', advice, kind)
      check(await thrownBy(() => queue.putNowait([value])), 'value[0]', advice, kind)
      check(await thrownBy(() => dict.set('k', { value })), 'args[1].value', advice, kind)
      check(await thrownBy(() => manager.list([value])), 'init[0]', advice, kind)
      check(await thrownBy(() => new Process({ target: look, args: [value] }).start()), 'args[0]', advice, kind)
      const { port1, port2 } = new MessageChannel()
      assert.is((await thrownBy(() => port1.postMessage(value))).name, 'DataCloneError', kind)
      port2.close()
    }
    assert.is(queue.qsize(), 0)
    other.close()
    await executor.shutdown()
    await manager.shutdown()
    await end()
  })

  test('a task that returns one fails with the path, and one on an error is left out of it', async () => {
    const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
    check(await executor.submit(makeOne).exception(), 'result.made[0]', /return what is to be submitted/, 'result')
    const error = (await executor.submit(throwOne).exception()) as Error & Record<string, unknown>
    assert.is(error['status'], 5)
    assert.equal(error['config'], { url: 'x' })
    await executor.shutdown()
  })

  test('several in one burst fail alone', async () => {
    const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
    const future = executor.submit(look, {})
    const futures = Array.from({ length: 20 }, (_, i) => executor.submit(look, i === 7 ? { future } : { i }))
    for (const [i, one] of futures.entries()) {
      if (i === 7) check(await one.exception(), 'args[0].future', /await it/, 'burst')
      else assert.equal(await one, ['i'])
    }
    await executor.shutdown()
  })

  test('the parent of a process is refused, too', async () => {
    const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
    check(await executor.submit(parentOf).exception(), 'result', /send its name or pid/, 'parent')
    await executor.shutdown()
  })

  test.run()
}
