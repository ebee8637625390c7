// What do Semaphore, RWLock, Event, Condition and Barrier cost beside a Lock? Taking and giving back, on one thread and on two at once;
// then handing over between two threads. Beside the package multithreading and Python's multiprocessing. What was counted under a
// lock is asserted.
import {
  Barrier,
  BoundedSemaphore,
  Condition,
  Event,
  isMainThread,
  Lock,
  Process,
  RWLock,
  Semaphore,
  task,
} from 'manyhands'
import assert from 'node:assert/strict'
import { goal, measure, ratio, report, type Contender } from './measure.js'
import { importMultithreading } from './peers/multithreading.js'
import { startPython } from './python.js'

const ROUNDS = 5
const TIMES = 300_000
/** multithreading, and what is handed from thread to thread, are slower by far. */
const FEW_TIMES = 15_000

const newShared = () => ({
  /** Threads that have come, and how long the slowest took, in nanoseconds. */
  start: new Int32Array(new SharedArrayBuffer(4)),
  took: new BigInt64Array(new SharedArrayBuffer(8)),
  /** Counted under the lock; whose turn it is. */
  count: new Int32Array(new SharedArrayBuffer(4)),
  lock: new Lock(),
  semaphore: new Semaphore(1),
  two: new Semaphore(2),
  bounded: new BoundedSemaphore(1),
  rwlock: new RWLock(),
  event: new Event(),
  events: [new Event(), new Event()] as const,
  condition: new Condition(new Lock()),
  barrier: new Barrier(2),
  /** The words of a Semaphore, an RwLock and a Barrier of the package multithreading. */
  peers: [1, 2, 3].map(() => new SharedArrayBuffer(16)),
})
type Shared = ReturnType<typeof newShared>

/** One use, ready to be repeated. `me` is 0 or 1. */
type Use = (shared: Shared, me: number) => (() => void) | Promise<() => void>

const uses: Record<string, Use> = {
  'raw compareExchange, twice': ({ count }) => {
    const word = new Int32Array(new SharedArrayBuffer(4))
    return () => {
      Atomics.compareExchange(word, 0, 0, 1)
      count[0]!++
      Atomics.compareExchange(word, 0, 1, 0)
    }
  },
  Lock: ({ lock, count }) => under(lock, count),
  'Semaphore(1)': ({ semaphore, count }) => under(semaphore, count),
  'BoundedSemaphore(1)': ({ bounded, count }) => under(bounded, count),
  'Semaphore(2)': ({ two, count }) => under(two, count),
  'RWLock.read': ({ rwlock, count }) => under(rwlock.read, count),
  'RWLock.write': ({ rwlock, count }) => under(rwlock.write, count),
  'Condition: acquire, notify, release': ({ condition }) => {
    return () => {
      condition.acquireSync()
      condition.notify()
      condition.release()
    }
  },
  'Event: waitSync, set': ({ event }) => {
    event.set()
    return () => void event.waitSync()
  },
  'multithreading Semaphore(1)': async ({ peers, count }) => {
    const { Semaphore: Peer } = await importMultithreading()
    Atomics.compareExchange(new Int32Array(peers[0]!), 0, 0, 1)
    const semaphore = new Peer(1, peers[0])
    return () => {
      const guard = semaphore.blockingAcquire()
      count[0]!++
      guard.dispose()
    }
  },
  'multithreading RwLock, read': async ({ peers }) => {
    const { RwLock } = await importMultithreading()
    const lock = new RwLock(undefined, peers[1])
    return () => lock.blockingRead().dispose()
  },
  Barrier: ({ barrier }) => {
    return () => void barrier.waitSync()
  },
  'multithreading Barrier': async ({ peers }) => {
    const { Barrier: Peer } = await importMultithreading()
    const words = new Int32Array(peers[2]!)
    for (const index of [1, 2]) Atomics.compareExchange(words, index, 0, 2)
    const barrier = new Peer(2, peers[2])
    return () => void barrier.blockingWait()
  },
  Event: ({ events }, me) => {
    const [mine, other] = [events[me]!, events[1 - me]!]
    if (me === 0) mine.set()
    return () => {
      mine.waitSync()
      mine.clear()
      other.set()
    }
  },
  Condition: ({ condition, count }, me) => {
    return () => {
      condition.acquireSync()
      while (count[0]! % 2 !== me) condition.waitSync()
      count[0]!++
      condition.notify()
      condition.release()
    }
  },
}

function under(one: { acquireSync(): boolean; release(): void }, count: Int32Array): () => void {
  return () => {
    one.acquireSync()
    count[0]!++
    one.release()
  }
}

const repeat = task(
  import.meta.url,
  async function repeat(how: string, times: number, threads: number, me: number, shared: Shared) {
    const use = await uses[how]!(shared, me)
    if (threads === 1) for (let i = 0; i < times; i++) use()
    Atomics.add(shared.start, 0, 1)
    while (Atomics.load(shared.start, 0) < threads);
    const begun = process.hrtime.bigint()
    for (let i = 0; i < times; i++) use()
    const took = process.hrtime.bigint() - begun
    if (took > Atomics.load(shared.took, 0)) Atomics.store(shared.took, 0, took)
  },
)

