import {
  attach,
  JoinableQueue,
  Lock,
  Manager,
  Process,
  ProcessPoolExecutor,
  Queue,
  QueueEmpty,
  QueueFull,
  QueueShutDown,
  SimpleQueue,
  Value,
} from 'manyhands'
import { createSecretKey } from 'node:crypto'
import { once } from 'node:events'
import { open } from 'node:fs/promises'
import { setImmediate as turn } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { assert, runProgram, suite, thrownBy, until } from '../harness.js'

const test = suite('Queue')

/** What Node's types leave out. */
declare const WebAssembly: { readonly Module: new (bytes: Uint8Array) => object }

const codeOf = async (fn: () => unknown): Promise<string> => (await thrownBy(fn)).code

test('a Queue gives messages in the order in which they were put, in all three forms', async () => {
  const queue = new Queue<number>()
  await queue.put(1)
  queue.putSync(2)
  queue.putNowait(3)
  assert.equal([await queue.get(), queue.getSync(), queue.getNowait()], [1, 2, 3])
})

test('a get throws QueueEmpty when nothing comes in time', async () => {
  const queue = new Queue()
  assert.is(await codeOf(() => queue.getNowait()), 'ERR_MANYHANDS_QUEUE_EMPTY')
  assert.is(await codeOf(() => queue.getSync(0)), 'ERR_MANYHANDS_QUEUE_EMPTY')
  assert.is(await codeOf(() => queue.getSync(5)), 'ERR_MANYHANDS_QUEUE_EMPTY')
  assert.is(await codeOf(() => queue.get(5)), 'ERR_MANYHANDS_QUEUE_EMPTY')
  assert.is(await codeOf(() => queue.get({ timeout: -1 })), 'ERR_MANYHANDS_QUEUE_EMPTY')
  assert.is(await codeOf(() => queue.getMany(3, { timeout: 5 })), 'ERR_MANYHANDS_QUEUE_EMPTY')
})

test('a put throws QueueFull when there is no room in time', async () => {
  const queue = new Queue<number>(2)
  queue.putSync(1)
  queue.putSync(2)
  assert.ok(queue.full())
  assert.is(await codeOf(() => queue.putNowait(3)), 'ERR_MANYHANDS_QUEUE_FULL')
  assert.is(await codeOf(() => queue.putSync(3, 5)), 'ERR_MANYHANDS_QUEUE_FULL')
  assert.is(await codeOf(() => queue.put(3, 5)), 'ERR_MANYHANDS_QUEUE_FULL')
  assert.equal([queue.qsize(), queue.getSync(), queue.getSync(), queue.empty()], [2, 1, 2, true])
})

test('a pending put and a pending get go on as soon as they can', async () => {
  const queue = new Queue<number>(1)
  const gets = [queue.get(), queue.get(), queue.get()]
  for (const value of [1, 2, 3]) await queue.put(value)
  assert.equal(await Promise.all(gets), [1, 2, 3])
  const puts = [4, 5, 6].map((value) => queue.put(value))
  assert.equal([await queue.get(), await queue.get(), await queue.get()], [4, 5, 6])
  await Promise.all(puts)
})

test('an aborted put or get rejects with the reason of the signal, and moves nothing', async () => {
  const queue = new Queue<number>(1)
  const aborter = new AbortController()
  const get = queue.get({ signal: aborter.signal })
  aborter.abort('enough')
  assert.is(await thrownBy(() => get), 'enough')
  assert.is(await thrownBy(() => queue.put(1, { signal: aborter.signal })), 'enough')
  assert.ok(queue.empty())
  queue.putSync(2)
  const other = new AbortController()
  const put = queue.put(3, { signal: other.signal })
  other.abort('late')
  assert.is(await thrownBy(() => put), 'late')
  assert.equal([queue.getSync(), queue.empty()], [2, true])
})

test('getMany gives from one to max messages, and putMany puts all', async () => {
  const queue = new Queue<number>()
  await queue.putMany([1, 2, 3, 4, 5])
  assert.equal(await queue.getMany(2), [1, 2])
  assert.equal(await queue.getMany(10), [3, 4, 5])
  const pending = queue.getMany(10)
  queue.putSync(6)
  assert.equal(await pending, [6])
  const small = new Queue<number>(2)
  const all = small.putMany([1, 2, 3, 4, 5])
  const got: number[] = []
  while (got.length < 5) got.push(...(await small.getMany(5)))
  await all
  assert.equal(got, [1, 2, 3, 4, 5])
  const late = await thrownBy(() => small.putMany([1, 2, 3], 5))
  assert.is(late.code, 'ERR_MANYHANDS_QUEUE_FULL')
  assert.match(late.message, '2 of 3 messages were put')
})

test('getMany leaves messages beyond a megabyte for the next call', async () => {
  const queue = new Queue<Uint8Array | number>()
  const [large, larger] = [new Uint8Array(300_000).fill(1), new Uint8Array(2 ** 21).fill(2)]
  await queue.putMany([large, large, large, large, 5, larger, 7, 8])
  assert.equal(await queue.getMany(100), [large, large, large, large])
  assert.equal(await queue.getMany(100), [5, larger])
  assert.equal(await queue.getMany(100), [7, 8])
})

