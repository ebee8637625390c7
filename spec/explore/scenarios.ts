// What is explored: programs of two or three threads for every primitive, without a death, and with one or two anywhere.
import type {
  Acquirable,
  Barrier,
  Condition,
  Event,
  JoinableQueue,
  Lock,
  Queue,
  RLock,
  RWLock,
  Semaphore,
} from '../../lib/internals.js'
import type { Connection } from '../../lib/index.js'
import type { Classes, Mutex } from './bundle.js'
import type { Scenario, Thread } from './explorer.js'

type Recoverable = Acquirable & { recoverSync(): void }

/** Take it, without a time limit, repairing what a dead thread left. */
function take(lock: Recoverable, thread: Thread, acquire = () => lock.acquireSync()): void {
  for (;;) {
    const result = thread.step('acquire', acquire)
    if (result === true) return
    thread.expect(result === 'OWNER_DIED', `acquire gave ${String(result)}`)
    if (thread.step('recover', () => lock.recoverSync()) !== 'LOCK') return
  }
}

const use = (lock: Recoverable, thread: Thread) => {
  take(lock, thread)
  thread.inside()
  thread.expect(thread.step('release', () => lock.release()) === undefined, 'release failed')
}

/** Take it unless the time is over. */
const useInTime = (lock: Recoverable, thread: Thread) => {
  if (thread.step('acquire', () => lock.acquireSync(100)) !== true) return
  thread.inside()
  thread.step('release', () => lock.release())
}

const useAwaited = (lock: Recoverable, thread: Thread, { awaitLock }: Classes) => {
  take(lock, thread, () => awaitLock(lock))
  thread.inside()
  thread.expect(thread.step('release', () => lock.release()) === undefined, 'release failed')
}

const useTwice = (lock: Recoverable, thread: Thread) => {
  use(lock, thread)
  use(lock, thread)
}

/** Take two permits, one after the other. */
const useTwo = (lock: Recoverable, thread: Thread) => {
  take(lock, thread)
  if (thread.step('again', () => lock.tryAcquire()) === true) thread.step('release one', () => lock.release())
  thread.inside()
  thread.expect(thread.step('release', () => lock.release()) === undefined, 'release failed')
}

const tryUse = (lock: Recoverable, thread: Thread) => {
  if (thread.step('try', () => lock.tryAcquire()) !== true) return
  thread.inside()
  thread.step('release', () => lock.release())
}

/** Take it, begin a change of what it protects, and end. */
const keep = (lock: Recoverable, thread: Thread) => {
  take(lock, thread)
  thread.write(0, 1)
}

/** Use what it protects. A change that a dead thread has begun comes with an OwnerDiedError. */
const useWhole = (lock: Recoverable, thread: Thread) => {
  const result = thread.step('acquire', () => lock.acquireSync())
  if (result === 'OWNER_DIED') {
    if (thread.step('recover', () => lock.recoverSync()) === 'LOCK') return useWhole(lock, thread)
    thread.write(0, 0)
  }
  thread.expect(thread.read(0) === 0, 'it was taken over in silence')
  thread.inside()
  thread.step('release', () => lock.release())
}

const nest = (lock: Recoverable, thread: Thread) => {
  take(lock, thread)
  thread.expect(thread.step('again', () => lock.acquireSync()) === true, 'could not take it again')
  thread.step('release one', () => lock.release())
  thread.inside()
  thread.step('release', () => lock.release())
}

const reader = ({ read }: RWLock, thread: Thread) => {
  take(read, thread)
  thread.inside('read')
  thread.expect(thread.step('release', () => read.release()) === undefined, 'release failed')
}

const readerTwice = (lock: RWLock, thread: Thread) => {
  reader(lock, thread)
  reader(lock, thread)
}

/** Read while it reads. */
const nestReads = (lock: RWLock, thread: Thread) => {
  take(lock.read, thread)
  reader(lock, thread)
  thread.inside('read')
  thread.step('release', () => lock.read.release())
}

const writer = ({ write }: RWLock, thread: Thread) => {
  take(write, thread)
  thread.inside('write')
  thread.step('release', () => write.release())
}

const writerTwice = (lock: RWLock, thread: Thread) => {
  writer(lock, thread)
  writer(lock, thread)
}

const keepWriting = ({ write }: RWLock, thread: Thread) => keep(write, thread)
const writeWhole = ({ write }: RWLock, thread: Thread) => useWhole(write, thread)

const writerInTime = ({ write }: RWLock, thread: Thread) => useInTime(write, thread)

const together = (role: string, other: string) => role === 'read' && other === 'read'

const consume = (condition: Condition, thread: Thread) => {
  take(condition, thread)
  while (thread.read(0) === 0) {
    // An OwnerDiedError leaves it without the lock.
    if (thread.step('wait', () => condition.waitSync()) === 'OWNER_DIED') take(condition, thread)
  }
  thread.write(0, thread.read(0) - 1)
  thread.inside()
  thread.step('release', () => condition.release())
}

