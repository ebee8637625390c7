// How often those who wait look before they sleep.
import { Process } from 'manyhands'
import { AdaptiveSpin } from '#internals'
import { assert, suite } from '../harness.js'

const test = suite('adaptiveSpin')

/** Whether it looks, when asked once: a look is measured, by the clock. */
function looks(adaptiveSpin: AdaptiveSpin, words: Int32Array<SharedArrayBuffer>): boolean {
  const { now } = performance
  let asked = false
  performance.now = () => {
    asked = true
    return now.call(performance)
  }
  try {
    assert.is(adaptiveSpin.spin(words, 0, words[0]!), false)
  } finally {
    performance.now = now
  }
  return asked
}

/** How many asks there are from one look to the next. */
function gaps(adaptiveSpin: AdaptiveSpin, words: Int32Array<SharedArrayBuffer>, count: number): number[] {
  const looked: number[] = []
  for (let ask = 0; looked.length <= count; ask++) if (looks(adaptiveSpin, words)) looked.push(ask)
  return looked.slice(1).map((ask, i) => ask - looked[i]! - 1)
}

test('looks less and less often in vain, and from the first time on again when it was worth it', async () => {
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

test('is worth nothing where the word has not changed', () => {
  const words = new Int32Array(new SharedArrayBuffer(4))
  assert.is(new AdaptiveSpin().spin(words, 0, 0), false)
  assert.is(new AdaptiveSpin().spin(words, 0, 1), true)
})

test.run()
