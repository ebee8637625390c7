import { CancelledError, Future, InvalidStateError, TimeoutError } from 'manyhands'
import { inspect, types } from 'node:util'
import { assert, runProgram, suite, thrownBy } from '../harness.js'

const test = suite('a future')

test('a future begins pending: neither running, nor done, nor cancelled', () => {
  const future = new Future()
  assert.equal([future.running(), future.done(), future.cancelled()], [false, false, false])
})

test('a running future cannot be cancelled, and cannot begin again', async () => {
  const future = new Future()
  assert.is(future.setRunningOrNotifyCancel(), true)
  assert.equal([future.running(), future.done(), future.cancelled()], [true, false, false])
  assert.is(future.cancel(), false)
  assert.instance(await thrownBy(() => future.setRunningOrNotifyCancel()), InvalidStateError)
})

test('a future with a result gives it to every caller, and null as its exception', async () => {
  const future = new Future<number>()
  const early = future.result()
  future.setResult(5)
  assert.equal([future.running(), future.done(), future.cancelled()], [false, true, false])
  assert.equal([await early, await future.result(), await future], [5, 5, 5])
  assert.is(await future.exception(), null)
  assert.is(future.cancel(), false)
})

test('a failed future throws exactly what it failed with, and gives it as its exception', async () => {
  const future = new Future()
  const reason = new RangeError('too far')
  future.setException(reason)
  assert.is(future.done(), true)
  assert.is(await thrownBy(() => future.result()), reason)
  assert.is(await thrownBy(() => future), reason)
  assert.is(await future.exception(), reason)
  assert.is(future.cancel(), false)
})

test('a future that failed with undefined has failed', async () => {
  const future = new Future()
  future.setException(undefined)
  assert.is(await thrownBy(() => future.result()), undefined)
  assert.is(await future.exception(), undefined)
})

test('a cancelled future stays cancelled, and throws CancelledError to every caller', async () => {
  const future = new Future()
  const early = [future.result(), future.exception()].map(async (asked) => thrownBy(() => asked))
  assert.is(future.cancel(), true)
  assert.is(future.cancel(), true)
  assert.equal([future.running(), future.done(), future.cancelled()], [false, true, true])
  assert.is(future.setRunningOrNotifyCancel(), false)
  for (const error of [...(await Promise.all(early)), await thrownBy(() => future)]) {
    assert.instance(error, CancelledError)
    assert.is(error.code, 'ERR_MANYHANDS_CANCELLED')
  }
})

test('a future cannot be settled twice', async () => {
  const settle = {
    result: (future: Future) => future.setResult(1),
    exception: (future: Future) => future.setException(new Error('no')),
    cancelled: (future: Future) => future.cancel(),
  }
  for (const first of [settle.result, settle.exception, settle.cancelled]) {
    for (const second of [settle.result, settle.exception]) {
      const future = new Future()
      first(future)
      const error = await thrownBy(() => second(future))
      assert.instance(error, InvalidStateError)
      assert.is(error.code, 'ERR_MANYHANDS_INVALID_STATE')
    }
  }
})

test('a future calls its callbacks with itself, in the order in which they were added', () => {
  const future = new Future()
  const calls: unknown[] = []
  future.addDoneCallback((done) => calls.push('first', done))
  future.addDoneCallback((done) => calls.push('second', done))
  assert.equal(calls, [])
  future.setResult(1)
  assert.equal(calls.length, 4)
  assert.equal([calls[0], calls[2]], ['first', 'second'])
  assert.ok(calls[1] === future && calls[3] === future)
})

test('a done future calls a new callback at once', () => {
  const [finished, failed, cancelled] = [new Future(), new Future(), new Future()]
  finished.setResult(1)
  failed.setException(1)
  cancelled.cancel()
  const called: Future[] = []
  for (const future of [finished, failed, cancelled]) future.addDoneCallback((done) => called.push(done))
  assert.ok(called[0] === finished && called[1] === failed && called[2] === cancelled)
})

test('a cancelled future calls its callbacks once', () => {
  const future = new Future()
  let calls = 0
  future.addDoneCallback(() => calls++)
  future.cancel()
  future.cancel()
  assert.is(calls, 1)
})

test('a future prints what a callback throws, and calls the next one', async () => {
  const { code, stdout, stderr } = await runProgram(`
    import { Future } from 'manyhands'
    const future = new Future()
    future.addDoneCallback(() => { throw new RangeError('of the first callback') })
    future.addDoneCallback(async () => { throw new RangeError('of the asynchronous callback') })
    future.addDoneCallback(() => console.log('the third ran'))
    future.setResult(1)
    future.addDoneCallback(() => { throw undefined })
    console.log(await future)
  `)
  assert.is(code, 0)
  assert.is(stdout, 'the third ran\n1\n')
  assert.match(stderr, /RangeError: of the first callback/)
  assert.match(stderr, /RangeError: of the asynchronous callback/)
  assert.match(stderr, /undefined/)
})

