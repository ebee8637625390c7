import {
  CancelledError,
  DataCloneError,
  ProcessPoolExecutor,
  TimeoutError,
  WorkerDiedError,
  type Future,
} from 'manyhands'
import { assert, suite } from '../harness.js'

const test = suite('a storm of tasks')

const KINDS = ['return', 'object', 'throw', 'undefined', 'uncloneable', 'revoked', 'exit', 'timer', 'spin', 'never', 'heap', 'argument', 'cancel', 'abort'] as const // prettier-ignore
const DEADLY = ['exit', 'timer', 'spin', 'abort', 'never', 'heap'] as const
type Kind = (typeof KINDS)[number]

/** What the task of each kind does. */
function act(runs: Int32Array, i: number, kind: Kind): unknown {
  Atomics.add(runs, i, 1)
  switch (kind) {
    case 'object':
      return { i }
    case 'throw':
      throw Object.assign(new RangeError(`task ${i}`), { i })
    case 'undefined':
      throw undefined
    case 'uncloneable':
      return { deep: [() => {}] }
    case 'revoked': {
      const { proxy, revoke } = Proxy.revocable({}, {})
      revoke()
      throw proxy
    }
    case 'exit':
      return process.exit(i % 100)
    case 'timer':
      setImmediate(() => {
        throw new RangeError(`timer ${i}`)
      })
      return new Promise(() => {})
    case 'spin':
      for (;;);
    case 'never':
      return new Promise(() => {})
    case 'heap':
      for (const all: number[][] = []; ;) all.push(Array.from({ length: 1000 }, (_, n) => n + 0.5))
    default:
      return i
  }
}

/** What is documented to become of each. */
const expected: Record<Kind, (result: PromiseSettledResult<unknown>, i: number) => boolean> = {
  return: (result, i) => result.status === 'fulfilled' && result.value === i,
  object: (result, i) => result.status === 'fulfilled' && (result.value as { i: number }).i === i,
  throw: rejected((e, i) => e instanceof RangeError && e.message === `task ${i}` && (e as never as { i: number }).i === i), // prettier-ignore
  undefined: rejected((e) => e === undefined),
  uncloneable: rejected((e) => e instanceof DataCloneError && e.path === 'result.deep[0]'),
  revoked: rejected((e) => e instanceof Error),
  exit: rejected((e, i) => e instanceof WorkerDiedError && e.exitcode === i % 100),
  timer: rejected((e, i) => e instanceof WorkerDiedError && (e.cause as Error).message === `timer ${i}`),
  spin: rejected((e) => e instanceof TimeoutError),
  never: rejected((e) => e instanceof TimeoutError),
  heap: rejected(
    (e) => e instanceof WorkerDiedError && (e.cause as { code: string }).code === 'ERR_WORKER_OUT_OF_MEMORY',
  ),
  argument: rejected((e) => e instanceof DataCloneError && e.path === 'args[2].no'),
  cancel: (result, i) => rejected((e) => e instanceof CancelledError)(result, i) || expected.return(result, i),
  abort: rejected((e) => e === 'enough'),
}

function rejected(check: (reason: unknown, i: number) => boolean) {
  return (result: PromiseSettledResult<unknown>, i: number) => result.status === 'rejected' && check(result.reason, i)
}

/** Mostly harmless; deaths cost a thread each. The same in every run. */
function kindOf(i: number): Kind {
  if (i % 97 === 11) return DEADLY[Math.floor(i / 97) % DEADLY.length]!
  const harmless = KINDS.filter((kind) => !(DEADLY as readonly string[]).includes(kind))
  return harmless[(i * 7) % harmless.length]!
}

for (const options of [{ maxWorkers: 3 }, { maxWorkers: 2, maxTasksPerChild: 100, idleTimeout: 1 }]) {
  test(`settles every future exactly as documented, and runs nothing twice: ${JSON.stringify(options)}`, async () => {
    const executor = new ProcessPoolExecutor({ ...options, resourceLimits: { maxOldGenerationSizeMb: 32 } })
    const total = 3000
    const runs = new Int32Array(new SharedArrayBuffer(4 * total))
    const controller = new AbortController()
    const futures: Future[] = []
    for (let i = 0; i < total; i++) {
      const kind = kindOf(i)
      const through =
        kind === 'spin' || kind === 'never'
          ? executor.with({ timeout: 5 })
          : kind === 'abort'
            ? executor.with({ signal: controller.signal })
            : executor
      const argument = kind === 'argument' ? { no: () => {} } : kind === 'abort' ? 'spin' : kind
      futures.push(through.submit(act, runs, i, argument as Kind))
      if (kind === 'cancel' && i % 2) futures[i]!.cancel()
      if (kind === 'cancel' && !(i % 2)) void futures[i]!.exception().catch(() => {})
      if (i % 500 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    const stormed = Promise.allSettled(futures)
    // What shall abort, aborts as the first of its kind runs, or waits.
    void futures[kindIndex('abort')]!.exception().catch(() => {})
    const poll = setInterval(() => {
      if (Atomics.load(runs, kindIndex('abort')) === 1) controller.abort('enough')
    }, 2)
    for (const [i, result] of (await stormed).entries()) {
      const kind = kindOf(i)
      assert.ok(expected[kind](result, i), `task ${i}, ${kind}: ${JSON.stringify(result)} ${String((result as { reason?: unknown }).reason)}`) // prettier-ignore
      const wasCancelled = futures[i]!.cancelled()
      const neverRan = kind === 'argument' || wasCancelled
      // What is stopped from outside may be stopped before its first step.
      const least = kind === 'abort' || kind === 'spin' || kind === 'never' ? runs[i]! : neverRan ? 0 : 1
      assert.ok(runs[i] === least && least <= 1, `task ${i}, ${kind}, ran ${runs[i]} times`)
    }
    clearInterval(poll)
    const { queued, running, completed, failed, cancelled } = executor.stats()
    assert.equal([queued, running, completed + failed + cancelled], [0, 0, total])
    assert.is(await executor.submit(() => 'still works'), 'still works')
    await executor.shutdown()
    assert.is(executor.stats().workers, 0)
  })
}

function kindIndex(kind: Kind): number {
  let i = 0
  while (kindOf(i) !== kind) i++
  return i
}

test.run()
