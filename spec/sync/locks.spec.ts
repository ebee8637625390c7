import { getEventListeners } from 'node:events'
import { existsSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import {
  Barrier,
  BoundedSemaphore,
  Condition,
  Event,
  Lock,
  Process,
  RLock,
  RWLock,
  Semaphore,
  type Acquirable,
} from 'manyhands'
import { assert, runProgram, suite, thrownBy, until } from '../harness.js'

const test = suite('locks')

type Recoverable = Acquirable & { recover(): Promise<void>; recoverSync(): void }

const kinds: [name: string, make: () => Recoverable][] = [
  ['Lock', () => new Lock()],
  ['RLock', () => new RLock()],
  ['Semaphore(1)', () => new Semaphore(1)],
  ['BoundedSemaphore(1)', () => new BoundedSemaphore(1)],
  ['RWLock.write', () => new RWLock().write],
  ['Condition', () => new Condition()],
]

for (const [name, make] of kinds) {
  test(`${name}: await acquire gives true, false when the time is over, and is free after release`, async () => {
    const lock = make()
    assert.is(lock.locked(), false)
    assert.is(await lock.acquire(), true)
    assert.is(lock.locked(), true)
    assert.is(await lock.acquire({ timeout: 20 }), false)
    assert.is(await lock.acquire(0), false)
    lock.release()
    assert.is(lock.locked(), false)
    assert.is(lock.tryAcquire(), true)
    lock.release()
  })

  test(`${name}: async functions get it in the order of their arrival`, async () => {
    const lock = make()
    await lock.acquire()
    const order: number[] = []
    const turns = [1, 2, 3].map((turn) =>
      lock.hold().then((guard) => {
        guard.release()
        return order.push(turn)
      }),
    )
    lock.release()
    await Promise.all(turns)
    assert.equal(order, [1, 2, 3])
  })

  test(`${name}: an aborted wait rejects with the reason and leaves no trace`, async () => {
    const lock = make()
    await lock.acquire()
    const controller = new AbortController()
    const waiting = thrownBy(() => lock.acquire({ signal: controller.signal }))
    const reason = new Error('changed my mind')
    controller.abort(reason)
    assert.is(await waiting, reason)
    assert.is(await thrownBy(() => lock.acquire({ signal: AbortSignal.abort(reason) })), reason)
    lock.release()
    assert.is(lock.locked(), false)
    assert.is(lock.acquireSync(0), true)
    lock.release()
  })

  test(`${name}: hold gives a guard; disposing of it twice is harmless; TimeoutError when not taken`, async () => {
    const lock = make()
    {
      using _ = lock.holdSync()
      assert.is(lock.locked(), true)
      assert.is((await thrownBy(() => lock.hold(10))).code, 'ERR_MANYHANDS_TIMEOUT')
    }
    assert.is(lock.locked(), false)
    const guard = await lock.hold()
    guard.release()
    guard[Symbol.dispose]()
    assert.is(lock.locked(), false)
  })

  test(`${name}: release while it is free is an error, NaN a RangeError, and the lock is unharmed`, async () => {
    const lock = make()
    if (name !== 'Semaphore(1)') assert.is((await thrownBy(() => lock.release())).code, 'ERR_MANYHANDS_LOCK')
    assert.instance(await thrownBy(() => lock.acquireSync(Number.NaN)), RangeError)
    assert.instance(await thrownBy(() => lock.acquire(Number.NaN)), RangeError)
    assert.instance(await thrownBy(() => lock.acquireSync('1' as never)), TypeError)
    assert.is((await thrownBy(() => lock.recoverSync())).code, 'ERR_MANYHANDS_LOCK')
    assert.is((await thrownBy(() => lock.recover())).code, 'ERR_MANYHANDS_LOCK')
    assert.is(lock.acquireSync(0), true)
    lock.release()
  })
}

for (const [name, make] of kinds.filter(
  ([name]) => !name.includes('Semaphore') && name !== 'RLock' && name !== 'Condition',
))
  test(`${name}: a thread that would block for itself gets DeadlockError; trying just fails`, async () => {
    const lock = make()
    lock.acquireSync()
    assert.is((await thrownBy(() => lock.acquireSync())).code, 'ERR_MANYHANDS_DEADLOCK')
    assert.is((await thrownBy(() => lock.acquireSync(50))).code, 'ERR_MANYHANDS_DEADLOCK')
    assert.is(lock.tryAcquire(), false)
    const later = lock.acquire()
    lock.release()
    assert.is(await later, true)
  })

test('one signal ends any number of waits, and is left without listeners or warnings', async () => {
  const warnings: Error[] = []
  const onWarning = (warning: Error) => void warnings.push(warning)
  process.on('warning', onWarning)
  const controller = new AbortController()
  const { signal } = controller
  const reason = new Error('enough')
  const [lock, event, semaphore] = [new Lock(), new Event(), new Semaphore(0)]
  lock.acquireSync()
  const waits = Array.from({ length: 30 }, () => [
    lock.acquire({ signal }),
    event.wait({ signal }),
    semaphore.acquire({ signal }),
  ]).flat()
  const thrown = Promise.all(waits.map((wait) => thrownBy(() => wait)))
  controller.abort(reason)
  assert.ok((await thrown).every((one) => one === reason))
  await new Promise((resolve) => setImmediate(resolve)) // Warnings come a turn later.
  process.off('warning', onWarning)
  assert.equal(warnings, [])
  assert.is(getEventListeners(signal, 'abort').length, 0)
})

test('an RLock that a guard holds is released by that guard only, not by one that was used up', async () => {
  const lock = new RLock()
  const first = await lock.hold()
  assert.is((await thrownBy(() => lock.release())).code, 'ERR_MANYHANDS_LOCK')
  first.release()
  await lock.acquire() // Without a guard it is released by the lock.
  first.release()
  assert.is(lock.locked(), true)
  lock.release()
  const condition = new Condition(lock)
  const guard = await lock.hold()
  const woken = condition.wait()
  const other = await lock.hold()
  condition.notify()
  other.release()
  assert.is(await woken, true)
  assert.is((await thrownBy(() => lock.release())).code, 'ERR_MANYHANDS_LOCK')
  guard.release()
  assert.is(lock.locked(), false)
})

for (const [name, make] of kinds.filter(([name]) => !name.includes('RWLock')))
  test(`${name}: a blocked thread gets it before its own async functions, which cannot go on`, async () => {
    const [lock, ready] = [make(), new Event()]
    const holdFor = (held: Acquirable, taken: Event) => {
      held.acquireSync()
      taken.set()
      const endMs = performance.now() + 100
      while (performance.now() < endMs);
      held.release()
    }
    const holder = new Process({ target: holdFor, args: [lock, ready] }).start()
    await ready.wait()
    const awaited = lock.acquire().then(() => lock.release())
    assert.is(lock.acquireSync(30_000), true)
    lock.release()
    await awaited
    await holder.join()
    assert.is(lock.locked(), false)
  })

const faces = ['read', 'write'] as const

for (const blocking of faces)
  for (const awaiting of faces)
    test(`RWLock: a thread that blocks to ${blocking} gets it before its async functions that await to ${awaiting}`, async () => {
      const [lock, ready] = [new RWLock(), new Event()]
      const holdFor = (held: RWLock, taken: Event) => {
        held.write.acquireSync()
        taken.set()
        const endMs = performance.now() + 100
        while (performance.now() < endMs);
        held.write.release()
      }
      const holder = new Process({ target: holdFor, args: [lock, ready] }).start()
      await ready.wait()
      const awaited = Promise.all([1, 2].map(() => lock[awaiting].acquire().then(() => lock[awaiting].release())))
      assert.is(lock[blocking].acquireSync(30_000), true)
      lock[blocking].release()
      await awaited
      await holder.join()
      assert.is(lock.write.locked(), false)
    })

for (const face of faces)
  test(`RWLock: a lock granted to an async function to ${face} goes to its thread if that blocks; the function gets it later`, async () => {
    const lock = new RWLock()
    lock.write.acquireSync()
    const awaited = lock[face].acquire()
    lock.write.release()
    assert.is(lock.write.acquireSync(30_000), true)
    lock.write.release()
    assert.is(await awaited, true)
    assert.is(lock[face === 'read' ? 'write' : 'read'].tryAcquire(), false)
    lock[face].release()
    assert.is(lock.write.locked(), false)
  })

test('RWLock: a thread that blocks in vain leaves its async functions their turn', async () => {
  const [lock, ready, done] = [new RWLock(), new Event(), new Event()]
  const read = (held: RWLock, taken: Event, enough: Event) => {
    held.read.acquireSync()
    taken.set()
    enough.waitSync()
    held.read.release()
  }
  const reader = new Process({ target: read, args: [lock, ready, done] }).start()
  await ready.wait()
  const awaited = lock.write.acquire()
  assert.is(lock.write.acquireSync(20), false)
  assert.is(lock.read.tryAcquire(), true)
  lock.read.release()
  assert.is(lock.read.acquireSync(30_000), true)
  assert.is((await thrownBy(() => lock.write.acquireSync())).code, 'ERR_MANYHANDS_DEADLOCK')
  lock.read.release()
  done.set()
  assert.is(await awaited, true)
  await reader.join()
  lock.write.release()
})

test('RWLock: overlapping readers of one thread let a writer through; a reader that blocks to read again passes it', async () => {
  const lock = new RWLock()
  const order: string[] = []
  const use = async (face: 'read' | 'write', name: string) => {
    const guard = await lock[face].hold()
    order.push(name)
    guard.release()
  }
  await lock.read.acquire()
  const uses = [use('write', 'writer'), use('read', 'reader')]
  assert.is(lock.read.acquireSync(30_000), true)
  lock.read.release()
  assert.is(lock.read.tryAcquire(), true)
  lock.read.release()
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(order, [])
  lock.read.release()
  await Promise.all(uses)
  assert.equal(order, ['writer', 'reader'])
})

test('RWLock: a writer of another thread is served although readers of a busy thread always overlap', async () => {
  const [lock, done] = [new RWLock(), new Event()]
  const write = (shared: RWLock, written: Event) => {
    shared.write.acquireSync()
    written.set()
    shared.write.release()
  }
  await lock.read.acquire()
  const writer = new Process({ target: write, args: [lock, done] }).start()
  while (!done.isSet()) {
    const next = lock.read.acquire()
    await new Promise((resolve) => setTimeout(resolve, 1))
    // The next has begun, unless the writer waits.
    lock.read.release()
    await next
  }
  lock.read.release()
  await writer.join()
})

test('a permit taken from a Semaphore that signals is used up: its taker does not die holding it', async () => {
  const semaphore = new Semaphore(0)
  semaphore.release()
  await new Process({ target: (signals: Semaphore) => void signals.acquireSync(), args: [semaphore] }).start().join()
  assert.is(await semaphore.acquire(30), false)
  assert.is((await thrownBy(() => semaphore.recoverSync())).code, 'ERR_MANYHANDS_LOCK')
})

test('a Semaphore takes back many permits in one step, those of others too, up to 2^30', async () => {
  const semaphore = new Semaphore(3)
  semaphore.acquireSync()
  semaphore.release(2 ** 30 - 3)
  assert.is(semaphore.value, 2 ** 30 - 1)
  assert.instance(await thrownBy(() => semaphore.release(2)), RangeError)
  semaphore.release()
  assert.is(semaphore.value, 2 ** 30)
})

const onLinux = process.platform === 'linux' ? test : () => {} // Where the system tells who is dead.

onLinux(
  'a death that was not seen yet is not wiped out by another thread’s release, nor hidden by probing for another',
  async () => {
    const [a, b] = [new Lock(), new Lock()]
    const threads = new Int32Array(new SharedArrayBuffer(8))
    const source = `
    import { readlinkSync } from 'node:fs'
    import { workerData } from 'node:worker_threads'
    import { attach } from ${JSON.stringify(import.meta.resolve('manyhands'))}
    const { lock, threads, index } = attach(workerData)
    lock.acquireSync()
    Atomics.store(threads, index, Number(readlinkSync('/proc/thread-self').split('/').at(-1)))
    Atomics.notify(threads, index)
    process.exit(0)`
    const holders = [a, b].map(
      (lock, index) =>
        new Worker(source, { eval: true, execArgv: ['--input-type=module'], workerData: { lock, threads, index } }),
    )
    // This thread stays blocked, so that no event reports their end, until the system has no such threads.
    for (const index of holders.keys()) {
      Atomics.wait(threads, index, 0)
      while (existsSync(`/proc/self/task/${threads[index]}`))
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5)
    }
    assert.is((await thrownBy(() => b.release())).code, 'ERR_MANYHANDS_LOCK')
    for (const lock of [a, b]) assert.is((await thrownBy(() => lock.tryAcquire())).code, 'ERR_MANYHANDS_OWNER_DIED')
  },
)