test('addDoneCallback refuses anything but a function', async () => {
  const error = await thrownBy(() => new Future().addDoneCallback('print' as never))
  assert.instance(error, TypeError)
  assert.match(error.message, 'print')
})

test('a future can be used like a promise', async () => {
  const [good, bad] = [new Future<number>(), new Future<number>()]
  good.setResult(1)
  bad.setException('bad')
  let finallyRan = 0
  assert.is(await good.then((value) => value + 1), 2)
  assert.is(await good.catch(() => 7), 1)
  assert.is(await good.finally(() => finallyRan++), 1)
  assert.is(await bad.then(null, (reason) => `${reason} indeed`), 'bad indeed')
  assert.is(await bad.catch((reason) => `${reason} indeed`), 'bad indeed')
  assert.is(await thrownBy(() => bad.finally(() => finallyRan++)), 'bad')
  assert.is(finallyRan, 2)
  assert.equal(await Promise.all([good, good]), [1, 1])
  assert.is((await Promise.allSettled([bad]))[0].status, 'rejected')
})

test('a future is a promise, which nothing that awaits it wraps in another', async () => {
  const future = new Future<number>()
  assert.ok(types.isPromise(future) && future instanceof Promise && future instanceof Future)
  assert.ok(Promise.resolve(future) === future)
  const order: string[] = []
  const awaitIt = async () => {
    await future
    order.push('future')
  }
  const turns = async () => {
    await Promise.resolve()
    order.push('one turn')
    await Promise.resolve()
    order.push('two turns')
  }
  const both = [awaitIt(), future.then((value) => order.push(`then ${value}`))]
  future.setResult(1)
  await Promise.all([...both, turns()])
  assert.equal(order, ['future', 'then 1', 'one turn', 'two turns'])
})

test('what then, catch, finally and result give is a plain promise, of a subclass as well', async () => {
  class Named extends Future<number> {
    readonly title = 'mine'
  }
  for (const future of [new Future<number>(), new Named()]) {
    const derived = [
      future.then(null),
      future.catch(() => {}),
      future.finally(() => {}),
      future.result(),
      future.result(1000),
    ]
    for (const promise of derived) {
      assert.ok(promise instanceof Promise && !(promise instanceof Future))
      assert.ok(Object.getPrototypeOf(promise) === Promise.prototype)
    }
    future.setResult(5)
    assert.equal(await Promise.all(derived), [5, 5, 5, 5, 5])
  }
  assert.is(inspect(new Named()), "Named [Future pending] { title: 'mine' }")
})

test('a future is not made by what makes promises', async () => {
  for (const make of [() => Future.resolve(1), () => Future.all([]), () => new Future((() => {}) as never)])
    assert.match((await thrownBy(make)).message, 'use those of Promise')
  for (const make of [() => new Future({} as never), () => new Future(null as never)])
    assert.match((await thrownBy(make)).message, 'a Future has no options, not')
})

test('a future passes on to each who asks what it was settled with, in the order of asking, before and after', async () => {
  const reason = new Error('no')
  for (const settle of [
    (future: Future<unknown>) => future.setException(reason),
    (future: Future<unknown>) => future.setResult(Promise.reject(reason)),
    (future: Future<unknown>) =>
      // oxlint-disable-next-line unicorn/no-thenable -- a result may be one
      future.setResult({ then: (_: unknown, reject: (reason: unknown) => void) => reject(reason) }),
  ]) {
    const future = new Future<unknown>()
    const order: number[] = []
    const asked = [0, 1, 2].map((i) => future.then(null, (thrown) => [order.push(i), thrown]))
    settle(future)
    asked.push(future.then(null, (thrown) => [order.push(3), thrown]))
    const thrown = (await Promise.all(asked)).map((entry) => (entry as unknown[])[1])
    assert.equal(order, [0, 1, 2, 3])
    assert.ok(thrown.every((each) => each === reason))
  }
})

test('result and exception of a future time out, and can be called again', async () => {
  const future = new Future<number>()
  for (const ask of [
    () => future.result({ timeout: 10 }),
    () => future.result(10),
    () => future.result(0),
    () => future.result(-5),
    () => future.exception({ timeout: 10 }),
    () => future.exception(0),
  ]) {
    const error = await thrownBy(ask)
    assert.instance(error, TimeoutError)
    assert.is(error.code, 'ERR_MANYHANDS_TIMEOUT')
  }
  assert.is(future.done(), false)
  const waited = future.result(Infinity)
  future.setResult(1)
  assert.is(await waited, 1)
  assert.is(await future.result(0), 1)
})

test("result and exception of a future reject with their signal's reason", async () => {
  const future = new Future<number>()
  const controller = new AbortController()
  const asked = [future.result({ signal: controller.signal }), future.exception({ signal: controller.signal })]
  controller.abort('enough')
  for (const answer of asked) assert.is(await thrownBy(() => answer), 'enough')
  assert.is(await thrownBy(() => future.result({ signal: controller.signal })), 'enough')
  future.setResult(1)
  assert.is(await future.result(), 1)
})