test('a Queue carries messages of any size, from none to far beyond its first capacity', async () => {
  const queue = new Queue<Uint8Array | string>()
  for (const size of [0, 1, 7, 8, 9, 255, 256, 257, 16_384, 16_385, 65_535, 65_536, 1_000_003]) {
    const bytes = Uint8Array.from({ length: size }, (_, i) => i * 31)
    queue.putSync(bytes)
    queue.putSync('é'.repeat(size >> 4))
    queue.putSync(bytes.subarray(3)) // Not aligned.
    assert.ok(Buffer.from(bytes).equals(queue.getSync() as Uint8Array))
    assert.is(queue.getSync(), 'é'.repeat(size >> 4))
    assert.ok(Buffer.from(bytes.slice(3)).equals(queue.getSync() as Uint8Array))
  }
})

test('a Queue grows while it is used, and keeps the order', () => {
  const queue = new Queue<number>()
  let [put, got] = [0, 0]
  for (let round = 1; round < 40; round++) {
    for (let i = 0; i < round * 500; i++) queue.putSync(put++)
    for (let i = 0; i < round * 400; i++) assert.is(queue.getSync(), got++)
  }
  assert.is(queue.qsize(), put - got)
  while (got < put) assert.is(queue.getSync(), got++)
})

// Once, the view of a thread that had not read since the queue grew ended before the oldest message: it counted none.
test('a thread that has not read since another made the Queue grow counts its messages, and keeps to maxsize', async () => {
  const queue = new Queue<Uint8Array>(4)
  const fill = (queue: Queue<Uint8Array>) => {
    for (let i = 0; i < 4; i++) queue.putSync(new Uint8Array(50_000))
    queue.getSync()
  }
  await new Process({ target: fill, args: [queue] }).start().join()
  assert.is(queue.qsize(), 3)
  queue.putNowait(new Uint8Array(1))
  assert.is(await codeOf(() => queue.putNowait(new Uint8Array(1))), 'ERR_MANYHANDS_QUEUE_FULL')
  assert.ok(queue.full())
  queue.shutdown(true)
  assert.ok(queue.empty())
})

test('a put waits when the Queue holds maxBytes, and refuses a longer message at once', async () => {
  const queue = new Queue<Uint8Array>(0, { maxBytes: 60_000 })
  const error = await thrownBy(() => queue.putSync(new Uint8Array(70_000)))
  assert.instance(error, RangeError)
  assert.match(error.message, 'the message is 70000 bytes, limit 60000')
  queue.putSync(new Uint8Array(60_000).fill(1))
  assert.is(await codeOf(() => queue.putNowait(new Uint8Array(60_000))), 'ERR_MANYHANDS_QUEUE_FULL')
  const put = queue.put(new Uint8Array(60_000).fill(2))
  assert.is(queue.getSync()[0], 1)
  await put
  assert.is(queue.getSync()[59_999], 2)
})

test('a Queue refuses bad arguments by name, before anything happens', async () => {
  for (const maxsize of [-1, NaN, 1.5, Infinity]) {
    const error = await thrownBy(() => new Queue(maxsize))
    assert.instance(error, RangeError)
    assert.match(error.message, `maxsize must be an integer from 0 to 2147483647, not ${maxsize}`)
  }
  assert.instance(await thrownBy(() => new Queue('2' as never)), TypeError)
  assert.instance(await thrownBy(() => new Queue(0, { maxBytes: 0 })), RangeError)
  assert.instance(await thrownBy(() => new Queue(0, { maxBytes: 2 ** 40 })), RangeError)
  const queue = new Queue()
  assert.instance(await thrownBy(() => queue.getSync(NaN)), RangeError)
  assert.instance(await thrownBy(() => queue.get(NaN)), RangeError)
  assert.instance(await thrownBy(() => queue.put(1, { timeout: NaN })), RangeError)
  assert.instance(await thrownBy(() => queue.getMany(0)), RangeError)
  assert.ok(queue.empty())
})

test('a Queue refuses what cannot be cloned, says where it is, and goes on', async () => {
  const queue = new Queue()
  const error = await thrownBy(() => queue.putSync({ list: [1, { callback: () => {} }] }))
  assert.is(error.code, 'ERR_MANYHANDS_DATA_CLONE')
  assert.is(error.path, 'value.list[1].callback')
  assert.is((await thrownBy(() => queue.put(Symbol('no')))).code, 'ERR_MANYHANDS_DATA_CLONE')
  const many = await thrownBy(() => queue.putMany([1, { deep: () => {} }]))
  assert.is(many.path, 'values[1].deep')
  assert.is(await codeOf(() => queue.putSync(new Proxy({ a: 1 }, {}))), 'ERR_MANYHANDS_DATA_CLONE')
  assert.ok(queue.empty())
  queue.putSync('fine')
  assert.is(queue.getSync(), 'fine')
})

