// Queue: messages from any threads to any threads, each to one of them, in shared memory. After Python's multiprocessing.Queue,
// JoinableQueue and SimpleQueue, and the shutdown that queue.Queue has in Python 3.13. What they share is in queue-core.ts.
import { inspect } from 'node:util'
import { QueueClosedError, QueueEmpty, QueueFull, QueueShutDown } from '../errors.js'
import { checkTimeout, checkWaitOptions, type WaitOptions } from '../base/wait-options.js'
import { makeOwnable, registerShareable } from '../transport/shareable.js'
import { AsyncWaiters } from '../sync/async-waiters.js'
import { block } from '../sync/park.js'
import { encode, keep } from '../transport/codec/codec.js'
import { GetWaiter, JoinWaiter, PutWaiter, QueueCore } from './queue-state.js'
import { MOST_BYTES } from './ring.js'
import type { Frame } from '../transport/codec/frame.js'

const DEFAULT_MAX_BYTES = 2 ** 28

export interface QueueOptions {
  /**
   * The most bytes that one message may take. All that are unread may take as much together, rounded up to a power of two, and as
   * much again while the queue grows; then `put` waits. Memory is taken when it is needed, and kept.
   * @default 268435456 (256 MiB). At most 536870912 (512 MiB).
   */
  maxBytes?: number | undefined
}

/**
 * Messages from any threads to any threads: each goes to one of those that `get`, those of one producer in their order. A message
 * is any value that structured clone takes, without shareables, shared memory, and what Node and WebAssembly add to structured
 * clone (a KeyObject, a Blob, a WebAssembly.Module): those go through a Connection. Shareable.
 * After Python's multiprocessing.Queue; `shutdown` after queue.Queue of Python 3.13.
 */
export class Queue<T = unknown> {
  readonly #core: QueueCore
  readonly #getters = new AsyncWaiters()
  readonly #putters = new AsyncWaiters()
  #closed = false

