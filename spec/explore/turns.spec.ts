// Async functions that wait, in every order of their event loops' turns (turns.ts).
import type { JoinableQueue, Lock, Queue, RWLock, Semaphore } from '../../lib/internals.js'
import { assert, suite } from '../harness.js'
import { bundle, type Classes, type Mutant } from './bundle.js'
import { goThrough, LIMIT_MS, type Play, type Program } from './turns.js'

const test = suite('every order of turns of those who await')

interface Awaitable {
  acquire(options?: object): Promise<boolean>
  recover?(): Promise<void>
  release(): void
}

/** Take it, be inside for a while, and give it back. */
const use =
  <T extends object>(part: (shared: T) => Awaitable, options?: object): Program<T> =>
  async (shared, turns) => {
    const lock = part(shared)
    await turns.turn()
    try {
      if (!(await lock.acquire(options))) return 'late'
    } catch (reason) {
      if ((reason as { code?: string }).code !== 'ERR_MANYHANDS_OWNER_DIED') throw reason
      await lock.recover!()
    }
    turns.enter()
    await turns.turn()
    turns.leave()
    lock.release()
    return 'used'
  }

/** As `use`, but given up whenever `giveUp` has its turn. */
function useUnlessAborted<T extends object>(part: (shared: T) => Awaitable): Program<T>[] {
  let abort!: AbortController
  return [
    async (shared, turns, classes) => {
      abort = new AbortController()
      return await use(part, { signal: abort.signal })(shared, turns, classes).catch((reason: unknown) => {
        if (reason !== abort.signal.reason) throw reason
        return 'aborted'
      })
    },
    async (_, turns) => {
      await turns.turn()
      abort.abort()
    },
  ]
}

const lock = (shared: Lock) => shared as Awaitable
const permit = (shared: Semaphore) => shared as Awaitable
const writes = ({ write }: RWLock) => write as Awaitable
const late = { timeout: LIMIT_MS }

const get =
  (options?: object): Program<Queue> =>
  async (queue, { turn }) => {
    await turn()
    return await queue.get(options)
  }
const getAll =
  (count: number): Program<Queue> =>
  async (queue, turns, classes) => {
    const values: unknown[] = []
    while (values.length < count) values.push(await get()(queue, turns, classes))
    return values
  }
const put =
  (value: unknown, options?: object): Program<Queue> =>
  async (queue, { turn }) => {
    await turn()
    await queue.put(value, options)
    return 'put'
  }
const putMany =
  (...values: number[]): Program<Queue> =>
  async (queue, { turn }) => {
    await turn()
    await queue.putMany(values)
    return 'put'
  }
const getMany =
  (max: number): Program<Queue> =>
  async (queue, { turn }) => {
    await turn()
    return await queue.getMany(max)
  }
const shutDown: Program<Queue> = async (queue, { turn }) => {
  await turn()
  queue.shutdown()
}
const work: Program<JoinableQueue> = async (queue, { turn }) => {
  await turn()
  await queue.get()
  await turn()
  queue.taskDone()
}
const join: Program<JoinableQueue> = async (queue, { turn }) => {
  await turn()
  return await queue.join()
}

const queueOf =
  (maxsize: number, ...values: number[]) =>
  ({ Queue }: Classes) => {
    const queue = new Queue<number>(maxsize)
    for (const value of values) queue.putSync(value)
    return queue
  }

/** So many short ones that a long one has no room, nor when one of them is taken. */
const full = ({ Queue }: Classes) => {
  const queue = new Queue<string>(0, { maxBytes: 64 })
  const fill = () => {
    for (;;)
      try {
        queue.putNowait('a')
      } catch {
        return
      }
  }
  // Until what it had as it grew is read, there is no room for others.
  fill()
  for (let i = 0; i < 8; i++) queue.getNowait()
  fill()
  return queue
}

/** Got: each that was put, once. */
const gets =
  (...values: number[]) =>
  (results: unknown[]) => {
    const got = results.flat().filter((result) => typeof result === 'number')
    return JSON.stringify(got.toSorted((a, b) => a - b)) === JSON.stringify(values)
  }

const play = <T extends object>(
  name: string,
  make: Play<T>['make'],
  threads: Program<T>[][],
  more: Partial<Play<T>> = {},
) => ({ name, make, threads, ...more }) as unknown as Play<object>

const newLock = ({ Lock }: Classes) => new Lock()
const newPermit = ({ Semaphore }: Classes) => new Semaphore(1)
const newRWLock = ({ RWLock }: Classes) => new RWLock()

