import { assert, suite } from '../harness.js'
import { bundle } from './bundle.js'
import { explore } from './explorer.js'
import { onPipes } from './scenarios.js'

const test = suite('every interleaving on a pipe')

for (const scenario of onPipes)
  test(`${scenario.name}: nothing lost, doubled or out of order, nobody hangs`, async () => {
    const { states, violation } = explore(await bundle(), scenario)
    console.log(`\n# ${scenario.name}: ${states} states`)
    assert.is(violation, undefined)
  })

test.run()
