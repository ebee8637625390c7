import { assert, suite } from '../harness.js'
import { managerStorm } from './manager-storm.js'

const test = suite('many calls to a manager')

const ALLOWED = 1_500_000

test('many calls to a manager leave no memory behind, in the caller’s thread or the manager’s', async () => {
  const { calls, proxies, callerGrowth, managerGrowth } = await managerStorm(20_000, ALLOWED)
  console.log(`\n# ${calls} calls, ${proxies} proxies: caller ${callerGrowth}, manager ${managerGrowth} bytes more`)
  assert.ok(calls >= 20_000)
  assert.ok(callerGrowth < ALLOWED, `the caller has ${callerGrowth} bytes more`)
  assert.ok(managerGrowth < ALLOWED, `the manager has ${managerGrowth} bytes more`)
})

test.run()
