// Receiving at one end of a Pipe. A message waits in the port until it is taken. One that is taken before it is received waits in
// `peeked`, and comes before those in the port. Connection has the public face.
//
//   posted ──> port ──take──────────────────────────────────────────────> received
//                │                                                           ^
//                └──poll, recvBytes of another value, listening, isBroken──> peeked
import { DataCloneError, EOFError, TimeoutError } from '../errors.js'
import { checkTimeout, checkWaitOptions, type WaitOptions } from '../base/wait-options.js'
import { probeDue } from '../thread/liveness.js'
import { discard } from '../transport/pack.js'
import { AdaptiveSpin } from '../sync/adaptive-spin.js'
import { AsyncWaiters } from '../sync/async-waiters.js'
import { block } from '../sync/park.js'
import { unreadableMessage } from './message.js'
import { NO_MESSAGE, PipeEnd } from './pipe-end.js'
import { ReceiveWaiter } from './receive-waiter.js'

/** Maximum number of messages taken at once to find out whether the port is gone. They take less than a millisecond. */
const MAX_TAKEN_PER_PROBE = 100

/** @param use the method that is called, for the error. @throws this end cannot receive, or can no more */
type CheckUsable = (use: string) => void

interface Receiving<T> {
  /** The method that is called, for errors. */
  use: string
  /** Whether there is a message: in the waiter then. */
  look: (waiter: ReceiveWaiter) => boolean
  /** What the method returns for a message. */
  decode: (message: unknown) => T
}

export class Receiver {
  readonly #end: PipeEnd
  readonly #checkUsable: CheckUsable
  #peeked: unknown[]
  readonly #receivers = new AsyncWaiters({ wake: 'run' })
  readonly #pollers = new Set<AsyncWaiters>()
  readonly #adaptiveSpin = new AdaptiveSpin()

  /** @param checkUsable called at every attempt: the end may be closed or moved while somebody waits */
  constructor(end: PipeEnd, peeked: unknown[], checkUsable: CheckUsable) {
    this.#end = end
    this.#peeked = peeked
    this.#checkUsable = checkUsable
    // For pending receives and polls. A blocked thread finds out by itself.
    end.port?.once('close', () => {
      end.notePortGone()
      this.run()
    })
  }

  /** The messages that were taken from the port and not received. */
  get peeked(): unknown[] {
    return this.#peeked
  }

  /** Receive a message without blocking the thread. @throws TimeoutError, EOFError; what `decode` throws; the signal's reason */
  receive<T>(use: string, decode: (message: unknown) => T, options: WaitOptions | undefined): Promise<T> {
    return this.#receive({ use, look: this.#lookForReceive, decode }, options)
  }

  /** As `receive`, blocking the thread. */
  receiveSync<T>(use: string, decode: (message: unknown) => T, timeoutMs: number | undefined): T {
    return this.#receiveSync({ use, look: this.#lookForReceive, decode }, timeoutMs)
  }

  /** As `receive`, but a message for which `read` throws stays: it is the next, also for a receive that is waiting. */
  receiveOrLeave<T>(use: string, read: (message: unknown) => T, options: WaitOptions | undefined): Promise<T> {
    return this.#receive(this.#leaving(use, read), options)
  }

  /** As `receiveOrLeave`, blocking the thread. */
  receiveOrLeaveSync<T>(use: string, read: (message: unknown) => T, timeoutMs: number | undefined): T {
    return this.#receiveSync(this.#leaving(use, read), timeoutMs)
  }

  #leaving<T>(use: string, read: (message: unknown) => T): Receiving<T> {
    let result: T
    const look = (waiter: ReceiveWaiter) => {
      if (!this.#lookForReceive(waiter)) return false
      try {
        result = read(waiter.message)
      } catch (reason) {
        if (!(reason instanceof DataCloneError)) this.#peeked.unshift(waiter.message)
        throw reason
      }
      return true
    }
    return { use, look, decode: () => result }
  }

  async #receive<T>({ use, look, decode }: Receiving<T>, options: WaitOptions | undefined): Promise<T> {
    const { timeoutMs, signal } = checkWaitOptions(options)
    const waiter = this.#newWaiter(use, timeoutMs, look)
    const done = this.#receivers.join(waiter, { timeout: timeoutMs, signal })
    if (!this.#receivers.empty) this.#end.listen((message) => this.#onMessage(message), unreadableMessage)
    try {
      return finishReceive(waiter, await done, decode)
    } finally {
      // Not: stopListening. To listen anew costs more than the next message.
      if (this.#receivers.empty) this.#end.unref()
    }
  }

  #receiveSync<T>({ use, look, decode }: Receiving<T>, timeoutMs: number | undefined): T {
    const limitMs = checkTimeout(timeoutMs, 'timeoutMs')
    const waiter = this.#newWaiter(use, limitMs, look)
    return finishReceive(waiter, block(waiter, limitMs), decode)
  }

