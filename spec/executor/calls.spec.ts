// Calls one at a time, of functions that the worker knows: they go by a short message, and by a short way through the worker.
import { Array as SharedArray, CancelledError, ProcessPoolExecutor, type Target } from 'manyhands'
import { MessagePort } from 'node:worker_threads'
import { assert, suite, thrownBy } from '../harness.js'
import { enter, enterAsync, enterAndThrow, look } from './async-context.tasks.js'
import { Gate, passGate } from './gate.js'

const test = suite('a call by a short message')

/** What this thread posts, and how it is received. */
class Watch {
  readonly posted: unknown[] = []
  readonly #postMessage = MessagePort.prototype.postMessage

  constructor() {
    const { posted } = this
    const original = this.#postMessage
    MessagePort.prototype.postMessage = function (this: MessagePort, message: unknown, ...rest: []) {
      posted.push(message)
      return original.call(this, message, ...rest)
    }
  }

  get short(): unknown[][] {
    return this.posted.filter((message) => Array.isArray(message))
  }

  [Symbol.dispose](): void {
    MessagePort.prototype.postMessage = this.#postMessage
  }
}

/** An executor whose worker has run each of the functions once. */
async function knowing(targets: Target<any[]>[], args: unknown[] = []): Promise<ProcessPoolExecutor> {
  const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  for (const target of targets) await executor.submit(target, ...args).catch(() => {})
  return executor
}

const same = (...values: unknown[]) => values
const first = (value: unknown) => value
const later = async (value: unknown) => value

test('brings all arguments there, and any value back', async () => {
  await using executor = await knowing([same, first, later])
  using watch = new Watch()
  const object = { a: [1, 'two', { three: 3n }], date: new Date(5), map: new Map([[1, new Set(['x'])]]) }
  const lists = [[], [1], ['a', 2, undefined, null, true, -0, NaN], [object, object, [object]], [new Float64Array(3)]]
  for (const list of lists) assert.equal(await executor.submit(same, ...list), list)
  const [a, b] = await executor.submit(same, object, object)
  assert.ok(a === b)
  for (const target of [first, later])
    for (const value of [0, -0, 2 ** 40, NaN, Infinity, undefined, null, true, false, '', 'text', 5n, object, [1, [2]]])
      assert.equal(await executor.submit(target, value), value)
  assert.is(watch.short.length, lists.length + 1 + 2 * 14)
})

test('brings back what is thrown, at once and later, and why a value cannot be sent either way', async () => {
  const fail = (text: string): never => {
    throw new RangeError(text)
  }
  const failLater = async (text: string) => {
    await new Promise((resolve) => setImmediate(resolve))
    throw new RangeError(text)
  }
  // oxlint-disable-next-line unicorn/no-thenable -- a task may return one
  const thenable = (text: string) => ({ then: (_: unknown, reject: (text: string) => void) => reject(text) })
  const unsendable = () => ({ deep: [() => 1] })
  const outside = 1
  const reachOut = (far: boolean) => (far ? outside : 0)
  await using executor = await knowing([fail, failLater, thenable, unsendable, first])
  await executor.submit(reachOut, false)
  using watch = new Watch()
  for (const target of [fail, failLater]) {
    const error = await thrownBy(() => executor.submit(target, 'too far'))
    assert.instance(error, RangeError)
    assert.is(error.message, 'too far')
    assert.match(error.stack, 'calls.spec')
  }
  assert.is(await thrownBy(() => executor.submit(thenable, 'no')), 'no')
  assert.match((await thrownBy(() => executor.submit(reachOut, true))).message, /outside is not defined.*source/s)
  const refused = await thrownBy(() => executor.submit(unsendable))
  assert.is(refused.code, 'ERR_MANYHANDS_DATA_CLONE')
  assert.match(refused.message, 'result.deep[0]')
  assert.is(watch.short.length, 5)
  const error = await thrownBy(() => executor.submit(first, { deep: [() => 1] }))
  assert.is(error.code, 'ERR_MANYHANDS_DATA_CLONE')
  assert.match(error.message, 'args[0].deep[0]')
  assert.is(await executor.submit(first, 1), 1)
})

