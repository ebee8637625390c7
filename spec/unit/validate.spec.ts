// What is allowed where a caller passes a value, and what the error says when it is not.
import { anything, assert as check, constantFrom, double, integer, oneof, property, string, tuple } from 'fast-check'
import { checkCount, checkFlag, checkFunction, checkInteger, checkOptions, checkString } from '#internals'
import { attach, getLogger, InlineExecutor, logToStderr, Manager, Pool, Process, task, tasksFrom } from 'manyhands'
import { inspect } from 'node:util'
import { runInNewContext } from 'node:vm'
import { assert, suite, thrownBy } from '../harness.js'

const test = suite('validate')

const anyValue = oneof(
  anything(),
  double(),
  integer(),
  constantFrom(null, undefined, -0, NaN, Infinity, () => 1, true, 'text'),
)

/** What a check says of a value: nothing, or its error's class and message. */
function refusal(run: () => unknown): { kind: Function; message: string } | undefined {
  try {
    run()
    return undefined
  } catch (error) {
    return { kind: (error as Error).constructor, message: (error as Error).message }
  }
}

test('each check returns what it allows and names what it refuses', () => {
  const checks = [
    { run: checkFlag, type: 'boolean' },
    { run: checkString, type: 'string' },
    { run: checkFunction, type: 'function' },
  ]
  check(
    property(anyValue, constantFrom(...checks), (value, { run, type }) => {
      const refused = refusal(() => assert.ok(Object.is(run(value, 'the option'), value)))
      assert.is(refused === undefined, typeof value === type)
      if (!refused) return
      assert.is(refused.kind, TypeError)
      assert.ok(refused.message.startsWith('the option must be '), refused.message)
      assert.ok(refused.message.endsWith(`not ${inspect(value)}`), refused.message)
    }),
    { numRuns: 500 },
  )
})

test('an integer is allowed within its bounds, both included; anything else is refused with them', () => {
  const bounds = tuple(integer({ min: -50, max: 50 }), oneof(integer({ min: 0, max: 100 }), constantFrom(Infinity)))
  check(
    property(oneof(anyValue, integer({ min: -60, max: 160 })), bounds, (value, [min, span]) => {
      const max = min + span
      const refused = refusal(() => assert.is(checkInteger(value, 'depth', min, max), value))
      const isAllowed = typeof value === 'number' && Number.isInteger(value) && min <= value && value <= max
      assert.is(refused === undefined, isAllowed)
      if (!refused) return
      assert.is(refused.kind, typeof value === 'number' ? RangeError : TypeError)
      assert.ok(refused.message.startsWith('depth must be '), refused.message)
      if (typeof value !== 'number') return
      assert.ok(refused.message.includes(`${min}`) && refused.message.includes(`${value}`), refused.message)
      if (max < Infinity) assert.ok(refused.message.includes(`to ${max}`), refused.message)
    }),
    { numRuns: 1000 },
  )
})

test('an integer begins at 0 and a count at 1 where nothing else is said', () => {
  assert.is(checkInteger(0, 'n'), 0)
  assert.is(refusal(() => checkInteger(-1, 'n'))?.message, 'n must be an integer of 0 or more, not -1')
  assert.is(checkCount(1, 'n'), 1)
  assert.is(refusal(() => checkCount(0, 'n'))?.message, 'n must be an integer of 1 or more, not 0')
  check(
    property(anyValue, (value) => {
      assert.equal(
        refusal(() => checkCount(value, 'n')),
        refusal(() => checkInteger(value, 'n', 1)),
      )
    }),
  )
})

test('options are allowed when all of their names are known, and an unknown one is refused by its name', () => {
  const known = ['timeout', 'signal']
  check(
    property(oneof(constantFrom(...known), string()), anyValue, (name, value) => {
      const options = Object.fromEntries([
        ['timeout', 1],
        [name, value],
      ])
      const refused = refusal(() => checkOptions(options, 'the options of wait', known))
      assert.is(refused === undefined, known.includes(name))
      if (!refused) return
      assert.is(refused.kind, TypeError)
      assert.ok(refused.message.includes(`'${name}'`), refused.message)
      for (const allowed of known) assert.ok(refused.message.includes(allowed), refused.message)
    }),
  )
})

