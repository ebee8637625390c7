import { assert, suite } from '../harness.js'
import { bundle } from './bundle.js'
import { explore } from './explorer.js'
import { onWords } from './scenarios.js'

const test = suite('every interleaving on the lock word')

for (const scenario of onWords)
  test(`${scenario.name}: exclusive, nobody hangs, no trace`, async () => {
    const { states, violation } = explore(await bundle(), scenario)
    console.log(`\n# ${scenario.name}: ${states} states`)
    assert.is(violation, undefined)
  })

test.run()