test('a Queue refuses shareables and shared memory, and says what to do instead', async () => {
  const queue = new Queue()
  for (const [value, path] of [
    [{ lock: new Lock() }, 'value.lock'],
    [[new Map([['v', new Value('i')]])], "value[0].get('v')"],
    [queue, 'value'],
    [{ memory: new SharedArrayBuffer(8) }, 'value.memory'],
    [[new Uint8Array(new SharedArrayBuffer(8))], 'value[0]'],
  ] as const) {
    const error = await thrownBy(() => queue.putSync(value))
    assert.is(error.code, 'ERR_MANYHANDS_DATA_CLONE')
    assert.is(error.path, path)
    assert.match(error.message, 'cannot go through a Queue')
  }
})

test('a put copies at the call: later changes do not show', async () => {
  const queue = new Queue<{ n: number }>(1)
  const value = { n: 1 }
  queue.putSync(value)
  value.n = 2
  const put = queue.put(value)
  value.n = 3
  assert.equal([queue.getSync(), await queue.get()], [{ n: 1 }, { n: 2 }])
  await put
})

test('a getter of a message may put messages of its own', () => {
  const queue = new Queue<unknown>()
  const value = {
    before: 'x',
    get inner() {
      queue.putSync({ from: 'the getter' })
      return 1
    },
    after: 'y',
  }
  queue.putSync(value)
  assert.equal([queue.getSync(), queue.getSync()], [{ from: 'the getter' }, { before: 'x', inner: 1, after: 'y' }])
})

test('a Queue refuses plain-looking objects that structuredClone refuses', async () => {
  const queue = new Queue()
  function own() {
    return arguments // oxlint-disable-line prefer-rest-params
  }
  const args = Reflect.apply(own, undefined, [1, 2])
  const { path } = await thrownBy(() => queue.putSync({ deep: [args] }))
  assert.is(path, 'value.deep[0]')
  const exporting: string = 'data:text/javascript,export const one = 1'
  const exports: unknown = await import(exporting)
  assert.is(await codeOf(() => queue.putSync(exports)), 'ERR_MANYHANDS_DATA_CLONE')
  assert.ok(queue.empty())
})

// Once, V8 wrote nothing for a module, so what followed was read in its place; and the path of a KeyObject was missing.
test('a Queue refuses what Node and WebAssembly add to structured clone, and says where it is', async () => {
  const queue = new Queue()
  const wasm = new WebAssembly.Module(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0))
  const { port1 } = new MessageChannel()
  const file = await open('package.json')
  const cases: [path: string, what: string, value: unknown][] = [
    ['value.m', 'a WebAssembly.Module', { m: wasm, after: 1 }],
    ['value.cause[0]', 'a WebAssembly.Module', new Error('x', { cause: [wasm] })],
    ['value', 'a SecretKeyObject', createSecretKey(Buffer.alloc(8))],
    ['value.get(1)', 'a Blob', new Map([[1, new Blob([])]])],
    ['value[1]', 'a MessagePort', [1, port1]],
    ['value.file', 'a FileHandle', { file }],
    ['value.env', 'a native object', { env: process.env }],
  ]
  for (const [path, what, value] of cases) {
    const error = await thrownBy(() => queue.putSync(value))
    assert.equal([error.code, error.path], ['ERR_MANYHANDS_DATA_CLONE', path])
    assert.match(error.message, `${path} is ${what}, which cannot go through a Queue`)
  }
  assert.ok(queue.empty())
  queue.putSync('fine')
  assert.is(queue.getSync(), 'fine')
  port1.close()
  await file.close()
})

test('a Queue refuses what is nested too deeply, and goes on', async () => {
  const queue = new Queue()
  let deep: unknown = 0
  for (let i = 0; i < 100_000; i++) deep = { deep }
  const error = await thrownBy(() => queue.putSync(deep))
  assert.is(error.code, 'ERR_MANYHANDS_DATA_CLONE')
  assert.match(error.message, 'value is nested too deeply to be sent')
  assert.instance(error.cause, RangeError)
  assert.is((await thrownBy(() => queue.putMany([1, deep]))).path, 'values[1]')
  assert.ok(queue.empty())
  queue.putSync(1)
  assert.is(queue.getSync(), 1)
})