test('a thread that started before its parent knew of locks is seen to die, too', async () => {
  const { code, stdout } = await runProgram(`
    import { Worker } from 'node:worker_threads'
    import { once } from 'node:events'
    const worker = new Worker(\`
      import { parentPort } from 'node:worker_threads'
      import { attach } from ${JSON.stringify(import.meta.resolve('manyhands'))}
      parentPort.once('message', (message) => {
        attach(message).acquireSync()
        parentPort.postMessage('held')
        setInterval(() => {}, 1000)
      })\`, { eval: true, execArgv: ['--input-type=module'] })
    const { Lock } = await import('manyhands')
    const lock = new Lock()
    worker.postMessage(lock)
    await once(worker, 'message')
    await worker.terminate()
    console.log(await lock.acquire({ timeout: 30_000 }).catch((error) => error.code))
    `)
  assert.equal([code, stdout], [0, 'ERR_MANYHANDS_OWNER_DIED\n'])
})

test('an RLock is taken again by its thread, and released as often', async () => {
  const lock = new RLock()
  assert.is(lock.acquireSync(), true)
  assert.is(lock.acquireSync(), true)
  lock.release()
  assert.is(lock.locked(), true)
  lock.release()
  assert.is(lock.locked(), false)
})

test('an RLock that an async function holds is not taken by another of the same thread', async () => {
  const lock = new RLock()
  const guard = await lock.hold()
  assert.is(await lock.acquire(10), false)
  assert.is(lock.tryAcquire(), false)
  assert.is((await thrownBy(() => lock.acquireSync())).code, 'ERR_MANYHANDS_DEADLOCK')
  guard.release()
  assert.is(lock.tryAcquire(), true)
  lock.release()
})

