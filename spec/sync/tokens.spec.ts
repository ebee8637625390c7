// Permits and reads that are taken and given back without the mutex: what a death, a release by another thread and a count must find.
// And what else needs no mutex.
import { BoundedSemaphore, Condition, Event, Lock, Process, ProcessPoolExecutor, RWLock, Semaphore } from 'manyhands'
import { assert, suite, thrownBy } from '../harness.js'

const test = suite('without the mutex')

/** More than there are tokens (lib/sync/entry-table.ts). */
const MANY = 20

type Held = { acquireSync(timeoutMs?: number): boolean; release(): void }

const kinds: [name: string, make: () => Semaphore | RWLock, face: (shared: any) => Held][] = [
  ['Semaphore(1)', () => new Semaphore(1), (shared: Semaphore) => shared],
  ['Semaphore(4)', () => new Semaphore(4), (shared: Semaphore) => shared],
  ['BoundedSemaphore(1)', () => new BoundedSemaphore(1), (shared: Semaphore) => shared],
  ['RWLock.read', () => new RWLock(), (shared: RWLock) => shared.read],
]

/** A living thread has the mutex from now on. */
function keepMutex(shared: object): void {
  const { $manyhands: handle } = shared as { $manyhands: unknown[] }
  new Int32Array(handle[2] as SharedArrayBuffer)[0] = 100_000
}

for (const [name, make, face] of kinds)
  test(`${name}: what a thread gave back it takes again, and gives back, without the mutex`, async () => {
    const shared = make()
    const held = face(shared)
    held.acquireSync()
    held.release()
    keepMutex(shared)
    for (let i = 0; i < 3; i++) {
      assert.ok(held.acquireSync(0))
      held.release()
    }
    assert.ok(await ('read' in shared ? shared.read : shared).acquire(0))
    held.release()
  })

test('a set event is seen, waited for, and set again without the mutex, and a clear one cleared', async () => {
  const [set, clear] = [new Event(), new Event()]
  set.set()
  keepMutex(set)
  keepMutex(clear)
  set.set()
  assert.ok(set.isSet() && set.waitSync() && (await set.wait()))
  clear.clear()
  assert.not(clear.isSet())
})

test('notify needs no mutex while nobody waits, also after somebody has waited', () => {
  const condition = new Condition(new Lock())
  condition.acquireSync()
  assert.not(condition.waitSync(1))
  keepMutex(condition)
  condition.notify()
  condition.notifyAll()
  condition.release()
})

/** Forty wait, until the table has grown. The first twenty give up. */
const waitInTurn = async (condition: Condition, ready: Event) => {
  const first = new AbortController()
  let waiting = 0
  const wait = async (signal?: AbortSignal) => {
    await condition.acquire()
    const waits = condition.wait({ signal })
    if (++waiting === 40) first.abort()
    return waits.finally(() => condition.release())
  }
  const aborted = Array.from({ length: 20 }, () => wait(first.signal))
  const notified = Array.from({ length: 20 }, () => wait())
  await Promise.allSettled(aborted)
  ready.set()
  return (await Promise.all(notified)).every(Boolean)
}

test('notify finds the waiters in a part of the table that its thread has not seen yet', async () => {
  const condition = new Condition(new Lock())
  const ready = new Event()
  await using executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  const all = executor.submit(waitInTurn, condition, ready)
  ready.waitSync()
  condition.acquireSync()
  condition.notifyAll()
  condition.release()
  assert.ok(await all)
})

/** Take it a second time, without the mutex, and end with it. */
const endWith = (semaphore: Semaphore) => {
  semaphore.acquireSync()
  semaphore.release()
  semaphore.acquireSync()
}

for (const permits of [1, 4])
  test(`a thread ends with one of ${permits} permits: recover finds it, also before anybody was refused`, async () => {
    const semaphore = new Semaphore(permits)
    const thread = new Process({ target: endWith, args: [semaphore] }).start()
    await thread.join()
    semaphore.recoverSync()
    assert.is(semaphore.value, permits - 1)
    semaphore.release()
    assert.is(semaphore.value, permits)
    assert.is((await thrownBy(() => semaphore.recoverSync())).code, 'ERR_MANYHANDS_LOCK')
  })

