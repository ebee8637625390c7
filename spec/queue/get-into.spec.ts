import { JoinableQueue, Process, Queue, SimpleQueue } from 'manyhands'
import { assert, suite, thrownBy } from '../harness.js'

const test = suite('getInto')

const bytes = (length: number, seed = 1) => Uint8Array.from({ length }, (_, i) => (i * 7 + seed) & 255)

/** What `getInto` and `getIntoSync` leave in a view, and return. */
async function gotten(queue: Queue, view: Uint8Array, sync: boolean): Promise<Uint8Array> {
  const length = sync ? queue.getIntoSync(view) : await queue.getInto(view)
  return view.slice(0, length)
}

class Derived extends Uint8Array {}

/** A view on memory that can be resized, of which the types know nothing. */
function resizable(length: number, max: number): { buffer: ArrayBuffer & { resize(length: number): void } } {
  return { buffer: new (ArrayBuffer as any)(length, { maxByteLength: max }) }
}

test('getInto copies a message of bytes to the start of the view, returns its length, and leaves the rest', async () => {
  const queue = new Queue()
  // Short ones, long ones, one longer than the first segments of the ring, one that wraps around in it.
  for (const length of [0, 1, 7, 8, 255, 256, 257, 16_384, 16_385, 65_536, 100_001, 65_536, 65_536, 3])
    for (const sync of [false, true]) {
      const view = new Uint8Array(length + 5).fill(99)
      queue.putSync(bytes(length, length))
      assert.equal(await gotten(queue, view, sync), bytes(length, length))
      assert.equal(view.subarray(length), new Uint8Array(5).fill(99), `${length} bytes`)
    }
  assert.ok(queue.empty())
})

test('getInto fills a view that is exactly as long as the message', async () => {
  const queue = new Queue()
  const view = new Uint8Array(1000)
  queue.putSync(bytes(1000))
  assert.is(await queue.getInto(view), 1000)
  assert.equal(view, bytes(1000))
})

test('getInto takes every view and buffer that was put, as its bytes', async () => {
  const queue = new Queue()
  const whole = bytes(32)
  const { buffer } = resizable(8, 16)
  new Uint8Array(buffer).set(whole.subarray(0, 8))
  const messages: [put: unknown, bytes: Uint8Array][] = [
    [whole, whole],
    [whole.buffer, whole],
    [whole.subarray(3, 9), whole.subarray(3, 9)],
    [Buffer.from(whole), whole],
    [new Float64Array(whole.buffer, 8, 2), whole.subarray(8, 24)],
    [new DataView(whole.buffer, 5, 6), whole.subarray(5, 11)],
    [new Derived(whole), whole],
    [new Uint8Array(buffer), whole.subarray(0, 8)],
    [new Uint8Array(0), new Uint8Array(0)],
    [new ArrayBuffer(0), new Uint8Array(0)],
    [whole.subarray(4, 4), new Uint8Array(0)],
  ]
  for (const [message, expected] of messages)
    for (const sync of [false, true]) {
      queue.putSync(message)
      assert.equal(await gotten(queue, new Uint8Array(40), sync), expected)
    }
})

test('getInto writes into every kind of view and buffer', async () => {
  const queue = new Queue()
  const message = bytes(16)
  const { buffer } = resizable(16, 64)
  const memory = () => new ArrayBuffer(24)
  const shared = new SharedArrayBuffer(24)
  const views: [view: ArrayBufferView | ArrayBufferLike, from: number][] = [
    [new Uint8Array(memory(), 3, 20), 3],
    [Buffer.from(memory(), 1), 1],
    [new Float64Array(memory(), 8, 2), 8],
    [new DataView(memory(), 5), 5],
    [new Derived(memory(), 2), 2],
    [memory(), 0],
    [shared, 0],
    [new Int16Array(shared, 8), 8],
    [new Uint8Array(buffer), 0],
  ]
  for (const [view, from] of views) {
    queue.putSync(message)
    assert.is(await queue.getInto(view), 16)
    const memoryOfIt = ArrayBuffer.isView(view) ? view.buffer : view
    assert.equal(new Uint8Array(memoryOfIt).slice(from, from + 16), message)
  }
})

test('getInto refuses what is no view, and one whose memory was transferred, and takes no message', async () => {
  const queue = new Queue()
  queue.putSync(bytes(4))
  const lost = new Uint8Array(8)
  const lostView = new DataView(new ArrayBuffer(8))
  structuredClone([lost, lostView], { transfer: [lost.buffer, lostView.buffer] })
  for (const wrong of [undefined, null, 4, 'text', [1, 2], {}, lost, lost.buffer, lostView])
    for (const use of [() => queue.getInto(wrong as never), () => queue.getIntoSync(wrong as never)])
      assert.instance(await thrownBy(use), TypeError)
  assert.match((await thrownBy(() => queue.getInto('text' as never))).message, "not 'text'")
  assert.match((await thrownBy(() => queue.getInto(lost))).message, 'transferred')
  assert.is(queue.qsize(), 1)
})

test('a message that is longer than the view stays, and is the next', async () => {
  const queue = new Queue()
  for (const message of [bytes(300), bytes(70_000), new Derived(bytes(10)), bytes(9).buffer]) {
    const { byteLength } = message
    const view = new Uint8Array(byteLength - 1)
    queue.putSync(message)
    queue.putSync('next')
    for (const use of [() => queue.getInto(view), () => queue.getIntoSync(view), () => queue.getIntoSync(view, 0)]) {
      const error = await thrownBy(use)
      assert.instance(error, RangeError)
      assert.match(error.message, `${byteLength} bytes`)
      assert.match(error.message, `has ${view.length}`)
    }
    assert.equal(view, new Uint8Array(byteLength - 1), 'nothing is written')
    assert.is(queue.qsize(), 2)
    assert.is(await queue.getInto(new Uint8Array(byteLength)), byteLength)
    assert.is(queue.getSync(), 'next')
  }
})