test("release of another thread's RLock is an error", async () => {
  const lock = new RLock()
  const done = new Event()
  const holder = new Process({
    target: (lock: RLock, done: Event) => {
      lock.acquireSync()
      done.waitSync()
      lock.release()
    },
    args: [lock, done],
  }).start()
  await until(() => lock.locked())
  assert.is((await thrownBy(() => lock.release())).code, 'ERR_MANYHANDS_LOCK')
  done.set()
  await holder.join()
  assert.is(lock.locked(), false)
})

test('a BoundedSemaphore refuses more permits than it had at first', async () => {
  const semaphore = new BoundedSemaphore(2)
  semaphore.acquireSync()
  assert.is((await thrownBy(() => semaphore.release(2))).code, 'ERR_MANYHANDS_LOCK')
  assert.is(semaphore.value, 1)
  semaphore.release()
  assert.is(semaphore.value, 2)
})

test('a negative or fractional semaphore is a RangeError', async () => {
  for (const value of [-1, 1.5, Number.NaN]) assert.instance(await thrownBy(() => new Semaphore(value)), RangeError)
  assert.instance(await thrownBy(() => new Semaphore('1' as never)), TypeError)
})

test('three readers read together, and no writer with them', async () => {
  const lock = new RWLock()
  for (let i = 0; i < 3; i++) assert.is(await lock.read.acquire(), true)
  assert.is(lock.write.tryAcquire(), false)
  const writer = lock.write.acquire()
  for (let i = 0; i < 3; i++) lock.read.release()
  assert.is(await writer, true)
  assert.is(lock.read.tryAcquire(), false)
  lock.write.release()
  assert.is((await thrownBy(() => lock.read.release())).code, 'ERR_MANYHANDS_LOCK')
})