/** Wait for the flag, and notify the next. */
const relay = (timeoutMs?: number) => (condition: Condition, thread: Thread) => {
  take(condition, thread)
  while (thread.read(0) === 0) {
    const result = thread.step('wait', () => condition.waitSync(timeoutMs))
    if (result === 'OWNER_DIED') take(condition, thread)
    if (result === false) break
  }
  thread.step('pass on', () => condition.notify(1))
  thread.step('release', () => condition.release())
}

/** Nobody notifies it. */
const waitInVain = (condition: Condition, thread: Thread) => {
  take(condition, thread)
  thread.expect(thread.step('wait', () => condition.waitSync(100)) === false, 'woken by nobody')
  thread.step('release', () => condition.release())
}

const produce = (items: number, notified: number) => (condition: Condition, thread: Thread) => {
  take(condition, thread)
  thread.write(0, thread.read(0) + items)
  thread.step('notify', () => condition.notify(notified))
  thread.step('release', () => condition.release())
}

const signal = (semaphore: Semaphore, thread: Thread) => thread.step('signal', () => semaphore.release())
const signalTwice = (semaphore: Semaphore, thread: Thread) => {
  signal(semaphore, thread)
  signal(semaphore, thread)
}
const awaitSignal = (semaphore: Semaphore, thread: Thread) => thread.step('signalled', () => semaphore.acquireSync())
/** Use up a signal, and signal itself. */
const passSignal = (semaphore: Semaphore, thread: Thread) => {
  awaitSignal(semaphore, thread)
  signal(semaphore, thread)
}

const waitFor = (event: Event, thread: Thread) => thread.step('wait', () => event.waitSync())
const waitForInTime = (event: Event, thread: Thread) => thread.step('wait', () => event.waitSync(100))
const setIt = (event: Event, thread: Thread) => thread.step('set', () => event.set())
const setAndClear = (event: Event, thread: Thread) => {
  thread.step('set', () => event.set())
  thread.step('clear', () => event.clear())
}

const meet = (barrier: Barrier, thread: Thread) => thread.step('wait', () => barrier.waitSync())
const meetInTime = (barrier: Barrier, thread: Thread) => thread.step('wait', () => barrier.waitSync(100))
const meetTwice = (barrier: Barrier, thread: Thread) => {
  meet(barrier, thread)
  meet(barrier, thread)
}
const abort = (barrier: Barrier, thread: Thread) => thread.step('abort', () => barrier.abort())
const reset = (barrier: Barrier, thread: Thread) => thread.step('reset', () => barrier.reset())

/** All of a party go on, each with an index of its own, or none does. */
const wholeParty = (parties: number) => (results: (unknown[] | undefined)[]) => {
  const indices = results.filter((list) => list !== undefined).map(([index]) => index)
  const released = indices.filter((index) => typeof index === 'number')
  if (released.length === 0) return true
  return released.length === indices.length && new Set(released).size === indices.length && indices.length <= parties
}

/** Nobody gave up, died, or broke it. */
const allOf =
  (parties: number, times = 1) =>
  (results: (unknown[] | undefined)[]) => {
    for (let time = 0; time < times; time++)
      if (new Set(results.map((list) => list![time])).size !== parties) return false
    return results.flat().every((index) => typeof index === 'number')
  }

const makeLock = (classes: { Lock: typeof Lock }) => new classes.Lock()
const makeHandOver = (classes: { Lock: typeof Lock }) => new classes.Lock({ onOwnerDeath: 'handOver' })
const makeRLock = (classes: { RLock: typeof RLock }) => new classes.RLock()
const makeOne = (classes: { Semaphore: typeof Semaphore }) => new classes.Semaphore(1)
const makeOneHandedOver = (classes: { Semaphore: typeof Semaphore }) =>
  new classes.Semaphore(1, { onOwnerDeath: 'handOver' })
const makeSignal = (classes: { Semaphore: typeof Semaphore }) => new classes.Semaphore(0)
const makeTwo = (classes: { Semaphore: typeof Semaphore }) => new classes.Semaphore(2)
const makeRWLock = (classes: { RWLock: typeof RWLock }) => new classes.RWLock()
const makeRWLockHandedOver = (classes: { RWLock: typeof RWLock }) => new classes.RWLock({ onOwnerDeath: 'handOver' })
const makeCondition = (classes: { Condition: typeof Condition; Lock: typeof Lock }) =>
  new classes.Condition(new classes.Lock())
const makeEvent = (classes: { Event: typeof Event }) => new classes.Event()
const barrierOf = (parties: number) => (classes: { Barrier: typeof Barrier }) => new classes.Barrier(parties)

const scenario = <T extends object>(
  name: string,
  make: Scenario<T>['make'],
  programs: Scenario<T>['programs'],
  more: Partial<Scenario<T>> = {},
): Scenario<object> => ({ name, make, programs, ...more }) as unknown as Scenario<object>

