// How many messages a second go from thread to thread, through a Queue and through the alternatives? Numbers, small objects, strings of
// 1 KB, and buffers of 64 KB; one to one with a blocking and an awaiting consumer, four to one, one to four, n to n. Every run counts what
// arrived. Consumers block unless the name says otherwise. Workers start before the clock does. A round is long enough to make the tenth
// of a second negligible that a new thread takes to compile its code.
import { isMainThread, Process, Queue, task } from 'manyhands'
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { MessageChannel, receiveMessageOnPort, type MessagePort } from 'node:worker_threads'
import { goal, measure, ratio, report, type Contender } from './measure.js'
import { importMultithreading } from './peers/multithreading.js'
import { startPython } from './python.js'
import { WORKERS } from './workers.js'

const ROUNDS = 5
const CHANNEL_COUNT = 5000
const BUFFER_BYTES = 65_536

const payloads = {
  numbers: { make: (i: number): unknown => i, count: 2_000_000 },
  'small objects': {
    make: (i: number): unknown => ({ id: i, name: 'item', point: { x: i / 2, y: 1 } }),
    count: 500_000,
  },
  'strings of 1 KB': { make: (i: number): unknown => `${i} `.padEnd(1024, 'x'), count: 300_000 },
  'buffers of 64 KB': { make: (i: number): unknown => new Uint8Array(BUFFER_BYTES).fill(i), count: 30_000 },
}
type Payload = keyof typeof payloads

const go = (flag: Int32Array) => {
  Atomics.add(flag, 1, 1)
  Atomics.notify(flag, 1)
  Atomics.wait(flag, 0, 0)
}

const putAll = task(import.meta.url, function putAll(queue: Queue, flag: Int32Array, kind: Payload, count: number) {
  const value = payloads[kind].make(1)
  go(flag)
  for (let i = 0; i < count; i++) queue.putSync(value)
})

const getAll = task(import.meta.url, function getAll(queue: Queue, flag: Int32Array, count: number) {
  go(flag)
  for (let i = 0; i < count; i++) queue.getSync()
})

const postAll = task(
  import.meta.url,
  function postAll(port: MessagePort, flag: Int32Array, kind: Payload, count: number) {
    const value = payloads[kind].make(1)
    go(flag)
    for (let i = 0; i < count; i++) port.postMessage(value)
    port.close()
  },
)

/** Start the clock when `threads` are ready. The returned function stops it, and gives messages a second. */
function start(flag: Int32Array, threads: number, count: number): () => number {
  for (let ready; (ready = Atomics.load(flag, 1)) < threads;) Atomics.wait(flag, 1, ready, 100)
  const begin = performance.now()
  Atomics.store(flag, 0, 1)
  Atomics.notify(flag, 0)
  return () => (count / (performance.now() - begin)) * 1000
}

const newFlag = () => new Int32Array(new SharedArrayBuffer(8))

async function throughQueue(
  kind: Payload,
  producers: number,
  consume: 'sync' | 'async' | 'many' | 'into' | 'async into',
  maxsize = 0,
): Promise<number> {
  const { count } = payloads[kind]
  const [queue, flag] = [new Queue(maxsize), newFlag()]
  const processes = Array.from({ length: producers }, () =>
    new Process({ target: putAll, args: [queue, flag, kind, count / producers] }).start(),
  )
  const stop = start(flag, producers, count)
  const view = new Uint8Array(BUFFER_BYTES)
  if (consume === 'sync') for (let i = 0; i < count; i++) queue.getSync()
  else if (consume === 'into') for (let i = 0; i < count; i++) assert.equal(queue.getIntoSync(view), BUFFER_BYTES)
  else if (consume === 'async into') for (let i = 0; i < count; i++) await queue.getInto(view)
  else if (consume === 'async') for (let i = 0; i < count; i++) await queue.get()
  else for (let i = 0; i < count;) i += (await queue.getMany(1000)).length
  const rate = stop()
  assert.ok(queue.empty())
  for (const process of processes) await process.join()
  return rate
}

async function toFour(kind: Payload): Promise<number> {
  const { count } = payloads[kind]
  const [queue, flag] = [new Queue(), newFlag()]
  const processes = Array.from({ length: 4 }, () =>
    new Process({ target: getAll, args: [queue, flag, count / 4] }).start(),
  )
  const stop = start(flag, 4, count)
  const value = payloads[kind].make(1)
  for (let i = 0; i < count; i++) queue.putSync(value)
  for (const process of processes) process.joinSync()
  const rate = stop()
  assert.ok(queue.empty())
  return rate
}