test('notify lets exactly the given number go on; notify and wait without the lock are errors', async () => {
  const condition = new Condition()
  assert.is((await thrownBy(() => condition.notify())).code, 'ERR_MANYHANDS_LOCK')
  assert.is((await thrownBy(() => condition.wait())).code, 'ERR_MANYHANDS_LOCK')
  assert.is((await thrownBy(() => condition.waitSync())).code, 'ERR_MANYHANDS_LOCK')
  let woken = 0
  const waiters = [1, 2, 3].map(async () => {
    await condition.acquire()
    assert.is(await condition.wait(), true)
    woken++
    condition.release()
  })
  await until(() => !condition.locked())
  await condition.acquire()
  condition.notify(2)
  condition.release()
  await until(() => woken === 2)
  await condition.acquire()
  assert.is(woken, 2)
  condition.notifyAll()
  condition.release()
  await Promise.all(waiters)
})

test('an aborted wait for a notification rejects with the reason, holding the lock again', async () => {
  const condition = new Condition()
  await condition.acquire()
  const controller = new AbortController()
  const waiting = thrownBy(() => condition.wait({ signal: controller.signal }))
  assert.is(condition.locked(), false)
  const reason = new Error('changed my mind')
  controller.abort(reason)
  assert.is(await waiting, reason)
  assert.is(condition.locked(), true)
  assert.is(await thrownBy(() => condition.wait({ signal: controller.signal })), reason)
  assert.is(condition.locked(), true)
  condition.release()
})

