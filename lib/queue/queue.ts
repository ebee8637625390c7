// Queue: messages from any threads to any threads, in shared memory. After Python's multiprocessing.Queue, with the shutdown of
// Python 3.13's queue.Queue. The other kinds are in queue-kinds.ts, what they share is in queue-state.ts.
import { inspect } from 'node:util'
import { recognizeCopies } from '../copies.js'
import { QueueClosedError, QueueShutDown } from '../errors.js'
import { afterTurn, turnIfDue } from '../base/loop-turn.js'
import { partsIn } from '../base/parts.js'
import { checkFlag, checkInteger, refuseOptions } from '../base/validate.js'
import { checkTimeout, checkWaitOptions, type WaitOptions } from '../base/wait-options.js'
import { viewedBytes, type ByteView } from '../memory/byte-view.js'
import { keep, keepAll } from '../transport/codec/codec.js'
import type { Frame } from '../transport/codec/frame.js'
import { makeOwnable } from '../transport/shareable.js'
import { AsyncWaiters } from '../sync/async-waiters.js'
import { block } from '../sync/park.js'
import { emptyError, fullError, putCount } from './queue-errors.js'
import { MAX_COUNT, newQueueMemory, type QueueOptions } from './queue-options.js'
import { kindOf, registerQueue, type QueueParts } from './queue-registry.js'
import { GetWaiter, PutWaiter, QueueState } from './queue-state.js'

/** @internal The state of a queue. Set by the class, which alone sees it. @throws QueueClosedError this thread has closed the queue */
export let openStateOf: (queue: Queue<any>) => QueueState

/**
 * Messages from any threads to any threads. Each message goes to one thread that calls `get`; the messages of one producer keep
 * their order. A message is any value that structured clone takes, except shareables, shared memory, and what Node and
 * WebAssembly add to structured clone (a KeyObject, a Blob, a WebAssembly.Module): send those through a Connection. Shareable.
 * After Python's multiprocessing.Queue; `shutdown` after queue.Queue of Python 3.13.
 */
export class Queue<T = unknown> {
  readonly #state: QueueState
  readonly #getters = new AsyncWaiters()
  readonly #putters = new AsyncWaiters()
  #closed = false

  /**
   * @param maxsize capacity in messages; `put` waits when full. 0: unbounded. @default 0
   * @throws TypeError, RangeError
   */
  constructor(maxsize: number = 0, options: QueueOptions = {}) {
    const parts = partsIn(maxsize) as QueueParts | undefined
    if (parts) {
      this.#state = new QueueState(...parts)
      return
    }
    const { kind, newTaskMemory } = kindOf(new.target)
    const memory = newQueueMemory(maxsize, options)
    const made: QueueParts = newTaskMemory ? [memory, newTaskMemory()] : [memory]
    this.#state = new QueueState(...made)
    makeOwnable(this, kind, ...made)
  }

