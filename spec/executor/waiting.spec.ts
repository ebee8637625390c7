import { ALL_COMPLETED, asCompleted, FIRST_COMPLETED, FIRST_EXCEPTION, Future, TimeoutError, wait } from 'manyhands'
import { assert, suite, thrownBy } from '../harness.js'

const test = suite('waiting for several futures')

function done<R>(value: R): Future<R> {
  const future = new Future<R>()
  future.setResult(value)
  return future
}

/** Whether a promise has settled by the time that everything which could settle it has been given its turn. */
async function isPending(promise: Promise<unknown>): Promise<boolean> {
  let pending = true
  const settled = () => (pending = false)
  promise.then(settled, settled)
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve))
  return pending
}

async function collect<F extends Future<any>>(futures: AsyncIterable<F>): Promise<F[]> {
  const all: F[] = []
  for await (const future of futures) all.push(future)
  return all
}

test('asCompleted yields each future once, those that are done first', async () => {
  const [slow, fast] = [new Future<string>(), new Future<string>()]
  fast.setResult('fast')
  const seen: Future<string>[] = []
  for await (const future of asCompleted([slow, fast, slow])) {
    seen.push(future)
    if (future === fast) slow.setResult('slow')
  }
  assert.equal(await Promise.all(seen), ['fast', 'slow'])
  assert.is(seen[0], fast)
})

test('asCompleted yields in the order in which the futures get done, however they do', async () => {
  const [a, b, c] = [new Future(), new Future(), new Future()]
  const collected = collect(asCompleted(new Set([a, b, c])))
  c.setException(new Error('c'))
  a.cancel()
  b.setResult(1)
  const order = await collected
  assert.ok(order[0] === c && order[1] === a && order[2] === b && order.length === 3)
})

test('asCompleted of nothing ends at once, also with no time', async () => {
  assert.equal(await collect(asCompleted([])), [])
  assert.equal(await collect(asCompleted([], 0)), [])
})

test('asCompleted yields what is done even when there is no time to wait', async () => {
  assert.is((await collect(asCompleted([done(1), done(2)], { timeout: 0 }))).length, 2)
})

test('asCompleted reads any iterable once', async () => {
  function* futures() {
    yield done(1)
    yield done(2)
  }
  assert.is((await collect(asCompleted(futures()))).length, 2)
})

test('asCompleted says how many are unfinished when the time is over', async () => {
  const [finished, other] = [done(1), new Future()]
  const error = await thrownBy(async () => {
    for await (const _ of asCompleted([finished, other, new Future(), finished], { timeout: 20 }));
  })
  assert.instance(error, TimeoutError)
  assert.is(error.code, 'ERR_MANYHANDS_TIMEOUT')
  assert.is(error.message, '2 (of 3) futures unfinished')
})

test('asCompleted counts its time from the call, not from each step', async () => {
  const sleep = (ms: number) => new Promise<string>((resolve) => setTimeout(() => resolve(`after ${ms} ms`), ms))
  const futures = asCompleted([done(1), new Future()], 30)
  await futures.next()
  await sleep(31)
  const step = futures.next().then(null, (error: Error) => error.message)
  // A step with time of its own would end behind this sleep.
  assert.is(await Promise.race([step, sleep(25)]), '1 (of 2) futures unfinished')
})

test('asCompleted ends with the reason of its signal', async () => {
  const controller = new AbortController()
  const finished = done(1)
  let seen = 0
  const error = await thrownBy(async () => {
    for await (const _ of asCompleted([finished, new Future()], { signal: controller.signal })) {
      seen++
      controller.abort('enough')
    }
  })
  assert.equal([seen, error], [1, 'enough'])
})

test('asCompleted may be asked for several at a time', async () => {
  const [a, b] = [new Future<string>(), new Future<string>()]
  const futures = asCompleted([a, b])
  const steps = [futures.next(), futures.next(), futures.next()]
  b.setResult('b')
  a.setResult('a')
  const results = await Promise.all(steps)
  assert.ok(results[0]!.value === b && results[1]!.value === a)
  assert.is(results[2]!.done, true)
})

test('asCompleted may be left early', async () => {
  for await (const future of asCompleted([new Future(), done(1)])) {
    assert.is(await (future as Future).result(), 1)
    break
  }
})

test('asCompleted refuses what is not a future, at the call', async () => {
  for (const bad of [null, undefined, 5, done(1), [1], [done(1), Promise.resolve(1)]])
    assert.instance(await thrownBy(() => asCompleted(bad as never)), TypeError)
  assert.instance(await thrownBy(() => asCompleted([], NaN)), RangeError)
  assert.instance(await thrownBy(() => asCompleted([], { timeout: NaN })), RangeError)
  assert.instance(await thrownBy(() => asCompleted([], { timeout: '5' as never })), TypeError)
})