test('waitFor gives what the predicate returned, something falsy when the time is over', async () => {
  const condition = new Condition(new Lock())
  condition.acquireSync()
  assert.is(
    condition.waitForSync(() => 0, 20),
    0,
  )
  assert.is(await condition.waitFor(() => '', 20), '')
  assert.is(await condition.waitFor(() => 'yes'), 'yes')
  assert.is(await condition.wait(10), false)
  assert.is(condition.locked(), true)
  condition.release()
})

test('an event releases its waiters in all threads', async () => {
  const event = new Event()
  assert.is(event.waitSync(10), false)
  assert.is(await event.wait(10), false)
  const waiter = new Process({ target: (event: Event) => void event.waitSync(), args: [event] }).start()
  const here = event.wait()
  event.set()
  assert.is(await here, true)
  await waiter.join()
  assert.is(event.isSet(), true)
  event.clear()
  assert.is(event.isSet(), false)
})

test('a barrier gives each party its own index, after its action has run once', async () => {
  const barrier = new Barrier(3, { action: () => void ((globalThis as { ran?: number }).ran = 1) })
  const indices = await Promise.all([barrier.wait(), barrier.wait(), barrier.wait()])
  assert.equal(
    indices.toSorted((a, b) => a - b),
    [0, 1, 2],
  )
  assert.is((globalThis as { ran?: number }).ran, 1)
  assert.is(barrier.nWaiting, 0)
})

for (const blocking of [false, true])
  test(`an action that throws breaks the barrier; its party, ${blocking ? 'blocked' : 'awaiting'}, gets its error`, async () => {
    const barrier = new Barrier(3, {
      action: () => {
        throw new RangeError('no')
      },
    })
    const others = [1, 2].map(() => thrownBy(() => barrier.wait()))
    assert.instance(await thrownBy(() => (blocking ? barrier.waitSync() : barrier.wait())), RangeError)
    for (const other of others) assert.is((await other).code, 'ERR_MANYHANDS_BROKEN_BARRIER')
    assert.is(barrier.broken, true)
    assert.is((await thrownBy(() => barrier.wait())).code, 'ERR_MANYHANDS_BROKEN_BARRIER')
    barrier.reset()
    assert.is(barrier.broken, false)
  })

test('an action that succeeds does not hide that the barrier was broken meanwhile; one that throws hides it', async () => {
  for (const [ending, code] of [
    ['return', 'ERR_MANYHANDS_BROKEN_BARRIER'],
    ['throw', 'EACTION'],
  ] as const) {
    const hook: { barrier?: Barrier; ending: string } = { ending }
    Object.assign(globalThis, { hook })
    hook.barrier = new Barrier(1, {
      action: () => {
        const { hook } = globalThis as unknown as { hook: { barrier: Barrier; ending: string } }
        hook.barrier.abort()
        if (hook.ending === 'throw') throw Object.assign(new Error('no'), { code: 'EACTION' })
      },
    })
    assert.is((await thrownBy(() => hook.barrier!.wait())).code, code)
  }
})

test('a barrier is broken by a party out of time and by abort, and made whole by reset', async () => {
  const barrier = new Barrier(2)
  assert.is((await thrownBy(() => barrier.waitSync(10))).code, 'ERR_MANYHANDS_BROKEN_BARRIER')
  assert.is(barrier.broken, true)
  assert.is((await thrownBy(() => barrier.wait())).code, 'ERR_MANYHANDS_BROKEN_BARRIER')
  barrier.reset()
  assert.is(barrier.broken, false)
  const waiting = thrownBy(() => barrier.wait())
  barrier.abort()
  assert.is((await waiting).code, 'ERR_MANYHANDS_BROKEN_BARRIER')
})

const dead: [name: string, make: () => object, face: (lock: never) => Recoverable][] = [
  ['Lock', () => new Lock(), (lock: Lock) => lock],
  ['RLock', () => new RLock(), (lock: RLock) => lock],
  ['Semaphore(1)', () => new Semaphore(1), (lock: Semaphore) => lock],
  ['RWLock.write', () => new RWLock(), (lock: RWLock) => lock.write],
]