  /**
   * Put a message, waiting for room without blocking the thread. The value is copied at the call. Nothing is put if this throws.
   * @throws QueueFull (ERR_MANYHANDS_QUEUE_FULL) no room in time; QueueShutDown (ERR_MANYHANDS_QUEUE_SHUT_DOWN);
   * QueueClosedError (ERR_MANYHANDS_QUEUE_CLOSED) closed by this thread; DataCloneError (ERR_MANYHANDS_DATA_CLONE); RangeError the
   * message takes more than `maxBytes`; TypeError, RangeError bad arguments; the signal's reason
   */
  async put(value: T, options?: WaitOptions): Promise<void> {
    const { timeoutMs, signal } = checkWaitOptions(options)
    signal?.throwIfAborted()
    const state = this.#openState()
    let frame = state.encode(value)
    if (this.#putters.empty && state.write(frame)) return turnIfDue()
    frame = keep(frame)
    const waiter = new PutWaiter(state.ring.words, false, () => this.#openState().write(frame))
    if (!(await this.#putters.join(waiter, { timeout: timeoutMs, signal }))) throw fullError(timeoutMs)
  }

  /**
   * As `put`, blocking the thread: on the main thread prefer `put`.
   * @param timeoutMs milliseconds; Infinity waits for ever, 0 does not wait. @default Infinity
   */
  putSync(value: T, timeoutMs?: number): void {
    if (timeoutMs !== undefined) checkTimeout(timeoutMs, 'timeoutMs')
    const state = this.#openState()
    const frame = state.encode(value)
    const mayBlock = timeoutMs === undefined
    if (this.#putters.empty && (mayBlock ? state.writeAvoidingGrowth(frame) : state.write(frame))) return
    this.#putSlowly(frame, timeoutMs)
  }

  #putSlowly(frame: Frame, timeoutMs = Infinity): void {
    const state = this.#state
    const kept = keep(frame)
    // Behind the async puts of this thread: the event loop, which would let them try, does not turn.
    const write = () => {
      this.#putters.run()
      return this.#putters.empty && state.write(kept)
    }
    if (timeoutMs > 0 ? block(new PutWaiter(state.ring.words, true, write), timeoutMs) : write()) return
    throw fullError(timeoutMs)
  }

  /** As `putSync`, without waiting. */
  putNowait(value: T): void
  putNowait(value: T, options?: unknown): void {
    refuseOptions(options, 'putNowait(value)')
    this.putSync(value, 0)
  }

  /**
   * Put messages, as `put` does for each, but faster. They are copied at the call; if one cannot be cloned, none is put. If there
   * is not room for all in time, QueueFull says how many were put; so does QueueShutDown. An abort does not tell.
   * @throws as `put`; TypeError `values` is not iterable
   */
  async putMany(values: Iterable<T>, options?: WaitOptions): Promise<void> {
    const { timeoutMs, signal } = checkWaitOptions(options)
    signal?.throwIfAborted()
    const state = this.#openState()
    if (typeof (values as Partial<Iterable<T>> | null | undefined)?.[Symbol.iterator] !== 'function')
      throw new TypeError(`values must be iterable, not ${inspect(values)}`)
    const frames = keepAll([...values], (value, index) => state.encode(value, `values[${index}]`))
    let put = this.#putters.empty ? state.writeMany(frames, 0) : 0
    if (put === frames.length) return turnIfDue()
    const write = () => (put += this.#openState().writeMany(frames, put)) === frames.length
    const waiter = new PutWaiter(state.ring.words, false, write)
    try {
      if (await this.#putters.join(waiter, { timeout: timeoutMs, signal })) return
    } catch (reason) {
      throw reason instanceof QueueShutDown ? new QueueShutDown(reason.message + putCount(put, frames.length)) : reason
    }
    throw fullError(timeoutMs, put, frames.length)
  }

  /**
   * Take the oldest message, waiting for one without blocking the thread.
   * @throws QueueEmpty (ERR_MANYHANDS_QUEUE_EMPTY) nothing came in time; QueueShutDown (ERR_MANYHANDS_QUEUE_SHUT_DOWN) shut down
   * and drained; QueueClosedError (ERR_MANYHANDS_QUEUE_CLOSED) closed by this thread; DataCloneError (ERR_MANYHANDS_DATA_CLONE)
   * the message cannot be read in this thread (it is nested too deeply for its stack, say) and is lost; TypeError, RangeError bad
   * arguments; the signal's reason
   */
  async get(options?: WaitOptions): Promise<T> {
    const { timeoutMs, signal } = checkWaitOptions(options)
    signal?.throwIfAborted()
    const state = this.#openState()
    if (this.#getters.empty && state.read()) return afterTurn(state.value() as T)
    let value: unknown
    const waiter = new GetWaiter(state.ring.words, false, () => {
      if (!this.#openState().read()) return false
      value = state.value()
      return true
    })
    if (!(await this.#getters.join(waiter, { timeout: timeoutMs, signal }))) throw emptyError(timeoutMs)
    return value as T
  }

  /**
   * As `get`, blocking the thread: on the main thread prefer `get`.
   * @param timeoutMs milliseconds; Infinity waits for ever, 0 does not wait. @default Infinity
   */
  getSync(timeoutMs?: number): T {
    if (timeoutMs !== undefined) checkTimeout(timeoutMs, 'timeoutMs')
    const state = this.#openState()
    if (state.read() || this.#readSlowly(() => state.read(), timeoutMs)) return state.value() as T
    throw emptyError(timeoutMs)
  }

  /** @param read whether it read a message */
  #readSlowly(read: () => boolean, timeoutMs = Infinity): boolean {
    // The async puts of this thread may have room now: the event loop, which would let them try, does not turn.
    const look = () => {
      if (read()) return true
      this.#putters.run()
      return read()
    }
    if (timeoutMs > 0) return block(new GetWaiter(this.#state.ring.words, true, look), timeoutMs)
    return !this.#putters.empty && look()
  }

  /** As `getSync`, without waiting. */
  getNowait(): T
  getNowait(options?: unknown): T {
    refuseOptions(options, 'getNowait()')
    return this.getSync(0)
  }

  /**
   * As `get`, for a message of bytes (any view or buffer that was put): they are copied to the start of `view`. New memory costs several
   * times the copy.
   * @param view a typed array, Buffer, DataView, ArrayBuffer or SharedArrayBuffer
   * @returns length of the message in bytes
   * @throws RangeError `view` is shorter than the message, TypeError the message is not bytes, or the memory of `view` was transferred:
   * the message stays, and is the next; TypeError `view` is none of these; as `get`
   * @example
   * const view = new Uint8Array(65536)
   * const message = view.subarray(0, await queue.getInto(view))
   */
  async getInto(view: ByteView, options?: WaitOptions): Promise<number> {
    const { timeoutMs, signal } = checkWaitOptions(options)
    signal?.throwIfAborted()
    viewedBytes(view, 'getInto')
    let length = -1
    const read = () => (length = this.#openState().readInto(view, 'getInto')) >= 0
    if (this.#getters.empty && read()) return afterTurn(length)
    const waiter = new GetWaiter(this.#state.ring.words, false, read)
    if (!(await this.#getters.join(waiter, { timeout: timeoutMs, signal }))) throw emptyError(timeoutMs)
    return length
  }

  /**
   * As `getInto`, blocking the thread.
   * @param timeoutMs milliseconds; Infinity waits for ever, 0 does not wait. @default Infinity
   */
  getIntoSync(view: ByteView, timeoutMs?: number): number {
    if (timeoutMs !== undefined) checkTimeout(timeoutMs, 'timeoutMs')
    const state = this.#openState()
    let length = -1
    const read = () => (length = state.readInto(view, 'getIntoSync')) >= 0
    if (read() || this.#readSlowly(read, timeoutMs)) return length
    throw emptyError(timeoutMs)
  }

  /**
   * Wait for a message as `get` does, and take it with those that are there besides, up to about a megabyte. Producers wait
   * meanwhile.
   * @param max maximum number of messages, from 1 on
   * @throws as `get`: a message that cannot be read is lost only where it is the oldest; RangeError, TypeError `max`
   */
  async getMany(max: number, options?: WaitOptions): Promise<T[]> {
    checkInteger(max, 'max', 1, MAX_COUNT)
    const { timeoutMs, signal } = checkWaitOptions(options)
    signal?.throwIfAborted()
    const state = this.#openState()
    let values = this.#getters.empty ? state.readMany(max) : []
    if (values.length > 0) return afterTurn(values as T[])
    const read = () => (values = this.#openState().readMany(max)).length > 0
    const waiter = new GetWaiter(state.ring.words, false, read)
    if (!(await this.#getters.join(waiter, { timeout: timeoutMs, signal }))) throw emptyError(timeoutMs)
    return values as T[]
  }

  /** The number of messages, just now. @throws QueueClosedError */
  qsize(): number {
    return this.#openState().size()
  }

  /** Whether there is no message, just now. @throws QueueClosedError */
  empty(): boolean {
    return this.#openState().isEmpty()
  }

  /** Whether there are `maxsize` messages, just now. @throws QueueClosedError */
  full(): boolean {
    const { maxsize } = this.#openState()
    return maxsize > 0 && this.qsize() >= maxsize
  }

  /**
   * Accept no more messages, in all threads. From now on `put` throws QueueShutDown, a waiting one too, and so does `get` when the
   * queue is drained.
   * @param immediate discard the messages that are still unread. @default false
   * @throws TypeError `immediate` is not a boolean; QueueClosedError
   */
  shutdown(immediate: boolean = false): void {
    this.#openState().shutDown(checkFlag(immediate, 'immediate'))
  }

  /** Stop using the queue in this thread: pending and later calls here throw QueueClosedError. Other threads go on. */
  close(): void
  close(options?: unknown): void {
    refuseOptions(options, 'close()')
    if (this.#closed) return
    this.#closed = true
    this.#getters.run()
    this.#putters.run()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  /** The messages as they come, until the queue is shut down and drained. Leaving the loop leaves the queue as it is. */
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

  static {
    openStateOf = (queue) => queue.#openState()
  }

  #openState(): QueueState {
    if (this.#closed) throw new QueueClosedError('this thread has closed the queue')
    return this.#state
  }
}

registerQueue('Queue', Queue)

recognizeCopies(Queue, 'Queue')
