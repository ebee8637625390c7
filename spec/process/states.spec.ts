import { Process, ProcessError, type ProcessOptions } from 'manyhands'
import { assert, suite, thrownBy } from '../harness.js'
import { computeForEver, ended, startAndHear } from './replies.js'

const test = suite('the states of a process')

/** Fails unless `fn` is refused as a wrong use of a process. */
async function refused(fn: () => unknown, message: string | RegExp): Promise<void> {
  const error = await thrownBy(fn)
  assert.instance(error, ProcessError)
  assert.is(error.code, 'ERR_MANYHANDS_PROCESS')
  assert.match(error.message, message)
}

test('before start a process is not alive, and has no pid, exit code or error', () => {
  const process = new Process({ target: () => {} })
  assert.is(process.isAlive(), false)
  assert.is(process.pid, undefined)
  assert.is(process.exitcode, null)
  assert.is(process.error, undefined)
})

test('start returns the process, and can be called once', async () => {
  const process = new Process({ target: () => {}, name: 'once' })
  assert.is(process.start(), process)
  assert.is(process.isAlive(), true)
  await refused(() => process.start(), 'once cannot be started twice')
  await process.join()
  await refused(() => process.start(), 'once cannot be started twice')
  assert.is(process.isAlive(), false)
})

test('only a process that has ended can be closed', async () => {
  const unstarted = new Process({ target: () => {}, name: 'unstarted' })
  await refused(() => unstarted.close(), 'unstarted was not started; call start() before close()')
  const { process } = await startAndHear(computeForEver, [], { name: 'busy' })
  await refused(() => process.close(), 'busy cannot be closed while it runs')
  assert.is(process.isAlive(), true)
  process.kill()
  process.joinSync()
  process.close()
  process.close()
})

test('using a closed process is an error', async () => {
  const process = await ended(() => {}, { name: 'shut' })
  process.close()
  const uses: (() => unknown)[] = [
    () => process.start(),
    () => process.join(),
    () => process.joinSync(),
    () => process.isAlive(),
    () => process.terminate(),
    () => process.kill(),
    () => process.pid,
    () => process.exitcode,
    () => process.error,
    () => process.sentinel,
  ]
  for (const use of uses) await refused(use, 'shut is closed')
  assert.is(process.name, 'shut')
})

test('Symbol.dispose stops a process without waiting, and closes it', async () => {
  const { process } = await startAndHear(computeForEver)
  const { sentinel } = process
  const joined = process.join()
  {
    using held = process
    assert.is(held.isAlive(), true)
  }
  await refused(() => process.isAlive(), 'is closed')
  await joined
  assert.is(sentinel.ready, true)
  process[Symbol.dispose]()
})

test('Symbol.asyncDispose waits for the end of a process, and closes it', async () => {
  let sentinel
  let outside
  {
    await using process = new Process({ target: () => void setTimeout(() => {}, 30) }).start()
    ;({ sentinel } = process)
    outside = process
    assert.is(sentinel.ready, false)
  }
  assert.is(sentinel.ready, true)
  await refused(() => outside.exitcode, 'is closed')
  await outside[Symbol.asyncDispose]()
})

test('disposing a process that was not started only closes it', async () => {
  for (const symbol of [Symbol.dispose, Symbol.asyncDispose] as const) {
    const process = new Process({ target: () => {} })
    await process[symbol]()
    await refused(() => process.start(), 'is closed')
  }
})

test('wrong options of a Process are refused by name, before anything is started', async () => {
  const target = () => {}
  const cases: [unknown, RegExp][] = [
    [undefined, /the options of a Process must be an object, \{ target, .* \}, not undefined/],
    [null, /the options of a Process must be an object, .* not null/],
    [target, /the options of a Process must be an object/],
    [{ target, arg: [1] }, /the options of a Process do not include 'arg'; they are \{ target, args, .* \}/],
    [{}, /a target must be a task or a function, not undefined/],
    [{ target, args: 5 }, /args must be an array, not 5/],
    [{ target, args: 'ab' }, /args must be an array, not 'ab'/],
    [{ target, name: 5 }, /name must be a string, not 5/],
    [{ target, daemon: 'yes' }, /daemon must be true or false, not 'yes'/],
    [{ target, env: 'A=1' }, /env must be an object, not 'A=1'/],
    [{ target, env: null }, /env must be an object, not null/],
    [{ target, resourceLimits: 64 }, /resourceLimits must be an object, \{ maxOldGenerationSizeMb, .* \}, not 64/],
    [{ target, resourceLimits: { maxHeapMb: 64 } }, /resourceLimits do not include 'maxHeapMb'; they are \{ maxOldGenerationSizeMb, /],
    [{ target, resourceLimits: { maxOldGenerationSizeMb: '64' } }, /resourceLimits\.maxOldGenerationSizeMb must be a positive number, not '64'/],
    [{ target, resourceLimits: { stackSizeMb: NaN } }, /resourceLimits\.stackSizeMb must be a positive number, not NaN/],
    [{ target, transfer: 5 }, /transfer must be an array, not 5/],
    [{ target, transfer: [new ArrayBuffer(1), 'b'] }, /transfer\[1\] must be an ArrayBuffer, a MessagePort or the like, not 'b'/],
  ] // prettier-ignore
  for (const [options, message] of cases) {
    const error = await thrownBy(() => new Process(options as ProcessOptions))
    assert.is(error.constructor, TypeError)
    assert.match(error.message, message)
  }
})

test.run()
