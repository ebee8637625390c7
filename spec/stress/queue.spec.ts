import { assert, suite } from '../harness.js'
import { queueStorm } from './queue-storm.js'

const test = suite('a storm of kills on a queue')

for (let round = 0; round < 3; round++)
  test(`a queue in a storm of kills tears, doubles and loses nothing, and survivors go on (${round + 1})`, async () => {
    const seed = (Date.now() + round) % 2 ** 31
    const { messages, kills, torn, doubled, missing, excused } = await queueStorm(seed, 1500)
    console.log(`\n# seed ${seed}: ${messages} messages, ${kills} kills, ${missing} died with their consumers`)
    assert.equal([torn, doubled], [0, 0])
    assert.ok(missing <= excused, `${missing} missing, ${excused} may be`)
    assert.ok(messages > 0)
  })

test.run()
