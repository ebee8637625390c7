import { assert, runNode, suite } from '../harness.js'

const test = suite('the queue programs')

test('queue: the subtotals of five processes are summed until the sentinel comes', async () => {
  const { code, stdout, stderr } = await runNode(['.build/examples/queue.js', '10000', '1000000'])
  assert.is(code, 0, stderr)
  assert.match(stdout, /^5 processes counted to 10000: 50000 in \d+\.\d\d s$/m)
  assert.match(stdout, /^5 processes counted to 1000000: 5000000 in \d+\.\d\d s$/m)
})

test('pipeline: every item comes through, and no queue holds more than it may', async () => {
  const { code, stdout, stderr } = await runNode(['.build/examples/pipeline.js', '60'])
  assert.is(code, 0, stderr)
  assert.match(stdout, /^60 of 60 items came through, \d+ bytes; no queue held more than 8: true$/m)
})

test.run()