/** Explored with nothing granted: each operation on the lock word is a step. */
export const onWords: Scenario<object>[] = [
  scenario('Lock: 3 threads', makeLock, [use, use, use]),
  scenario('Lock: 3 threads, one out of time', makeLock, [use, use, useInTime]),
  scenario('Lock: 3 threads, two out of time', makeLock, [use, useInTime, useInTime]),
  scenario('Lock: 3 threads, one tries', makeLock, [use, tryUse, use]),
  scenario('Lock: 3 threads, 1 death', makeLock, [use, use, use], { kills: 1 }),
  scenario('Lock: 3 threads, 2 deaths', makeLock, [use, use, use], { kills: 2 }),
  scenario('Lock: 3 threads, one out of time, 1 death', makeLock, [use, use, useInTime], { kills: 1 }),
  scenario('Lock handed over: 3 threads, 2 deaths', makeHandOver, [use, use, use], { kills: 2 }),
  scenario('Lock: 3 threads, one awaits', makeLock, [use, use, useAwaited]),
  scenario('Lock: 3 threads, two await', makeLock, [use, useAwaited, useAwaited]),
  scenario('Lock: 3 threads, one awaits, 1 death', makeLock, [use, use, useAwaited], { kills: 1 }),
  scenario('Lock: 3 threads, two await, 2 deaths', makeLock, [use, useAwaited, useAwaited], { kills: 2 }),
  scenario('RLock: 3 threads', makeRLock, [nest, nest, use]),
  scenario('RLock: 3 threads, 1 death', makeRLock, [nest, nest, use], { kills: 1 }),
  scenario('Lock: 3 threads, one ends with it', makeLock, [keep, useWhole, useWhole], { leavesNoTrace: false }),
  scenario('Lock: 3 threads, one awaits, one ends with it', makeLock, [keep, useAwaited, useInTime], {
    leavesNoTrace: false,
  }),
  scenario('RLock: 3 threads, one ends with it', makeRLock, [keep, useWhole, useWhole], { leavesNoTrace: false }),
  scenario('Semaphore, its mutex too: 2 threads, 1 death', makeOne, [use, use], { kills: 1 }),
]

/** Explored with the monitor's mutex granted. */
export const onMonitors: Scenario<object>[] = [
  scenario('Semaphore(1): 3 threads', makeOne, [use, use, use]),
  scenario('Semaphore(1): 3 threads, one out of time', makeOne, [use, use, useInTime]),
  scenario('Semaphore(1): 3 threads, one tries', makeOne, [use, tryUse, use]),
  scenario('Semaphore(2): 3 threads', makeTwo, [use, use, use], { together: () => true, room: 2 }),
  scenario('Semaphore(2): 3 threads, one twice, 1 death', makeTwo, [useTwice, use, use], {
    together: () => true,
    room: 2,
    kills: 1,
  }),
  scenario('Semaphore(1): 3 threads, 2 deaths', makeOne, [use, use, use], { kills: 2 }),
  scenario('Semaphore(1) handed over: 3 threads, 2 deaths', makeOneHandedOver, [use, use, use], { kills: 2 }),
  scenario('Semaphore(1): 3 threads, 1 death', makeOne, [use, use, use], { kills: 1 }),
  scenario('Semaphore(1): 3 threads, one out of time, 1 death', makeOne, [use, use, useInTime], { kills: 1 }),
  scenario('Semaphore(1): 3 threads, one twice, 1 death', makeOne, [useTwice, use, use], { kills: 1 }),
  scenario('Semaphore(1): 3 threads, one ends with it', makeOne, [keep, useWhole, useWhole], { leavesNoTrace: false }),
  scenario('Semaphore(1): 2 threads, both twice, 2 deaths', makeOne, [useTwice, useTwice], { kills: 2 }),
  scenario('Semaphore(1): 3 threads, one twice, one out of time', makeOne, [useTwice, useInTime, use]),
  scenario('Semaphore(1): 3 threads, one tries for two, one dies', makeOne, [use, useTwo, use], {
    kills: 1,
    victims: [2],
  }),
  scenario('Semaphore(2): 2 threads, one takes two, 1 death', makeTwo, [useTwo, use], {
    together: () => true,
    room: 2,
    kills: 1,
  }),
  scenario(
    'Semaphore(0): 1 signals twice, 2 wait, one of them dies',
    makeSignal,
    [signalTwice, awaitSignal, awaitSignal],
    {
      kills: 1,
      victims: [1],
      leavesNoTrace: false,
    },
  ),
  scenario('Semaphore(0): 1 signals, 2 wait and signal', makeSignal, [signal, passSignal, passSignal], {
    leavesNoTrace: false,
  }),
  scenario('RWLock: 3 writers, one ends with it', makeRWLock, [keepWriting, writeWhole, writeWhole], {
    leavesNoTrace: false,
  }),
  scenario('RWLock: 3 writers, one twice, 1 death', makeRWLock, [writerTwice, writer, writer], { together, kills: 1 }),
  scenario('RWLock: 2 readers, one twice, 1 writer, 1 death', makeRWLock, [readerTwice, reader, writer], {
    together,
    kills: 1,
  }),
  scenario('RWLock: 1 reader and 1 writer, both twice, 2 deaths', makeRWLock, [readerTwice, writerTwice], {
    together,
    kills: 2,
  }),
  scenario('RWLock: 1 reads while it reads, 1 reader, 1 writer', makeRWLock, [nestReads, reader, writer], { together }),
  scenario('RWLock: 2 readers, 1 writer', makeRWLock, [reader, reader, writer], { together }),
  scenario('RWLock: 1 reader, 2 writers, 1 out of time', makeRWLock, [reader, writer, writerInTime], { together }),
  scenario('RWLock: 2 readers, 1 writer, 1 death', makeRWLock, [reader, reader, writer], { together, kills: 1 }),
  scenario('RWLock: 1 reader, 2 writers, 1 death', makeRWLock, [reader, writer, writer], { together, kills: 1 }),
  scenario('RWLock: 2 readers, 1 writer, 2 deaths', makeRWLock, [reader, reader, writer], { together, kills: 2 }),
  scenario('RWLock handed over: 1 reader, 2 writers, 2 deaths', makeRWLockHandedOver, [reader, writer, writer], {
    together,
    kills: 2,
  }),
  scenario('Condition: 2 wait, both notified', makeCondition, [consume, consume, produce(2, 2)]),
  scenario('Condition: notified, or out of time', makeCondition, [relay(100), produce(1, 1)]),
  scenario('Condition: 1 waits in vain, 1 uses the lock', makeCondition, [waitInVain, use]),
  scenario('Condition: 1 waits, 1 ends with the lock', makeCondition, [relay(100), keep], { leavesNoTrace: false }),
  scenario('Condition: 2 wait, one of them dies in its sleep', makeCondition, [relay(), relay(), produce(1, 1)], {
    kills: 1,
    victims: [0],
    onlyAsleep: true,
  }),
  scenario('Condition: it waits, or notifies, and dies', makeCondition, [relay(100), produce(1, 1)], { kills: 1 }),
  scenario('Event: 2 wait', makeEvent, [waitFor, waitFor, setIt], { leavesNoTrace: false }),
  scenario('Event: 2 wait, one out of time', makeEvent, [waitForInTime, waitForInTime, setAndClear]),
  scenario('Event: 2 wait, 1 death', makeEvent, [waitFor, waitFor, setIt], {
    kills: 1,
    victims: [0, 1],
    leavesNoTrace: false,
  }),
  scenario('Event: 1 waits, one of 2 that set it dies on the way', makeEvent, [waitFor, setIt, setIt], {
    kills: 1,
    victims: [1],
    leavesNoTrace: false,
  }),
  scenario('Barrier(3)', barrierOf(3), [meet, meet, meet], { end: allOf(3) }),
  scenario('Barrier(2), twice', barrierOf(2), [meetTwice, meetTwice], { end: allOf(2, 2) }),
  scenario('Barrier(3), out of time', barrierOf(3), [meetInTime, meet, meet], {
    end: wholeParty(3),
    leavesNoTrace: false,
  }),
  scenario('Barrier(2), aborted', barrierOf(2), [meet, meet, abort], { leavesNoTrace: false }),
  scenario('Barrier(2), reset', barrierOf(2), [meetInTime, meetInTime, reset], { leavesNoTrace: false }),
  scenario('Barrier(3), one dies while it waits', barrierOf(3), [meet, meet, meet], {
    kills: 1,
    onlyAsleep: true,
    leavesNoTrace: false,
  }),
  scenario('Barrier(3), 1 death', barrierOf(3), [meetInTime, meetInTime, meetInTime], {
    kills: 1,
    end: wholeParty(3),
    leavesNoTrace: false,
  }),
]