test('a get loses a message that this thread cannot read, with an error that says so, and no other message', async () => {
  const queue = new Queue<unknown>()
  // A worker's stack is larger than this thread's.
  const put = (to: Queue) => {
    let deep: unknown = 0
    for (let i = 0; i < 6000; i++) deep = { deep }
    for (const value of [deep, 1, 2, deep, 3, deep, deep, 4, deep]) to.putSync(value)
  }
  await new Process({ target: put, args: [queue] }).start().join()
  const error = await thrownBy(() => queue.getMany(9))
  assert.equal([error.code, error.path], ['ERR_MANYHANDS_DATA_CLONE', 'message'])
  assert.match(error.message, 'a message came that cannot be read here, and is lost')
  assert.instance(error.cause, RangeError)
  assert.equal(await queue.getMany(9), [1, 2])
  assert.is(await codeOf(() => queue.getMany(9)), 'ERR_MANYHANDS_DATA_CLONE')
  assert.is(queue.getSync(), 3)
  assert.is(await codeOf(() => queue.getSync()), 'ERR_MANYHANDS_DATA_CLONE')
  assert.is(await codeOf(() => queue.get()), 'ERR_MANYHANDS_DATA_CLONE')
  assert.is(await queue.get(), 4)
  assert.is(queue.qsize(), 1)
  assert.is(await codeOf(() => queue.getNowait()), 'ERR_MANYHANDS_DATA_CLONE')
  const failing = codeOf(() => queue.get())
  const next = queue.get()
  const again = new Process({ target: put, args: [queue] }).start()
  assert.equal([await failing, await next], ['ERR_MANYHANDS_DATA_CLONE', 1])
  await again.join()
})

test('after shutdown, a Queue refuses puts, gives what is left, and then throws QueueShutDown', async () => {
  const queue = new Queue<number>(2)
  await queue.putMany([1, 2])
  const pending = queue.put(3)
  queue.shutdown()
  assert.is(await codeOf(() => pending), 'ERR_MANYHANDS_QUEUE_SHUT_DOWN')
  assert.is(await codeOf(() => queue.putNowait(3)), 'ERR_MANYHANDS_QUEUE_SHUT_DOWN')
  assert.equal([queue.getSync(), await queue.get()], [1, 2])
  assert.is(await codeOf(() => queue.getSync()), 'ERR_MANYHANDS_QUEUE_SHUT_DOWN')
  assert.is(await codeOf(() => queue.get()), 'ERR_MANYHANDS_QUEUE_SHUT_DOWN')
  queue.shutdown()
})

test('after an immediate shutdown, a Queue gives no messages', async () => {
  const queue = new Queue<number>()
  await queue.putMany([1, 2, 3])
  queue.shutdown(true)
  assert.is(await codeOf(() => queue.getNowait()), 'ERR_MANYHANDS_QUEUE_SHUT_DOWN')
  assert.equal([queue.qsize(), queue.empty()], [0, true])
})

test('shutdown wakes those who wait for a message', async () => {
  const queue = new Queue<number>()
  const here = queue.get()
  const there = new Process({
    target: (waiting: Queue) => {
      try {
        waiting.getSync()
      } catch (error) {
        process.exit((error as { code: string }).code === 'ERR_MANYHANDS_QUEUE_SHUT_DOWN' ? 7 : 1)
      }
    },
    args: [queue],
  }).start()
  await turn()
  queue.shutdown()
  assert.is(await codeOf(() => here), 'ERR_MANYHANDS_QUEUE_SHUT_DOWN')
  await there.join()
  assert.is(there.exitcode, 7)
})

test('a loop over a Queue ends when it is shut down; leaving the loop leaves the Queue as it is', async () => {
  const queue = new Queue<number>()
  await queue.putMany([1, 2, 3, 4])
  for await (const value of queue) if (value === 2) break
  assert.is(queue.qsize(), 2)
  queue.shutdown()
  const rest: number[] = []
  for await (const value of queue) rest.push(value)
  assert.equal(rest, [3, 4])
})

test('close ends the use of a Queue in one thread only', async () => {
  const queue = new Queue<number>()
  const pending = queue.get()
  const process = new Process({ target: (other: Queue) => other.close(), args: [queue] }).start()
  await process.join()
  queue.putSync(1)
  assert.is(await pending, 1)
  const lost = queue.get()
  queue.close()
  queue.close()
  assert.is(await codeOf(() => lost), 'ERR_MANYHANDS_QUEUE_CLOSED')
  for (const use of [() => queue.putSync(1), () => queue.getNowait(), () => queue.qsize(), () => queue.put(1)])
    assert.is(await codeOf(use), 'ERR_MANYHANDS_QUEUE_CLOSED')
  let disposed: Queue
  {
    using other = new Queue()
    disposed = other
  }
  assert.is(await codeOf(() => disposed.empty()), 'ERR_MANYHANDS_QUEUE_CLOSED')
})

test('a Queue is shareable: with processes, with executors, and through a postMessage of one’s own', async () => {
  const queue = new Queue<unknown>()
  await new Process({ target: (other: Queue) => other.putSync(['process']), args: [queue] }).start().join()
  const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  const back = await executor.submit((other: Queue) => (other.putSync('task'), { other }), queue)
  assert.is(back.other, queue)
  await executor.shutdown()
  const source = `
    const { parentPort } = require('node:worker_threads')
    parentPort.once('message', async (message) => {
      const { attach } = await import(${JSON.stringify(import.meta.resolve('manyhands'))})
      attach(message).queue.putSync('message')
    })`
  const worker = new Worker(source, { eval: true })
  worker.postMessage({ queue })
  await once(worker, 'exit')
  assert.equal(await queue.getMany(9), [['process'], 'task', 'message'])
  assert.instance(attach(structuredClone(new JoinableQueue())), JoinableQueue)
})