  /**
   * @param maxsize as many messages it holds before `put` waits; 0: any number. @default 0
   * @throws TypeError, RangeError
   */
  constructor(maxsize?: number, options?: QueueOptions)
  /** @internal */
  constructor(maxsize?: number, options?: QueueOptions, memory?: SharedArrayBuffer)
  constructor(maxsize = 0, options: QueueOptions = {}, memory?: SharedArrayBuffer) {
    if (typeof options !== 'object' || options === null)
      throw new TypeError(`queue options must be an object, not ${inspect(options)}`)
    const { maxBytes = DEFAULT_MAX_BYTES } = options
    checkInteger(maxsize, 'maxsize', 0, 2 ** 31 - 1)
    checkInteger(maxBytes, 'maxBytes', 1, MOST_BYTES)
    this.#core = new QueueCore(maxsize, maxBytes, memory)
    if (!memory) makeOwnable(this, kindOf(this), this.#core.ring.memory)
  }

  /**
   * Put a message, waiting for room without blocking the thread. The value is copied at the call.
   * @throws QueueFull (ERR_MANYHANDS_QUEUE_FULL) no room in time; QueueShutDown (ERR_MANYHANDS_QUEUE_SHUT_DOWN);
   * QueueClosedError (ERR_MANYHANDS_QUEUE_CLOSED) closed by this thread; DataCloneError (ERR_MANYHANDS_DATA_CLONE); RangeError it
   * takes more than `maxBytes`; TypeError, RangeError bad arguments; the signal's reason, if that aborts. Nothing was put then.
   */
  async put(value: T, options?: WaitOptions): Promise<void> {
    const { timeoutMs, signal } = checkWaitOptions(options)
    signal?.throwIfAborted()
    const core = this.#open()
    let frame = this.#encode(value)
    if (this.#putters.empty && core.write(frame)) return
    frame = keep(frame)
    const waiter = new PutWaiter(core, false, () => this.#open().write(frame))
    if (!(await this.#putters.join(waiter, { timeout: timeoutMs, signal }))) throw full(timeoutMs)
  }

  /**
   * As `put`, blocking the thread: on the main thread prefer `put`.
   * @param timeoutMs milliseconds; Infinity waits for ever, 0 does not wait. @default Infinity
   */
  putSync(value: T, timeoutMs?: number): void {
    if (timeoutMs !== undefined) checkTimeout(timeoutMs, 'timeoutMs')
    const core = this.#open()
    const frame = this.#encode(value)
    if (this.#putters.empty && (timeoutMs === undefined ? core.writeCalmly(frame) : core.write(frame))) return
    this.#putSlowly(frame, timeoutMs)
  }

  #putSlowly(frame: Frame, timeoutMs = Infinity): void {
    const kept = keep(frame)
    // Behind those of this thread that await room, whom only the event loop would let try.
    const write = () => {
      this.#putters.run()
      return this.#putters.empty && this.#core.write(kept)
    }
    if (timeoutMs > 0 ? block(new PutWaiter(this.#core, true, write), timeoutMs) : write()) return
    throw full(timeoutMs)
  }

  /** As `putSync`, without waiting. */
  putNowait(value: T): void {
    this.putSync(value, 0)
  }

  /**
   * Put messages, as if by `put` for each, but faster. They are copied at the call; if one cannot be, none is put. If the time is
   * over before there is room for all, QueueFull says how many were put; so does QueueShutDown. After an abort, nobody does.
   * @throws as `put`; TypeError `values` is not iterable
   */
  async putMany(values: Iterable<T>, options?: WaitOptions): Promise<void> {
    const { timeoutMs, signal } = checkWaitOptions(options)
    signal?.throwIfAborted()
    const core = this.#open()
    if (typeof (values as Partial<Iterable<T>> | null | undefined)?.[Symbol.iterator] !== 'function')
      throw new TypeError(`values must be iterable, not ${inspect(values)}`)
    const frames = [...values].map((value, index) => keep(this.#encode(value, `values[${index}]`)))
    let put = this.#putters.empty ? core.writeMany(frames, 0) : 0
    if (put === frames.length) return
    const waiter = new PutWaiter(core, false, () => (put += this.#open().writeMany(frames, put)) === frames.length)
    try {
      if (await this.#putters.join(waiter, { timeout: timeoutMs, signal })) return
    } catch (reason) {
      throw reason instanceof QueueShutDown ? new QueueShutDown(reason.message + howMany(put, frames.length)) : reason
    }
    throw full(timeoutMs, put, frames.length)
  }

  /**
   * Take the oldest message, waiting for one without blocking the thread.
   * @throws QueueEmpty (ERR_MANYHANDS_QUEUE_EMPTY) nothing came in time; QueueShutDown (ERR_MANYHANDS_QUEUE_SHUT_DOWN) shut down
   * and drained; QueueClosedError (ERR_MANYHANDS_QUEUE_CLOSED) closed by this thread; DataCloneError (ERR_MANYHANDS_DATA_CLONE)
   * the message cannot be read in this thread, and is lost: it is nested too deeply for its stack, say; TypeError, RangeError bad
   * arguments; the signal's reason, if that aborts
   */
  async get(options?: WaitOptions): Promise<T> {
    const { timeoutMs, signal } = checkWaitOptions(options)
    signal?.throwIfAborted()
    const core = this.#open()
    if (this.#getters.empty && core.read()) return core.value() as T
    let value: unknown
    const waiter = new GetWaiter(core, false, () => {
      if (!this.#open().read()) return false
      value = core.value()
      return true
    })
    if (!(await this.#getters.join(waiter, { timeout: timeoutMs, signal }))) throw empty(timeoutMs)
    return value as T
  }

  /**
   * As `get`, blocking the thread: on the main thread prefer `get`.
   * @param timeoutMs milliseconds; Infinity waits for ever, 0 does not wait. @default Infinity
   */
  getSync(timeoutMs?: number): T {
    if (timeoutMs !== undefined) checkTimeout(timeoutMs, 'timeoutMs')
    const core = this.#open()
    if (core.read() || this.#waitSync(timeoutMs)) return core.value() as T
    throw empty(timeoutMs)
  }

  #waitSync(timeoutMs = Infinity): boolean {
    const core = this.#core
    // There may be room for those of this thread that await it, and only the event loop would let them try.
    const read = () => {
      if (core.read()) return true
      this.#putters.run()
      return core.read()
    }
    return timeoutMs > 0 ? block(new GetWaiter(core, true, read), timeoutMs) : !this.#putters.empty && read()
  }

  /** As `getSync`, without waiting. */
  getNowait(): T {
    return this.getSync(0)
  }

  /**
   * Wait for a message as `get` does, and take it, and those that are there besides, up to about a megabyte: those who put wait
   * meanwhile.
   * @param max as many at most, from 1 on
   * @throws as `get`, with the oldest taken if it cannot be read; RangeError, TypeError `max`
   */
  async getMany(max: number, options?: WaitOptions): Promise<T[]> {
    checkInteger(max, 'max', 1, 2 ** 31 - 1)
    const { timeoutMs, signal } = checkWaitOptions(options)
    signal?.throwIfAborted()
    const core = this.#open()
    let values = this.#getters.empty ? core.readMany(max) : []
    if (values.length > 0) return values as T[]
    const waiter = new GetWaiter(core, false, () => (values = this.#open().readMany(max)).length > 0)
    if (!(await this.#getters.join(waiter, { timeout: timeoutMs, signal }))) throw empty(timeoutMs)
    return values as T[]
  }

  /** How many messages there are just now. */
  qsize(): number {
    return this.#open().size()
  }

  /** Whether there is no message just now. */
  empty(): boolean {
    return this.#open().isEmpty()
  }

  /** Whether there are `maxsize` messages just now. */
  full(): boolean {
    const { maxsize } = this.#open()
    return maxsize > 0 && this.qsize() >= maxsize
  }

  /**
   * Take no more messages, for all threads: `put` throws QueueShutDown from now on, also where it waits, and so does `get` when
   * the queue is drained.
   * @param immediate throw away what nobody got yet. @default false
   * @throws TypeError `immediate` is not a boolean
   */
  shutdown(immediate = false): void {
    if (typeof immediate !== 'boolean')
      throw new TypeError(`immediate must be true or false, not ${inspect(immediate)}`)
    this.#open().shutDown(immediate)
  }

  /** Stop using the queue in this thread: what waits here, and what is called later, gets QueueClosedError. Others go on. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#getters.run()
    this.#putters.run()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  /** The messages as they come, until the queue is shut down and drained. */
  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    for (;;) {
      let value: T
      try {
        value = await this.get()
      } catch (reason) {
        if (reason instanceof QueueShutDown) return
        throw reason
      }
      yield value
    }
  }

  /** @internal For JoinableQueue. */
  protected get core(): QueueCore {
    return this.#open()
  }

  #open(): QueueCore {
    if (this.#closed) throw new QueueClosedError('this thread has closed the queue')
    return this.#core
  }

  #encode(value: unknown, root?: string): Frame {
    const frame = encode(value, root)
    const { maxBytes } = this.#core
    if (frame.length > maxBytes)
      throw new RangeError(`${root ?? 'the message'} is ${frame.length} bytes, limit ${maxBytes} (maxBytes)`)
    return frame
  }
}

/** A Queue whose messages are tasks: whoever got one says when it is done, and `join` waits for all. After Python's JoinableQueue. */
export class JoinableQueue<T = unknown> extends Queue<T> {
  readonly #joiners = new AsyncWaiters()

  /** One of the tasks got is done. @throws InvalidStateError (ERR_MANYHANDS_INVALID_STATE) more often than tasks were put. */
  taskDone(): void {
    this.core.taskDone()
  }

  /**
   * Wait until all tasks put are done, without blocking the thread.
   * @returns whether they are: false when the time is over
   * @throws QueueClosedError (ERR_MANYHANDS_QUEUE_CLOSED) closed by this thread; TypeError, RangeError bad arguments; the signal's
   * reason, if that aborts
   */
  async join(options?: WaitOptions): Promise<boolean> {
    return this.#joiners.join(this.#joiner(false), options)
  }

  /** As `join`, blocking the thread. @param timeoutMs milliseconds; 0 does not wait. @default Infinity */
  joinSync(timeoutMs?: number): boolean {
    return block(this.#joiner(true), checkTimeout(timeoutMs, 'timeoutMs'))
  }

  #joiner(blocking: boolean): JoinWaiter {
    return new JoinWaiter(this.core, blocking, () => this.core.isFinished())
  }

  override close(): void {
    super.close()
    this.#joiners.run()
  }
}

/** A Queue without limits of its own. After Python's SimpleQueue. */
export class SimpleQueue<T = unknown> extends Queue<T> {
  constructor()
  /** @internal */
  constructor(maxsize?: 0, options?: QueueOptions, memory?: SharedArrayBuffer)
  constructor(_maxsize?: 0, _options?: QueueOptions, memory?: SharedArrayBuffer) {
    super(0, {}, memory)
  }
}

const kindOf = (queue: object) =>
  queue instanceof JoinableQueue ? 'JoinableQueue' : queue instanceof SimpleQueue ? 'SimpleQueue' : 'Queue'

registerShareable('Queue', ([, , memory]) => new Queue(0, {}, memory as SharedArrayBuffer))
registerShareable('JoinableQueue', ([, , memory]) => new JoinableQueue(0, {}, memory as SharedArrayBuffer))
registerShareable('SimpleQueue', ([, , memory]) => new SimpleQueue(0, {}, memory as SharedArrayBuffer))

function full(timeoutMs = Infinity, put = 0, of = 1): QueueFull {
  return new QueueFull((timeoutMs > 0 ? `no room within ${timeoutMs} ms` : 'the queue is full') + howMany(put, of))
}

const howMany = (put: number, of: number) => (of > 1 ? `; ${put} of ${of} messages were put` : '')

function empty(timeoutMs = Infinity): QueueEmpty {
  return new QueueEmpty(timeoutMs > 0 ? `no message within ${timeoutMs} ms` : 'the queue is empty')
}

function checkInteger(value: unknown, name: string, least: number, most: number): void {
  if (typeof value !== 'number') throw new TypeError(`${name} must be a number, not ${inspect(value)}`)
  if (!Number.isInteger(value) || value < least || value > most)
    throw new RangeError(`${name} must be an integer from ${least} to ${most}, not ${value}`)
}