test('options are an object, which may have none of them, or a known one that is undefined', () => {
  for (const options of [{}, { a: undefined }, Object.create(null)])
    assert.is(
      refusal(() => checkOptions(options, 'the options', ['a'])),
      undefined,
    )
  check(
    property(anyValue, (value) => {
      if (typeof value === 'object' && value !== null) return
      const refused = refusal(() => checkOptions(value, 'the options', ['a', 'b']))
      assert.equal(refused, {
        kind: TypeError,
        message: `the options must be an object, { a, b }, not ${inspect(value)}`,
      })
    }),
  )
})

test('what is inherited counts as an option, but for the methods of a class', () => {
  class Settings {
    known = 1
    describe(): string {
      return 'a method'
    }
  }
  class More extends Settings {
    get maxThreads(): number {
      return 2
    }
  }
  const inherited = (options: object) => Object.create(options) as object
  const refusedName = (options: unknown) => refusal(() => checkOptions(options, 'the options', ['known']))?.message
  assert.is(refusedName(new Settings()), undefined)
  assert.is(refusedName(inherited({ known: 1 })), undefined)
  for (const options of [
    new More(),
    inherited({ maxThreads: 1 }),
    inherited(inherited({ maxThreads: 1 })),
    inherited(Object.assign(Object.create(null) as object, { maxThreads: 1 })),
  ])
    assert.is(refusedName(options), "the options do not include 'maxThreads'; they are { known }")
  assert.is(refusedName(runInNewContext('({ known: 1 })')), undefined)
  assert.match(refusedName(new AbortController().signal)!, "do not include 'aborted'")
  for (const options of [[], new Map([['known', 1]]), new Set()])
    assert.match(refusedName(options)!, 'must be an object')
})

test('an argument too many is refused', async () => {
  const loose = (fn: Function): ((...args: unknown[]) => unknown) => fn as never
  const process = new Process({ target: () => {} })
  const pool = new Pool(1)
  const manager = await Manager.start()
  const calls: [string, () => unknown][] = [
    ['start()', () => loose(process.start).call(process, { env: {} })],
    ['kill()', () => loose(process.kill).call(process, { grace: 5 })],
    ['close()', () => loose(process.close).call(process, { force: true })],
    ['close()', () => loose(pool.close).call(pool, { wait: true })],
    ['terminate()', () => loose(pool.terminate).call(pool, { grace: 5 })],
    ['join()', () => loose(pool.join).call(pool, 100)],
    ['shutdown()', () => loose(manager.shutdown).call(manager, { wait: false })],
    ['getLogger()', () => loose(getLogger)('name')],
    ['logToStderr(level)', () => loose(logToStderr)('INFO', { format: '' })],
    ['task(module, fn)', () => loose(task)(import.meta.url, function named() {}, { name: 'x' })],
    ['tasksFrom(module)', () => loose(tasksFrom)('node:path', { only: [] })],
    ['attach(message)', () => loose(attach)({}, { transfer: [] })],
  ]
  for (const [name, call] of calls) {
    const error = await thrownBy(call)
    assert.instance(error, TypeError, name)
    assert.ok(error.message.startsWith(`${name} takes nothing else, not `), error.message)
  }
  assert.equal([{ a: 1 }].map(loose(attach)), [{ a: 1 }], 'map passes an index')
  pool.terminate()
  await pool.join()
  await manager.shutdown()
})

test('options of methods are refused by name', async () => {
  const process = new Process({ target: () => {} }).start()
  const executor = new InlineExecutor()
  const unknown = { grase: 1 } as object
  for (const call of [
    () => process.join(unknown),
    () => process.terminate(unknown),
    () => new Process({ target: () => {}, kwargs: {} } as never),
    () => Manager.start(unknown),
    () => executor.parallelFor({ start: 0, end: 2, step: 1 } as never, () => {}),
    () => executor.parallelFor(2, () => {}, unknown),
    () => executor.shutdown(unknown),
    () => executor.with(unknown),
    () => executor.submit(() => 1).result(unknown),
    () => executor.submit(() => 1).cancel(unknown),
  ]) {
    const error = await thrownBy(call)
    assert.instance(error, TypeError)
    assert.match(error.message, /do not include '(grase|kwargs|step)'; they are \{ \w+/)
  }
  await process.join()
})

test.run()
