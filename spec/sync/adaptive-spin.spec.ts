// How often waiters spin before they sleep.
import { Process } from 'manyhands'
import { AdaptiveSpin, performance } from '#internals'
import { assert, suite } from '../harness.js'

const test = suite('adaptiveSpin')

/** Whether it spins when asked once: a spin reads the clock. */
function spins(adaptiveSpin: AdaptiveSpin, words: Int32Array<SharedArrayBuffer>): boolean {
  const { now } = performance
  let measured = false
  performance.now = () => {
    measured = true
    return now()
  }
  try {
    assert.is(adaptiveSpin.spin(words, 0, words[0]!), false)
  } finally {
    performance.now = now
  }
  return measured
}

/** How many waits there are between two spins. */
function gaps(adaptiveSpin: AdaptiveSpin, words: Int32Array<SharedArrayBuffer>, count: number): number[] {
  const spun: number[] = []
  for (let wait = 0; spun.length <= count; wait++) if (spins(adaptiveSpin, words)) spun.push(wait)
  return spun.slice(1).map((wait, i) => wait - spun[i]! - 1)
}

test('an AdaptiveSpin spins less and less often in vain, and every time again after one success', async () => {
  const words = new Int32Array(new SharedArrayBuffer(8))
  const adaptiveSpin = new AdaptiveSpin()
  assert.equal(gaps(adaptiveSpin, words, 9), [1, 2, 4, 8, 16, 32, 64, 64, 64])
  const counter = new Process({
    target: (words) => {
      while (Atomics.load(words, 1) === 0) Atomics.add(words, 0, 1)
    },
    args: [words],
  }).start()
  while (!adaptiveSpin.spin(words, 0, Atomics.load(words, 0)));
  Atomics.store(words, 1, 1)
  await counter.join()
  assert.equal(gaps(adaptiveSpin, words, 3), [1, 2, 4])
})

test('a spin succeeds only if the word has changed', () => {
  const words = new Int32Array(new SharedArrayBuffer(4))
  assert.is(new AdaptiveSpin().spin(words, 0, 0), false)
  assert.is(new AdaptiveSpin().spin(words, 0, 1), true)
})

test.run()