test('a pending get keeps the program alive, and a Queue by itself does not', async () => {
  const { code, stdout } = await runProgram(`
    import { Process, Queue } from 'manyhands'
    const queue = new Queue(), unused = new Queue()
    unused.putSync(1)
    new Process({ target: (queue) => setTimeout(() => queue.putSync('there'), 100), args: [queue] }).start()
    console.log(await queue.get())`)
  assert.equal([code, stdout], [0, 'there\n'])
})

test('many to many, every message arrives once, and those of each producer in order', async () => {
  const [queue, results] = [new Queue<number>(100), new Queue<number[]>()]
  const produce = (to: Queue, id: number) => {
    for (let i = 0; i < 2000; i++) to.putSync(id * 10_000 + i)
  }
  const consume = async (from: Queue<number>, to: Queue<number[]>) => {
    const got: number[] = []
    for await (const value of from) got.push(value)
    to.putSync(got)
  }
  const consumers = [0, 1].map(() => new Process({ target: consume, args: [queue, results] }).start())
  const producers = [0, 1, 2].map((id) => new Process({ target: produce, args: [queue, id] }).start())
  for (const process of producers) await process.join()
  queue.shutdown()
  const lists = [await results.get(), await results.get()]
  for (const process of consumers) await process.join()
  for (const list of lists)
    for (const id of [0, 1, 2]) {
      const ofOne = list.filter((value) => Math.floor(value / 10_000) === id)
      assert.equal(
        ofOne,
        ofOne.toSorted((a, b) => a - b),
      )
    }
  const all = lists.flat().toSorted((a, b) => a - b)
  assert.equal(
    all,
    [0, 1, 2].flatMap((id) => Array.from({ length: 2000 }, (_, i) => id * 10_000 + i)),
  )
})

test('a JoinableQueue is joined when every task is done', async () => {
  const queue = new JoinableQueue<number>()
  assert.is(await queue.join(), true)
  assert.is(queue.joinSync(0), true)
  await queue.putMany([1, 2])
  assert.equal([await queue.join(5), queue.joinSync(5), queue.joinSync(0)], [false, false, false])
  const joined = queue.join()
  queue.getSync()
  queue.taskDone()
  queue.getSync()
  queue.taskDone()
  assert.is(await joined, true)
  const error = await thrownBy(() => queue.taskDone())
  assert.is(error.code, 'ERR_MANYHANDS_INVALID_STATE')
  assert.is(queue.joinSync(), true)
})

test('a JoinableQueue is joined across threads, also by one that blocks', async () => {
  const queue = new JoinableQueue<number>()
  await queue.putMany([1, 2, 3])
  const worker = new Process({
    target: (tasks: JoinableQueue) => {
      for (let i = 0; i < 3; i++) {
        tasks.getSync()
        tasks.taskDone()
      }
    },
    args: [queue],
  }).start()
  assert.is(queue.joinSync(), true)
  await worker.join()
})

test('an immediate shutdown counts discarded tasks as done', async () => {
  const queue = new JoinableQueue<number>()
  await queue.putMany([1, 2, 3])
  queue.getSync()
  const joined = queue.join()
  queue.shutdown(true)
  assert.is(await queue.join(5), false)
  queue.taskDone()
  assert.is(await joined, true)
})

test('a SimpleQueue puts and gets', () => {
  const queue = new SimpleQueue<string>()
  queue.putSync('a')
  assert.equal([queue.empty(), queue.getSync(), queue.empty()], [false, 'a', true])
})

test('a thread that is blocked in get, or in put, sees what other threads do', async () => {
  const [queue, full] = [new Queue<number>(), new Queue<number>(1)]
  full.putSync(1)
  const process = new Process({
    target: (from: Queue<number>, to: Queue<number>) => to.putSync(from.getSync() + 1),
    args: [queue, full],
  }).start()
  queue.putSync(41)
  await until(() => queue.empty())
  assert.equal([full.getSync(), full.getSync()], [1, 42])
  await process.join()
})

test('closing a JoinableQueue ends a join that is pending in this thread', async () => {
  const queue = new JoinableQueue<number>()
  queue.putNowait(1)
  const joining = thrownBy(() => queue.join())
  queue.close()
  assert.is((await joining).code, 'ERR_MANYHANDS_QUEUE_CLOSED')
})

test('a Queue refuses the proxy of a manager as it refuses any shareable', async () => {
  const manager = await Manager.start()
  const error = await thrownBy(() => new Queue<unknown>().putNowait({ a: manager.dict() }))
  assert.is(error.code, 'ERR_MANYHANDS_DATA_CLONE')
  assert.is(error.path, 'value.a')
  await manager.shutdown()
})