/** Nanoseconds until each of the threads has used it that often. */
async function run(how: string, times: number, threads: number): Promise<number> {
  const shared = newShared()
  const processes = Array.from({ length: threads }, (_, me) =>
    new Process({ target: repeat, args: [how, times, threads, me, shared] }).start(),
  )
  for (const one of processes) await one.join()
  if (EXCLUSIVE.has(how)) assert.equal(shared.count[0], 2 * times, how)
  return Number(Atomics.load(shared.took, 0))
}

const EXCLUSIVE = new Set([
  'Lock',
  'Semaphore(1)',
  'BoundedSemaphore(1)',
  'RWLock.write',
  'multithreading Semaphore(1)',
])
const timesOf = (how: string, threads: number) =>
  how.startsWith('multithreading') || (how === 'RWLock.write' && threads > 1) ? FEW_TIMES : TIMES

const PYTHON = `
import multiprocessing, time
def use(semaphore, barrier, times, took):
    barrier.wait()
    start = time.perf_counter()
    for _ in range(times):
        semaphore.acquire()
        semaphore.release()
    took.put(time.perf_counter() - start)
def meet(barrier, _, times, took):
    start = time.perf_counter()
    for _ in range(times): barrier.wait()
    took.put(time.perf_counter() - start)
def turns(condition, turn, times, took, me):
    start = time.perf_counter()
    for _ in range(times):
        with condition:
            while turn.value % 2 != me: condition.wait()
            turn.value += 1
            condition.notify()
    took.put(time.perf_counter() - start)
def signals(events, _, times, took, me):
    start = time.perf_counter()
    for _ in range(times):
        events[me].wait()
        events[me].clear()
        events[1 - me].set()
    took.put(time.perf_counter() - start)
def run(target, *args, mine=lambda me: ()):
    took = multiprocessing.SimpleQueue()
    count = len(args[-1])
    processes = [multiprocessing.Process(target=target, args=(*args[:-1], took, *mine(me))) for me in range(count)]
    for process in processes: process.start()
    longest = max(took.get() for _ in processes)
    for process in processes: process.join()
    return longest
def semaphore(threads):
    return run(use, multiprocessing.Semaphore(1), multiprocessing.Barrier(threads), 300000, range(threads)) / 300000
def alone(): return semaphore(1) * 1e9
def together(): return 2 / semaphore(2) / 1e6
def barrier(): return run(meet, multiprocessing.Barrier(2), None, 2000, range(2)) / 2000 * 1e6
def condition():
    turn = multiprocessing.Value('i', 0, lock=False)
    return run(turns, multiprocessing.Condition(), turn, 2000, range(2), mine=lambda me: (me,)) / 2000 * 1e6
def event():
    events = [multiprocessing.Event(), multiprocessing.Event()]
    events[0].set()
    return run(signals, events, None, 2000, range(2), mine=lambda me: (me,)) / 2000 * 1e6
`

async function bench(): Promise<void> {
  const python = startPython(PYTHON)
  const ofPython = (name: string, what: string): Contender[] =>
    python ? [{ name: `Python ${name}`, measure: () => python.call(what) }] : []

  const alone = Object.keys(uses).slice(0, Object.keys(uses).indexOf('Barrier'))
  const one = (how: string): Contender => ({
    name: how,
    measure: async () => (await run(how, timesOf(how, 1), 1)) / timesOf(how, 1),
  })
  console.log('One thread: nanoseconds per acquire and release, or per call')
  const single = await measure([...alone.map(one), ...ofPython('Semaphore(1)', 'alone')], ROUNDS)
  report(single, 'ns', 'Lock')
  for (const how of ['Semaphore(1)', 'BoundedSemaphore(1)', 'RWLock.read'])
    goal(`${how}, times a Lock`, ratio(single, how, 'Lock'), { atMost: 2 })

  const contended = alone.filter((how) => !/raw|Condition|Event/.test(how))
  const both = (how: string): Contender => ({
    name: how,
    measure: async () => (2000 * timesOf(how, 2)) / (await run(how, timesOf(how, 2), 2)),
  })
  console.log('\nTwo threads: million acquires and releases per second')
  const pair = await measure([...contended.map(both), ...ofPython('Semaphore(1)', 'together')], ROUNDS)
  report(pair, 'M/s', 'Lock')
  for (const [how, peer] of [
    ['Semaphore(1)', 'multithreading Semaphore(1)'],
    ['RWLock.read', 'multithreading RwLock, read'],
  ] as const)
    goal(`${how} on two threads, times ${peer}`, ratio(pair, how, peer), { atLeast: 10 })

  const handed = (how: string): Contender => ({
    name: how,
    measure: async () => (await run(how, FEW_TIMES, 2)) / FEW_TIMES / 1000,
  })
  console.log('\nTwo threads in turn: microseconds per round')
  const contenders = [
    ...['Barrier', 'multithreading Barrier', 'Event', 'Condition'].map(handed),
    ...ofPython('Barrier', 'barrier'),
    ...ofPython('Event', 'event'),
    ...ofPython('Condition', 'condition'),
  ]
  report(await measure(contenders, ROUNDS), 'us', 'Barrier')
  python?.close()
}

if (isMainThread) await bench()
