import { assert, suite } from '../harness.js'
import { pipeStorm } from './pipe-storm.js'

const test = suite('a storm of kills and closes on pipes')

test('in a storm of kills and closes, each survivor gets all that was sent, whole and in order, and then the end of file', async () => {
  const seed = Date.now() % 2 ** 31
  const { games, kills, closed, messages } = await pipeStorm(seed, 3000)
  console.log(`\n# seed ${seed}: ${games} pipes, ${kills} kills, ${closed} ends closed, ${messages} messages`)
  assert.ok(kills > 0 && closed > 0 && messages > 0)
})

test.run()
