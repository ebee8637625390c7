// Connection: one end of a Pipe, after Python's multiprocessing.connection.Connection. This file says what callers may do
// with it, and when; receiver.ts has what waits at it, pipe-end.ts how messages travel.
//
//   OPEN ──close()──> CLOSED        every use is a ConnectionClosedError
//    │
//    └──packed for another thread──> LEAVING ──its port has gone──> MOVED   every use is a ConnectionClosedError
//         ^                             │
//         └──used while its port is here: the message was not sent
import { inspect } from 'node:util'
import type { MessagePort, Transferable } from 'node:worker_threads'
import { perThread, recognizeCopies } from '../copies.js'
import { BrokenPipeError, ConnectionClosedError, EOFError } from '../errors.js'
import { fromParts, partsIn } from '../base/parts.js'
import { refuseOptions } from '../base/validate.js'
import { checkTimeout, type WaitOptions } from '../base/wait-options.js'
import type { ByteView } from '../memory/byte-view.js'
import { explainCloneFailure } from '../transport/clone-error.js'
import { makeOwnable, registerShareable } from '../transport/shareable.js'
import { bytesReceived, copyToSend, into } from './byte-message.js'
import { decodeMessage, encodeMessage } from './message.js'
import { NO_MESSAGE, PipeEnd } from './pipe-end.js'
import { Receiver } from './receiver.js'
import { checkWatched, waitForAny, waitForAnySync } from './wait-any.js'

/** What can be waited for: a Connection, or something like a process's `sentinel`. */
export type Waitable = Connection | { readonly ready: boolean }

type Direction = 'both' | 'reads' | 'writes'

/** What an end is made of, here and in the handle by which another thread rebuilds it. */
type PipeAddress = [
  memory: SharedArrayBuffer,
  side: number,
  direction: Direction,
  /** `null`: it is gone, and there is nothing to receive but `peeked` and the end of file. */
  port: MessagePort | null,
  peeked: unknown[],
]

/** The pipe that a port of this thread belongs to. */
const pipes = perThread('pipes', () => new WeakMap<MessagePort, SharedArrayBuffer>())

// Set by the class, which alone sees what they ask for.
let isLeaving: (connection: Connection) => boolean
let addressToSend: (connection: Connection) => PipeAddress

/** One end of a pipe. Shareable: passing it to a process, a task, or through another Connection moves it. */
export class Connection<T = any> {
  readonly #end: PipeEnd
  readonly #direction: Direction
  readonly #receiver: Receiver
  #closed = false
  #leaving = false

  constructor(parts?: undefined) {
    const address = partsIn(parts) as PipeAddress | undefined
    if (!address) throw new TypeError('a Connection is made by Pipe()')
    const [memory, side, direction, port, peeked] = address
    this.#end = new PipeEnd(memory, side, port)
    this.#direction = direction
    this.#receiver = new Receiver(this.#end, peeked, (use) => this.#check(use, 'writes'))
    if (port) pipes.set(port, memory)
  }

  /** Whether this end was closed or moved. */
  get closed(): boolean {
    return this.#closed || this.#isMoved()
  }

