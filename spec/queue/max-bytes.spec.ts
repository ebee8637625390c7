import { Process, Queue } from 'manyhands'
import { assert, suite, thrownBy } from '../harness.js'

const test = suite('maxBytes of a Queue')

/** Put messages until the queue is full. @returns how many bytes they have together */
function fill(queue: Queue<Uint8Array>, sizes: () => number): number {
  for (let bytes = 0; ;) {
    const size = sizes()
    try {
      queue.putNowait(new Uint8Array(size))
    } catch {
      return bytes
    }
    bytes += size
  }
}

for (const maxBytes of [1000, 60_000, 2 ** 20, 1_500_000])
  for (const share of [1, 0.3, 0.01])
    test(`bounds what is unread together: ${maxBytes} bytes, messages of ${share} of them`, async () => {
      const queue = new Queue<Uint8Array>(0, { maxBytes })
      const size = Math.floor(maxBytes * share)
      // What a growing queue has in its smaller parts counts as well: filled, drained in part, and filled again.
      for (let round = 0; round < 4; round++) {
        fill(queue, () => size)
        const unread = queue.qsize() * size
        assert.ok(unread <= maxBytes, `${unread} bytes are unread`)
        if (size > 100) assert.ok(unread > maxBytes - 2 * size - maxBytes / 8, `only ${unread} bytes fit`)
        for (let i = queue.qsize() >> 1; i >= 0; i--) queue.getSync()
      }
    })

test('bounds messages of any sizes, and one always fits', () => {
  const maxBytes = 100_000
  const queue = new Queue<Uint8Array>(0, { maxBytes })
  let seed = 1
  const next = () => (seed = (seed * 48271) % 2147483647)
  let unread: number[] = []
  for (let i = 0; i < 2000; i++) {
    const size = next() % (next() % 3 === 0 ? maxBytes + 1 : 2000)
    try {
      queue.putNowait(new Uint8Array(size))
      unread.push(size)
    } catch {
      assert.ok(unread.length > 0, `${size} bytes do not fit into an empty queue`)
      for (let n = next() % (unread.length + 1); n > 0; n--) assert.is(queue.getSync().length, unread.shift())
    }
    const bytes = unread.reduce((sum, one) => sum + one, 0)
    assert.ok(bytes <= maxBytes, `${bytes} bytes are unread`)
  }
})

test('bounds numbers by their bytes, too, and not by their headers', async () => {
  const queue = new Queue<number>(0, { maxBytes: 800 })
  for (let i = 0; i < 64; i++) queue.putNowait(0.5)
  assert.is((await thrownBy(() => queue.putNowait(0.5))).code, 'ERR_MANYHANDS_QUEUE_FULL')
})

test('a put that waits for bytes goes on when they are read by another thread', async () => {
  const queue = new Queue<Uint8Array>(0, { maxBytes: 10_000 })
  fill(queue, () => 4000)
  assert.is(queue.qsize(), 2)
  const drain = (from: Queue<Uint8Array>) => {
    for (let i = 0; i < 12; i++) from.getSync()
  }
  const reader = new Process({ target: drain, args: [queue] }).start()
  for (let i = 0; i < 5; i++) queue.putSync(new Uint8Array(4000))
  for (let i = 0; i < 5; i++) await queue.put(new Uint8Array(4000))
  await reader.join()
  assert.ok(queue.empty())
})

test.run()
