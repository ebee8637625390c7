import { assert, suite } from '../harness.js'
import { played, playRounds } from './rounds.js'
import { storm, stormed } from './storm.js'

const test = suite('a storm of kills')

for (const kind of stormed)
  test(`${kind} in a storm of kills: no thread is inside beside one that must be alone, and every survivor goes on`, async () => {
    const seed = Date.now() % 2 ** 31
    const { uses, kills, overlaps } = await storm(kind, seed, 1500)
    console.log(`\n# ${kind}, seed ${seed}: ${uses} uses, ${kills} kills`)
    assert.is(overlaps, 0)
    assert.ok(uses > 0)
  })

for (const kind of played)
  test(`${kind} in rounds with kills: every survivor is released, and all of a party get the same result`, async () => {
    const seed = Date.now() % 2 ** 31
    const { rounds, kills, broken } = await playRounds(kind, seed, 1500)
    console.log(`\n# ${kind}, seed ${seed}: ${rounds} rounds, ${kills} kills, ${broken} broken`)
    assert.ok(rounds > 0)
  })

test.run()