test('a Queue survives a message whose getter throws, or puts another', () => {
  const queue = new Queue<any>()
  const thrown = new Error('not to be read')
  const throws = {
    get a() {
      throw thrown
    },
  }
  assert.throws(() => queue.putSync(throws))
  queue.putSync([{ y: 1 }, { a: 2 }])
  assert.equal(queue.getSync(), [{ y: 1 }, { a: 2 }])
  queue.putSync({
    b: 0,
    get zz() {
      queue.putSync({ b: 1, zz: 3 })
      return 2
    },
  })
  assert.equal(
    [queue.getSync(), queue.getSync()],
    [
      { b: 1, zz: 3 },
      { b: 0, zz: 2 },
    ],
  )
})

test('a thread’s messages keep their order, however it puts them, and its pending puts go on while it blocks', async () => {
  const queue = new Queue<string>(1)
  queue.putNowait('a')
  const second = queue.put('b')
  assert.is(queue.getNowait(), 'a')
  assert.is((await thrownBy(() => queue.putNowait('c'))).code, 'ERR_MANYHANDS_QUEUE_FULL')
  assert.is(await queue.get(), 'b')
  await second
  const many = Array.from({ length: 10 }, (_, i) => queue.put(String(i)))
  assert.equal(
    many.map((_, i) => (i % 2 ? queue.getNowait() : queue.getSync(20_000))),
    many.map((_, i) => String(i)),
  )
  await Promise.all(many)
  queue.putNowait('a')
  const behind = queue.put('b')
  const taker = new Process({
    target: (shared: Queue<string>) => void (shared.getSync(), shared.getSync()),
    args: [queue],
  }).start()
  queue.putSync('c', 20_000)
  await behind
  await taker.join()
  assert.is(queue.getNowait(), 'c')
})

test('QueueEmpty, QueueFull and RangeError say how long it waited, and what the limit is', async () => {
  const queue = new Queue<unknown>(1)
  const says = async (fn: () => unknown, message: string, kind: Function = Error) => {
    const error = await thrownBy(fn)
    assert.instance(error, kind)
    assert.is(error.message, message)
  }
  for (const get of [() => queue.getNowait(), () => queue.getSync(-Infinity), () => queue.get(0)])
    await says(get, 'the queue is empty', QueueEmpty)
  for (const get of [() => queue.getSync(3), () => queue.get(3), () => queue.getMany(2, { timeout: 3 })])
    await says(get, 'no message within 3 ms', QueueEmpty)
  queue.putSync(1)
  for (const put of [() => queue.putNowait(2), () => queue.putSync(2, -1), () => queue.put(2, { timeout: 0 })])
    await says(put, 'the queue is full', QueueFull)
  for (const put of [() => queue.putSync(2, 3), () => queue.put(2, 3)])
    await says(put, 'no room within 3 ms', QueueFull)
  await says(() => queue.putMany([2, 3], 0), 'the queue is full; 0 of 2 messages were put', QueueFull)
  assert.equal([queue.qsize(), queue.getSync()], [1, 1])
  // Not copied, and so cheap: it is refused before.
  const large = new Uint8Array(2 ** 28 + 1)
  const tooLong = `the message is ${2 ** 28 + 1} bytes, limit ${2 ** 28} (maxBytes)`
  for (const put of [() => queue.putSync(large), () => queue.putNowait(large), () => queue.put(large)])
    await says(put, tooLong, RangeError)
  const small = new Queue<unknown>(1, { maxBytes: 100 })
  await small.put('x')
  await says(() => small.putMany([1, 'y'.repeat(101)]), 'values[1] is 101 bytes, limit 100 (maxBytes)', RangeError)
  await says(() => small.put('y'.repeat(101)), 'the message is 101 bytes, limit 100 (maxBytes)', RangeError)
  assert.equal([small.qsize(), small.getSync(), small.empty()], [1, 'x', true])
  await small.put('y'.repeat(100))
  assert.is(((await small.get()) as string).length, 100)
})

