import { Process, ProcessError, type Target, type WaitOptions } from 'manyhands'
import { getEventListeners } from 'node:events'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { MessagePort } from 'node:worker_threads'
import { assert, runProgram, suite, thrownBy } from '../harness.js'
import { computeForEver, startAndHear } from './replies.js'

const test = suite('waiting for a process')

test('join returns at the end, any number of times, and several at once', async () => {
  const process = new Process({ target: () => void setTimeout(() => {}, 30) }).start()
  await Promise.all([process.join(), process.join(), process.join({ timeout: 60_000 })])
  assert.is(process.exitcode, 0)
  assert.is(process.isAlive(), false)
  await process.join()
  await process.join(0)
  process.joinSync()
  process.joinSync(0)
})

test('join returns undefined when the time is over, and the process goes on', async () => {
  const { process } = await startAndHear(computeForEver)
  for (const limit of [0, -5, -Infinity, 1, 20, { timeout: 20 }, { timeout: 0 }] as WaitOptions[]) {
    assert.is(await process.join(limit), undefined)
    assert.is(process.isAlive(), true)
    assert.is(process.exitcode, null)
  }
  const begin = performance.now()
  await process.join(50)
  process.joinSync(50)
  assert.ok(performance.now() - begin >= 99)
  for (const limit of [0, -5, -Infinity, 1]) assert.is(process.joinSync(limit), undefined)
  assert.is(process.isAlive(), true)
  process.kill()
  await process.join(Infinity)
  assert.is(process.isAlive(), false)
})

test('joinSync needs nothing of the blocked event loop, however the process ends', async () => {
  const { process: computing } = await startAndHear(computeForEver)
  computing.terminate()
  computing.joinSync()
  assert.is(computing.exitcode, -15)
  const { process: sleeping } = await startAndHear((port: MessagePort) => {
    port.postMessage('sleeping')
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
  })
  sleeping.kill()
  sleeping.joinSync()
  assert.is(sleeping.exitcode, -9)
  const cases: [Target, number][] = [
    [() => {}, 0],
    [() => process.exit(7), 7],
    [() => void setTimeout(() => {}, 20), 0],
    [() => console.log(''), 0],
  ]
  for (const [target, exitcode] of cases) {
    const child = new Process({ target }).start()
    child.joinSync()
    assert.is(child.exitcode, exitcode, String(target))
    assert.is(child.isAlive(), false)
  }
})

test('joinSync returns when the thread ended before it was called, unseen by the blocked event loop', () => {
  const words = new Int32Array(new SharedArrayBuffer(4))
  const child = new Process({
    target: (shared: Int32Array) => {
      process.on('exit', () => {
        Atomics.store(shared, 0, 1)
        Atomics.notify(shared, 0)
      })
    },
    args: [words],
  }).start()
  Atomics.wait(words, 0, 0)
  // The thread needs a moment more to be gone. Nothing tells of it: the loop is blocked.
  Atomics.wait(words, 0, 1, 200)
  child.joinSync()
  assert.is(child.exitcode, 0)
})

test('joinSync in one process waits for its child', async () => {
  const { heard, process: parent } = await startAndHear(async (port: MessagePort) => {
    const { Process } = await import('manyhands')
    const child = new Process({ target: () => process.exit(6) }).start()
    child.joinSync()
    port.postMessage(child.exitcode)
  })
  assert.is(heard, 6)
  await parent.join()
})

test('an aborted signal rejects join with its reason, and the process goes on', async () => {
  const { process } = await startAndHear(computeForEver)
  const reason = new Error('enough')
  assert.is(await thrownBy(() => process.join({ signal: AbortSignal.abort(reason) })), reason)
  const controller = new AbortController()
  const joining = process.join({ signal: controller.signal, timeout: 60_000 })
  controller.abort(reason)
  assert.is(await thrownBy(() => joining), reason)
  assert.equal(getEventListeners(controller.signal, 'abort'), [])
  assert.is(process.isAlive(), true)
  const unused = new AbortController()
  process.kill()
  await process.join({ signal: unused.signal })
  assert.equal(getEventListeners(unused.signal, 'abort'), [])
  assert.is(await thrownBy(() => process.join({ signal: AbortSignal.abort(reason) })), reason)
})