  /**
   * Send a value to the other end. Returns at once; nothing limits how many messages wait there.
   * @param transfer what of the value is moved, not cloned
   * @throws BrokenPipeError (ERR_MANYHANDS_BROKEN_PIPE) the other end is closed or its thread has ended;
   * DataCloneError (ERR_MANYHANDS_DATA_CLONE) the value cannot be sent; ConnectionClosedError (ERR_MANYHANDS_CONNECTION_CLOSED)
   * this end is closed or moved; TypeError this end only receives, or `transfer` is not an array.
   */
  send(value: T, transfer?: readonly Transferable[]): void {
    this.#check('send', 'reads')
    if (transfer !== undefined && !Array.isArray(transfer))
      throw new TypeError(`transfer must be an array, not ${inspect(transfer)}`)
    this.#checkPeer('send')
    if (typeof value !== 'object' || value === null) return this.#post(value, value, transfer)
    const moved: Transferable[] = transfer ? [...transfer] : []
    const message = encodeMessage(value, moved)
    if (moved.some((item) => pipes.get(item as MessagePort) === this.#end.words.buffer))
      throw new TypeError('send: an end of a Pipe cannot be sent through the same Pipe')
    this.#post(message, value, moved.length > 0 ? moved : undefined)
  }

  #post(message: unknown, value: unknown, transfer: readonly Transferable[] | undefined): void {
    try {
      this.#end.post(message, transfer)
    } catch (failure) {
      throw explainCloneFailure(failure, value, 'value', [...(transfer ?? [])])
    }
  }

  /**
   * Receive the oldest message. Keeps the program alive while it is pending.
   * @throws TimeoutError (ERR_MANYHANDS_TIMEOUT) nothing came in time; EOFError (ERR_MANYHANDS_EOF) the other end is closed or
   * its thread has ended, and everything was received; DataCloneError (ERR_MANYHANDS_DATA_CLONE) the message cannot be read in
   * this thread (it is nested too deeply for its stack, say) and is lost; ConnectionClosedError, TypeError as for `send`; the
   * signal's reason.
   */
  recv(options?: WaitOptions): Promise<T> {
    return this.#receiver.receive('recv', decodeMessage, options) as Promise<T>
  }

  /**
   * As `recv`, blocking the thread: on the main thread prefer `recv`.
   * @param timeoutMs milliseconds; Infinity waits for ever, 0 does not wait. @default Infinity
   */
  recvSync(timeoutMs?: number): T {
    return this.#receiver.receiveSync('recvSync', decodeMessage, timeoutMs) as T
  }

  /** The oldest message as `{ value }`, or `undefined` where there is none now. @throws as `recv`, but for TimeoutError */
  tryRecv(): { value: T } | undefined
  tryRecv(options?: unknown): { value: T } | undefined {
    refuseOptions(options, 'tryRecv()')
    this.#check('tryRecv', 'writes')
    const message = this.#receiver.takeNow()
    return message === NO_MESSAGE ? undefined : { value: decodeMessage(message) as T }
  }

  /**
   * Whether `recv` would not have to wait: there is a message, or the end of file.
   * @param options how long to wait for it. @default 0
   * @throws ConnectionClosedError, TypeError as for `send`; the signal's reason
   */
  poll(options: WaitOptions = 0): Promise<boolean> {
    return this.#receiver.poll(options)
  }

  /** As `poll`, blocking the thread. @param timeoutMs milliseconds. @default 0 */
  pollSync(timeoutMs: number = 0): boolean {
    return this.#receiver.pollSync(timeoutMs)
  }

  /**
   * Send a copy of the bytes of a view or buffer.
   * @param offset in bytes, from the view's start. @default 0  @param size in bytes. @default the rest
   * @throws TypeError not a view or buffer; RangeError outside of it; and as `send`.
   */
  sendBytes(view: ByteView, offset?: number, size?: number): void {
    this.#check('sendBytes', 'reads')
    const bytes = copyToSend(view, offset, size)
    this.#checkPeer('sendBytes')
    this.#post(bytes, bytes, [bytes.buffer])
  }

  /** Receive a message of `sendBytes`. @throws TypeError the message is not bytes: it stays, for `recv`; and as `recv`. */
  recvBytes(options?: WaitOptions): Promise<Uint8Array> {
    return this.#receiver.receiveOrLeave('recvBytes', (message) => bytesReceived(message, 'recvBytes'), options)
  }

  /** As `recvBytes`, blocking the thread. */
  recvBytesSync(timeoutMs?: number): Uint8Array {
    return this.#receiver.receiveOrLeaveSync('recvBytes', (message) => bytesReceived(message, 'recvBytes'), timeoutMs)
  }

  /**
   * Receive a message of `sendBytes` at the start of `view`, a typed array, Buffer, DataView, ArrayBuffer or SharedArrayBuffer. After
   * Python's `recv_bytes_into`; for its `offset`, pass a `subarray`.
   * @returns length of the message in bytes
   * @throws RangeError `view` is too short, TypeError the message is not bytes: it stays; TypeError `view` is none of these; as `recv`
   * @example const length = await connection.recvBytesInto(view)
   */
  async recvBytesInto(view: ByteView, options?: WaitOptions): Promise<number> {
    return this.#receiver.receiveOrLeave('recvBytesInto', into(view, 'recvBytesInto'), options)
  }

  /** As `recvBytesInto`, blocking the thread. */
  recvBytesIntoSync(view: ByteView, timeoutMs?: number): number {
    return this.#receiver.receiveOrLeaveSync('recvBytesIntoSync', into(view, 'recvBytesIntoSync'), timeoutMs)
  }

  /**
   * Close this end. The other end drains what was sent and then meets the end of file. Harmless when closed or moved. A pipe of
   * which neither end is closed takes memory as long as its threads live, even when it is no longer referenced.
   */
  close(): void
  close(options?: unknown): void {
    refuseOptions(options, 'close()')
    if (this.closed) return
    this.#closed = true
    this.#receiver.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  /** The messages, until the end of file. Leaving the loop leaves the others where they are. */
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
   * Wait until at least one of the list is ready: a connection with a message or at the end of file, the sentinel of a process
   * that has ended. After Python's multiprocessing.connection.wait.
   * @returns those that are ready, in the order of the list; none when the time is over
   * @throws TypeError the list has something else in it; the signal's reason
   */
  static async wait<W extends Waitable>(list: Iterable<W>, options?: WaitOptions): Promise<W[]> {
    return waitForAny(checkWatched(list, readinessOf), options)
  }

  /** As `wait`, blocking the thread. Looks every few milliseconds. */
  static waitSync<W extends Waitable>(list: Iterable<W>, timeoutMs?: number): W[] {
    return waitForAnySync(checkWatched(list, readinessWhileBlocked), checkTimeout(timeoutMs, 'timeoutMs'))
  }

  /** @internal For `wait`, which may be that of another copy of this class. */
  isReady(): boolean {
    this.#check('wait', 'writes')
    return this.#receiver.isReady(true)
  }

  static {
    isLeaving = (connection) => connection.#leaving
    addressToSend = (connection) => connection.#leave()
  }

  /** @param wrongDirection of an end that cannot do this @throws ConnectionClosedError, TypeError */
  #check(use: string, wrongDirection: Direction): void {
    if (this.#closed) throw new ConnectionClosedError(`${use}: this end of the Pipe is closed`)
    if (this.#leaving && this.#isMoved())
      throw new ConnectionClosedError(`${use}: this end of the Pipe was moved to another thread`)
    if (this.#direction === wrongDirection)
      throw new TypeError(`${use}: this end of the Pipe only ${wrongDirection === 'reads' ? 'receives' : 'sends'}`)
  }

  /** @throws BrokenPipeError */
  #checkPeer(use: string): void {
    if (this.#receiver.isBroken()) throw new BrokenPipeError(`${use}: the other end is closed, or its thread has ended`)
  }

  #isMoved(): boolean {
    if (!this.#leaving) return false
    if (this.#end.port === null || this.#end.isPortGone) return true
    this.#leaving = false // What it was packed for was not sent.
    this.#end.markHere()
    return false
  }

  /** It is packed for another thread. Returns the parts of its handle. */
  #leave(): PipeAddress {
    if (this.#closed) throw new ConnectionClosedError('this end of the Pipe is closed, and cannot be passed on')
    if (this.#isMoved()) throw new ConnectionClosedError('this end of the Pipe was moved to another thread before')
    const { words, side, port, isPortGone } = this.#end
    this.#leaving = true
    this.#end.markInTransit()
    return [words.buffer, side, this.#direction, isPortGone ? null : port, this.#receiver.peeked]
  }
}

/** How to ask whether it is ready; `undefined` for what cannot be waited for. */
function readinessOf(item: unknown): (() => boolean) | undefined {
  if (item instanceof Connection) return () => item.isReady()
  const sentinel = item as { ready?: unknown } | null
  return typeof sentinel === 'object' && typeof sentinel?.ready === 'boolean'
    ? () => sentinel.ready === true
    : undefined
}

/** As `readinessOf`, for a thread that will be blocked: its event loop would not see the end of a process that it has started. */
function readinessWhileBlocked(item: unknown): (() => boolean) | undefined {
  const ask = readinessOf(item)
  if (ask) (item as { watch?: () => void }).watch?.()
  return ask
}

/** @internal */
export function newConnection(...address: PipeAddress): Connection {
  const connection = new Connection(fromParts(...address))
  makeOwnable(connection, 'Connection', ...address)
  return connection
}

function rebuildConnection([, , ...address]: readonly unknown[], here?: Connection): Connection {
  // An end that has left and comes back is another object.
  return here && !isLeaving(here) ? here : new Connection(fromParts(...address))
}

registerShareable('Connection', rebuildConnection, {
  onSend: (connection: Connection) => addressToSend(connection),
  discard: (handle) => rebuildConnection(handle).close(),
})

recognizeCopies(Connection, 'Connection')