test('a Queue refuses every bad argument with its name, its value and what is allowed, and stays as it was', async () => {
  const queue = new JoinableQueue<number>(2)
  const cases: [use: () => unknown, kind: Function, message: string][] = [
    [() => new Queue(0, null as never), TypeError, 'the options of Queue must be an object, { maxBytes }, not null'],
    [() => new Queue(0, 5 as never), TypeError, 'the options of Queue must be an object, { maxBytes }, not 5'],
    [
      () => new JoinableQueue(0, { maxsize: 5 } as never),
      TypeError,
      "the options of Queue do not include 'maxsize'; they are { maxBytes }",
    ],
    [() => new Queue(null as never), TypeError, 'maxsize must be a number, not null'],
    [() => new Queue(1n as never), TypeError, 'maxsize must be a number, not 1n'],
    [() => new Queue(2 ** 31), RangeError, 'maxsize must be an integer from 0 to 2147483647, not 2147483648'],
    [() => new Queue(0, { maxBytes: '5' as never }), TypeError, "maxBytes must be a number, not '5'"],
    ...[0, -1, 1.5, NaN, Infinity, 2 ** 29 + 1].map((maxBytes): [() => unknown, Function, string] => [
      () => new Queue(0, { maxBytes }),
      RangeError,
      `maxBytes must be an integer from 1 to 536870912, not ${maxBytes}`,
    ]),
    ...[0, -1, 1.5, NaN, Infinity].map((max): [() => unknown, Function, string] => [
      () => queue.getMany(max),
      RangeError,
      `max must be an integer from 1 to 2147483647, not ${max}`,
    ]),
    [() => queue.getMany('2' as never), TypeError, "max must be a number, not '2'"],
    [() => queue.getMany(undefined as never), TypeError, 'max must be a number, not undefined'],
    [() => queue.putMany(5 as never), TypeError, 'values must be iterable, not 5'],
    [() => queue.putMany(null as never), TypeError, 'values must be iterable, not null'],
    [() => queue.putMany({ length: 1 } as never), TypeError, 'values must be iterable, not { length: 1 }'],
    [
      () => queue.shutdown({ immediate: true } as never),
      TypeError,
      'immediate must be true or false, not { immediate: true }',
    ],
    ...[() => queue.getSync(NaN), () => queue.putSync(1, NaN), () => queue.joinSync(NaN)].map(
      (use): [() => unknown, Function, string] => [
        use,
        RangeError,
        'timeoutMs must be a number of milliseconds or Infinity, not NaN',
      ],
    ),
    ...[
      () => queue.getSync('1' as never),
      () => queue.putSync(1, '1' as never),
      () => queue.joinSync('1' as never),
    ].map((use): [() => unknown, Function, string] => [
      use,
      TypeError,
      "timeoutMs must be a number of milliseconds, not '1'",
    ]),
  ]
  const awaiting = (options: never) => [
    () => queue.get(options),
    () => queue.put(1, options),
    () => queue.getMany(1, options),
    () => queue.putMany([1], options),
    () => queue.join(options),
  ]
  for (const [options, kind, message] of [
    [NaN, RangeError, 'timeout must be a number of milliseconds or Infinity, not NaN'],
    [{ timeout: NaN }, RangeError, 'timeout must be a number of milliseconds or Infinity, not NaN'],
    [{ timeout: '5' }, TypeError, "timeout must be a number of milliseconds, not '5'"],
    [null, TypeError, 'wait options must be a number or { timeout, signal }, not null'],
    ['5', TypeError, "wait options must be a number or { timeout, signal }, not '5'"],
    [{ signal: 1 }, TypeError, 'signal must be an AbortSignal, not 1'],
  ] as const)
    for (const use of awaiting(options as never)) cases.push([use, kind, message])
  for (const [use, kind, message] of cases) {
    const error = await thrownBy(use)
    assert.instance(error, kind)
    assert.is(error.message, message)
  }
  assert.equal([queue.qsize(), await queue.join()], [0, true])
  queue.putSync(1)
  assert.is(queue.getSync(), 1)
})

test('waits with a time limit see what another thread puts, or takes', async () => {
  const [queue, full] = [new Queue<number>(), new Queue<number>(1)]
  full.putSync(1)
  const target = (from: Queue<number>, to: Queue<number>) => {
    to.putSync(from.getSync(100_000) + 1, 100_000)
    to.putSync(from.getSync() + 1)
  }
  const process = new Process({ target, args: [queue, full] }).start()
  queue.putSync(41)
  await until(() => queue.empty())
  assert.equal([full.getSync(100_000), full.getSync(100_000)], [1, 42])
  await queue.put(42, { timeout: 100_000 })
  assert.is(await full.get({ timeout: 100_000 }), 43)
  await process.join()
})

test('getMany and putMany end with a signal, and leave what they did not move', async () => {
  const queue = new Queue<number>(2)
  const [before, get, put] = [AbortSignal.abort('before'), new AbortController(), new AbortController()]
  assert.is(await thrownBy(() => queue.getMany(2, { signal: before })), 'before')
  assert.is(await thrownBy(() => queue.putMany([1], { signal: before })), 'before')
  const getting = thrownBy(() => queue.getMany(2, { signal: get.signal }))
  get.abort('while empty')
  assert.is(await getting, 'while empty')
  const putting = thrownBy(() => queue.putMany([1, 2, 3, 4], { signal: put.signal }))
  put.abort('while full')
  assert.is(await putting, 'while full')
  assert.equal(await queue.getMany(9), [1, 2])
  assert.ok(queue.empty())
})

test('putMany takes any iterable, puts nothing of one that fails, and says how many it put before a shutdown', async () => {
  const queue = new Queue<number>(2)
  await queue.putMany([])
  await queue.putMany(new Set([1]))
  const failing = function* () {
    yield 2
    throw new Error('of the iterable')
  }
  assert.is((await thrownBy(() => queue.putMany(failing()))).message, 'of the iterable')
  assert.equal(await queue.getMany(9), [1])
  const putting = thrownBy(() => queue.putMany([1, 2, 3]))
  queue.shutdown()
  const error = await putting
  assert.instance(error, QueueShutDown)
  assert.match(error.message, '2 of 3 messages were put')
  assert.equal(await queue.getMany(9), [1, 2])
  for (const use of [() => queue.getMany(9), () => queue.putMany([4])])
    assert.is(await codeOf(use), 'ERR_MANYHANDS_QUEUE_SHUT_DOWN')
})

