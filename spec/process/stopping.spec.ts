import { CancelledError, currentProcess, Process, ProcessError, tasksFrom } from 'manyhands'
import type { MessagePort } from 'node:worker_threads'
import { receiveMessageOnPort } from 'node:worker_threads'
import { assert, runProgram, suite, thrownBy } from '../harness.js'
import { obey } from './process.tasks.js'
import { computeForEver, startAndHear } from './replies.js'

const test = suite('stopping a process')

const never = tasksFrom<{ never(): void }>(new URL('../../../spec/fixtures/never.mjs', import.meta.url)).never

test('terminate ends a process with -15 and kill with -9, wherever it is', async () => {
  for (const [method, exitcode] of [
    ['terminate', -15],
    ['kill', -9],
  ] as const) {
    const { process } = await startAndHear(computeForEver)
    assert.is(process[method](), undefined)
    await process.join()
    assert.is(process.exitcode, exitcode)
    assert.is(process.error, undefined)
  }
})

test('the first of terminate and kill decides the exit code', async () => {
  const { process } = await startAndHear(computeForEver)
  process.terminate()
  process.kill()
  process.terminate()
  await process.join()
  assert.is(process.exitcode, -15)
})

test('stopping a process that has ended changes nothing', async () => {
  const process = new Process({ target: () => {} }).start()
  await process.join()
  process.terminate()
  process.terminate({ grace: 50 })
  process.kill()
  assert.is(process.exitcode, 0)
})

test('a process can be stopped at any moment of its beginning', async () => {
  for (const wait of [0, 1, 5, 10, 20, 40, 80]) {
    for (const target of [never, computeForEver]) {
      const args = target === never ? [] : [{ postMessage: 0 }]
      const process = new Process({ target, args: args as never }).start()
      await new Promise((resolve) => setTimeout(resolve, wait))
      if (target === never || wait < 5) process.terminate()
      else process.kill()
      if (wait % 2) await process.join()
      else process.joinSync()
      assert.ok([-15, -9, 1].includes(process.exitcode!), `${process.exitcode}`)
      assert.is(process.isAlive(), false)
    }
  }
})

test('a process that is stopped in the turn in which it is started has the exit code of that', async () => {
  const many = Array.from({ length: 12 }, (_, i) => {
    const process = new Process({ target: computeForEver, args: [new MessageChannel().port1] as never, transfer: [] })
    return [process, i] as const
  })
  for (const [process, i] of many) {
    const error = await thrownBy(() => process.start())
    assert.is(error.code, 'ERR_MANYHANDS_DATA_CLONE')
    const other = new Process({ target: never }).start()
    other.terminate()
    if (i % 2) other.joinSync()
    else await other.join()
    assert.is(other.exitcode, -15)
  }
})

for (const how of ['signal', 'flag'] as const)
  test(`terminate with grace asks first: the process sees its ${how}`, async () => {
    const { process, heard, port } = await startAndHear(obey, [how])
    assert.equal(heard, [false, false])
    process.terminate({ grace: 60_000 })
    assert.is(process.isAlive(), true)
    await process.join()
    assert.equal(receiveMessageOnPort(port)!.message, [true, 'ERR_MANYHANDS_CANCELLED', true, true])
    assert.is(process.exitcode, 3)
  })

test('the reason of currentProcess().signal is a CancelledError', async () => {
  const { process, port } = await startAndHear(async (port: MessagePort) => {
    const { currentProcess } = await import('manyhands')
    const { signal } = currentProcess()
    const aborted = new Promise((resolve) => signal.addEventListener('abort', resolve))
    port.postMessage('on')
    await aborted
    port.postMessage([signal.reason.name, signal.reason.message, signal.reason.code])
  })
  process.terminate({ grace: 60_000 })
  await process.join()
  const { name, code } = new CancelledError('')
  assert.equal(receiveMessageOnPort(port)!.message, [name, `${process.name} was asked to stop`, code])
  assert.is(process.exitcode, 0)
})

test('a process that goes on when grace is over is ended with -15', async () => {
  const { process } = await startAndHear(computeForEver)
  const begin = performance.now()
  process.terminate({ grace: 80 })
  await process.join()
  assert.ok(performance.now() - begin >= 79)
  assert.is(process.exitcode, -15)
})

test('grace runs out in joinSync, too', async () => {
  const { process } = await startAndHear(computeForEver)
  const begin = performance.now()
  process.terminate({ grace: 80 })
  process.joinSync(10)
  assert.is(process.isAlive(), true)
  process.joinSync()
  assert.ok(performance.now() - begin >= 79)
  assert.is(process.exitcode, -15)
})