test('begins with the context of the worker, whatever the calls before it have entered', async () => {
  await using executor = await knowing([look, enter, enterAsync, enterAndThrow], ['before'])
  using watch = new Watch()
  for (const id of ['a', 'b', 'c']) {
    assert.is(await executor.submit(enter, id), 'nothing')
    assert.is(await executor.submit(enterAsync, id), `nothing, then ${id}`)
    assert.is((await thrownBy(() => executor.submit(enterAndThrow, id))).message, 'nothing')
    assert.is(await executor.submit(look), 'nothing')
  }
  assert.is(watch.short.length, 12)
})

test('is asked to stop as it runs, and the call after it has a signal of its own', async () => {
  const stopWhenAsked = async (words: Int32Array) => {
    const { signal } = (await import('manyhands')).currentProcess()
    const asked = new Promise((resolve) => signal.addEventListener('abort', resolve))
    Object.assign(globalThis, { seen: signal })
    Atomics.add(words, 0, 1)
    await asked
  }
  const keepSignal = async () => {
    Object.assign(globalThis, { kept: (await import('manyhands')).currentProcess().signal })
  }
  const isAsked = async () => {
    const { cancelled, signal } = (await import('manyhands')).currentProcess()
    const { seen, kept } = globalThis as unknown as Record<string, AbortSignal>
    return [cancelled, signal.aborted, signal === seen, kept!.aborted]
  }
  await using executor = await knowing([keepSignal, isAsked])
  const gate = new Gate()
  using watch = new Watch()
  for (const round of [1, 2, 3]) {
    await executor.submit(keepSignal)
    const future = executor.submit(stopWhenAsked, gate.words)
    await gate.begun(round)
    assert.is(await future.cancel({ force: true, grace: 60_000 }), true)
    assert.instance(await thrownBy(() => future), CancelledError)
    assert.equal(await executor.submit(isAsked), [false, false, false, false])
  }
  assert.is(watch.short.length, 8) // But for the first, which told the worker of its function.
})

test('runs from its claim on, and is taken back before that', async () => {
  const gate = new Gate()
  gate.open()
  await using executor = await knowing([first, passGate], [gate.words])
  gate.close()
  const begun = gate.count
  using watch = new Watch()
  const running = executor.submit(passGate, gate.words, 'passed')
  await gate.begun(begun + 1)
  const waiting = executor.submit(first, 1)
  assert.equal([running.running(), running.cancel(), waiting.running(), waiting.cancel()], [true, false, false, true])
  gate.open()
  assert.is(await running, 'passed')
  assert.is(watch.short.length, 1)
})

test('is not made if it was taken back while what an earlier call has left behind kept the worker', async () => {
  const leaveGate = (words: Int32Array) => {
    setImmediate(() => {
      Atomics.add(words, 0, 1)
      Atomics.wait(words, 1, 0)
    })
  }
  const run = (words: Int32Array) => Atomics.add(words, 0, 1)
  const gate = new Gate()
  gate.open()
  await using executor = await knowing([leaveGate, run], [gate.words])
  await gate.begun(2)
  gate.close()
  await executor.submit(leaveGate, gate.words)
  await gate.begun(3)
  using watch = new Watch()
  const future = executor.submit(run, gate.words)
  assert.is(future.cancel(), true)
  gate.open()
  assert.is(await executor.submit(run, gate.words), 3)
  assert.is(watch.short.length, 2)
})

test('fails when its worker dies in it, and the next goes to another worker, which learns of the function', async () => {
  const exitAt = (n: number) => (n > 0 ? process.exit(n) : n)
  await using executor = await knowing([exitAt], [0])
  using watch = new Watch()
  const error = await thrownBy(() => executor.submit(exitAt, 7))
  assert.equal([error.code, error.exitcode], ['ERR_MANYHANDS_WORKER_DIED', 7])
  assert.is(await executor.submit(exitAt, 0), 0)
  assert.is(await executor.submit(exitAt, 0), 0)
  assert.is(watch.short.length, 2)
})