test('result and exception of a future refuse bad times and signals', async () => {
  const future = new Future()
  for (const ask of [
    () => future.result(NaN),
    () => future.exception({ timeout: NaN }),
    () => future.cancel({ force: true, grace: NaN }),
  ])
    assert.instance(await thrownBy(ask), RangeError)
  for (const ask of [
    () => future.result({ timeout: '5' as never }),
    () => future.result({ signal: {} as never }),
    () => future.result('5' as never),
    () => future.result(null as never),
    () => future.exception({ timeout: '5' as never }),
    () => future.exception({ signal: {} as never }),
    () => future.exception(null as never),
  ])
    assert.instance(await thrownBy(ask), TypeError)
})

test('cancel refuses bad options, and does not cancel', async () => {
  const future = new Future()
  for (const [bad, message] of [
    [null, /options of cancel.*{ force, grace }.*null/],
    [true, /options of cancel.*true/],
    [{ force: 'yes' }, /force must be true or false, not 'yes'/],
    [{ force: null }, /force.*null/],
    [{ force: true, grace: '5' }, /grace/],
    [{ grace: null }, /grace/],
  ] as const) {
    const error = await thrownBy(() => future.cancel(bad as never))
    assert.instance(error, TypeError)
    assert.match(error.message, message)
  }
  assert.is(future.cancelled(), false)
})

test('a failed future that nobody looks at is silent', async () => {
  const { code, stdout, stderr } = await runProgram(`
    import { CancelledError, Future, ProcessPoolExecutor } from 'manyhands'
    process.on('unhandledRejection', () => console.log('unhandled'))
    new Future().setException(new Error('of a future'))
    new Future().cancel()
    const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
    executor.submit(() => { throw new Error('of a task') })
    executor.submit(() => {}).cancel()
    executor.submit(() => process.exit(1))
    executor.map(() => { throw new Error('of a map') }, [1, 2])
    await executor.shutdown()
    console.log('done')
  `)
  assert.equal({ code, stdout, stderr }, { code: 0, stdout: 'done\n', stderr: '' })
})

test('a failure that somebody asked for and nobody handles is not silent', async () => {
  const { stdout } = await runProgram(`
    import { Future } from 'manyhands'
    process.on('unhandledRejection', ({ message }) => console.log(message))
    for (const [name, ask] of Object.entries({
      result: (future) => future.result(),
      timed: (future) => future.result(10_000),
      then: (future) => future.then(() => {}),
      finally: (future) => future.finally(() => {}),
      await: async (future) => { await future },
      all: (future) => Promise.all([future]),
      handled: (future) => future.catch(() => {}),
      exception: (future) => future.exception(),
      callback: (future) => future.addDoneCallback(() => {}),
    })) {
      const future = new Future()
      void ask(future)
      future.setException(new Error(name))
      await new Promise((resolve) => setImmediate(resolve))
    }
    new Future().setResult(Promise.reject(new Error('of the result')))
    new Future().setResult({ get then() { throw new Error('of a getter') } })
  `)
  assert.is(stdout, 'result\ntimed\nthen\nfinally\nawait\nall\n')
})

test('a result that comes in time leaves no timer behind', async () => {
  const { code, stdout } = await runProgram(`
    import { Future } from 'manyhands'
    const future = new Future()
    const controller = new AbortController()
    const asked = [future.result(1e9), future.exception({ timeout: 1e9, signal: controller.signal })]
    future.setResult(1)
    await Promise.all(asked)
    console.log(process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length)
  `)
  assert.equal([code, stdout], [0, '0\n'])
})

test('a future that nobody has is not kept, nor what it was settled with', async () => {
  const { stdout } = await runProgram(`
    import { Future } from 'manyhands'
    import { setFlagsFromString } from 'node:v8'
    import { runInNewContext } from 'node:vm'
    setFlagsFromString('--expose-gc')
    const made = () => {
      const [pending, settled, value] = [new Future(), new Future(), {}]
      settled.setResult(value)
      return [pending, settled, value].map((object) => new WeakRef(object))
    }
    const refs = [...made(), ...made().reverse()]
    await new Promise((resolve) => setImmediate(resolve))
    runInNewContext('gc')()
    console.log(refs.filter((ref) => ref.deref()).length)
  `)
  assert.is(stdout, '0\n')
})

test('a forced cancel of a future without work cancels it only if it is pending', async () => {
  const [pending, running, done] = [new Future(), new Future(), new Future()]
  running.setRunningOrNotifyCancel()
  done.setResult(1)
  assert.is(await pending.cancel({ force: true }), true)
  assert.is(await done.cancel({ force: true }), false)
  assert.is(await running.cancel({ force: true }), false)
  assert.is(running.running(), true)
})

test.run()