/** Explored with the lock granted, too, that goes with a condition. */
export const onConditions: Scenario<object>[] = [
  scenario('Condition: 2 wait, one of them dies anywhere', makeCondition, [relay(), relay(), produce(1, 1)], {
    kills: 1,
    victims: [0, 1],
  }),
  scenario('Condition: 2 wait, one out of time, both die', makeCondition, [relay(), relay(100), produce(1, 1)], {
    kills: 2,
    victims: [0, 1],
  }),
  scenario('Condition: 2 consume, one of them dies', makeCondition, [consume, consume, produce(2, 2)], {
    kills: 1,
    victims: [0, 1],
  }),
  scenario('Condition: 2 out of time, or 1 notifies, 1 death', makeCondition, [relay(100), relay(100), produce(1, 2)], {
    kills: 1,
  }),
]

/** Room for a number at first, for three when grown: the memory that it may grow to is there from the start. */
const makeKind =
  (kind: 'Queue' | 'JoinableQueue') =>
  (maxsize = 0, numbers = 1, ...first: (number | Uint8Array)[]) =>
  (classes: Pick<Classes, 'JoinableQueue' | 'Queue'>) => {
    const queue = new classes[kind]<number | Uint8Array>(maxsize, { maxBytes: 16 * numbers - 8 })
    const [, memory] = (queue as unknown as { handle: [string, SharedArrayBuffer] }).handle
    if (memory.byteLength < memory.maxByteLength) memory.grow(memory.maxByteLength)
    for (const value of first) queue.putNowait(value)
    return queue as Queue<number>
  }
const makeQueue = makeKind('Queue')
/** A message of bytes that takes as much room as a number. */
const bytesOf = (value: number) => new Uint8Array(8).fill(value)
const makeJoinable = makeKind('JoinableQueue') as unknown as (
  ...of: Parameters<typeof makeQueue>
) => (classes: Classes) => JoinableQueue<number>