/** From as many threads to as many others. */
async function betweenMany(kind: Payload): Promise<number> {
  const each = Math.floor(payloads[kind].count / WORKERS)
  const [queue, flag] = [new Queue(), newFlag()]
  const processes = Array.from({ length: WORKERS }, () => [
    new Process({ target: putAll, args: [queue, flag, kind, each] }).start(),
    new Process({ target: getAll, args: [queue, flag, each] }).start(),
  ]).flat()
  const stop = start(flag, 2 * WORKERS, WORKERS * each)
  for (const process of processes) process.joinSync()
  const rate = stop()
  assert.ok(queue.empty())
  return rate
}

async function throughPort(kind: Payload, consume: 'sync' | 'async'): Promise<number> {
  const { count } = payloads[kind]
  const { port1, port2 } = new MessageChannel()
  const flag = newFlag()
  const process = new Process({ target: postAll, args: [port1, flag, kind, count], transfer: [port1] }).start()
  const stop = start(flag, 1, count)
  let got = 0
  if (consume === 'sync') while (got < count) got += receiveMessageOnPort(port2) ? 1 : 0
  else {
    port2.on('message', () => got++)
    await once(port2, 'close')
  }
  const rate = stop()
  assert.equal(got, count)
  await process.join()
  port2.close()
  return rate
}

const SLOTS = 16

/** Fills slots of shared memory, at most SLOTS ahead of the reader. */
const fillAll = task(
  import.meta.url,
  function fillAll(memory: SharedArrayBuffer, counts: Int32Array, flag: Int32Array, count: number) {
    const bytes = Buffer.from(memory)
    const value = Buffer.alloc(BUFFER_BYTES, 1)
    go(flag)
    for (let i = 0; i < count; i++) {
      waitWhile(counts, 16, (taken) => i - taken >= SLOTS)
      bytes.fill(value, (i % SLOTS) * BUFFER_BYTES, ((i % SLOTS) + 1) * BUFFER_BYTES)
      Atomics.store(counts, 0, i + 1)
      Atomics.notify(counts, 0)
    }
  },
)

function waitWhile(counts: Int32Array, index: number, isEarly: (count: number) => boolean): void {
  for (let spins = 0, seen; isEarly((seen = Atomics.load(counts, index))); spins++)
    if (spins > 1000) Atomics.wait(counts, index, seen, 1)
}

const always = (buffer: Buffer) => () => buffer

/** The limit for any queue of buffers: one thread copies each into shared memory, the other into a buffer of its own. */
async function throughBareMemory(newBuffer: () => Buffer): Promise<number> {
  const { count } = payloads['buffers of 64 KB']
  const [memory, flag] = [new SharedArrayBuffer(SLOTS * BUFFER_BYTES), newFlag()]
  const counts = new Int32Array(new SharedArrayBuffer(128))
  const process = new Process({ target: fillAll, args: [memory, counts, flag, count] }).start()
  const bytes = Buffer.from(memory)
  const stop = start(flag, 1, count)
  for (let i = 0; i < count; i++) {
    waitWhile(counts, 0, (filled) => filled <= i)
    const at = (i % SLOTS) * BUFFER_BYTES
    newBuffer().fill(bytes.subarray(at, at + BUFFER_BYTES))
    Atomics.store(counts, 16, i + 1)
    Atomics.notify(counts, 16)
  }
  const rate = stop()
  await process.join()
  return rate
}

/** The limit for any receiver: one thread copies from its own cache, and nothing is sent. */
function throughFreshMemory(): number {
  const { count } = payloads['buffers of 64 KB']
  const bytes = Buffer.alloc(BUFFER_BYTES, 1)
  const begin = performance.now()
  for (let i = 0; i < count; i++) Buffer.allocUnsafeSlow(BUFFER_BYTES).fill(bytes)
  return (count / (performance.now() - begin)) * 1000
}