  /** Whether there is a message or the end of file, in time. Does not block the thread. @throws the signal's reason */
  async poll(options: WaitOptions): Promise<boolean> {
    const { timeoutMs, signal } = checkWaitOptions(options)
    const waiter = this.#startPoll('poll', timeoutMs)
    const poller = new AsyncWaiters()
    this.#pollers.add(poller)
    try {
      return await poller.join(waiter, { timeout: timeoutMs, signal })
    } finally {
      this.#pollers.delete(poller)
    }
  }

  /** As `poll`, blocking the thread. */
  pollSync(timeoutMs: number): boolean {
    const limitMs = checkTimeout(timeoutMs, 'timeoutMs')
    return block(this.#startPoll('pollSync', limitMs), limitMs)
  }

  #startPoll(use: string, timeoutMs: number): ReceiveWaiter {
    return this.#newWaiter(use, timeoutMs, this.#lookForPoll)
  }

  #newWaiter(use: string, timeoutMs: number, look: (waiter: ReceiveWaiter) => boolean): ReceiveWaiter {
    this.#checkUsable(use)
    // A waiter probes after a slice; a call that does not wait has to probe now.
    const probing = timeoutMs <= 0 && this.#isProbeDue
    return new ReceiveWaiter(this.#end, this.#adaptiveSpin, use, timeoutMs, probing, look)
  }

  readonly #lookForReceive = (waiter: ReceiveWaiter): boolean => {
    this.#checkUsable(waiter.use)
    waiter.message = this.#take(waiter.probing, waiter.seen)
    return waiter.message !== NO_MESSAGE
  }

  readonly #lookForPoll = (waiter: ReceiveWaiter): boolean => {
    this.#checkUsable(waiter.use)
    return this.isReady(waiter.probing, waiter.seen)
  }

  /** The next message, or NO_MESSAGE. @throws EOFError */
  takeNow(): unknown {
    return this.#take(this.#isProbeDue, this.#end.seen)
  }

  /** Whether there is a message or the end of file. @param probing whether to ask for the death of the other end, some 20 µs */
  isReady(probing: boolean, seen: number = this.#end.seen): boolean {
    if (this.#peeked.length > 0 || this.#end.hasMessage) return true
    try {
      const message = this.#take(probing, seen)
      if (message === NO_MESSAGE) return false
      this.#peeked = [message]
    } catch (reason) {
      if (!(reason instanceof EOFError)) throw reason
    }
    return true
  }

  /** @param seen loaded before @throws EOFError there is no message, and none will come */
  #take(probing: boolean, seen: number): unknown {
    if (this.#peeked.length > 0) return this.#peeked.shift()
    const end = this.#end
    const message = end.take(unreadableMessage)
    if (message !== NO_MESSAGE) return message
    if (PipeEnd.isClosedIn(seen)) throw new EOFError('the other end is closed, and all that it sent was received')
    if (probing ? end.isPortGone : end.sawPortGone)
      throw new EOFError('the thread of the other end has ended, and all that it sent was received')
    return NO_MESSAGE
  }

  /** For a call that does not wait: whether to ask for the death of the other end. */
  get #isProbeDue(): boolean {
    return this.#end.isBroken || probeDue(this)
  }

  /** Whether nobody will read what is sent. */
  isBroken(): boolean {
    if (this.#end.isBroken) return true
    return this.#end.isPeerInTransit && probeDue(this) && this.#isPeerLost()
  }

  /**
   * Whether the other end was lost in transit. The port tells only when it is empty, and may have to tell in a blocked thread: so
   * messages are taken from it here, not all at once.
   */
  #isPeerLost(): boolean {
    const before = this.#peeked.length
    for (let taken = 0; taken < MAX_TAKEN_PER_PROBE; taken++) {
      const message = this.#end.take(unreadableMessage)
      if (message === NO_MESSAGE) break
      this.#peeked.push(message)
    }
    if (this.#peeked.length > before) this.run()
    return this.#end.isPortGone
  }

  #onMessage(message: unknown): void {
    this.#peeked.push(message)
    // It listened in case another receive would follow. None did: leave the others in the port.
    if (this.#receivers.empty) this.#end.stopListening()
    this.run()
  }

  /** Let pending receives and polls try again. */
  run(): void {
    this.#receivers.run()
    for (const poller of this.#pollers) poller.run()
  }

  /** Close the end, and discard what was taken from the port and not received. */
  close(): void {
    for (const message of this.#peeked.splice(0)) discard(message)
    this.#end.close()
    this.run()
  }
}

function finishReceive<T>(waiter: ReceiveWaiter, inTime: boolean, decode: (message: unknown) => T): T {
  if (inTime) return decode(waiter.message)
  throw new TimeoutError(`${waiter.use}: no message came within ${Math.max(0, waiter.timeoutMs)} ms`)
}
