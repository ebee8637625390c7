import { DataCloneError, ProcessPoolExecutor, WorkerDiedError, type Future } from 'manyhands'
import { assert, suite, thrownBy, until } from '../harness.js'
import { Gate, passGate } from './gate.js'

const test = suite('many short tasks, which share messages')

/** What a task of a burst does: it counts its run, and then what `kind` says. */
function act(
  runs: Int32Array,
  i: number,
  kind: 'number' | 'object' | 'throw' | 'uncloneable' | 'exit' | 'gate',
): unknown {
  Atomics.add(runs, i, 1)
  if (kind === 'object') return { i }
  if (kind === 'throw') throw new RangeError(`task ${i}`)
  if (kind === 'uncloneable') return () => i
  if (kind === 'exit') process.exit(3)
  if (kind === 'gate') Atomics.wait(runs, runs.length - 1, 0)
  return i
}

type Kind = Parameters<typeof act>[2]

const COUNT = 200

/** An executor that knows the function to be short, and a burst of it that waits behind a gate: the next messages carry many. */
async function burst(maxWorkers: number, kindOf: (i: number) => Kind, options = {}) {
  const executor = new ProcessPoolExecutor({ maxWorkers, ...options })
  const warm = new Int32Array(new SharedArrayBuffer(4 * (COUNT + 1)))
  for (let round = 0; round < 6; round++)
    await Promise.all(Array.from({ length: COUNT }, (_, i) => executor.submit(act, warm, i, 'number')))
  const [gate, runs] = [new Gate(), new Int32Array(new SharedArrayBuffer(4 * (COUNT + 1)))]
  const blocked = Array.from({ length: maxWorkers }, () => executor.submit(passGate<null>, gate.words, null))
  await gate.begun(maxWorkers)
  const futures = Array.from({ length: COUNT }, (_, i) => executor.submit(act, runs, i, kindOf(i)))
  const openInner = () => {
    Atomics.store(runs, COUNT, 1)
    Atomics.notify(runs, COUNT)
  }
  return { executor, gate, runs, futures, blocked, openInner }
}

const ran = (runs: Int32Array) => [...runs].slice(0, COUNT)
const once = Array.from({ length: COUNT }, () => 1)

test('give each its own result, whatever it is, in the order of their submission', async () => {
  const kinds: Kind[] = ['number', 'object', 'throw', 'uncloneable']
  const { executor, gate, futures, runs } = await burst(1, (i) => kinds[i % 4]!)
  const order: number[] = []
  for (const [i, future] of futures.entries()) future.addDoneCallback(() => order.push(i))
  gate.open()
  for (const [i, result] of (await Promise.allSettled(futures)).entries()) {
    if (i % 4 === 0) assert.equal(result, { status: 'fulfilled', value: i })
    else if (i % 4 === 1) assert.equal(result, { status: 'fulfilled', value: { i } })
    else assert.instance((result as PromiseRejectedResult).reason, i % 4 === 2 ? RangeError : DataCloneError)
  }
  assert.equal(order, [...futures.keys()])
  assert.equal(ran(runs), once)
  await executor.shutdown()
})

test('are held up by a slow one no longer than a moment: those before it are done, those behind it go to another', async () => {
  const { executor, gate, futures, runs, openInner } = await burst(2, (i) =>
    i === 20 ? 'gate' : i % 2 ? 'object' : 'number',
  )
  gate.open()
  const others = futures.filter((_, i) => i !== 20)
  await Promise.all(others)
  assert.equal([futures[20]!.running(), futures[20]!.done()], [true, false])
  openInner()
  assert.is(await futures[20], 20)
  assert.equal(ran(runs), once)
  await executor.shutdown()
})