test('a thread ends with the only permit: a second one gets OwnerDiedError that names it, in every way of acquiring', async () => {
  const semaphore = new Semaphore(1)
  const thread = new Process({ target: endWith, args: [semaphore] }).start()
  const { pid } = thread
  await thread.join()
  for (const acquire of [() => semaphore.tryAcquire(), () => semaphore.acquireSync(), () => semaphore.acquire()]) {
    const error = await thrownBy(acquire)
    assert.equal([error.code, error.pid], ['ERR_MANYHANDS_OWNER_DIED', pid])
  }
})

test("with onOwnerDeath 'handOver' the permits of a thread that ended go to the next", async () => {
  const semaphore = new Semaphore(1, { onOwnerDeath: 'handOver' })
  await new Process({ target: endWith, args: [semaphore] }).start().join()
  assert.ok(semaphore.acquireSync())
  semaphore.release()
  assert.is(semaphore.value, 1)
})

test('a thread that ends while it reads is forgotten: the writer gets the lock', async () => {
  const lock = new RWLock()
  const read = ({ read: face }: RWLock) => {
    face.acquireSync()
    face.release()
    face.acquireSync()
  }
  await new Process({ target: read, args: [lock] }).start().join()
  assert.ok(lock.write.acquireSync())
  lock.write.release()
})

test('any thread releases a permit, and its holder then holds it no more: a BoundedSemaphore says so', async () => {
  const semaphore = new BoundedSemaphore(2)
  endWith(semaphore)
  assert.is(semaphore.value, 1)
  endWith(semaphore)
  await new Process({ target: (other: Semaphore) => other.release(), args: [semaphore] }).start().join()
  assert.is(semaphore.value, 1)
  semaphore.release()
  assert.is(semaphore.value, 2)
  assert.is((await thrownBy(() => semaphore.release())).code, 'ERR_MANYHANDS_LOCK')
  assert.is(semaphore.value, 2)
})

test('a permit that another thread released may be released once more, and there is one more', async () => {
  const semaphore = new Semaphore(1)
  endWith(semaphore)
  await new Process({ target: (other: Semaphore) => other.release(), args: [semaphore] }).start().join()
  semaphore.release()
  assert.is(semaphore.value, 2)
})

test('a semaphore that signals counts what was signalled and not used up, whoever releases', async () => {
  const semaphore = new Semaphore(0)
  for (let i = 0; i < 3; i++) {
    semaphore.release()
    assert.ok(semaphore.tryAcquire())
    assert.not(semaphore.tryAcquire())
  }
  semaphore.release()
  await new Process({ target: (other: Semaphore) => other.release(), args: [semaphore] }).start().join()
  assert.is(semaphore.value, 2)
  await new Process({ target: (other: Semaphore) => void other.acquireSync(), args: [semaphore] }).start().join()
  assert.is(semaphore.value, 1)
})

test('a semaphore has all of its permits, however many more than tokens, and no others', () => {
  const semaphore = new BoundedSemaphore(MANY)
  for (let taken = 1; taken <= MANY; taken++) {
    assert.ok(semaphore.tryAcquire())
    if (taken % 3 === 0) assert.is(semaphore.value, MANY - taken)
  }
  assert.not(semaphore.tryAcquire())
  for (let i = 0; i < MANY; i++) semaphore.release()
  assert.is(semaphore.value, MANY)
  assert.throws(() => semaphore.release(), 'bounded to 20')
})

test('a writer waits for all reads, however many more than tokens, and comes before a later one', async () => {
  const lock = new RWLock()
  for (let i = 0; i < MANY; i++) await lock.read.acquire()
  const order: string[] = []
  const write = lock.write.acquire().then(() => order.push('write'))
  const read = lock.read.acquire().then(() => order.push('read'))
  for (let i = 0; i < MANY; i++) {
    assert.equal(order, [])
    lock.read.release()
  }
  assert.is((await thrownBy(() => lock.read.release())).code, 'ERR_MANYHANDS_LOCK')
  await write
  assert.equal(order, ['write'])
  lock.write.release()
  await read
  lock.read.release()
})

test('a waiter is woken by the release of a token that was taken before it came', async () => {
  const semaphore = new Semaphore(1)
  endWith(semaphore)
  const waiting = Promise.all([semaphore.acquire(), semaphore.acquire()])
  semaphore.release()
  semaphore.release()
  assert.equal(await waiting, [true, true])
  assert.is(semaphore.value, 0)
})

test.run()
