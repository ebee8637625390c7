// Fake timers, as sinon, jest and vitest install them, and a Promise of another library.
import { assert, runNode, suite } from '../harness.js'

const test = suite('clocks')

async function waits(...args: string[]): Promise<string[]> {
  const { code, stdout, stderr } = await runNode(['spec/fixtures/faked-clock.mjs', ...args])
  const lines = stdout.trim().split('\n')
  assert.is(code, 0, `${stderr}after: ${lines.at(-1)}`)
  assert.is(lines.at(-1), 'end')
  return lines
}

for (const when of ['before', 'after']) {
  test(`every wait ends as ever while time stands still for the program, stopped ${when} the package was loaded`, async () => {
    assert.equal(await waits('time', when), await waits('nothing', when))
  })

  test(`every wait ends as ever with another library's Promise, put in place ${when} the package was loaded`, async () => {
    assert.equal(await waits('promise', when), await waits('nothing', when))
  })
}

test('errors name the place of their own submission after a burst under fake timers', async () => {
  const { stdout, stderr } = await runNode(['spec/fixtures/burst-of-faked-time.mjs'])
  assert.match(stdout, /at inTheSecondTest/, stderr)
})

test.run()
