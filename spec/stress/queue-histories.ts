// Records the calls of several threads on queues, and the answers, for histories.ts to explain. All threads go from one queue to the
// next together, so that they meet at each while it is new. A seed reproduces the calls of each thread, but not their timing.
import { inspect } from 'node:util'
import { Process, Queue, task } from 'manyhands'
import { randomFrom, type Random } from '../transport/values.js'
import { anomalyIn, CALLS, isLinearizable, shown, type Call, type History, type Operation } from './histories.js'

/** Maximum number of values that one call puts or gets. */
const MAX_VALUES_PER_CALL = 4

/** A record in a log: the two moments, the number of answers, and two words for each of them. */
const RECORD = 3 + 2 * (MAX_VALUES_PER_CALL + 1)

/** Each thread's values begin at a multiple of this. */
const MAX_VALUES_PER_THREAD = 2 ** 24

/** How long a thread waits for the others to be awake, before its first operation. */
const MEET_MS = 0.1

type Answer = [call: Call, result: number]

interface Part {
  thread: number
  threads: number
  seed: number
  queues: Queue[]
  /** Calls of this thread on each of the queues. */
  calls: number
  /** [0] the clock; [1] the number of threads that came to a queue, summed over the queues; [2] those of them that are awake. */
  words: Int32Array
  log: Int32Array
}

/** More than a new queue has room for: it grows. */
const LARGE_BYTES = 70_000

const bytesOf = (n: number) => {
  const bytes = new Uint8Array(8 + ((n * 3701) % (n % 15 === 0 ? LARGE_BYTES : 300))).fill(n)
  new DataView(bytes.buffer).setInt32(0, n)
  return bytes
}

/** A message that encodes a number, in one of several types; some are large. */
function messageOf(n: number): unknown {
  switch (n % 5) {
    case 0:
      return bytesOf(n)
    case 1:
      return String(n)
    case 2:
      return { n, twice: [n, n] }
    default:
      return n
  }
}

/** The number of a message. @throws Error it was not made by `messageOf` */
function numberOf(message: unknown): number {
  if (message instanceof Uint8Array) {
    const n = new DataView(message.buffer, message.byteOffset).getInt32(0)
    if (Buffer.compare(message, bytesOf(n)) === 0) return n
  } else {
    const n = Number(typeof message === 'object' ? (message as { n: unknown }).n : message)
    if (JSON.stringify(message) === JSON.stringify(messageOf(n))) return n
  }
  throw new Error(`a torn message: ${inspect(message)}`)
}

/** A time limit: mostly none at all, never for ever. */
const someMs = (random: Random) => (random() < 0.6 ? 0 : random() * 2)

const isFull = (reason: unknown) => (reason as { code?: string }).code === 'ERR_MANYHANDS_QUEUE_FULL'
const isEmpty = (reason: unknown) => (reason as { code?: string }).code === 'ERR_MANYHANDS_QUEUE_EMPTY'

/** What a put or a get answered, or what `failed` makes of the error. */
function answersTo(act: () => Answer[], failed: (reason: unknown) => Answer[]): Answer[] {
  try {
    return act()
  } catch (reason) {
    return failed(reason)
  }
}

const noRoom = (reason: unknown): Answer[] => {
  if (isFull(reason)) return [['put: full', 0]]
  throw reason
}

const nothing = (reason: unknown): Answer[] => {
  if (isEmpty(reason)) return [['get: empty', 0]]
  throw reason
}

function putsOne(queue: Queue, random: Random, n: number): () => Answer[] | Promise<Answer[]> {
  const timeoutMs = someMs(random)
  const message = messageOf(n)
  const put = (): Answer[] => [['put', n]]
  const form = random()
  if (form < 0.3) return () => answersTo(() => (queue.putNowait(message), put()), noRoom)
  if (form < 0.6) return () => answersTo(() => (queue.putSync(message, timeoutMs), put()), noRoom)
  return () => queue.put(message, timeoutMs).then(put, noRoom)
}