test('a message that is no bytes stays for get, and the error shows it', async () => {
  const queue = new Queue()
  const view = new Uint8Array(100_000)
  for (const message of [
    1,
    'text',
    'ü',
    { a: 1 },
    [1, 2],
    null,
    undefined,
    true,
    2n,
    new Map([[1, view]]),
    new Date(5),
  ]) {
    queue.putSync(message)
    for (const use of [() => queue.getInto(view), () => queue.getIntoSync(view, 0)]) {
      const error = await thrownBy(use)
      assert.instance(error, TypeError)
      assert.match(error.message, 'is not bytes but')
    }
    assert.equal(await queue.get(), message)
  }
  queue.putSync('some text')
  assert.match((await thrownBy(() => queue.getInto(view))).message, "'some text'")
})

test('getInto fails in time, after a shutdown, on abort and after close, as get does', async () => {
  const queue = new Queue()
  const view = new Uint8Array(8)
  for (const use of [() => queue.getInto(view, 1), () => queue.getIntoSync(view, 1), () => queue.getIntoSync(view, 0)])
    assert.is((await thrownBy(use)).code, 'ERR_MANYHANDS_QUEUE_EMPTY')
  for (const use of [() => queue.getInto(view, NaN), () => queue.getIntoSync(view, NaN)])
    assert.instance(await thrownBy(use), RangeError)
  const stop = new AbortController()
  const aborted = thrownBy(() => queue.getInto(view, { signal: stop.signal }))
  stop.abort(new Error('enough'))
  assert.is((await aborted).message, 'enough')
  queue.putSync(bytes(8)) // The one that was aborted does not take it.
  queue.shutdown()
  assert.is(await queue.getInto(view), 8)
  for (const use of [() => queue.getInto(view), () => queue.getIntoSync(view)])
    assert.is((await thrownBy(use)).code, 'ERR_MANYHANDS_QUEUE_SHUT_DOWN')
  queue.close()
  for (const use of [() => queue.getInto(view), () => queue.getIntoSync(view)])
    assert.is((await thrownBy(use)).code, 'ERR_MANYHANDS_QUEUE_CLOSED')
})

test('a getInto that waits has the message of another thread, and of this one', async () => {
  const queue = new Queue()
  const view = new Uint8Array(100_000)
  const producer = new Process({
    target: (to: Queue) => {
      for (let n = 0; n < 50; n++) to.putSync(new Uint8Array(n * 2000).fill(n))
    },
    args: [queue],
  }).start()
  for (let n = 0; n < 50; n++) {
    const length = n % 2 === 0 ? await queue.getInto(view) : queue.getIntoSync(view)
    assert.is(length, n * 2000)
    assert.ok(view.subarray(0, length).every((byte) => byte === n))
  }
  await producer.join()
  const waiting = queue.getInto(view)
  await queue.put(bytes(3))
  assert.is(await waiting, 3)
})

test('waiting gets have messages in their order, past a getInto that must leave one', async () => {
  const queue = new Queue()
  const refused = thrownBy(() => queue.getInto(new Uint8Array(2)))
  const [first, second] = [queue.get(), queue.getInto(new Uint8Array(8))]
  queue.putSync(bytes(3))
  queue.putSync(bytes(4))
  assert.instance(await refused, RangeError)
  assert.equal(await first, bytes(3))
  assert.is(await second, 4)
})

test('a getInto that waits sees its view as it is when the message comes', async () => {
  const queue = new Queue()
  const { buffer } = resizable(4, 64)
  const grown = queue.getInto(new Uint8Array(buffer))
  buffer.resize(32)
  queue.putSync(bytes(20))
  assert.is(await grown, 20)
  assert.equal(new Uint8Array(buffer).slice(0, 20), bytes(20))
  const lost = new Uint8Array(32)
  const failed = thrownBy(() => queue.getInto(lost))
  structuredClone(lost, { transfer: [lost.buffer] })
  queue.putSync(bytes(5))
  assert.match((await failed).message, 'transferred')
  assert.equal(await queue.get(), bytes(5))
})

test('getInto gives room to a put that waits for it, and leaves none where it leaves the message', async () => {
  const queue = new Queue(1)
  const view = new Uint8Array(8)
  queue.putSync(bytes(9))
  const put = queue.put(bytes(8))
  assert.instance(await thrownBy(() => queue.getInto(view)), RangeError)
  assert.ok(queue.full())
  assert.is(await queue.getInto(new Uint8Array(9)), 9)
  await put
  assert.is(queue.getIntoSync(view), 8)
})

test('a task of a JoinableQueue that getInto takes is to be done, and one that it leaves is nobody’s', async () => {
  const queue = new JoinableQueue()
  queue.putSync(bytes(9))
  assert.instance(await thrownBy(() => queue.getIntoSync(new Uint8Array(8))), RangeError)
  assert.not(queue.joinSync(0))
  assert.is(queue.getIntoSync(new Uint8Array(9)), 9)
  queue.taskDone()
  assert.ok(queue.joinSync(0))
  queue.putSync(bytes(9))
  const loser = new Process({
    target: (from: Queue) => void from.getIntoSync(new Uint8Array(9)),
    args: [queue],
  }).start()
  await loser.join()
  assert.is((await thrownBy(() => queue.join())).code, 'ERR_MANYHANDS_OWNER_DIED')
})

test('SimpleQueue has getInto too', async () => {
  const queue = new SimpleQueue()
  queue.putSync(bytes(5))
  assert.is(await queue.getInto(new ArrayBuffer(5)), 5)
})

test.run()
