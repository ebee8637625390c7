// Programs whose thread blocks for what its own tasks are to do: as in Python, where an executor has a thread that deals them out.
import { BrokenProcessPool, Connection, Event, Pipe, Process, ProcessPoolExecutor, Queue } from 'manyhands'
import { assert, suite } from '../harness.js'

const test = suite('an executor whose thread blocks')

const LONG_MS = 60_000

const put = (queue: Queue<number>, value: number): void => queue.putSync(value)

test('goes on with what it was given', async () => {
  await using executor = new ProcessPoolExecutor({ maxWorkers: 2 })
  const queue = new Queue<number>()
  for (let i = 0; i < 50; i++) void executor.submit(put, queue, i)
  const got = Array.from({ length: 50 }, () => queue.getSync(LONG_MS))
  assert.equal(new Set(got), new Set(Array.from({ length: 50 }, (_, i) => i)))
  // What is submitted in between, too.
  for (let i = 0; i < 20; i++) {
    void executor.submit(put, queue, i)
    assert.is(queue.getSync(LONG_MS), i)
  }
})

test('takes tasks that wait for the one behind them apart', async () => {
  await using executor = new ProcessPoolExecutor({ maxWorkers: 2 })
  const event = new Event()
  const work = (ready: Event, i: number): number => {
    if (i === 0) ready.waitSync()
    if (i === 1) ready.set()
    return i
  }
  event.set()
  await Promise.all(Array.from({ length: 300 }, () => executor.submit(work, event, 2)))
  event.clear()
  const futures = Array.from({ length: 300 }, (_, i) =>
    executor.submit(work, event, i % 150 === 0 ? 0 : i % 150 === 1 ? 1 : 2),
  )
  assert.ok(event.waitSync(LONG_MS))
  await Promise.all(futures)
})

test('calls nobody back before it is over, and then everybody', async () => {
  await using executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  const queue = new Queue<number>()
  let called = 0
  const futures = Array.from({ length: 5 }, (_, i) => executor.submit(put, queue, i))
  for (const future of futures) future.addDoneCallback(() => called++)
  for (let i = 0; i < 5; i++) assert.is(queue.getSync(LONG_MS), i)
  assert.throws(() => queue.getSync(100), /no message/)
  assert.is(called, 0)
  await Promise.all(futures)
  assert.is(called, 5)
})

test('also where it waits for a process, or for one of several pipes', async () => {
  await using executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  const event = new Event()
  const [here, there] = Pipe()
  const set = (ready: Event): void => ready.set()
  const waiter = new Process({ target: (ready: Event) => void ready.waitSync(), args: [event] })
  waiter.start()
  void executor.submit(() => 0)
  void executor.submit(() => 1)
  void executor.submit(set, event)
  waiter.joinSync(LONG_MS)
  assert.is(waiter.exitcode, 0)
  void executor.submit(() => 0)
  void executor.submit(() => 1)
  void executor.submit((end: Connection) => end.send('there'), there)
  assert.equal(Connection.waitSync([here], LONG_MS), [here])
  assert.is(here.recvSync(), 'there')
  here.close()
})

test('breaks as soon as it does not block any more, where it has to', async () => {
  const executor = new ProcessPoolExecutor({
    maxWorkers: 1,
    initializer: () => {
      throw new Error('cannot begin')
    },
  })
  const future = executor.submit(() => 0)
  const event = new Event()
  assert.not.ok(event.waitSync(300))
  assert.instance(await future.exception(), BrokenProcessPool)
  await executor.shutdown()
})

test.run()