/** One that is shut down: its tasks are what there is to do. */
const makeTasks =
  (...tasks: number[]) =>
  (classes: Classes) => {
    const queue = makeJoinable(0, tasks.length, ...tasks)(classes)
    queue.shutdown()
    return queue
  }

const put =
  (...values: number[]) =>
  (queue: Queue<number>, thread: Thread) => {
    for (const value of values)
      thread.expect(thread.step('put', () => queue.putSync(value)) === undefined, 'put failed')
  }
const putInTime = (value: number) => (queue: Queue<number>, thread: Thread) =>
  thread.step('put', () => queue.putSync(value, 100))
const get = (times: number) => (queue: Queue<number>, thread: Thread) => {
  for (let i = 0; i < times; i++) thread.step('get', () => queue.getSync())
}
/** Get a message of bytes into a view. @returns what they are; 'LEFT': it is none that has room there */
const intoView = (queue: Queue<number>, length: number, timeoutMs?: number) => () => {
  const view = new Uint8Array(length)
  try {
    queue.getIntoSync(view, timeoutMs)
  } catch (reason) {
    if (reason instanceof TypeError || reason instanceof RangeError) return 'LEFT'
    throw reason
  }
  return view[0]
}
const getIntoTwo = (queue: Queue<number>, thread: Thread) => {
  thread.step('get into', intoView(queue, 8))
  thread.step('get into', intoView(queue, 8, 100))
}
const getInto = (queue: Queue<number>, thread: Thread) => {
  thread.step('get into', intoView(queue, 8))
}
/** Find a message for which the view is too short, or which is no bytes, and leave it. */
const leaveOne = (queue: Queue<number>, thread: Thread) => {
  thread.expect(thread.step('leave', intoView(queue, 7)) === 'LEFT', 'took it')
}
/** The same, if one comes in time. */
const leaveInTime = (queue: Queue<number>, thread: Thread) => {
  const left = thread.step('leave', intoView(queue, 7, 100))
  thread.expect(left === 'LEFT' || left === 'QUEUE_EMPTY', 'took it')
}
/** One that must come, and one that another may have. */
const getTwo = (queue: Queue<number>, thread: Thread) => {
  thread.step('get', () => queue.getSync())
  thread.step('get', () => queue.getSync(100))
}
const getAndPut = (value: number) => (queue: Queue<number>, thread: Thread) => {
  thread.step('get', () => queue.getSync(100))
  thread.step('put', () => queue.putSync(value))
}
const getTwoInTime = (queue: Queue<number>, thread: Thread) => {
  for (let i = 0; i < 2; i++) thread.step('get', () => queue.getSync(100))
}
/** Who is told by a put that all was thrown away, gets nothing of it. */
const putThenGet = (queue: Queue<number>, thread: Thread) => {
  const put = thread.step('put', () => queue.putSync(3, 100))
  const got = thread.step('get', () => queue.getSync(100))
  thread.expect(put !== 'QUEUE_SHUT_DOWN' || got === put, `got ${String(got)} of what was thrown away`)
}
const putAndShutDown = (value: number) => (queue: Queue<number>, thread: Thread) => {
  thread.step('put', () => queue.putSync(value))
  thread.step('shut down', () => queue.shutdown())
}
const drain = (queue: Queue<number>, thread: Thread) => {
  while (thread.step('get', () => queue.getSync()) !== 'QUEUE_SHUT_DOWN');
}

const shutDownNow = (queue: Queue<number>, thread: Thread) => {
  thread.step('shut down', () => queue.shutdown(true))
  thread.expect(thread.step('get', () => queue.getSync()) === 'QUEUE_SHUT_DOWN', 'got from what was thrown away')
}
/** Put, until it is shut down. */
const putInto = (value: number, timeoutMs?: number) => (queue: Queue<number>, thread: Thread) => {
  thread.step('put', () => queue.putSync(value, timeoutMs))
}
const putManyInto =
  (...values: number[]) =>
  (queue: Queue<number>, thread: Thread, { putMany }: Classes) => {
    thread.step('put many', () => putMany(queue, values))
  }
