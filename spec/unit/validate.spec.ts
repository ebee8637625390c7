// What is allowed where a caller passes a value, and what the error says when it is not.
import { anything, assert as check, constantFrom, double, integer, oneof, property, string, tuple } from 'fast-check'
import { checkCount, checkFlag, checkFunction, checkInteger, checkOptions, checkString } from '#internals'
import { inspect } from 'node:util'
import { assert, suite } from '../harness.js'

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

test.run()
