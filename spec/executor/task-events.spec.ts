import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { InlineExecutor, Pool, ProcessPoolExecutor, TimeoutError, WorkerDiedError, type TaskEvent } from 'manyhands'
import { assert, suite, thrownBy, until } from '../harness.js'
import { exitReport, spinReport } from './task-events.tasks.js'
import { Gate, passGate } from './gate.js'

const errors = suite('an error that the executor raises for a task')

// The bundler of the specs adds a digit to the names.
const HEADER = /^(TimeoutError|WorkerDiedError): .*'(spinReport|exitReport)\d?' of file:.*\n {4}--- submitted by ---\n/

/** It names the task, and ends with the stack of `submitHere`. */
function assertExplained(error: Error, errorClass: Function): void {
  assert.instance(error, errorClass)
  assert.match(error.stack!, HEADER)
  assert.match(error.stack!, /at .*submitHere/)
}

errors('names the task, and ends with the stack of who submitted it', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 2 })
  const limited = executor.with({ timeout: 100 })
  const pool = new Pool(1)
  const submissions: [() => PromiseLike<unknown>, Function][] = [
    [function submitHere() { return executor.submit(exitReport, 0) }, WorkerDiedError],
    [function submitHere() { return limited.submit(spinReport, 0) }, TimeoutError],
    [function submitHere() { return executor.map(exitReport, [1, 2]) }, WorkerDiedError],
    [function submitHere() { return limited.map(spinReport, [1, 2]) }, TimeoutError],
    [function submitHere() { return executor.with({ retries: 1 }).map(exitReport, [1]) }, WorkerDiedError],
    [function submitHere() { return executor.parallelFor(10, exitReport) }, WorkerDiedError],
    [function submitHere() { return pool.apply(exitReport, [3]) }, WorkerDiedError],
    [function submitHere() { return pool.map(exitReport, [3]) }, WorkerDiedError],
  ] // prettier-ignore
  for (const [submitHere, errorClass] of submissions) {
    assertExplained(await thrownBy(submitHere), errorClass)
    // A burst of submissions has one stack: let it end.
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  pool.terminate()
  await Promise.all([pool.join(), executor.shutdown()])
})

errors('says so of a function that was sent by its source', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  const named = await thrownBy(() => executor.submit(function leave() { process.exit(3) })) // prettier-ignore
  assert.match(named.message, "exit code 3 while it ran this task: 'leave' (sent by source)")
  const unnamed = await thrownBy(() => executor.submit(() => process.exit(3)))
  assert.match(unnamed.message, 'while it ran this task: a function sent by source')
  await executor.shutdown()
})

errors('does so in the calling thread, too', async () => {
  const executor = new InlineExecutor().with({ timeout: 20 })
  const submitHere = () => executor.submit(spinReport, 0)
  assertExplained(await thrownBy(submitHere), TimeoutError)
  await executor.shutdown()
})

errors.run()

const events = suite('what is published of tasks')

/** The events while `fn` runs. */
async function heardWhile(fn: (heard: TaskEvent[]) => Promise<unknown>): Promise<TaskEvent[]> {
  const heard: TaskEvent[] = []
  const listen = (event: unknown) => void heard.push(event as TaskEvent)
  subscribe('manyhands:task', listen)
  try {
    await fn(heard)
  } finally {
    unsubscribe('manyhands:task', listen)
  }
  return heard.filter(({ event }) => event.startsWith('task'))
}

for (const make of [() => new ProcessPoolExecutor({ maxWorkers: 1 }), () => new InlineExecutor()]) {
  const { name } = make().constructor

  events(`is the start and the end of each, with its name and its submitter (${name})`, async () => {
    const executor = make()
    const heard = await heardWhile(async function submitHere() {
      await executor.submit(function double(n: number) { return 2 * n }, 4) // prettier-ignore
      await executor.map(function triple(n: number) { return 3 * n }, [1, 2, 3], { chunksize: 3 }) // prettier-ignore
      await executor.parallelFor(3, function fill() {})
    })
    for (const event of heard) assert.match(event.submitter, /submitHere/)
    const seen = heard.map((event) => [event.event, event.task, 'items' in event && event.items])
    const pairs = [["'double' (sent by source)", 1], ["'triple' (sent by source)", 3], ["'fill' (sent by source)", 1]] // prettier-ignore
    assert.equal(seen, pairs.flatMap((pair) => [['taskStarted', ...pair], ['taskEnded', ...pair]])) // prettier-ignore
    await executor.shutdown()
  })

  events(`is each failure, though nobody looks at it (${name})`, async () => {
    const executor = make()
    const fails = (n: number) => {
      if (n % 2) throw new RangeError(`${n} is odd`)
      return n
    }
    const heard = await heardWhile(async () => {
      void executor.submit(fails, 1)
      executor.map(fails, [2, 3, 4, 5], { settled: true, chunksize: 4 })
      executor.with({ retries: 1 }).map(fails, [6, 7], { settled: true })
      await executor.shutdown()
    })
    const failed = heard.filter((event) => event.event === 'taskFailed')
    assert.equal(failed.map(({ reason }) => String(reason)).toSorted(), [1, 3, 5, 7].map((n) => `RangeError: ${n} is odd`)) // prettier-ignore
    for (const { task, submitter } of failed)
      assert.ok(task.includes('fails') && submitter.includes('task-events.spec'))
  })
}

events('is a start as it happens, and a death', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  const gate = new Gate()
  const heard = await heardWhile(async (soFar) => {
    const running = executor.submit(passGate<number>, gate.words, 1)
    const queued = executor.submit(passGate<number>, gate.words, 2)
    await until(() => soFar.length > 0)
    assert.equal([soFar[0]!.event, running.done()], ['taskStarted', false])
    queued.cancel()
    gate.open()
    await running
    await thrownBy(() => executor.submit(exitReport, 0))
    await executor.shutdown()
  })
  assert.equal(
    heard.map((event) => ('outcome' in event ? event.outcome : event.event)),
    ['taskStarted', 'cancelled', 'returned', 'taskStarted', 'taskFailed', 'failed'],
  )
})

events.run()
