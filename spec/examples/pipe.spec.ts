import { assert, runNode, suite } from '../harness.js'

const test = suite('the pipe program')

for (const [args, total] of [
  [[], '10000\n'],
  [['100000000'], '100000000\n'],
] as const)
  test(`prints what the process counted and sent before it ended: ${total.trim()}`, async () => {
    const { code, stdout, stderr } = await runNode(['.build/examples/pipe.js', ...args])
    assert.is(stderr, '')
    assert.is(stdout, total)
    assert.is(code, 0)
  })

test.run()