test('before a slow one are done while it runs, behind it are not running and can be cancelled', async () => {
  const { executor, gate, futures, runs, openInner } = await burst(1, (i) =>
    i === 20 ? 'gate' : i % 2 ? 'object' : 'number',
  )
  gate.open()
  await Promise.all(futures.slice(0, 20))
  assert.equal([futures[20]!.running(), futures[20]!.cancel()], [true, false])
  for (const future of futures.slice(21)) assert.equal([future.running(), future.done()], [false, false])
  assert.equal([executor.stats().running, executor.stats().queued], [1, COUNT - 21])
  const cancelled = futures.slice(21).filter((future, i) => i % 3 === 0 && future.cancel())
  assert.is(cancelled.length, 60)
  openInner()
  await Promise.allSettled(futures)
  for (const [i, future] of futures.entries()) assert.is(runs[i], future.cancelled() ? 0 : 1, `task ${i}`)
  await executor.shutdown()
})

test('go from pending to running to done, and never back', async () => {
  // On a busy machine all may be done before the first look.
  for (let ranAtAll = false; !ranAtAll;) {
    const { executor, gate, futures } = await burst(2, (i) => (i % 3 ? 'number' : 'object'))
    const ran = futures.map(() => false)
    gate.open()
    for (let look = 0; !futures.every((future) => future.done()); look++) {
      for (const [i, future] of futures.entries()) {
        const done = future.done() // Read first: it may become true in between.
        const running = future.running()
        assert.ok(running || done || !ran[i], `task ${i} was running, and is neither that nor done`)
        assert.not.ok(running && done)
        ran[i] ||= running
      }
      if (look % 20 === 19) await new Promise((resolve) => setImmediate(resolve))
    }
    ranAtAll = ran.some(Boolean)
    await executor.shutdown()
  }
})

test('with one that ends its worker: what was finished is told, what had not begun goes to others, and nothing runs twice', async () => {
  const { executor, gate, futures, runs } = await burst(2, (i) =>
    i % 50 === 25 ? 'exit' : i % 2 ? 'number' : 'object',
  )
  gate.open()
  for (const [i, result] of (await Promise.allSettled(futures)).entries()) {
    if (i % 50 !== 25) assert.is(result.status, 'fulfilled', `task ${i}`)
    else {
      const { reason } = result as PromiseRejectedResult
      assert.instance(reason, WorkerDiedError)
      assert.is(reason.exitcode, 3)
    }
  }
  assert.equal(ran(runs), once)
  assert.is(executor.stats().workersLost, 4)
  await executor.shutdown()
})

test('with one that is cancelled by force: the others run', async () => {
  const { executor, gate, futures, runs } = await burst(1, (i) => (i === 20 ? 'gate' : 'number'))
  gate.open()
  await until(() => runs[20] === 1)
  assert.is(await futures[20]!.cancel({ force: true }), true)
  await Promise.all(futures.filter((_, i) => i !== 20))
  assert.equal(ran(runs), once)
  assert.is(executor.stats().workersLost, 1)
  await executor.shutdown()
})

test('with an argument that cannot be cloned: that one fails alone', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  const identity = (value: unknown) => value
  for (let round = 0; round < 5; round++)
    await Promise.all(Array.from({ length: 100 }, (_, i) => executor.submit(identity, i)))
  const gate = new Gate()
  void executor.submit(passGate<null>, gate.words, null)
  await gate.begun()
  const futures: Future[] = Array.from({ length: 50 }, (_, i) => executor.submit(identity, i === 30 ? [() => {}] : i))
  gate.open()
  for (const [i, result] of (await Promise.allSettled(futures)).entries()) {
    if (i !== 30) assert.equal(result, { status: 'fulfilled', value: i })
    else assert.is((result as PromiseRejectedResult).reason.path, 'args[0][0]')
  }
  await executor.shutdown()
})