test('wait waits until all are done, however they end', async () => {
  const [a, b, c] = [new Future(), new Future(), new Future()]
  const waited = wait([a, b, c])
  a.setException(new Error('a'))
  b.cancel()
  assert.is(await isPending(waited), true)
  c.setResult(1)
  const { done, notDone } = await waited
  assert.is(done.size, 3)
  assert.is(notDone.size, 0)
  assert.ok(done instanceof Set && notDone instanceof Set)
})

test('wait returns what is done and what is not when the time is over, without an error', async () => {
  const [finished, other] = [done(1), new Future()]
  for (const timeout of [10, 0, -1]) {
    const result = await wait([finished, other], { timeout })
    assert.ok(result.done.has(finished) && result.done.size === 1)
    assert.ok(result.notDone.has(other) && result.notDone.size === 1)
  }
})

test('wait for the first ends with any: a result, an error, or one that is cancelled', async () => {
  for (const settle of [
    (future: Future) => future.setResult(1),
    (future: Future) => future.setException(1),
    (future: Future) => future.cancel(),
  ]) {
    const [first, other] = [new Future(), new Future()]
    const waited = wait([other, first], { returnWhen: FIRST_COMPLETED })
    assert.is(await isPending(waited), true)
    settle(first)
    const { done, notDone } = await waited
    assert.ok(done.has(first) && notDone.has(other))
  }
})

test('wait for the first does not wait when one is done already', async () => {
  const [finished, other] = [done(1), new Future()]
  const result = await wait([other, finished], { returnWhen: FIRST_COMPLETED })
  assert.ok(result.done.has(finished) && result.notDone.has(other))
})

test('wait for the first exception goes on past results and cancelled ones', async () => {
  const [good, cancelled, bad, other] = [new Future(), new Future(), new Future(), new Future()]
  const waited = wait([good, cancelled, bad, other], { returnWhen: FIRST_EXCEPTION })
  good.setResult(1)
  cancelled.cancel()
  assert.is(await isPending(waited), true)
  bad.setException(undefined)
  const { done, notDone } = await waited
  assert.is(done.size, 3)
  assert.ok(notDone.has(other) && notDone.size === 1)
})

test('wait for the first exception ends when all are done and none failed', async () => {
  const [good, cancelled] = [new Future(), new Future()]
  const waited = wait([good, cancelled], { returnWhen: FIRST_EXCEPTION })
  good.setResult(1)
  assert.is(await isPending(waited), true)
  cancelled.cancel()
  assert.is((await waited).done.size, 2)
})

test('wait for the first exception does not wait when one has failed already', async () => {
  const [bad, other] = [new Future(), new Future()]
  bad.setException(new Error('bad'))
  assert.ok((await wait([other, bad], { returnWhen: FIRST_EXCEPTION })).notDone.has(other))
})

test('wait counts a future that is given twice once', async () => {
  const [future, other] = [new Future(), new Future()]
  const waited = wait([future, future, other])
  future.setResult(1)
  assert.is(await isPending(waited), true)
  other.setResult(1)
  assert.is((await waited).done.size, 2)
})

test('wait for nothing returns two empty sets at once', async () => {
  for (const returnWhen of [ALL_COMPLETED, FIRST_COMPLETED, FIRST_EXCEPTION] as const) {
    const { done, notDone } = await wait([], { returnWhen })
    assert.equal([done.size, notDone.size], [0, 0])
  }
})

test('wait takes a plain number for its time', async () => {
  const [finished, other] = [done(1), new Future()]
  const { done: finishedSet, notDone } = await wait([finished, other], 10)
  assert.ok(finishedSet.has(finished) && notDone.has(other))
})

test('wait ends with the reason of its signal, whatever that is, unless there is nothing to wait for', async () => {
  for (const reason of ['enough', new TimeoutError('of the caller')]) {
    const controller = new AbortController()
    const { signal } = controller
    const waited = wait([done(1), new Future()], { signal, timeout: 60_000 })
    assert.is(await isPending(waited), true)
    controller.abort(reason)
    assert.is(await thrownBy(() => waited), reason)
    assert.is(await thrownBy(() => wait([new Future()], { signal })), reason)
    assert.is((await wait([done(1), new Future()], { signal, returnWhen: FIRST_COMPLETED })).done.size, 1)
  }
})

test('wait refuses what is not a future, a time, a signal or a condition', async () => {
  for (const bad of [null, undefined, 5, done(1), [1]])
    assert.instance(await thrownBy(() => wait(bad as never)), TypeError)
  for (const bad of [NaN, { timeout: NaN }]) assert.instance(await thrownBy(() => wait([], bad)), RangeError)
  for (const bad of [null, '5', { timeout: '5' }, { signal: {} }, { returnWhen: null }, { returnwhen: ALL_COMPLETED }])
    assert.instance(await thrownBy(() => wait([], bad as never)), TypeError)
  const error = await thrownBy(() => wait([], { returnWhen: 'LAST' as never }))
  assert.instance(error, TypeError)
  assert.match(error.message, 'FIRST_EXCEPTION')
  assert.match(error.message, 'LAST')
})

test.run()