function putsMany(queue: Queue, random: Random, numbers: number[]): () => Promise<Answer[]> {
  const timeoutMs = someMs(random)
  const messages = numbers.map(messageOf)
  const puts = numbers.map((n): Answer => ['put', n])
  const failed = (reason: unknown) => {
    const [, put = '0'] = /(\d+) of \d+ messages/.exec((reason as Error).message) ?? []
    return [...puts.slice(0, Number(put)), ...noRoom(reason)]
  }
  return () => queue.putMany(messages, timeoutMs).then(() => puts, failed)
}

const got = (message: unknown): Answer => ['get', numberOf(message)]

/** Get the next message into a view; where it is no bytes, or has no room there, as it is. */
function getsInto(queue: Queue, length: number, timeoutMs: number): Answer {
  const view = new Uint8Array(length)
  try {
    return got(view.subarray(0, queue.getIntoSync(view, timeoutMs)))
  } catch (reason) {
    if (reason instanceof TypeError || reason instanceof RangeError) return got(queue.getNowait())
    throw reason
  }
}

const getsNow = (queue: Queue): Answer => answersTo(() => [got(queue.getNowait())], nothing)[0]!

function gets(queue: Queue, random: Random): () => Answer[] | Promise<Answer[]> {
  const timeoutMs = someMs(random)
  const form = random()
  if (form < 0.1) return () => [getsNow(queue)]
  if (form < 0.3) {
    const length = random() < 0.5 ? 100 : LARGE_BYTES + 8
    if (random() < 0.5) return () => answersTo(() => [getsInto(queue, length, timeoutMs)], nothing)
    const view = new Uint8Array(length)
    const leave = (reason: unknown) =>
      reason instanceof TypeError || reason instanceof RangeError ? [getsNow(queue)] : nothing(reason)
    return () => queue.getInto(view, timeoutMs).then((read) => [got(view.subarray(0, read))], leave)
  }
  if (form < 0.5) return () => answersTo(() => [got(queue.getSync(timeoutMs))], nothing)
  if (form < 0.75) return () => queue.get(timeoutMs).then((message) => [got(message)], nothing)
  const max = 1 + Math.floor(random() * MAX_VALUES_PER_CALL)
  return () => queue.getMany(max, timeoutMs).then((messages) => messages.map(got), nothing)
}

function looks(queue: Queue, random: Random): () => Answer[] {
  const form = random()
  if (form < 0.4) return () => [['qsize', queue.qsize()]]
  if (form < 0.7) return () => [['empty', Number(queue.empty())]]
  return () => [['full', Number(queue.full())]]
}

/** The part of one thread. */
export const takePart = task(
  import.meta.url,
  async function takePart({ thread, threads, seed, queues, calls, words, log }: Part) {
    const tick = () => Atomics.add(words, 0, 1) + 1
    const meet = (round: number) => {
      const all = threads * (round + 1)
      if (Atomics.add(words, 1, 1) + 1 === all) Atomics.notify(words, 1)
      for (let come; (come = Atomics.load(words, 1)) < all;) Atomics.wait(words, 1, come)
      Atomics.add(words, 2, 1)
      for (const endMs = performance.now() + MEET_MS; Atomics.load(words, 2) < all && performance.now() < endMs;);
    }
    let n = thread * MAX_VALUES_PER_THREAD
    let at = 0
    for (const [round, queue] of queues.entries()) {
      const random = randomFrom(seed + round * 64 + thread)
      const bias = 0.2 + random() * 0.6
      const choose = () => {
        if (random() < 0.15) return looks(queue, random)
        if (random() > bias) return gets(queue, random)
        if (random() < 0.7) return putsOne(queue, random, ++n)
        return putsMany(queue, random, Array.from({ length: 1 + Math.floor(random() * MAX_VALUES_PER_CALL) }, () => ++n)) // prettier-ignore
      }
      meet(round)
      for (let call = 0; call < calls; call++, at += RECORD) {
        const act = choose()
        const began = tick()
        const answer = act()
        const answers = Array.isArray(answer) ? answer : await answer
        const ended = tick()
        const results = answers.flatMap(([call, result]) => [CALLS.indexOf(call), result])
        log.set([began, ended, answers.length, ...results], at)
      }
    }
  },
)