const getMany = (count: number) => (queue: Queue<number>, thread: Thread, classes: Classes) => {
  for (let got = 0; got < count;) {
    const values = thread.step('get many', () => classes.getMany(queue, count))
    if (!Array.isArray(values)) return
    got += values.length
  }
}
/** There are as many, and no more. */
const getManyAndNoMore = (count: number) => (queue: Queue<number>, thread: Thread, classes: Classes) => {
  getMany(count)(queue, thread, classes)
  thread.expect(thread.step('one more', () => queue.getSync(100)) === 'QUEUE_EMPTY', 'got what was never put')
}
/** Get a task, and tell of it in a word of the program before it is done. */
const work = (timeoutMs?: number) => (queue: JoinableQueue<number>, thread: Thread) => {
  if (typeof thread.step('get task', () => queue.getSync(timeoutMs)) !== 'number') return
  thread.write(thread.id, 1)
  thread.expect(thread.step('done', () => queue.taskDone()) === undefined, 'not to be done')
}
/** Work until the queue is drained. */
const workOn = (queue: JoinableQueue<number>, thread: Thread) => {
  for (let done = 1; typeof thread.step('get task', () => queue.getSync()) === 'number'; done++) {
    thread.write(thread.id, done)
    thread.expect(thread.step('done', () => queue.taskDone()) === undefined, 'not to be done')
  }
}
/** Get tasks, and end. */
const getTasks = (count: number) => (queue: JoinableQueue<number>, thread: Thread, classes: Classes) => {
  thread.step('get tasks', () => classes.getMany(queue, count))
}
/** Have another thread say that it is done, or say so. */
const passOn = (queue: JoinableQueue<number>, thread: Thread) => {
  thread.step('get task', () => queue.getSync())
  if (thread.step('join', () => queue.joinSync(100)) !== true) thread.step('done', () => queue.taskDone())
  thread.expect(thread.step('join again', () => queue.joinSync()) === true, 'nobody is lost')
}
const finishForAnother = (queue: JoinableQueue<number>, thread: Thread) => {
  thread.step('done for another', () => queue.taskDone())
}
/** Be told how many are lost, once, and wait for the rest. @param least to be lost, if any are: of a thread that may die, one at a time */
const joinsOrIsTold = (tasks: number, least: number) => (queue: JoinableQueue<number>, thread: Thread) => {
  let lost = 0
  const join = () => {
    try {
      return queue.joinSync()
    } catch (reason) {
      lost += Number(/with (\d+) task/.exec((reason as Error).message)?.[1] ?? 0)
      throw reason
    }
  }
  const joined = thread.step('join', join)
  if (joined === 'OWNER_DIED') thread.expect(thread.step('join again', join) === true, 'told twice')
  else thread.expect(joined === true, `join gave ${String(joined)}`)
  thread.expect(lost === 0 || lost === least, `${lost} were said to be lost`)
  thread.expect(thread.read(0) + thread.read(1) + lost >= tasks, 'joined before all was done')
}
const joins = (tasks: number, timeoutMs?: number) => (queue: JoinableQueue<number>, thread: Thread) => {
  const joined = thread.step('join', () => queue.joinSync(timeoutMs))
  thread.expect(joined === true || timeoutMs !== undefined, 'join came to nothing')
  thread.expect(joined !== true || thread.read(0) + thread.read(1) >= tasks, 'joined before all was done')
}

/** What was got, of all that lived, in the order of each. */
const gotOf = (results: (unknown[] | undefined)[]) =>
  results.flat(2).filter((result): result is number => typeof result === 'number')

/** Each value at most once, those below 10 and those above in order for each thread; exactly `all` where nobody was killed. */
const delivers =
  (all: number[], lost = 0) =>
  (results: (unknown[] | undefined)[]) => {
    const got = gotOf(results)
    if (new Set(got).size !== got.length || !got.every((value) => all.includes(value))) return false
    for (const list of results)
      for (const low of [true, false]) {
        const ofOne = gotOf([list]).filter((value) => value < 10 === low)
        if (ofOne.some((value, i) => i > 0 && value < ofOne[i - 1]!)) return false
      }
    return got.length >= all.length - (results.includes(undefined) ? lost : 0)
  }

const onlyOf = (all: number[]) => (results: (unknown[] | undefined)[]) =>
  gotOf(results).every((value) => all.includes(value))

