// The facts that the locks are built upon, as probes: a Node version in which one changes fails here, and says which.
import { Worker } from 'node:worker_threads'
import { once } from 'node:events'
import { assert, runProgram, suite, until } from '../harness.js'

const test = suite('the facts that the locks are built upon')

const words = (count = 8) => new Int32Array(new SharedArrayBuffer(4 * count))
const start = (source: string, workerData: unknown) =>
  new Worker(`const { workerData: w } = require('node:worker_threads'); ${source}`, { eval: true, workerData })

test('1. a thread that is terminated in its sleep can take a wake-up with it, or leave it to the next', async () => {
  const w = words()
  const sleepers = [0, 1].map(() => start('Atomics.add(w, 1, 1); Atomics.wait(w, 0, 0)', w))
  await until(() => w[1] === 2)
  void sleepers[0]!.terminate()
  const woken = Atomics.notify(w, 0, 1)
  // Both are allowed; what must not happen is that more are woken than asked for.
  assert.is(woken, 1)
  await Promise.all(sleepers.map((sleeper) => sleeper.terminate()))
})

test('2. termination can land between any two atomic operations', async () => {
  let torn = 0
  for (let trial = 0; trial < 30 && torn === 0; trial++) {
    const w = words()
    const adder = start('for (;;) { Atomics.add(w, 0, 1); Atomics.add(w, 1, 1) }', w)
    await until(() => Atomics.load(w, 0) > 1000)
    await adder.terminate()
    if (w[0] !== w[1]) torn++
  }
  assert.ok(torn > 0)
})

test('3. a pending waitAsync takes a wake-up that is meant for one', () => {
  const w = words()
  const pending = Atomics.waitAsync(w, 0, 0)
  assert.is(pending.async, true)
  assert.is(Atomics.notify(w, 0, 1), 1)
})

test('4. a pending waitAsync does not keep the process alive', async () => {
  const program = `Atomics.waitAsync(new Int32Array(new SharedArrayBuffer(4)), 0, 0); console.log('ended')`
  const { code, stdout } = await runProgram(program)
  assert.is(stdout, 'ended\n')
  assert.is(code, 0)
})

test('5. views of a growable buffer that are of fixed length stay so, and see what is written by another', () => {
  const memory = new SharedArrayBuffer(8, { maxByteLength: 64 })
  const before = new Int32Array(memory, 0, 2)
  memory.grow(16)
  assert.is(before.length, 2)
  Atomics.store(new Int32Array(memory, 0, 4), 1, 7)
  assert.is(before[1], 7)
})

test('6. a message port closes when the thread at its other end is terminated while it is busy', async () => {
  const { port1, port2 } = new MessageChannel()
  const busy = new Worker(`require('node:worker_threads').workerData; for (;;);`, {
    eval: true,
    workerData: port2,
    transferList: [port2 as never],
  })
  await once(busy, 'online')
  const closed = once(port1 as never, 'close')
  void busy.terminate()
  await closed
})

test('7. thread ids are never given out twice', async () => {
  const first = start('', words())
  const { threadId } = first
  await once(first, 'exit')
  const second = start('', words())
  assert.ok(second.threadId > threadId)
  await once(second, 'exit')
})

test.run()