const ends: [how: string, end: string][] = [
  ['was terminated', 'Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)'],
  ['threw', 'throw new Error("as intended")'],
  ['exited', 'process.exit(3)'],
  ['ran out of memory', 'for (const list = []; ; here()) list.push(new Array(300_000).fill(list))'],
]

for (const [name, make, face] of dead)
  for (const [how, end] of ends)
    test(`a main thread blocked for a ${name} gets OwnerDiedError when a raw worker that held it ${how}`, async () => {
      const shared = make()
      const lock = face(shared as never)
      // When the worker last gave a sign of life.
      const lastMs = new Float64Array(new SharedArrayBuffer(8))
      const worker = new Worker(
        `import { workerData } from 'node:worker_threads'
         import { attach } from ${JSON.stringify(import.meta.resolve('manyhands'))}
         const { shared, lastMs } = attach(workerData)
         const here = () => (lastMs[0] = Number(process.hrtime.bigint()) / 1e6)
         ;(shared.write ?? shared).acquireSync(); here(); ${end}`,
        {
          eval: true,
          execArgv: ['--input-type=module'],
          workerData: { shared, lastMs },
          resourceLimits: { maxOldGenerationSizeMb: 24 },
        },
      ).on('error', () => {})
      const pid = worker.threadId
      if (how === 'was terminated') {
        await until(() => lock.locked())
        void worker.terminate()
      } else while (!lock.locked());
      if (how === 'was terminated') lastMs[0] = Number(process.hrtime.bigint()) / 1e6
      const error = await thrownBy(() => lock.acquireSync())
      const thrownMs = Number(process.hrtime.bigint()) / 1e6
      assert.is(error.code, 'ERR_MANYHANDS_OWNER_DIED')
      assert.is(error.pid, pid)
      assert.ok(thrownMs - lastMs[0]! < 10_000, `${thrownMs - lastMs[0]!} ms after its last sign of life`)
      assert.is((await thrownBy(() => lock.tryAcquire())).code, 'ERR_MANYHANDS_OWNER_DIED')
      assert.is((await thrownBy(() => lock.acquire())).code, 'ERR_MANYHANDS_OWNER_DIED')
      await lock.recover()
      assert.is(lock.locked(), true)
      lock.release()
      assert.is(lock.acquireSync(0), true)
    })

test("with onOwnerDeath 'handOver' the next thread just gets the lock", async () => {
  const lock = new Lock({ onOwnerDeath: 'handOver' })
  const holder = new Process({
    target: (lock: Lock) => {
      lock.acquireSync()
      for (;;);
    },
    args: [lock],
  }).start()
  await until(() => lock.locked())
  holder.terminate()
  assert.is(lock.acquireSync(), true)
  await holder.join()
  assert.instance(await thrownBy(() => new Lock({ onOwnerDeath: 'x' as never })), TypeError)
})

test('an unknown option of a lock is a TypeError that names it', async () => {
  const bad = { onOwnerDeth: 'handOver' } as object
  for (const make of [
    () => new Lock(bad),
    () => new RLock(bad),
    () => new Semaphore(1, bad),
    () => new BoundedSemaphore(1, bad),
    () => new RWLock(bad),
    () => new Barrier(2, bad),
  ]) {
    const error = await thrownBy(make)
    assert.instance(error, TypeError)
    assert.match(error.message, 'onOwnerDeth')
  }
})

test('a party that dies while it waits breaks the barrier', async () => {
  const barrier = new Barrier(3)
  const party = new Process({ target: (barrier: Barrier) => void barrier.waitSync(), args: [barrier] }).start()
  await until(() => barrier.nWaiting === 1)
  party.terminate()
  assert.is((await thrownBy(() => barrier.waitSync())).code, 'ERR_MANYHANDS_BROKEN_BARRIER')
})

test('a lock received twice in one thread is the same object, and keeps its class', async () => {
  const lock = new Lock()
  const holder = new Process({
    target: (a: Lock, { b }: { b: Lock }) => process.exit(a === b && a.constructor.name === 'Lock' ? 7 : 1),
    args: [lock, { b: lock }],
  }).start()
  await holder.join()
  assert.is(holder.exitcode, 7)
})

test.run()
