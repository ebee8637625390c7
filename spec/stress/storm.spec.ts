import { assert, suite } from '../harness.js'
import { storm, stormed } from './storm.js'

const test = suite('a storm of kills')

for (const kind of stormed)
  test(`${kind}: never two inside, and whoever lives gets on`, async () => {
    const seed = Date.now() % 2 ** 31
    const { uses, kills, overlaps } = await storm(kind, seed, 2000)
    console.log(`\n# ${kind}, seed ${seed}: ${uses} uses, ${kills} kills`)
    assert.is(overlaps, 0)
    assert.ok(uses > 0)
  })

test.run()
