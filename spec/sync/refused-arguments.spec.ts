// Arguments that a constructor or method does not take are refused, and not ignored.
import { Condition, Event, Lock, Pipe, Queue, RLock, RWLock, Semaphore, SimpleQueue } from 'manyhands'
import { assert, suite, thrownBy } from '../harness.js'

const test = suite('arguments that there are not')

/** Call with arguments that the types do not allow. */
const anyOf = (target: unknown) => target as any

const queue = new Queue<number>()
const [near] = Pipe()
const read = new RWLock().read

const cases: [name: string, call: () => unknown, message: string][] = [
  ['SimpleQueue', () => new (anyOf(SimpleQueue))(1), 'new SimpleQueue() takes nothing else, not 1'],
  ['SimpleQueue, options', () => new (anyOf(SimpleQueue))({ maxBytes: 5 }), 'new SimpleQueue() takes nothing else'],
  ['Event', () => new (anyOf(Event))({}), 'new Event() takes nothing else, not {}'],
  ['Event, a flag', () => new (anyOf(Event))(true), 'new Event() takes nothing else, not true'],
  ['Condition', () => new (anyOf(Condition))(new Lock(), { timeout: 5 }), 'new Condition(lock) takes nothing else'],
  ['tryAcquire of a Lock', () => anyOf(new Lock()).tryAcquire({ timeout: 5 }), 'tryAcquire() takes nothing else'],
  ['tryAcquire of an RLock', () => anyOf(new RLock()).tryAcquire({ timeout: 5 }), 'tryAcquire() takes nothing else'],
  ['tryAcquire of a Semaphore', () => anyOf(new Semaphore()).tryAcquire({ timeout: 5 }), 'tryAcquire() takes nothing'],
  ['tryAcquire of an RWLock', () => anyOf(read).tryAcquire({ timeout: 5 }), 'tryAcquire() takes nothing else'],
  ['putNowait', () => anyOf(queue).putNowait(1, { timeout: 5 }), 'putNowait(value) takes nothing else'],
  ['getNowait', () => anyOf(queue).getNowait({ timeout: 5 }), 'getNowait() takes nothing else'],
  ['tryRecv', () => anyOf(near).tryRecv({ timeout: 5 }), 'tryRecv() takes nothing else, not { timeout: 5 }'],
  ['close of a Queue', () => anyOf(queue).close({ timeout: 5 }), 'close() takes nothing else, not { timeout: 5 }'],
  ['close of a Connection', () => anyOf(near).close({ timeout: 5 }), 'close() takes nothing else'],
  ['acquireSync', () => anyOf(new Lock()).acquireSync({ timeout: 5 }), 'timeoutMs must be a number'],
  ['acquire', () => anyOf(new Lock()).acquire({ timeuot: 5 }), "do not include 'timeuot'"],
]

for (const [name, call, message] of cases)
  test(`are refused: ${name}`, async () => {
    const error = await thrownBy(call)
    assert.instance(error, TypeError)
    assert.match(error.message, message)
  })

test('nothing has happened where they were refused', () => {
  assert.is(queue.qsize(), 0)
  assert.is(new Event().isSet(), false)
  assert.not(near.closed)
  near.close()
})

test.run()