/** Explored with the locks of both ends granted. */
export const onQueues: Scenario<object>[] = [
  scenario('Queue: 1 puts two, 2 get one each', makeQueue(0, 2), [put(1, 2), get(1), get(1)], {
    end: delivers([1, 2]),
  }),
  scenario('Queue: 2 put one each, 1 gets two', makeQueue(0, 2), [put(1), put(11), get(2)], { end: delivers([1, 11]) }),
  scenario('Queue with room for one: 1 puts three, 1 gets three', makeQueue(), [put(1, 2, 3), get(3)], {
    end: delivers([1, 2, 3]),
  }),
  scenario('Queue(1): 2 put one each, 1 gets two', makeQueue(1, 2), [put(1), put(11), get(2)], {
    end: delivers([1, 11]),
  }),
  scenario('Queue that grows: 1 puts three, 1 gets three', makeQueue(0, 4), [put(1, 2, 3), get(3)], {
    end: delivers([1, 2, 3]),
  }),
  scenario('Queue: 2 put, out of time, 1 gets one', makeQueue(), [putInTime(1), putInTime(11), get(1)]),
  scenario('Queue: 1 puts one and shuts down, 1 drains it', makeQueue(), [putAndShutDown(1), drain], {
    end: delivers([1]),
  }),
  scenario('Queue: one of those that get dies', makeQueue(0, 2, 1, 2), [get(1), getTwo], {
    kills: 1,
    victims: [0],
    end: delivers([1, 2], 1),
  }),
  scenario('Queue: one of those that get dies in its sleep', makeQueue(0, 2), [put(1, 2), get(1), get(1)], {
    kills: 1,
    victims: [1],
    onlyAsleep: true,
    end: delivers([1, 2], 1),
  }),
  scenario('Queue: one of those that put dies', makeQueue(0, 2), [put(1), put(11), get(1)], {
    kills: 1,
    victims: [0],
    end: onlyOf([1, 11]),
  }),
  scenario('Queue that grows: one of those that put dies', makeQueue(0, 4, 3), [put(1, 2), put(11), get(1)], {
    kills: 1,
    victims: [0],
  }),
  scenario('Queue(1): one that gets dies, and is in nobody’s way', makeQueue(1, 2, 1), [get(1), getAndPut(2)], {
    kills: 1,
    victims: [0],
  }),
  scenario('Queue: 2 get, 1 shuts down at once', makeQueue(0, 2, 1), [drain, drain, shutDownNow], {
    end: onlyOf([1]),
  }),
  scenario('Queue(1): 2 put into the full one, 1 shuts down at once', makeQueue(1, 2, 1), [
    putInto(2),
    putInto(3),
    shutDownNow,
  ]),
  scenario(
    'Queue(1): 1 puts, 1 gets, one of them dies, 1 shuts down at once',
    makeQueue(1, 2, 1),
    [putInto(2), get(1), shutDownNow],
    {
      kills: 1,
      victims: [0, 1],
      end: onlyOf([1, 2]),
    },
  ),
  scenario('Queue: the one that shuts it down at once dies', makeQueue(0, 2, 1, 2), [shutDownNow, putThenGet], {
    kills: 1,
    victims: [0],
    end: onlyOf([1, 2, 3]),
  }),
  scenario('Queue: 1 gets into a view, 1 leaves what has no room in its own', makeQueue(0, 2, bytesOf(1), bytesOf(2)), [
    getIntoTwo,
    leaveOne,
    putInTime(3),
  ]),
  scenario(
    'Queue: 2 get into views, one of them dies',
    makeQueue(0, 2, bytesOf(1), bytesOf(2)),
    [getInto, getIntoTwo],
    {
      kills: 1,
      victims: [0],
      end: delivers([1, 2], 1),
    },
  ),
  scenario(
    'Queue: the one that leaves a message dies',
    makeQueue(0, 2, bytesOf(1), bytesOf(2)),
    [leaveOne, getIntoTwo],
    {
      kills: 1,
      victims: [0],
      end: delivers([1, 2]),
    },
  ),
  scenario('Queue: 1 leaves a number, 1 gets it', makeQueue(0, 2), [leaveInTime, get(1), put(1)], {
    end: delivers([1]),
  }),
  scenario('Queue(1): 1 puts into the full one, 1 gets into a view', makeQueue(1, 2, bytesOf(1)), [put(2), getInto]),
  scenario('JoinableQueue: 2 work, 1 joins', makeJoinable(0, 2, 1, 2), [work(), work(), joins(2)]),
  scenario(
    'JoinableQueue: 2 work, one of them dies, 1 joins in time',
    makeJoinable(0, 2, 1, 2),
    [work(), work(100), joins(2, 100)],
    {
      kills: 1,
      victims: [0],
    },
  ),
  ...[
    scenario(
      'JoinableQueue: 2 work, one of them dies, 1 joins',
      makeTasks(1, 2),
      [workOn, workOn, joinsOrIsTold(2, 1)],
      {
        kills: 1,
        victims: [0],
      },
    ),
    scenario('JoinableQueue: 1 gets two and ends, 1 joins', makeTasks(1, 2), [getTasks(2), joinsOrIsTold(2, 2)]),
    scenario('JoinableQueue: 1 gets one and ends, 2 join', makeTasks(1), [
      getTasks(1),
      joinsOrIsTold(1, 1),
      joinsOrIsTold(1, 1),
    ]),
    scenario(
      'JoinableQueue: 1 gets one and ends, 2 join, one of them dies',
      makeTasks(1),
      [getTasks(1), joinsOrIsTold(1, 1), joinsOrIsTold(1, 1)],
      {
        kills: 1,
        victims: [1],
      },
    ),
    scenario(
      'JoinableQueue: 1 gets a task, which another finishes, or dies',
      makeTasks(1),
      [passOn, finishForAnother],
      {
        kills: 1,
        victims: [1],
      },
    ),
  ].map((one) => ({ remembers: true, ...one })),
  scenario('JoinableQueue: 1 works, 1 shuts down at once, 1 joins', makeJoinable(0, 2, 1, 2), [
    work(),
    shutDownNow,
    joins(0),
  ]),
  scenario(
    'JoinableQueue: the one that shuts it down at once dies, 1 joins in time',
    makeJoinable(0, 2, 1, 2),
    [shutDownNow, work(100), joins(0, 100)],
    {
      kills: 1,
      victims: [0],
    },
  ),
  scenario('Queue(2): 1 puts three at once, 1 gets many', makeQueue(2, 4), [putManyInto(1, 2, 3), getMany(3)], {
    end: delivers([1, 2, 3]),
  }),
  scenario(
    'Queue(2): 1 puts three at once and dies, 1 gets one',
    makeQueue(2, 4, 11),
    [putManyInto(1, 2, 3), get(1), putInTime(12)],
    {
      kills: 1,
      victims: [0],
      end: onlyOf([11]),
    },
  ),
  scenario('Queue: 1 puts two, 1 gets many, and then one more in time', makeQueue(0, 2), [
    put(1, 2),
    getManyAndNoMore(2),
  ]),
  scenario('Queue: one of those that get many dies', makeQueue(0, 2, 1, 2), [getMany(2), getTwoInTime], {
    kills: 1,
    victims: [0],
    end: delivers([1, 2], 2),
  }),
].map((one) => ({ leavesNoTrace: false, ...one }))

