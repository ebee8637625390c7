import { assert, suite } from '../harness.js'
import { bundle } from './bundle.js'
import { explore } from './explorer.js'
import { explored, onConditions, onMonitors } from './scenarios.js'

const test = suite('every interleaving on the monitors')

for (const [mutex, scenarios] of explored.filter(([, list]) => list === onMonitors || list === onConditions))
  for (const scenario of scenarios)
    test(`${scenario.name}: as it should be, nobody hangs, no trace`, async () => {
      const { states, violation } = explore(await bundle({ mutex }), scenario)
      console.log(`\n# ${scenario.name}: ${states} states`)
      assert.is(violation, undefined)
    })

test.run()
