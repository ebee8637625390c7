import { assert, runNode, suite } from '../harness.js'

const test = suite('the counter program')

test('loses everything, something or nothing, as it should', async () => {
  const { code, stdout, stderr } = await runNode(['.build/examples/counter.js'])
  assert.is(code, 0, stderr)
  const [value, array] = stdout.split(/\d+ processes count in one \w+\n/).slice(1)
  for (const part of [value!, array!]) {
    const [alone, racing, locked, atomic] = part.trim().split('\n')
    assert.match(alone!, '0 of 450: none')
    assert.match(racing!, /of 1800000: \d+ lost$/)
    assert.match(locked!, '450 of 450: all')
    assert.match(atomic!, '450 of 450: all')
  }
})

test.run()
