// Probes of the facts that the code relies on (lib/memory/README.md). A Node version that changes one fails at its test.
import { build } from 'esbuild'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { MessageChannel, Worker } from 'node:worker_threads'
import { assert, runProgram, suite, until } from '../harness.js'

const test = suite('facts of Node')

const words = (count = 8) => new Int32Array(new SharedArrayBuffer(4 * count))
const start = (source: string, workerData: unknown) =>
  new Worker(`const { workerData: w } = require('node:worker_threads'); ${source}`, { eval: true, workerData })

test('fact 1: a thread that is terminated in its sleep still takes a notify of one', async () => {
  let swallowed = 0
  for (let trial = 0; trial < 30 && swallowed === 0; trial++) {
    const w = words()
    const sleepers = [0, 1].map(() => start('Atomics.add(w, 1, 1); Atomics.wait(w, 0, 0)', w))
    await until(() => w[1] === 2)
    await new Promise((resolve) => setTimeout(resolve, 2)) // A few instructions lie between the count and the sleep.
    const ended = sleepers.map((sleeper) => once(sleeper, 'exit'))
    void sleepers[0]!.terminate()
    assert.is(Atomics.notify(w, 0, 1), 1)
    await ended[0]
    // The other still sleeps, so the terminated one took the first notify.
    if (Atomics.notify(w, 0, 1) === 1) swallowed++
    await ended[1]
  }
  assert.ok(swallowed > 0)
})

test('fact 2: a termination can land between any two atomic operations', async () => {
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

test('fact 3: a pending waitAsync takes a notify of one', () => {
  const w = words()
  const pending = Atomics.waitAsync(w, 0, 0)
  assert.is(pending.async, true)
  assert.is(Atomics.notify(w, 0, 1), 1)
})

test('fact 4: a pending waitAsync does not keep the process alive', async () => {
  const program = `Atomics.waitAsync(new Int32Array(new SharedArrayBuffer(4)), 0, 0); console.log('ended')`
  const { code, stdout } = await runProgram(program)
  assert.is(stdout, 'ended\n')
  assert.is(code, 0)
})

test('fact 5: set into shared memory is much slower if source and target differ in their offset mod 8', () => {
  const target = new Uint8Array(new SharedArrayBuffer(2 ** 16 + 8))
  const source = new Uint8Array(2 ** 16)
  const fastest = (offset: number) => {
    let ns = Infinity
    for (let round = 0; round < 200; round++) {
      const begun = process.hrtime.bigint()
      target.set(source, offset)
      ns = Math.min(ns, Number(process.hrtime.bigint() - begun))
    }
    return ns
  }
  assert.ok(fastest(1) > 2 * fastest(0))
})

test('fact 6: a message port closes when the thread at its other end is terminated while busy', async () => {
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

test('fact 6: a message port closes only when no JavaScript runs any more at its other end, and behind its messages', async () => {
  for (const end of ['', 'process.exit()', `throw new Error('uncaught')`]) {
    const { port1, port2 } = new MessageChannel()
    const w = words()
    const source = `
      const { port, w } = require('node:worker_threads').workerData
      const work = () => { for (const endMs = performance.now() + 30; performance.now() < endMs;) Atomics.add(w, 0, 1) }
      const { emit } = process
      process.emit = (...args) => {
        const result = Reflect.apply(emit, process, args)
        if (args[0] === 'exit') { work(); port.postMessage('last'); Atomics.store(w, 1, 1) }
        return result
      }
      process.on('exit', work)
      process.nextTick(() => { ${end} })`
    const ending = new Worker(source, { eval: true, workerData: { port: port2, w }, transferList: [port2] })
    const exited = new Promise((resolve) => ending.on('error', () => {}).once('exit', resolve))
    const events: unknown[] = []
    port1.on('message', (message: unknown) => events.push(message))
    await once(port1, 'close')
    assert.equal([events, w[1]], [['last'], 1], end)
    const worked = w[0]
    await exited
    assert.is(w[0], worked, end)
  }
})

// A top-level await in what a worker loads at boot can abort the whole program, but not on demand: so this checks that there is none.
test('fact 7: nothing that a worker of this package loads at boot has a top-level await', async () => {
  for (const entry of readdirSync('workers').filter((file) => file.endsWith('.ts'))) {
    // esbuild refuses to make a CommonJS module of one with a top-level await.
    await build({
      entryPoints: [`workers/${entry}`, 'lib/index.ts'],
      bundle: true,
      write: false,
      outdir: 'nowhere',
      format: 'cjs',
      platform: 'node',
      target: 'node20',
      packages: 'external',
      logLevel: 'silent',
    })
  }
})

test('a fixed-length view of a growable buffer stays valid when the buffer grows', () => {
  const memory = new SharedArrayBuffer(8, { maxByteLength: 64 })
  const before = new Int32Array(memory, 0, 2)
  memory.grow(16)
  assert.is(before.length, 2)
  Atomics.store(new Int32Array(memory, 0, 4), 1, 7)
  assert.is(before[1], 7)
})

test('a thread id is never given out twice', async () => {
  const first = start('', words())
  const { threadId } = first
  await once(first, 'exit')
  const second = start('', words())
  assert.ok(second.threadId > threadId)
  await once(second, 'exit')
})

test.run()