/** Through multithreading's own worker, which gets the function as source. It receives objects as views, not as copies. */
async function throughChannel(kind: Payload): Promise<number> {
  const { channel, move, spawn } = await importMultithreading()
  const count = CHANNEL_COUNT
  const [sender, receiver] = channel<unknown>(64, { size: 2 ** 20 })
  const task = spawn(move(sender, payloads[kind].make(1), count), (sender, value, count) => {
    for (let i = 0; i < count; i++) sender.blockingSend(value)
  })
  // Until the worker has booted, it needs this thread's event loop.
  assert.ok((await receiver.recv()).ok)
  const begin = performance.now()
  for (let i = 1; i < count; i++) assert.ok(receiver.blockingRecv().ok)
  const rate = ((count - 1) / (performance.now() - begin)) * 1000
  await task.join()
  receiver.close()
  return rate
}

const PYTHON = `
import multiprocessing, time
def put(queue, ready, value, count):
    ready.put(1)
    for _ in range(count): queue.put(value)
def run(value, count):
    queue, ready = multiprocessing.Queue(), multiprocessing.SimpleQueue()
    process = multiprocessing.Process(target=put, args=(queue, ready, value, count))
    process.start()
    ready.get()
    begin = time.perf_counter()
    for _ in range(count): queue.get()
    rate = count / (time.perf_counter() - begin)
    process.join()
    return rate
def numbers(): return run(1, 20000)
def objects(): return run({'id': 1, 'name': 'item', 'point': {'x': 0.5, 'y': 1}}, 20000)
def strings(): return run('1 '.ljust(1024, 'x'), 20000)
def buffers(): return run(bytes(65536), 1000)
`

async function bench(): Promise<void> {
  const python = startPython(PYTHON)
  const only = process.argv.slice(2).find((argument) => !argument.startsWith('--'))
  for (const kind of Object.keys(payloads) as Payload[]) {
    if (only && !kind.includes(only)) continue
    const contenders: Contender[] = [
      { name: 'Queue 1:1', measure: () => throughQueue(kind, 1, 'sync') },
      { name: 'Queue(64) 1:1', measure: () => throughQueue(kind, 1, 'sync', 64) },
      { name: 'Queue 1:1, await get', measure: () => throughQueue(kind, 1, 'async') },
      { name: 'Queue 1:1, await getMany', measure: () => throughQueue(kind, 1, 'many') },
      { name: 'Queue 4:1', measure: () => throughQueue(kind, 4, 'sync') },
      { name: 'Queue 1:4', measure: () => toFour(kind) },
      { name: `Queue ${WORKERS}:${WORKERS}`, measure: () => betweenMany(kind) },
      { name: 'receiveMessageOnPort', measure: () => throughPort(kind, 'sync') },
      { name: 'MessagePort events', measure: () => throughPort(kind, 'async') },
    ]
    if (kind === 'buffers of 64 KB')
      contenders.push(
        { name: 'Queue 1:1, getIntoSync', measure: () => throughQueue(kind, 1, 'into') },
        { name: 'Queue(64) 1:1, getIntoSync', measure: () => throughQueue(kind, 1, 'into', 64) },
        { name: 'Queue 1:1, await getInto', measure: () => throughQueue(kind, 1, 'async into') },
        { name: 'bare copies', measure: () => throughBareMemory(() => Buffer.allocUnsafeSlow(BUFFER_BYTES)) },
        { name: 'bare copies, one buffer', measure: () => throughBareMemory(always(Buffer.alloc(BUFFER_BYTES))) },
        { name: 'fresh copies, one thread', measure: async () => throughFreshMemory() },
      )
    // The channel takes JSON, and so no buffers.
    else contenders.push({ name: "multithreading's channel", measure: () => throughChannel(kind) })
    if (python)
      contenders.push({ name: "Python's Queue", measure: () => python.call(kind.replace('small ', '').split(' ')[0]!) })
    console.log(`\n${kind}: messages per second`)
    const measured = await measure(contenders, ROUNDS)
    report(measured, 'per second', 'receiveMessageOnPort')
    if (kind !== 'buffers of 64 KB') continue
    const against = (name: string, peer: string) => ratio(measured, name, peer)
    goal('getIntoSync of 64 KB, against a port', against('Queue 1:1, getIntoSync', 'receiveMessageOnPort'), {
      atLeast: 2.5,
    })
    goal('getSync of 64 KB, against a port', against('Queue 1:1', 'receiveMessageOnPort'), { atLeast: 1.2 })
    goal('getSync of 64 KB, against bare copies', against('Queue 1:1', 'bare copies'), { atLeast: 0.75 })
  }
  ;(await importMultithreading()).shutdown()
  python?.close()
}

if (isMainThread) await bench()