test('an immediate shutdown discards what an earlier one had left, and ends those that wait', async () => {
  const queue = new Queue<number>(2)
  await queue.putMany([1, 2])
  const pending = [codeOf(() => queue.put(3)), codeOf(() => queue.putMany([4, 5]))]
  queue.shutdown()
  assert.equal(await Promise.all(pending), ['ERR_MANYHANDS_QUEUE_SHUT_DOWN', 'ERR_MANYHANDS_QUEUE_SHUT_DOWN'])
  assert.is(queue.qsize(), 2)
  queue.shutdown(true)
  assert.is(queue.qsize(), 0)
  queue.shutdown()
  for (const use of [
    () => queue.get(),
    () => queue.getSync(),
    () => queue.getMany(1),
    () => queue.put(1),
    () => queue.putSync(1),
  ])
    assert.instance(await thrownBy(use), QueueShutDown)
})

test('shutdown wakes a thread that is blocked in put', async () => {
  const [queue, blocked] = [new Queue<number>(1), new Queue<string>()]
  queue.putSync(1)
  const target = (full: Queue<number>, tell: Queue<string>) => {
    tell.putSync('there')
    try {
      full.putSync(2)
    } catch (error) {
      tell.putSync((error as { code: string }).code)
    }
  }
  const process = new Process({ target, args: [queue, blocked] }).start()
  assert.is(await blocked.get(), 'there')
  await turn()
  queue.shutdown()
  assert.is(await blocked.get(), 'ERR_MANYHANDS_QUEUE_SHUT_DOWN')
  await process.join()
  assert.is(queue.getSync(), 1)
})

test('a closed Queue refuses every use, by a promise where there is one, and ends what waits, loops too', async () => {
  const queue = new JoinableQueue<number>(1)
  queue.putSync(1)
  const full = [codeOf(() => queue.put(2)), codeOf(() => queue.putMany([2, 3])), codeOf(() => queue.join())]
  const empty = new Queue<number>()
  const loop = codeOf(async () => {
    for await (const _ of empty) assert.unreachable()
  })
  const many = codeOf(() => empty.getMany(3))
  queue.close()
  empty.close()
  const uses = [
    () => queue.getSync(),
    () => queue.putNowait(1),
    () => queue.full(),
    () => queue.empty(),
    () => queue.qsize(),
    () => queue.shutdown(),
    () => queue.taskDone(),
    () => queue.joinSync(),
  ]
  // They reject: `catch` is reached.
  const promised = [queue.get(), queue.put(1), queue.getMany(1), queue.putMany([1]), queue.join()].map(
    async (promise: Promise<unknown>) => codeOf(() => promise),
  )
  const codes = [...full, loop, many, ...promised, ...uses.map(codeOf)]
  assert.equal([...new Set(await Promise.all(codes))], ['ERR_MANYHANDS_QUEUE_CLOSED'])
})

test('a Queue has no limits unless told, and each class arrives as itself, once', async () => {
  const queue = new Queue<number>()
  await queue.putMany(Array.from({ length: 10_000 }, (_, i) => i))
  assert.equal([queue.full(), queue.qsize()], [false, 10_000])
  const bounded = new JoinableQueue<number>(1)
  const simple = new SimpleQueue<number>()
  const target = (unbounded: Queue, limited: JoinableQueue, plain: SimpleQueue, same: unknown) => [
    unbounded.constructor.name,
    limited.constructor.name,
    plain.constructor.name,
    same === plain,
    limited.full(),
  ]
  await using executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  bounded.putSync(1)
  assert.equal(await executor.submit(target, queue, bounded, simple, simple), [
    'Queue',
    'JoinableQueue',
    'SimpleQueue',
    true,
    true,
  ])
  assert.is(await codeOf(() => bounded.putNowait(2)), 'ERR_MANYHANDS_QUEUE_FULL')
  assert.is(attach(structuredClone({ simple })).simple, simple)
  assert.equal([simple.full(), simple.qsize()], [false, 0])
})

test('a join ends with a signal, and taskDone called too often changes nothing', async () => {
  const queue = new JoinableQueue<number>()
  const early = await thrownBy(() => queue.taskDone())
  assert.match(early.message, 'taskDone() called more often than the 0 tasks that were put')
  queue.putSync(1)
  assert.is(await thrownBy(() => queue.join({ signal: AbortSignal.abort('before') })), 'before')
  const aborter = new AbortController()
  const joining = thrownBy(() => queue.join({ signal: aborter.signal }))
  aborter.abort('meanwhile')
  assert.is(await joining, 'meanwhile')
  assert.is(await queue.join({ timeout: 0 }), false)
  queue.getSync()
  queue.taskDone()
  assert.match((await thrownBy(() => queue.taskDone())).message, 'more often than the 1 tasks')
  queue.putSync(2)
  assert.is(queue.joinSync(0), false)
  queue.taskDone()
  assert.is(queue.joinSync(0), true)
})

test.run()