type Ends = { 0: Connection<number>; 1: Connection<number> }

/** Both ends are on their way: that of thread 0, and that of thread 1. */
const makePipe = ({ Pipe, leave }: Classes) => {
  const ends = Pipe<number>()
  for (const end of ends) leave(end)
  return ends as Ends
}

/** Send, and say so in a word of the program. */
const send =
  (...values: number[]) =>
  ({ 0: end }: Ends, thread: Thread) => {
    for (const value of values) {
      const result = thread.step('send', () => end.send(value))
      thread.expect(result === undefined || result === 'BROKEN_PIPE', `send gave ${String(result)}`)
      if (result === undefined) thread.write(0, value)
    }
  }
const sendAndClose =
  (...values: number[]) =>
  (ends: Ends, thread: Thread) => {
    send(...values)(ends, thread)
    thread.step('close', () => ends[0].close())
  }

/** Receive 1, 2, 3 … up to the end of file, and nothing less than was sent. */
const receiveAll = (receive: (end: Connection<number>, thread: Thread) => unknown) => (ends: Ends, thread: Thread) => {
  for (let next = 1; ; next++) {
    const result = receive(ends[1], thread)
    if (result === 'EOF') return thread.expect(next > thread.read(0), 'a message was lost')
    thread.expect(result === next, `${String(result)} came in place of ${next}`)
  }
}
const blocked = (end: Connection<number>, thread: Thread) => thread.step('receive', () => end.recvSync())
const polled = (end: Connection<number>, thread: Thread) => {
  thread.expect(thread.step('poll', () => end.pollSync(Infinity)) === true, 'poll came to nothing')
  return thread.step('try', () => end.tryRecv()?.value)
}
const polledInTime = (end: Connection<number>, thread: Thread) => {
  const ready = thread.step('poll', () => end.pollSync(100))
  return ready ? thread.step('try', () => end.tryRecv()?.value) : thread.step('receive', () => end.recvSync())
}
const receive = (count: number) => (ends: Ends, thread: Thread) => {
  for (let next = 1; next <= count; next++) thread.expect(blocked(ends[1], thread) === next, `not ${next}`)
}
const receiveInTime = ({ 1: end }: Ends, thread: Thread) => thread.step('receive', () => end.recvSync(100))

const ask = ({ 0: end }: Ends, thread: Thread) => {
  thread.step('ask', () => end.send(1))
  thread.step('hear', () => end.recvSync())
}
const answer = ({ 1: end }: Ends, thread: Thread) => {
  const heard = thread.step('hear', () => end.recvSync())
  thread.expect(heard === 1 || heard === 'EOF', `heard ${String(heard)}`)
  thread.step('answer', () => end.send(2))
}

/** Explored on ports that are a row of messages each. End 0 is that of thread 0. */
export const onPipes: Scenario<object>[] = [
  scenario('Pipe: 1 sends two, 1 blocks for them', makePipe, [send(1, 2), receive(2)]),
  scenario('Pipe: 1 sends two and closes, 1 receives all', makePipe, [sendAndClose(1, 2), receiveAll(blocked)]),
  scenario('Pipe: 1 sends one and closes, 1 polls and receives', makePipe, [sendAndClose(1), receiveAll(polled)]),
  scenario('Pipe: 1 sends one and closes, 1 polls in time', makePipe, [sendAndClose(1), receiveAll(polledInTime)]),
  scenario('Pipe: 1 sends two, 1 is out of time', makePipe, [send(1, 2), receiveInTime]),
  scenario('Pipe: 1 asks, 1 answers', makePipe, [ask, answer], {
    end: ([asked, answered]) => JSON.stringify([asked, answered]) === '[[null,2],[1,null]]',
  }),
  scenario('Pipe: 1 asks, 1 answers, either dies', makePipe, [ask, answer], { kills: 1 }),
  scenario('Pipe: the sender dies', makePipe, [sendAndClose(1, 2), receiveAll(blocked)], { kills: 1, victims: [0] }),
  scenario('Pipe: the sender dies, 1 polls', makePipe, [sendAndClose(1), receiveAll(polled)], {
    kills: 1,
    victims: [0],
  }),
  scenario('Pipe: the receiver dies', makePipe, [sendAndClose(1, 2), receiveAll(blocked)], { kills: 1, victims: [1] }),
].map((one) => ({ leavesNoTrace: false, remembers: true, ...one }))

/** Which part of the shipped code each list takes for granted. */
export const explored: [mutex: Mutex, scenarios: Scenario<object>[]][] = [
  ['real', onWords],
  ['granted', onMonitors],
  ['lock granted', onConditions],
  ['granted', onQueues],
  ['real', onPipes],
]
