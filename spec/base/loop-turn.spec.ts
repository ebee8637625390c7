// A loop over waits that need not wait lets the event loop turn.
import {
  asCompleted,
  Barrier,
  BoundedSemaphore,
  Condition,
  Connection,
  Event,
  Future,
  JoinableQueue,
  Lock,
  Pipe,
  Pool,
  Process,
  Queue,
  RLock,
  RWLock,
  Semaphore,
  wait,
  type Acquirable,
} from 'manyhands'
import { assert, suite } from '../harness.js'

const test = suite('a loop over waits that need not wait')

/** If the event loop stands still, no time limit of the harness comes to an end. */
const LIMIT_MS = 60_000

/** Wait again and again, until timers and immediates have run three times each. */
async function turnsUnder(wait: () => Promise<unknown>): Promise<void> {
  const ran = { timers: 0, immediates: 0 }
  const interval = setInterval(() => ran.timers++, 1)
  const count = () => {
    ran.immediates++
    immediate = setImmediate(count)
  }
  let immediate = setImmediate(count)
  const startMs = performance.now()
  while ((ran.timers < 3 || ran.immediates < 3) && performance.now() - startMs < LIMIT_MS) await wait()
  clearInterval(interval)
  clearImmediate(immediate)
  assert.ok(ran.timers >= 3 && ran.immediates >= 3, `${ran.timers} timers and ${ran.immediates} immediates ran`)
}

const useOnce = (lock: Acquirable) => async () => {
  assert.is(await lock.acquire(), true)
  lock.release()
}

const locks: [name: string, lock: Acquirable][] = [
  ['Lock', new Lock()],
  ['RLock', new RLock()],
  ['Semaphore', new Semaphore(2)],
  ['BoundedSemaphore', new BoundedSemaphore(1)],
  ['RWLock, reading', new RWLock().read],
  ['RWLock, writing', new RWLock().write],
  ['Condition', new Condition()],
]
for (const [name, lock] of locks)
  test(`lets the event loop turn: acquire of a ${name}`, () => turnsUnder(useOnce(lock)))

test('lets the event loop turn: hold', async () => {
  const lock = new Lock()
  await turnsUnder(async () => (await lock.hold()).release())
})

test('lets the event loop turn: acquire that is out of time at once', async () => {
  const lock = new Lock()
  lock.acquireSync()
  await turnsUnder(() => lock.acquire(0))
  lock.release()
})

test('lets the event loop turn: wait for an Event and for a Barrier', async () => {
  const event = new Event()
  event.set()
  await turnsUnder(() => event.wait())
  const barrier = new Barrier(1)
  await turnsUnder(() => barrier.wait())
})

test('lets the event loop turn: waitFor what is so already', async () => {
  const condition = new Condition()
  await condition.acquire()
  await turnsUnder(() => condition.waitFor(() => true))
  condition.release()
})

test('lets the event loop turn: wait and asCompleted for futures that are done', async () => {
  const [done, pending] = [new Future<number>(), new Future<number>()]
  done.setResult(1)
  await turnsUnder(() => wait([done, pending], { returnWhen: 'FIRST_COMPLETED' }))
  const completed = asCompleted(
    (function* () {
      for (let i = 0; i < 300_000; i++) {
        const future = new Future<number>()
        future.setResult(i)
        yield future
      }
    })(),
  )
  await turnsUnder(() => completed.next())
  assert.is((await completed.next()).done, false)
})

test('lets the event loop turn: join of a process that has ended, and an AsyncResult that is ready', async () => {
  const child = new Process({ target: () => {} }).start()
  await child.join()
  await turnsUnder(() => child.join())
  await using pool = new Pool(1)
  const result = pool.applyAsync(() => 1)
  await result.get()
  await turnsUnder(() => result.get())
  await turnsUnder(() => result.wait())
})

test('lets the event loop turn: put and get, one and many', async () => {
  const queue = new Queue<number>()
  await turnsUnder(async () => {
    await queue.put(1)
    assert.is(await queue.get(), 1)
  })
  await turnsUnder(async () => {
    await queue.putMany([1, 2])
    assert.equal(await queue.getMany(2), [1, 2])
  })
  await turnsUnder(() => queue.get(0).catch(() => {}))
  const full = new Queue<number>(1)
  full.putNowait(1)
  await turnsUnder(() => full.put(2, 0).catch(() => {}))
})

test('lets the event loop turn: for await of a Queue', async () => {
  const queue = new Queue<number>()
  queue.putNowait(0)
  const messages = queue[Symbol.asyncIterator]()
  await turnsUnder(async () => {
    queue.putNowait(1)
    await messages.next()
  })
})

test('lets the event loop turn: join of tasks that are done', async () => {
  const queue = new JoinableQueue()
  await turnsUnder(() => queue.join())
})

test('lets the event loop turn: recv and poll', async () => {
  const [near, far] = Pipe<number>()
  await turnsUnder(async () => {
    near.send(1)
    assert.is(await far.recv(), 1)
  })
  await turnsUnder(() => far.poll())
  near.send(1)
  await turnsUnder(() => far.poll(1000))
  near.close()
  await turnsUnder(() => far.recv().catch(() => {}))
  far.close()
})

test('lets the event loop turn: Connection.wait for an ended one, for a sentinel, and for none in time', async () => {
  const [near, far] = Pipe()
  await turnsUnder(() => Connection.wait([far], 0))
  near.close()
  await turnsUnder(() => Connection.wait([far]))
  far.close()
  const ended = new Process({ target: () => {} }).start()
  await ended.join()
  await turnsUnder(() => Connection.wait([ended.sentinel]))
})

test.run()