// The reaper did not see the end of a thread that had not booted so far that it could hold a port: joinSync waited for ever.
test('grace runs out in joinSync at any moment of the thread’s boot', () => {
  for (let round = 0; round < 24; round++) {
    const process = new Process({ target: never, env: { ...global.process.env } }).start()
    process.terminate({ grace: (round % 8) + 1 })
    process.joinSync(20_000)
    assert.is(process.exitcode, -15, `round ${round}`)
  }
})

test('grace of 0 or less does not ask the process', async () => {
  for (const grace of [0, -1, undefined]) {
    const { process } = await startAndHear(computeForEver)
    process.terminate({ grace })
    await process.join()
    assert.is(process.exitcode, -15)
  }
})

test('kill ends a grace period, and another terminate changes it', async () => {
  const { process } = await startAndHear(computeForEver)
  process.terminate({ grace: 60_000 })
  process.kill()
  await process.join()
  assert.is(process.exitcode, -9)
  const { process: other } = await startAndHear(computeForEver)
  other.terminate({ grace: Infinity })
  other.terminate({ grace: 20 })
  await other.join()
  assert.is(other.exitcode, -15)
})

test('grace holds nothing open once the process has ended', async () => {
  const { stdout, code } = await runProgram(`
    import { Process } from 'manyhands'
    const child = new Process({ target: async () => {
      const { currentProcess } = await import('manyhands')
      const { signal } = currentProcess()
      if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve))
    } }).start()
    child.terminate({ grace: 1e9 })
    await child.join()
    const daemon = new Process({ target: () => { for (;;); }, daemon: true }).start()
    daemon.terminate({ grace: 1e9 })
    console.log(child.exitcode)`)
  assert.is(stdout, '0\n')
  assert.is(code, 0)
})

test('wrong options of terminate are refused by name, and stop nothing', async () => {
  const { process } = await startAndHear(computeForEver)
  const cases: [unknown, Function, RegExp][] = [
    [500, TypeError, /the options of terminate must be an object, \{ grace \}, not 500/],
    [null, TypeError, /the options of terminate must be an object, \{ grace \}, not null/],
    [{ timeout: 5 }, TypeError, /the options of terminate do not include 'timeout'; they are \{ grace \}/],
    [{ grace: NaN }, RangeError, /grace .* not NaN/],
    [{ grace: '5' }, TypeError, /grace must be a number of milliseconds, not '5'/],
  ]
  for (const [options, errorClass, message] of cases) {
    const error = await thrownBy(() => process.terminate(options as never))
    assert.is(error.constructor, errorClass)
    assert.match(error.message, message)
  }
  await process.join(20)
  assert.is(process.isAlive(), true)
  process.kill()
  await process.join()
})

test('a process that was not started cannot be stopped', async () => {
  const process = new Process({ target: () => {} })
  for (const stop of [() => process.terminate(), () => process.kill()]) {
    const error = await thrownBy(stop)
    assert.instance(error, ProcessError)
    assert.match(error.message, 'was not started')
  }
})

test('a stopped process takes its children along', async () => {
  const { process, port } = await startAndHear(async (port: MessagePort) => {
    const { Process } = await import('manyhands')
    const shared = new Int32Array(new SharedArrayBuffer(4))
    const child = new Process({
      target: (words: Int32Array) => {
        for (;;) {
          Atomics.add(words, 0, 1)
          Atomics.notify(words, 0)
        }
      },
      args: [shared],
    }).start()
    Atomics.wait(shared, 0, 0)
    port.postMessage([shared, child.pid])
    await child.join()
  })
  process.terminate()
  await process.join()
  assert.is(process.exitcode, -15)
  port.close()
  const { process: again, heard } = await startAndHear(async (port: MessagePort) => {
    port.postMessage('free')
  })
  assert.is(heard, 'free')
  await again.join()
})

test('the main program is not asked to stop', () => {
  assert.is(currentProcess().cancelled, false)
  assert.is(currentProcess().signal.aborted, false)
})

test('a stop can be asked for again and again, without a warning', async () => {
  const { code, stderr } = await runProgram(`
    import { Manager, Process, ProcessPoolExecutor } from 'manyhands'
    const block = () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
    const process = new Process({ target: block }).start()
    const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
    const manager = await Manager.start()
    const futures = [executor.submit(block), executor.submit(block)]
    await new Promise((resolve) => setTimeout(resolve, 100))
    for (let i = 0; i < 12; i++) void futures[0].cancel({ force: true })
    for (let i = 0; i < 12; i++) process.kill(), void executor.killWorkers(), void manager.shutdown()
    await Promise.all([process.join(), executor.shutdown(), manager.shutdown(), ...futures.map((future) => future.exception().catch(() => {}))])`)
  assert.is(code, 0, stderr)
  assert.is(stderr, '')
})

test.run()
