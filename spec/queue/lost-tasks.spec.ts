import { Event, JoinableQueue, OwnerDiedError, Process } from 'manyhands'
import { assert, suite, thrownBy } from '../harness.js'

const test = suite('the tasks of a thread that ended')

/** Get tasks, one after the other, say so, and wait to be killed. */
const takeAndWait = (queue: JoinableQueue, count: number, taken: Event, never: Event) => {
  for (let i = 0; i < count; i++) queue.getSync()
  taken.set()
  never.waitSync()
}

/** Get tasks at once, and end normally without `taskDone`. */
const takeManyAndEnd = async (queue: JoinableQueue, count: number) => void (await queue.getMany(count))

const finishOne = (queue: JoinableQueue) => queue.taskDone()

const workOne = (queue: JoinableQueue) => {
  queue.getSync()
  queue.taskDone()
}

async function startTaking(queue: JoinableQueue, count: number): Promise<Process> {
  const taken = new Event()
  const process = new Process({ target: takeAndWait, args: [queue, count, taken, new Event()] }).start()
  await taken.wait()
  return process
}

function assertLost(error: OwnerDiedError, tasks: string, pid: number | undefined): void {
  assert.instance(error, OwnerDiedError)
  assert.is(error.pid, pid)
  assert.match(error.message, `thread ${pid} ended with ${tasks} not done; join() does not wait`)
}

test('join throws OwnerDiedError that says how many tasks were lost, and then waits for the others', async () => {
  const queue = new JoinableQueue<number>()
  await queue.putMany([1, 2, 3, 4])
  const taker = await startTaking(queue, 3)
  const joining = thrownBy(() => queue.join())
  const other = thrownBy(() => queue.join())
  const { pid } = taker
  taker.kill()
  assertLost(await joining, '3 tasks that are', pid)
  assertLost(await other, '3 tasks that are', pid)
  assert.is(await queue.join(5), false)
  const joined = queue.join()
  await new Process({ target: workOne, args: [queue] }).start().join()
  assert.is(await joined, true)
  const error = await thrownBy(() => queue.taskDone())
  assert.is(error.message, 'taskDone() called more often than the 4 tasks that were put, of which 3 were lost')
})

test('a thread that blocks in joinSync is told as well', async () => {
  const queue = new JoinableQueue<number>()
  queue.putNowait(1)
  const taker = new Process({ target: takeManyAndEnd, args: [queue, 1] }).start()
  assertLost(await thrownBy(() => queue.joinSync()), '1 task that is', taker.pid)
  assert.is(queue.joinSync(), true)
  await taker.join()
})

test('a thread that ends normally with tasks of getMany has lost them', async () => {
  const queue = new JoinableQueue<number>()
  await queue.putMany([1, 2, 3])
  const taker = new Process({ target: takeManyAndEnd, args: [queue, 2] }).start()
  const { pid } = taker
  await taker.join()
  assertLost(await thrownBy(() => queue.joinSync(0)), '2 tasks that are', pid)
  assert.is(queue.joinSync(0), false)
  workOne(queue)
  assert.is(queue.joinSync(0), true)
})

test('a thread that ends with nothing to do, or that died before it got a task, has lost none', async () => {
  const queue = new JoinableQueue<number>()
  await queue.putMany([1, 2])
  await new Process({ target: workOne, args: [queue] }).start().join()
  const idle = await startTaking(new JoinableQueue(), 0)
  idle.kill()
  await idle.join()
  const joined = queue.join()
  workOne(queue)
  assert.is(await joined, true)
})

test('several threads that ended are counted together', async () => {
  const queue = new JoinableQueue<number>()
  await queue.putMany([1, 2, 3])
  const takers = [await startTaking(queue, 1), await startTaking(queue, 2)]
  const pids = takers.map(({ pid }) => pid)
  for (const taker of takers) taker.kill()
  await Promise.all(takers.map((taker) => taker.join()))
  const error = await thrownBy(() => queue.join())
  assert.ok(pids.includes(error.pid))
  assert.match(error.message, `2 threads, the last of them ${error.pid}, ended with 3 tasks that are not done`)
  assert.is(await queue.join(), true)
})

test('every thread that joins is told once', async () => {
  const queue = new JoinableQueue<number>()
  await queue.putMany([1])
  const report = async (tasks: JoinableQueue, ready: Event, go: Event, told: JoinableQueue) => {
    ready.set()
    await go.wait()
    for (let i = 0; i < 2; i++) told.putNowait(await tasks.join().catch((error: { code: string }) => error.code))
  }
  const [ready, go, told] = [new Event(), new Event(), new JoinableQueue()]
  const reporter = new Process({ target: report, args: [queue, ready, go, told] }).start()
  await ready.wait()
  const taker = new Process({ target: takeManyAndEnd, args: [queue, 1] }).start()
  await taker.join()
  assert.is((await thrownBy(() => queue.join())).code, 'ERR_MANYHANDS_OWNER_DIED')
  assert.is(await queue.join(), true)
  go.set()
  assert.equal([await told.get(), await told.get()], ['ERR_MANYHANDS_OWNER_DIED', true])
  await reporter.join()
})

test('a thread may have another say that its task is done, and a loss elsewhere is still told', async () => {
  const queue = new JoinableQueue<number>()
  await queue.putMany([1, 2])
  queue.getSync()
  await new Process({ target: finishOne, args: [queue] }).start().join()
  const taker = new Process({ target: takeManyAndEnd, args: [queue, 1] }).start()
  const { pid } = taker
  await taker.join()
  assertLost(await thrownBy(() => queue.join()), '1 task that is', pid)
  assert.is(await queue.join(), true)
})

test('more threads than there is room for at first have tasks at the same time', async () => {
  const queue = new JoinableQueue<number>()
  const count = 20
  const taken = Array.from({ length: count }, () => new Event())
  await queue.putMany(Array.from({ length: count }, (_, i) => i))
  const takers = taken.map((event) =>
    new Process({ target: takeAndWait, args: [queue, 1, event, new Event()] }).start(),
  )
  for (const event of taken) await event.wait()
  for (const taker of takers) taker.kill()
  await Promise.all(takers.map((taker) => taker.join()))
  const { message } = await thrownBy(() => queue.join())
  assert.match(message, `${count} threads`)
  assert.match(message, `${count} tasks`)
  assert.is(await queue.join(), true)
})

test.run()
