// Connection: one end of a Pipe, after Python's multiprocessing.connection.Connection. What it waits for and how is in
// lib/pipe/pipe-end.ts; here is what callers may do with it, and when they may not.
//
//   OPEN ──close()──> CLOSED        every use is a ConnectionClosedError
//    │
//    └──packed for another thread──> LEAVING ──its port has gone──> MOVED   every use is a ConnectionClosedError
//         ^                             │
//         └──used while its port is here: the message was not sent
import { inspect } from 'node:util'
import type { MessagePort, Transferable } from 'node:worker_threads'
import { BrokenPipeError, ConnectionClosedError, EOFError, TimeoutError } from '../errors.js'
import { explainCloneFailure } from '../transport/clone-error.js'
import type { Words } from '../memory/atomics.js'
import { probeDue } from '../thread/liveness.js'
import { checkTimeout, checkWaitOptions, type WaitOptions } from '../base/wait-options.js'
import { discard, makeOwnable, registerShareable } from '../transport/shareable.js'
import { AsyncWaiters } from '../sync/async-waiters.js'
import { block } from '../sync/park.js'
import { AdaptiveSpin } from '../sync/adaptive-spin.js'
import { checkList, waitForAny, waitForAnySync } from './wait-any.js'
import { Arrival } from './receive-waiter.js'
import { copyOfBytes } from './byte-view.js'
import { contentOf, inPlaceOfUnreadable, unwrap, wrap } from './message.js'
import { NOTHING, Wire } from './pipe-end.js'

/** What can be waited for: a Connection, or something like a process's `sentinel`. */
export type Waitable = Connection | { readonly ready: boolean }

/** How to ask whether it is ready; `undefined` for what cannot be waited for. */
function asksFor(item: unknown): (() => boolean) | undefined {
  if (item instanceof Connection) return () => isReady(item)
  const sentinel = item as { ready?: unknown } | null
  return typeof sentinel === 'object' && typeof sentinel?.ready === 'boolean'
    ? () => sentinel.ready === true
    : undefined
}

/** As `asksFor`, for a thread that is going to be blocked: it would not hear of the end of a process that it has started. */
function asksForBlocked(item: unknown): (() => boolean) | undefined {
  const isReady = asksFor(item)
  if (isReady) (item as { watch?: () => void }).watch?.()
  return isReady
}

/** Set by the class, which alone sees what they ask for. */
let isReady: (connection: Connection) => boolean
let isLeaving: (connection: Connection) => boolean
let partsToSend: (connection: Connection) => unknown[]

/** The pipe that a port of this thread belongs to. */
const pipes = new WeakMap<MessagePort, Words>()

type Direction = 'both' | 'reads' | 'writes'

/** So many messages take less than a millisecond. */
const TAKEN_AT_ONCE = 100

interface Place {
  wire: Wire
  direction: Direction
  peeked: unknown[]
}

/** One end of a pipe. Shareable: passing it to a process, a task, or through another Connection moves it. */
export class Connection<T = any> {
  readonly #wire: Wire
  readonly #direction: Direction
  /** Messages that were taken from the port but not received: those that come next. */
  #peeked: unknown[]
  #closed = false
  #leaving = false
  readonly #receivers = new AsyncWaiters({ wake: 'run' })
  /** For those who block. One for all calls: with the last of their kind, V8 drops the code that it has optimized for them. */
  readonly #blocking: Arrival
  readonly #adaptiveSpin = new AdaptiveSpin()
  readonly #pollers = new Set<AsyncWaiters>()

  /** @internal */
  constructor(place?: Place) {
    if (!place) throw new TypeError('a Connection is made by Pipe()')
    this.#wire = place.wire
    this.#direction = place.direction
    this.#peeked = place.peeked
    this.#blocking = this.#arrival()
    const { port, words } = this.#wire
    if (port === null) return
    pipes.set(port, words)
    // Seen at once by those who await; those who block find out by themselves.
    port.once('close', () => {
      this.#wire.lose()
      this.#run()
    })
  }

  /** Whether this end was closed or moved. */
  get closed(): boolean {
    return this.#closed || this.#moved
  }