test('one after the other need one worker, however long the pauses', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 4 })
  await executor.submit(() => 1)
  // Among the pauses are some that end just as the worker was told that there is nothing more to do.
  for (let pauseMs = 1; pauseMs < 20; pauseMs++) {
    await new Promise((resolve) => setTimeout(resolve, 12))
    const submitted = new Promise((resolve) => setTimeout(() => resolve(executor.submit(() => 1)), pauseMs))
    const untilMs = performance.now() + 25
    while (performance.now() < untilMs);
    await submitted
  }
  assert.is(executor.stats().workers, 1)
  await executor.shutdown()
})

/** Which turn of its event loop a worker is in. */
function turn(): number {
  const loop = globalThis as { turn?: number; turning?: boolean }
  loop.turn ??= 0
  if (!loop.turning) setImmediate(() => (loop.turn!++, (loop.turning = false)))
  loop.turning = true
  return loop.turn
}

test('many calls of a short function arrive in one turn of the worker, unless batch is false', async () => {
  for (const batch of ['auto', false] as const) {
    const executor = new ProcessPoolExecutor({ maxWorkers: 1, batch })
    await Promise.all(Array.from({ length: 300 }, () => executor.submit(turn)))
    const turns = await Promise.all(Array.from({ length: 300 }, () => executor.submit(turn)))
    const count = new Set(turns).size
    assert.ok(batch === 'auto' ? count < 100 : count > 150, `${count} turns with batch: ${batch}`)
    await executor.shutdown()
  }
})

test('may be of several functions, and have different numbers of arguments', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 2 })
  const sum = (...all: number[]) => all.reduce((a, b) => a + b, 0)
  const negate = (n: number) => -n
  for (let round = 0; round < 8; round++) {
    const futures = Array.from({ length: 300 }, (_, i) =>
      i % 3 ? executor.submit(sum, ...Array.from({ length: i % 5 }, () => i)) : executor.submit(negate, i),
    )
    const expected = futures.map((_, i) => (i % 3 ? i * (i % 5) : -i))
    assert.equal((await Promise.all(futures)).map((n) => n + 0), expected.map((n) => n + 0)) // prettier-ignore
  }
  await executor.shutdown()
})

test('have arguments of their own, also where they are given the same object', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  const grow = (object: { list: number[] } | Map<string, number[]> | Uint8Array | number[]) => {
    if (object instanceof Uint8Array) return object[0]!++
    const list = object instanceof Map ? object.get('list')! : Array.isArray(object) ? object : object.list
    return list.push(0) - 1
  }
  const list: number[] = []
  const buffer = new ArrayBuffer(8)
  const shared = [list, { list }, new Map([['list', list]]), new Uint8Array(buffer)]
  // Until it is known to be short.
  await Promise.all(Array.from({ length: 300 }, () => executor.submit(grow, [])))
  for (const object of shared)
    assert.equal(
      new Set(await Promise.all(Array.from({ length: 100 }, () => executor.submit(grow, object)))),
      new Set([0]),
    )
  // Two views of one buffer.
  const views = Array.from({ length: 50 }, () => executor.submit(grow, new Uint8Array(buffer)))
  assert.equal(new Set(await Promise.all(views)), new Set([0]))
  // What one call has twice, is one object.
  const same = Array.from({ length: 50 }, () => executor.submit((a: unknown, b: unknown) => a === b, list, list))
  assert.equal(new Set(await Promise.all(same)), new Set([true]))
  await executor.shutdown()
})

test('go one by one where batch is false', async () => {
  const { executor, gate, futures, runs, openInner } = await burst(2, (i) => (i === 20 ? 'gate' : 'number'), {
    batch: false,
  })
  gate.open()
  await Promise.all(futures.filter((_, i) => i !== 20))
  openInner()
  await futures[20]
  assert.equal(ran(runs), once)
  await executor.shutdown()
  for (const bad of [true, 'off', 5, null]) {
    const error = await thrownBy(() => new ProcessPoolExecutor({ batch: bad as never }))
    assert.instance(error, TypeError)
    assert.match(error.message, "batch must be 'auto' or false")
  }
})

test.run()