function* recordsIn(log: Int32Array): Generator<Operation> {
  const [began, ended, count] = log as unknown as [number, number, number]
  for (let i = 0; i < count; i++) yield { call: CALLS[log[3 + 2 * i]!]!, result: log[4 + 2 * i]!, began, ended }
}

interface Recording {
  maxsize: number
  history: History
}

/**
 * Have `threads` threads make `calls` calls each on a queue of each size, one queue after another. This thread gets what is left.
 * @throws Error a thread has failed
 */
async function recordHistories(seed: number, threads: number, calls: number, maxsizes: number[]): Promise<Recording[]> {
  // prettier-ignore
  const queues = maxsizes.map((maxsize) => new Queue(maxsize, { maxBytes: calls > 100 ? 2 ** 28 : 2 ** 20 }))
  const words = new Int32Array(new SharedArrayBuffer(12))
  const logs = Array.from(
    { length: threads },
    () => new Int32Array(new SharedArrayBuffer(4 * RECORD * calls * queues.length)),
  )
  const processes = logs.map((log, thread) =>
    new Process({ target: takePart, args: [{ thread, threads, seed, queues, calls, words, log }] }).start(),
  )
  for (const process of processes) {
    await process.join()
    if (process.exitcode !== 0) throw new Error(`recording, seed ${seed}: a thread failed`, { cause: process.error })
  }
  return queues.map((queue, round) => {
    const history = logs.map((log) =>
      Array.from({ length: calls }, (_, call) => (round * calls + call) * RECORD).flatMap((at) => [
        ...recordsIn(log.subarray(at, at + RECORD)),
      ]),
    )
    const tick = () => Atomics.add(words, 0, 1) + 1
    const last: Operation[] = []
    const note = (act: () => Answer) => {
      const began = tick()
      const [call, result] = act()
      last.push({ call, result, began, ended: tick() })
      return result
    }
    while (note(() => ['qsize', queue.qsize()]) > 0) note(() => getsNow(queue))
    note(() => getsNow(queue))
    queue.close()
    return { maxsize: maxsizes[round]!, history: [...history, last] }
  })
}

export interface Explained {
  histories: number
  operations: number
  /** The number of operations that overlapped with another thread's. */
  met: number
}

/**
 * Record short histories of new queues with and without a limit, and long ones, and check that they can be explained.
 * @throws Error a history cannot be explained: it is shown
 */
export async function explainHistories(seed: number, short: number, longCalls: number): Promise<Explained> {
  const maxsizes = Array.from({ length: short / 2 }, (_, i) => [0, 1, 2, 4][i % 4]!)
  let [operations, met] = [0, 0]
  for (const threads of [3, 4])
    for (const { maxsize, history } of await recordHistories(seed, threads, 4, maxsizes)) {
      const anomaly = anomalyIn(history, maxsize)
      if (anomaly !== undefined || !isLinearizable(history, maxsize))
        throw new Error(`seed ${seed}, maxsize ${maxsize}: ${anomaly ?? 'no order explains it'}\n${shown(history)}`)
      operations += history.flat().length
      met += countMet(history)
    }
  for (const { maxsize, history } of await recordHistories(seed, 4, longCalls, [0, 3])) {
    const anomaly = anomalyIn(history, maxsize)
    if (anomaly !== undefined) throw new Error(`seed ${seed}, maxsize ${maxsize}, long: ${anomaly}`)
    operations += history.flat().length
  }
  return { histories: short + 2, operations, met }
}

/** The number of operations that overlapped with another thread's. */
function countMet(history: History): number {
  const meets = (a: Operation, b: Operation) => a.began < b.ended && b.began < a.ended
  return history.reduce((total, operations, thread) => {
    const others = history.filter((_, other) => other !== thread).flat()
    return total + operations.filter((operation) => others.some((other) => meets(operation, other))).length
  }, 0)
}