const plays = [
  play('Lock: 2 of one thread, 1 of another', newLock, [[use(lock), use(lock)], [use(lock)]]),
  play('Lock: 2 of one thread, one of them out of time, 1 of another', newLock, [
    [use(lock, late), use(lock)],
    [use(lock)],
  ]),
  play('Lock: 2 of one thread, one of them aborted, 1 of another', newLock, [
    [...useUnlessAborted(lock), use(lock)],
    [use(lock)],
  ]),
  play('Lock: 2 of one thread, 1 of another, which dies', newLock, [[use(lock), use(lock)], [use(lock)]], {
    victim: 1,
  }),
  play('Semaphore(1): 2 of one thread, 1 of another', newPermit, [[use(permit), use(permit)], [use(permit)]]),
  play('Semaphore(1): 2 of one thread, one of them out of time, 1 of another', newPermit, [
    [use(permit, late), use(permit)],
    [use(permit)],
  ]),
  play(
    'Semaphore(1): 2 of one thread, 1 of another, which dies',
    newPermit,
    [[use(permit), use(permit)], [use(permit)]],
    {
      victim: 1,
    },
  ),
  play('RWLock: 2 write in one thread, one of them aborted, 1 in another', newRWLock, [
    [...useUnlessAborted(writes), use(writes)],
    [use(writes)],
  ]),
  play(
    'Queue: 2 get in one thread, 1 in another, 1 puts three',
    queueOf(0),
    [[get(), get()], [get()], [put(1), putMany(2, 3)]],
    {
      end: gets(1, 2, 3),
    },
  ),
  play('Queue: 2 get in one thread, one of them out of time, 1 puts one, shuts down', queueOf(0), [
    [get(late), get()],
    [put(1), shutDown],
  ]),
  play('Queue: 1 gets in time, where nothing comes', queueOf(0), [[get(late)]]),
  play('Queue: the first of 2 that put would need more room than there is, and is out of time', full, [
    [put('b'.repeat(50), late), put('a')],
    [get()],
  ]),
  play('Queue(1): 1 puts in one thread, 1 in another, 1 gets three', queueOf(1, 1), [[put(2)], [put(3)], [getAll(3)]], {
    end: gets(1, 2, 3),
  }),
  play('Queue(1): 2 put in one thread, one of them out of time, 1 gets, shuts down', queueOf(1, 1), [
    [put(2, late), put(3)],
    [get(), shutDown],
  ]),
  play(
    'Queue: 2 get many in one thread, 1 gets in another, which dies',
    queueOf(0),
    [[getMany(2), put(1), put(2)], [get()]],
    { victim: 1 },
  ),
  play(
    'JoinableQueue: 2 join, 2 work',
    ({ JoinableQueue }) => {
      const queue = new JoinableQueue<number>()
      queue.putSync(1)
      queue.putSync(2)
      return queue
    },
    [
      [join, work],
      [join, work],
    ],
  ),
]

const mutants: (Mutant & { shownBy: string })[] = [
  {
    name: 'a waiter that gives up does not let the next try',
    file: 'lib/sync/async-waiters.ts',
    from: 'if (wasFirst) this.run()',
    to: '',
    shownBy: 'Queue: the first of 2 that put would need more room than there is, and is out of time',
  },
  {
    name: 'a waitAsync stays armed when the last waiter has left',
    file: 'lib/sync/async-waiters.ts',
    from: 'if (this.#armed) notifyAll(pending.waiter.words, pending.waiter.index)',
    to: '',
    shownBy: 'Queue: 1 gets in time, where nothing comes',
  },
  {
    name: 'a word that has changed already is waited on',
    file: 'lib/sync/async-waiters.ts',
    from: 'else changed = true',
    to: '',
    shownBy: 'Queue: 2 get in one thread, 1 in another, 1 puts three',
  },
  {
    name: 'the waiters stop after one try when something has changed',
    file: 'lib/sync/async-waiters.ts',
    from: 'while (this.#tryFirst());',
    to: 'this.#tryFirst()',
    shownBy: 'Queue: 2 get in one thread, 1 in another, 1 puts three',
  },
  {
    name: 'nobody polls',
    file: 'lib/sync/async-waiters.ts',
    from: 'for (const waiters of polled) waiters.probe()',
    to: '',
    shownBy: 'Lock: 2 of one thread, 1 of another, which dies',
  },
  {
    name: 'the timer is left behind when a wait has ended',
    file: 'lib/sync/async-waiters.ts',
    from: '        stopTimer()\n',
    to: '',
    shownBy: 'Lock: 2 of one thread, one of them out of time, 1 of another',
  },
  {
    name: 'an event count notifies one of those that await',
    file: 'lib/queue/event-count.ts',
    from: '    add(words, at + AWAITED_EPOCH, 1)\n    notifyAll(words, at + AWAITED_EPOCH)',
    to: '    add(words, at + AWAITED_EPOCH, 1)\n    notifyOne(words, at + AWAITED_EPOCH)',
    shownBy: 'Queue: 2 get in one thread, 1 in another, 1 puts three',
  },
]

for (const mutant of mutants)
  test(`finds: ${mutant.name}`, async () => {
    const { violation } = await goThrough(
      await bundle({ mutant }),
      plays.find(({ name }) => name === mutant.shownBy)!,
    )
    assert.type(violation, 'string')
    assert.not.match(violation!, 'ReferenceError') // A mutant that cannot run shows nothing.
  })

for (const each of plays)
  test(each.name, async () => {
    const { orders, violation } = await goThrough(await bundle(), each)
    console.log(`\n# ${each.name}: ${orders} orders`)
    assert.is(violation, undefined)
  })

test.run()
