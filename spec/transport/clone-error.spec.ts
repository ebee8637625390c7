import { DataCloneError, Pipe, Process, activeChildren, type Target } from 'manyhands'
import { makeShareable } from '#internals'
import { MessageChannel } from 'node:worker_threads'
import { assert, runProgram, suite, thrownBy } from '../harness.js'

const test = suite('arguments that cannot be sent')

const takesAny: Target = () => {}

class Shared {
  readonly kind = 'shared'
  constructor(...parts: unknown[]) {
    makeShareable(this, 'clone.spec', ...parts)
  }
}

/** The error of starting a process with such arguments. Nothing is started. */
async function refusalOf(args: unknown[], transfer: object[] = []): Promise<DataCloneError> {
  const process = new Process({ target: takesAny, args, transfer: transfer as never })
  const error = await thrownBy(() => process.start())
  assert.instance(error, DataCloneError)
  assert.is(error.code, 'ERR_MANYHANDS_DATA_CLONE')
  assert.is(error.cause === undefined, false)
  assert.is(process.pid, undefined)
  assert.is(process.isAlive(), false)
  assert.equal(activeChildren(), [])
  return error
}

test('are named by their path', async () => {
  const fn = () => 1
  const cyclic: Record<string, unknown> = {}
  cyclic.self = cyclic
  cyclic.last = fn
  const cases: [path: string, what: string, args: unknown[]][] = [
    ['args[0]', 'a function (fn)', [fn]],
    ['args[0].callback', 'a function (callback)', [{ callback: () => 1 }]],
    ['args[1][2].a.b', 'a symbol (mark)', [1, [0, 1, { a: { b: Symbol('mark') } }]]],
    ["args[0].get('key')[0]", 'a function (fn)', [new Map([['key', [fn]]])]],
    ['args[0].keys()[1]', 'a function (fn)', [new Map<unknown, number>([[0, 0], [fn, 1]])]], // prettier-ignore
    ['args[0].values()[1]', 'a Promise', [new Set([1, Promise.resolve()])]],
    ['args[0]["not a name"]', 'a WeakMap', [{ 'not a name': new WeakMap() }]],
    ['args[0].last', 'a function (fn)', [cyclic]],
    ['args[2].weak', 'a WeakSet', [{}, [], { weak: new WeakSet() }]],
  ]
  for (const [path, what, args] of cases) {
    const error = await refusalOf(args)
    assert.is(error.path, path)
    assert.is(error.message, `${path} is ${what}, which cannot be sent to another thread`)
  }
})

test('are named by their path in an array of 2^31 holes, and among its named properties', async () => {
  const sparse: unknown[] = []
  sparse[2 ** 31] = { fn: () => 1 }
  const started = performance.now()
  assert.is((await refusalOf([sparse])).path, `args[0][${2 ** 31}].fn`)
  assert.ok(performance.now() - started < 5000)
  assert.is((await refusalOf([Object.assign([1], { named: () => 1 })])).path, 'args[0].named')
})

test('are named by their path thousands of levels deep', async () => {
  let deep: unknown = () => 1
  for (let i = 0; i < 1500; i++) deep = [deep]
  assert.is((await refusalOf([deep])).path, `args[0]${'[0]'.repeat(1500)}`)
})

test('a value without end, made by getters, is refused as nested too deeply', async () => {
  const endless = (): object => ({
    get a() {
      return endless()
    },
    get b() {
      return endless()
    },
  })
  const [end] = Pipe() // Shareable: until something is, no value is looked into.
  const error = await thrownBy(() => end.send(endless()))
  assert.instance(error, DataCloneError)
  assert.match(error.message, 'nested too deeply')
  end.close()
})

test('are told from what is transferred, at any depth', async () => {
  const { port1, port2 } = new MessageChannel()
  const error = await refusalOf([{ a: { b: [port1] } }, { callback() {} }], [port1])
  assert.is(error.path, 'args[1].callback')
  const missing = await refusalOf([{ a: [port2] }])
  assert.is(missing.path, 'args[0].a[0]')
  assert.match(missing.message, 'a MessagePort')
  port1.close()
})

test('are told from shareables that hold a port, at any depth', async () => {
  const { port1 } = new MessageChannel()
  const error = await refusalOf([{ a: { b: [new Shared(port1)] } }, { callback() {} }])
  assert.is(error.path, 'args[1].callback')
  port1.close()
})

test('leave what was to be transferred where it was', async () => {
  const { buffer } = new Uint8Array([1, 2, 3])
  await refusalOf([buffer, () => 1], [buffer])
  assert.is(buffer.byteLength, 3)
})

test('an argument whose getter throws is an error of the caller, and starts nothing', async () => {
  const args = [
    {
      get trap() {
        throw new RangeError('trap')
      },
    },
  ]
  await thrownBy(() => new Process({ target: takesAny, args }).start())
  assert.equal(activeChildren(), [])
})

test('a transfer that Node refuses says why', async () => {
  const error = await refusalOf([1], [new Uint8Array(4)])
  assert.is(error.path, 'args')
  assert.match(error.message, /^args cannot be sent to another thread: ./)
})

test('an end of a Pipe that is closed, or has moved, is refused: the program does not crash', async () => {
  const { code, stdout, stderr } = await runProgram(`
    import { Pipe, ProcessPoolExecutor } from 'manyhands'
    const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
    const [, closed] = Pipe()
    closed.close()
    const [, moved] = Pipe()
    await executor.submit((end) => void end, moved)
    await new Promise((resolve) => setTimeout(resolve, 50))
    const show = (future) => future.exception().then(({ code }) => console.log(code))
    for (const end of [closed, moved]) {
      await show(executor.submit((end) => void end, end))
      await show(executor.submit((list) => void list, [{ end }, () => {}]))
    }
    console.log(await executor.submit(() => 1))
    await executor.shutdown()
  `)
  assert.is(code, 0, stderr)
  assert.match(stdout, /^(ERR_MANYHANDS_(DATA_CLONE|CONNECTION_CLOSED)\n){4}1\n$/)
})

test.run()