  /**
   * Send a value to the other end. Returns at once; nothing limits how much may wait there.
   * @param transfer what of the value is moved, not cloned
   * @throws BrokenPipeError (ERR_MANYHANDS_BROKEN_PIPE) the other end is closed or its thread has ended;
   * DataCloneError (ERR_MANYHANDS_DATA_CLONE) the value cannot be sent; ConnectionClosedError (ERR_MANYHANDS_CONNECTION_CLOSED)
   * this end is closed or moved; TypeError this end only receives.
   */
  send(value: T, transfer?: readonly Transferable[]): void {
    this.#refuse('send', 'reads')
    if (transfer !== undefined && !Array.isArray(transfer))
      throw new TypeError(`transfer must be an array, not ${inspect(transfer)}`)
    if (this.#isBroken()) throw new BrokenPipeError('send: the other end is closed, or its thread has ended')
    if (typeof value !== 'object' || value === null) return this.#post(value, value, transfer)
    const moved: Transferable[] = transfer ? [...transfer] : []
    const message = wrap(value, moved)
    if (moved.some((item) => pipes.get(item as MessagePort) === this.#wire.words))
      throw new TypeError('send: an end of a Pipe cannot be sent through the same Pipe')
    this.#post(message, value, moved.length > 0 ? moved : undefined)
  }

  #post(message: unknown, value: unknown, transfer: readonly Transferable[] | undefined): void {
    try {
      this.#wire.post(message, transfer)
    } catch (failure) {
      throw explainCloneFailure(failure, value, 'value', [...(transfer ?? [])])
    }
  }

  /**
   * Receive the oldest message. Pending, it holds the program open.
   * @throws TimeoutError (ERR_MANYHANDS_TIMEOUT) nothing came in time; EOFError (ERR_MANYHANDS_EOF) the other end is closed or
   * its thread has ended, and everything was received; DataCloneError (ERR_MANYHANDS_DATA_CLONE) the message cannot be read in
   * this thread, and is lost: it is nested too deeply for its stack, say; ConnectionClosedError, TypeError as for `send`; the
   * signal's reason.
   */
  async recv(options?: WaitOptions): Promise<T> {
    return unwrap(await this.#next('recv', options)) as T
  }

  /**
   * Block the thread until there is a message. @param timeoutMs milliseconds; Infinity waits for ever, 0 does not wait. @default Infinity
   * @throws as `recv`. On the main thread prefer `recv`.
   */
  recvSync(timeoutMs?: number): T {
    return unwrap(this.#nextSync('recvSync', timeoutMs)) as T
  }

  /** The oldest message as `{ value }`, or `undefined` where there is none now. @throws EOFError and the like, as `recv`. */
  tryRecv(): { value: T } | undefined {
    this.#refuse('tryRecv', 'writes')
    const message = this.#take(this.#suspects)
    return message === NOTHING ? undefined : { value: unwrap(message) as T }
  }

  /**
   * Whether `recv` would not have to wait: there is a message, or the end of file.
   * @param options how long to wait for it. @default 0
   */
  async poll(options: WaitOptions = 0): Promise<boolean> {
    checkWaitOptions(options)
    this.#refuse('poll', 'writes')
    if (this.#ready(this.#suspects)) return true
    const queue = new AsyncWaiters()
    this.#pollers.add(queue)
    try {
      return await queue.join(this.#readiness(), options)
    } finally {
      this.#pollers.delete(queue)
    }
  }

  /** As `poll`, blocking the thread. @param timeoutMs milliseconds. @default 0 */
  pollSync(timeoutMs = 0): boolean {
    const limitMs = checkTimeout(timeoutMs, 'timeoutMs')
    this.#refuse('pollSync', 'writes')
    if (limitMs <= 0) return this.#ready(this.#suspects)
    return block(this.#readiness(), limitMs)
  }

  /**
   * Send a copy of the bytes of a view or buffer.
   * @param offset in bytes, from the view's start. @default 0  @param size in bytes. @default the rest
   * @throws TypeError not a view or buffer; RangeError outside of it; and as `send`.
   */
  sendBytes(view: ArrayBufferView | ArrayBufferLike, offset?: number, size?: number): void {
    this.#refuse('sendBytes', 'reads')
    const bytes = copyOfBytes(view, offset, size)
    if (this.#isBroken()) throw new BrokenPipeError('sendBytes: the other end is closed, or its thread has ended')
    this.#post(bytes, bytes, [bytes.buffer])
  }

  /** Receive a message of `sendBytes`. @throws TypeError the message is not bytes: it stays, for `recv`; and as `recv`. */
  async recvBytes(options?: WaitOptions): Promise<Uint8Array> {
    return this.#bytes(await this.#next('recvBytes', options))
  }

  /** As `recvBytes`, blocking the thread. */
  recvBytesSync(timeoutMs?: number): Uint8Array {
    return this.#bytes(this.#nextSync('recvBytesSync', timeoutMs))
  }

  /**
   * Close this end. The other drains what was sent and then meets the end of file. Harmless when closed or moved. A pipe of which
   * neither end is closed takes memory as long as its threads live, also when nobody has it any more.
   */
  close(): void {
    if (this.closed) return
    this.#closed = true
    for (const message of this.#peeked.splice(0)) discard(message)
    this.#wire.close()
    this.#run()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  /** The messages, until the end of file. */
  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    for (;;) {
      let value: T
      try {
        value = await this.recv()
      } catch (reason) {
        if (reason instanceof EOFError) return
        throw reason
      }
      yield value
    }
  }

  /**
   * Those of the list that are ready: connections with a message or at the end of file, sentinels of processes that have ended.
   * Waits until there is one; none when the time is over. After Python's multiprocessing.connection.wait.
   * @throws TypeError what is neither.
   */
  static async wait<W extends Waitable>(list: Iterable<W>, options?: WaitOptions): Promise<W[]> {
    return waitForAny(checkList(list, asksFor), options)
  }

  /** As `wait`, blocking the thread. Looks every few milliseconds. */
  static waitSync<W extends Waitable>(list: Iterable<W>, timeoutMs?: number): W[] {
    return waitForAnySync(checkList(list, asksForBlocked), checkTimeout(timeoutMs, 'timeoutMs'))
  }

  static {
    isReady = (connection) => {
      connection.#refuse('wait', 'writes')
      return connection.#ready(true)
    }
    isLeaving = (connection) => connection.#leaving
    partsToSend = (connection) => connection.#leave()
  }

  async #next(use: string, options: WaitOptions | undefined): Promise<unknown> {
    const { timeoutMs } = checkWaitOptions(options)
    this.#refuse(use, 'writes')
    const arrival = this.#arrival()
    arrival.probing = timeoutMs <= 0 && this.#suspects
    const joined = this.#receivers.join(arrival, options)
    if (!this.#receivers.empty) this.#wire.hear((message) => this.#hear(message), inPlaceOfUnreadable)
    try {
      if (await joined) return arrival.message
    } finally {
      // Not deaf at once: to listen anew costs more than the next message.
      if (this.#receivers.empty) this.#wire.rest()
    }
    throw new TimeoutError(`${use}: no message came in time`)
  }

  #hear(message: unknown): void {
    this.#peeked.push(message)
    // It was listened for in case that somebody goes on receiving; the others stay in the port.
    if (this.#receivers.empty) this.#wire.deaf()
    this.#run()
  }

  #nextSync(use: string, timeoutMs: number | undefined): unknown {
    const limitMs = checkTimeout(timeoutMs, 'timeoutMs')
    this.#refuse(use, 'writes')
    const arrival = this.#blocking
    arrival.probing = limitMs <= 0 && this.#suspects
    if (block(arrival, limitMs)) return arrival.handOver()
    throw new TimeoutError(`${use}: no message came within ${Math.max(0, limitMs)} ms`)
  }

  #arrival(): Arrival {
    return new Arrival(this.#wire, this.#adaptiveSpin, (arrival) => {
      this.#refuse('recv', 'writes')
      arrival.seen = this.#wire.seen // Before it is looked for: see wire.ts.
      arrival.message = this.#take(arrival.probing, arrival.seen)
      return arrival.message !== NOTHING
    })
  }

  #readiness(): Arrival {
    return new Arrival(this.#wire, this.#adaptiveSpin, (arrival) => {
      this.#refuse('poll', 'writes')
      arrival.seen = this.#wire.seen
      return this.#ready(arrival.probing, arrival.seen)
    })
  }

  /** Whether nobody will read what is sent. */
  #isBroken(): boolean {
    if (this.#wire.broken) return true
    return this.#wire.peerTravels && probeDue(this) && this.#isLost()
  }

  /**
   * Whether the other end was lost on its way to another thread. The port tells once it is empty, and may have to tell in a
   * blocked thread: what has come is taken from it here, not all at once.
   */
  #isLost(): boolean {
    const before = this.#peeked.length
    for (let taken = 0; taken < TAKEN_AT_ONCE; taken++) {
      const message = this.#wire.take(inPlaceOfUnreadable)
      if (message === NOTHING) break
      this.#peeked.push(message)
    }
    if (this.#peeked.length > before) this.#run()
    return this.#wire.gone
  }

  /** For those who do not wait: whether it is time to look for the other end's death. */
  get #suspects(): boolean {
    return this.#wire.broken || probeDue(this)
  }

  /** @throws EOFError nothing is there, and nothing will come */
  #take(probing: boolean, seen = this.#wire.seen): unknown {
    if (this.#peeked.length > 0) return this.#peeked.shift()
    const message = this.#wire.take(inPlaceOfUnreadable)
    if (message !== NOTHING) return message
    if (Wire.closedIn(seen)) throw new EOFError('the other end is closed, and all that it sent was received')
    if (probing ? this.#wire.gone : this.#wire.lost)
      throw new EOFError('the thread of the other end has ended, and all that it sent was received')
    return NOTHING
  }

  #ready(probing: boolean, seen = this.#wire.seen): boolean {
    if (this.#peeked.length > 0 || this.#wire.promises) return true
    try {
      const message = this.#take(probing, seen)
      if (message === NOTHING) return false
      this.#peeked = [message]
    } catch (reason) {
      if (!(reason instanceof EOFError)) throw reason
    }
    return true
  }

  #bytes(message: unknown): Uint8Array {
    if (message instanceof Uint8Array) return message
    const found = inspect(contentOf(message), { depth: 0 })
    this.#peeked.unshift(message)
    throw new TypeError(`recvBytes: the message is not bytes but ${found}; recv() receives it`)
  }

  #refuse(use: string, wrongDirection: Direction): void {
    if (this.#closed) throw new ConnectionClosedError(`${use}: this end of the Pipe is closed`)
    if (this.#leaving && this.#moved)
      throw new ConnectionClosedError(`${use}: this end of the Pipe was moved to another thread`)
    if (this.#direction === wrongDirection)
      throw new TypeError(`${use}: this end of the Pipe only ${wrongDirection === 'reads' ? 'receives' : 'sends'}`)
  }

  get #moved(): boolean {
    if (!this.#leaving) return false
    if (this.#wire.port === null || this.#wire.gone) return true
    this.#leaving = false // What it was packed for was not sent.
    this.#wire.stay()
    return false
  }

  /** It is packed for another thread. @returns the parts of its handle */
  #leave(): unknown[] {
    if (this.#closed) throw new ConnectionClosedError('this end of the Pipe is closed, and cannot be passed on')
    if (this.#moved) throw new ConnectionClosedError('this end of the Pipe was moved to another thread before')
    // With the port closed by the other end's death, there is still the end of file to pass on.
    const { words, side, port, gone } = this.#wire
    this.#leaving = true
    this.#wire.leave()
    return [words.buffer, side, this.#direction, gone ? null : port, this.#peeked]
  }

  /** Let those try who await something here. */
  #run(): void {
    this.#receivers.run()
    for (const queue of this.#pollers) queue.run()
  }
}

/** @internal */
export function newConnection(words: Words, side: number, direction: Direction, port: MessagePort): Connection {
  const connection = new Connection({ wire: new Wire(words, side, port), direction, peeked: [] })
  makeOwnable(connection, 'Connection', words.buffer, side, direction, port, [])
  return connection
}

function rebuild([, , memory, side, direction, port, peeked]: readonly unknown[], here?: Connection): Connection {
  // An end that has left and comes back is another object.
  if (here && !isLeaving(here)) return here
  const wire = new Wire(new Int32Array(memory as SharedArrayBuffer), side as number, port as MessagePort | null)
  return new Connection({ wire, direction: direction as Direction, peeked: peeked as unknown[] })
}

registerShareable('Connection', rebuild, {
  onSend: (connection: Connection) => partsToSend(connection),
  discard: (handle) => rebuild(handle).close(),
})
