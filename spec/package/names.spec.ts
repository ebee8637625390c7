import * as manyhands from 'manyhands'
import { assert, suite } from '../harness.js'

const test = suite('the names of what is exported')

// Bundlers rename classes that name themselves; users see the names in stacks and in what console.log prints.
test('every exported class and function has the name that it is exported by', () => {
  const renamed = Object.entries(manyhands).filter(
    ([name, value]) => typeof value === 'function' && value.name !== name,
  )
  assert.equal(
    renamed.map(([name, value]) => `${name}: ${(value as Function).name}`),
    [],
  )
})

test.run()