test('wrong options of join are refused by name', async () => {
  const process = new Process({ target: () => {} }).start()
  const cases: [unknown, Function, RegExp][] = [
    [NaN, RangeError, /timeout .* not NaN/],
    [{ timeout: NaN }, RangeError, /timeout .* not NaN/],
    [{ timeout: '5' }, TypeError, /timeout must be a number of milliseconds, not '5'/],
    [{ timeout: 5n }, TypeError, /timeout must be a number of milliseconds, not 5n/],
    [null, TypeError, /wait options must be .* not null/],
    ['5', TypeError, /wait options must be .* not '5'/],
    [{ signal: {} }, TypeError, /signal must be an AbortSignal, not \{\}/],
    [{ signal: 'now' }, TypeError, /signal must be an AbortSignal, not 'now'/],
  ]
  for (const [options, errorClass, message] of cases) {
    const error = await thrownBy(() => process.join(options as WaitOptions))
    assert.is(error.constructor, errorClass)
    assert.match(error.message, message)
  }
  assert.instance(await thrownBy(() => process.joinSync(NaN)), RangeError)
  const error = await thrownBy(() => process.joinSync('5' as never))
  assert.instance(error, TypeError)
  assert.match(error.message, 'timeoutMs must be a number')
  await process.join()
})

test('join before start is an error, not a wait', async () => {
  const process = new Process({ target: () => {}, name: 'unstarted' })
  for (const wait of [() => process.join(), () => process.joinSync(), () => process.sentinel]) {
    const error = await thrownBy(wait)
    assert.instance(error, ProcessError)
    assert.is(error.code, 'ERR_MANYHANDS_PROCESS')
    assert.match(error.message, 'unstarted was not started')
  }
})

test('the sentinel is ready when the process has ended', async () => {
  const { process } = await startAndHear(computeForEver)
  const { sentinel } = process
  assert.is(process.sentinel, sentinel)
  assert.is(sentinel.ready, false)
  process.terminate()
  process.joinSync()
  assert.is(sentinel.ready, true)
  const other = new Process({ target: () => {} }).start()
  await other.join()
  assert.is(other.sentinel.ready, true)
})

test('many joins with one signal, and many timed out ones, leave nothing behind', async () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const { process } = await startAndHear(computeForEver)
  const { signal } = new AbortController()
  const warnings: Error[] = []
  const onWarning = (warning: Error) => warnings.push(warning)
  global.process.on('warning', onWarning)
  const poll = (times: number) => Promise.all(Array.from({ length: times }, () => process.join({ timeout: 0, signal })))
  const heap = async () => {
    await poll(2000)
    collect()
    return global.process.memoryUsage().heapUsed
  }
  await heap()
  const before = await heap()
  for (let i = 0; i < 10; i++) await poll(2000)
  const grown = (await heap()) - before
  process.kill()
  await process.join()
  global.process.off('warning', onWarning)
  assert.ok(grown < 2e6, `20000 joins left ${grown} bytes`)
  assert.equal(getEventListeners(signal, 'abort'), [])
  assert.equal(warnings, [])
})

test('a pending join holds the program, also of a daemon; what has been waited for does not', async () => {
  const { stdout, code } = await runProgram(`
    import { Process } from 'manyhands'
    const daemon = new Process({ daemon: true, target: () => void setTimeout(() => process.exit(3), 60) }).start()
    await daemon.join(1)
    await daemon.join()
    console.log(daemon.exitcode)
    const other = new Process({ daemon: true, target: () => { for (;;); } }).start()
    await other.join(20)
    console.log('leaving')`)
  assert.is(stdout, '3\nleaving\n')
  assert.is(code, 0)
})

test.run()
