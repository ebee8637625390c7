// The table of waiters and holders in a monitor's memory: it grows, and nothing stays in it.
import { Process, RWLock, Semaphore } from 'manyhands'
import { markDead } from '#internals'
import { assert, suite } from '../harness.js'

const test = suite('the table of a monitor')

// See lib/sync/entry-table.ts.
const [MUTEX, ENTRIES, LOGGED, LOG, FIRST_ENTRY, ENTRY_WORDS] = [0, 2, 4, 16, 544, 4]

function memoryOf(shareable: object): SharedArrayBuffer {
  const { $manyhands: handle } = shareable as { $manyhands: unknown[] }
  return handle[2] as SharedArrayBuffer
}

test('a monitor’s table grows while many wait, and all of them are served', async () => {
  const semaphore = new Semaphore(0)
  const waits = Array.from({ length: 100 }, () => semaphore.acquire())
  semaphore.release(100)
  assert.is((await Promise.all(waits)).filter(Boolean).length, 100)
})

test('a dead thread’s log is written for entries, too, that this thread has not seen yet', () => {
  const semaphore = new Semaphore(1)
  assert.ok(semaphore.tryAcquire())
  semaphore.release()
  const memory = memoryOf(semaphore)
  memory.grow(2 * memory.byteLength)
  const words = new Int32Array(memory)
  const entry = FIRST_ENTRY + 20 * ENTRY_WORDS
  const living = (2 ** 30) | 1 // The main thread holds a permit: so it says in the log.
  const dead = 1_000_000
  words[ENTRIES] = 21
  words.set([entry, living], LOG)
  words[LOGGED] = 2
  words[MUTEX] = dead + 1
  markDead(dead)
  assert.is(semaphore.value, 1)
  assert.is(words[LOGGED], 0)
  assert.is(words[entry], living)
})

/** More at a time than there are tokens. */
const HOLDS = 17

const holdMany = (lock: { holdSync(): { release(): void } }, times: number) => {
  for (const guard of Array.from({ length: times }, () => lock.holdSync())) guard.release()
}
const readMany = ({ read }: RWLock, times: number) => {
  for (const guard of Array.from({ length: times }, () => read.holdSync())) guard.release()
}

const uses: [name: string, make: () => object, use: (shared: any, times: number) => void][] = [
  ['Semaphore', () => new Semaphore(2 * HOLDS), holdMany],
  ['RWLock', () => new RWLock(), readMany],
]
for (const [name, make, use] of uses)
  test(`${name}: the table keeps nothing of threads that acquired, released and ended`, async () => {
    const shared = make()
    for (let i = 0; i < 3; i++) await new Process({ target: use, args: [shared, HOLDS] }).start().join()
    use(shared, HOLDS)
    const words = new Int32Array(memoryOf(shared))
    assert.is(words[ENTRIES], 1)
    assert.is(words[FIRST_ENTRY], 0)
  })

test.run()