test('is measured as any other: short ones share leases after it, slow ones do not', async () => {
  const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))
  await using executor = await knowing([first, sleep], [0])
  using watch = new Watch()
  for (let i = 0; i < 30; i++) {
    await executor.submit(first, i)
    await executor.submit(sleep, 5)
  }
  assert.is(watch.short.length, 60)
  /** How many tasks the leases of a burst have. */
  const counts = async (target: Target<[number], any>) => {
    watch.posted.length = 0
    await Promise.all(Array.from({ length: 32 }, () => executor.submit(target, 1)))
    return watch.posted.map((message) => (Array.isArray(message) ? 1 : (message as { count: number }).count))
  }
  assert.is(Math.max(...(await counts(sleep))), 1)
  // A busy machine may have made a short one slow: then it is measured again.
  while (Math.max(...(await counts(first))) === 1) await executor.submit(first, 0)
})

test('is no such call if it brings something shared, moves something, or is counted', async () => {
  const sum = (array: SharedArray) => [...array].reduce((a, b) => a + b, 0)
  await using executor = await knowing([sum, first], [[1]])
  using watch = new Watch()
  assert.is(await executor.submit(sum, new SharedArray('d', [1, 2])), 3)
  const buffer = new ArrayBuffer(8)
  assert.is(((await executor.with({ transfer: [buffer] }).submit(first, buffer)) as ArrayBuffer).byteLength, 8)
  assert.is(buffer.byteLength, 0)
  await using counted = new ProcessPoolExecutor({ maxWorkers: 1, maxTasksPerChild: 3 })
  const pids: number[] = []
  for (let i = 0; i < 7; i++)
    pids.push(await counted.submit(async () => (await import('manyhands')).currentProcess().pid))
  assert.equal(
    [...new Set(pids)].map((pid) => pids.filter((other) => other === pid).length),
    [3, 3, 1],
  )
  assert.is(watch.short.length, 0)
})

test('beside others: each gets its own arguments, of whatever kinds they are, in one lease or several', async () => {
  const tell = (...args: unknown[]) =>
    args.map((arg) => (Object.is(arg, -0) ? '-0' : `${typeof arg} ${String(arg)}`)).join()
  await using executor = await knowing([tell, first], [1])
  const numbers = [0, -0, 1, -1, 0.1, 2 ** 31, 2 ** 53, NaN, Infinity, -Infinity, 5e-324]
  const many = Array.from({ length: 100 }, (_, i) => numbers[i % numbers.length]!)
  const bursts: unknown[][][] = [
    many.map((n) => [n]),
    many.map((n, i) => (i === 99 ? ['last'] : [n])),
    many.map((n, i) => (i === 99 ? [n, n] : [n])),
    many.map((n, i) => (i === 99 ? [] : [n])),
    many.map((n, i) => [n, `text ${i}`, i % 2 === 0, undefined, null, BigInt(i)]),
    many.map((_, i) => (i % 2 === 0 ? [null] : [undefined])),
    many.map(() => []),
    many.map((n, i) => (i === 50 ? [new Date(i)] : [n])),
  ]
  using watch = new Watch()
  const shares = () => watch.posted.some((message) => (message as { count: number }).count > 40)
  do {
    watch.posted.length = 0
    for (const burst of bursts) {
      const futures = burst.map((args) => executor.submit(tell, ...args))
      assert.equal(await Promise.all(futures), burst.map((args) => tell(...args))) // prettier-ignore
      const mixed = burst.map((args, i) => executor.submit((i % 3 === 0 ? first : tell) as typeof tell, ...args))
      const wanted = burst.map((args, i) => (i % 3 === 0 ? args[0] : tell(...args)))
      assert.equal(await Promise.all(mixed), wanted)
    }
  } while (!shares())
  const bump = (object: { n: number }) => ++object.n
  const object = { n: 0 }
  for (let round = 0; round < 5; round++) {
    const counts = await Promise.all(Array.from({ length: 32 }, () => executor.submit(bump, object)))
    assert.equal(new Set(counts), new Set([1]), 'each has an object of its own')
  }
})

test.run()
