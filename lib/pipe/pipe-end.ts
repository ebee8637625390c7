// One end of a pipe as its thread sees it: a MessagePort that carries the messages, and shared words that announce them where no
// event loop turns. Only connection.ts and receiver.ts use it.
//
// word                field     written by       meaning
//  side * 64          INCOMING  the other end    bit 0: the other end was closed; the rest: messages sent to this side, mod 2^31
//  side * 64 + 32     TAKEN     this end         messages taken from the port by this side, mod 2^31, in the same bits
//  side * 64 + 33     HOLDER    this end         id of the thread that has this end, plus one; 0: in transit to another
//
// Sending: post, then count, then notify. Receiving: load INCOMING, take from the port, and only then wait on what was loaded.
//   Not: take, then load, then wait. A message that lands between the two is counted before the load, and slept over.
// The count is a hint. A sender that dies between the two leaves a message uncounted; a waiter finds it within a slice.
// PEER_CLOSED is set after the last message: a thread that loads it, and then finds the port empty, has received all.
//
// An end that nobody closes takes its port along: its thread died, or the thread that it was sent to. Then the system closes the
// port at this side too, as soon as it is read when empty. That needs no event loop, and `isPortClosed` sees it.
import {
  MessageChannel,
  receiveMessageOnPort,
  threadId,
  type MessagePort,
  type Transferable,
} from 'node:worker_threads'
import { add, load, notifyAll, or, store, type Words } from '../memory/atomics.js'
import { isDead, probeDead, probeDue, registerThread } from '../thread/liveness.js'

const SIDE_WORDS = 64
const INCOMING = 0
const TAKEN = 32
const HOLDER = 33

const PEER_CLOSED = 1
const ONE_MESSAGE = 2

/** Stands in for "no message": any value can be one. */
export const NO_MESSAGE: unique symbol = Symbol('no message')

export function newPipeMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(2 * SIDE_WORDS * Int32Array.BYTES_PER_ELEMENT)
}

export class PipeEnd {
  readonly words: Words
  readonly side: number
  /** The word on which this side waits. */
  readonly index: number
  /** `null`: it was gone when the end was sent here. */
  readonly port: MessagePort | null
  readonly #peer: number
  #portGone: boolean
  /** Whether anything was sent since the last message was taken. A peer that answers is alive: the system need not be asked. */
  #unanswered = true
  #listener: ((message: unknown) => void) | undefined
  #failureListener: ((failure: unknown) => void) | undefined

  constructor(memory: SharedArrayBuffer, side: number, port: MessagePort | null) {
    this.words = new Int32Array(memory)
    this.side = side
    this.port = port
    this.index = side * SIDE_WORDS + INCOMING
    this.#peer = (1 - side) * SIDE_WORDS
    this.#portGone = port === null
    registerThread()
    this.markHere()
  }

  /** INCOMING, which the next message changes. To be loaded before `take`. */
  get seen(): number {
    return load(this.words, this.index)
  }

  /** Whether the other end had been closed when `seen` was loaded. */
  static isClosedIn(seen: number): boolean {
    return (seen & PEER_CLOSED) !== 0
  }

  /** Post a message and announce it. @throws what postMessage throws, with nothing sent */
  post(message: unknown, transfer: readonly Transferable[] | undefined): void {
    this.#unanswered = true
    if (transfer) this.port?.postMessage(message, transfer)
    else this.port?.postMessage(message)
    add(this.words, this.#peer + INCOMING, ONE_MESSAGE)
    notifyAll(this.words, this.#peer + INCOMING)
  }

  /** Take the oldest message from the port, or NO_MESSAGE. @param unreadable makes the message in place of one that cannot be read here */
  take(unreadable: (failure: unknown) => unknown): unknown {
    if (this.#portGone) return NO_MESSAGE
    let message: unknown
    try {
      const received = receiveMessageOnPort(this.port!)
      if (received === undefined) return NO_MESSAGE
      message = received.message
    } catch (failure) {
      message = unreadable(failure) // It has left the port nevertheless.
    }
    this.#countTaken()
    return message
  }

  #countTaken(): void {
    this.#unanswered = false
    add(this.words, this.side * SIDE_WORDS + TAKEN, ONE_MESSAGE)
  }

  /** Have the event loop take the messages, and keep it alive, until `unref` or `stopListening`. */
  listen(onMessage: (message: unknown) => void, unreadable: (failure: unknown) => unknown): void {
    if (this.#portGone) return
    if (this.#listener) return this.port!.ref()
    this.#listener = (message) => {
      this.#countTaken()
      onMessage(message)
    }
    this.#failureListener = (failure) => this.#listener?.(unreadable(failure))
    this.port!.on('messageerror', this.#failureListener)
    this.port!.on('message', this.#listener)
  }

  /** Go on listening, without keeping the event loop alive. */
  unref(): void {
    if (this.#listener) this.port!.unref()
  }

  /** Leave messages in the port. */
  stopListening(): void {
    if (!this.#listener) return
    this.port!.off('message', this.#listener).off('messageerror', this.#failureListener!)
    this.#listener = undefined
  }

  /** Whether a message was counted that was not taken. If so, there is one; if not, there may be one. */
  get hasMessage(): boolean {
    return (((this.seen & ~PEER_CLOSED) - load(this.words, this.side * SIDE_WORDS + TAKEN)) | 0) > 0
  }

  /**
   * Whether nobody will read what is sent. Cheap. True a few milliseconds after the thread of the other end has ended; in a blocked
   * thread, one more message may be sent first.
   */
  get isBroken(): boolean {
    if (PipeEnd.isClosedIn(this.seen) || this.#portGone) return true
    const holder = load(this.words, this.#peer + HOLDER) - 1
    if (holder < 0 || holder === threadId) return false
    if (!isDead(holder) && !(this.#unanswered && probeDue(this) && probeDead(holder))) return false
    // It may have passed the end on before it ended.
    return load(this.words, this.#peer + HOLDER) === holder + 1
  }

  /** Whether the other end is in transit to another thread. If that dies before it receives the end, only `isPortGone` tells. */
  get isPeerInTransit(): boolean {
    return load(this.words, this.#peer + HOLDER) === 0
  }

  /** Whether the port is gone: closed by the death of the thread that had the other one, or moved to another thread. Some 20 µs. */
  get isPortGone(): boolean {
    return (this.#portGone ||= isPortClosed(this.port!))
  }

  /** Whether `isPortGone` was seen to be true before. Costs nothing. */
  get sawPortGone(): boolean {
    return this.#portGone
  }

  /**
   * The port has emitted 'close'. From now on it is not touched: Node crashes when a port is read during that event. Nothing is lost:
   * the death of the other end closes a port only when all was taken.
   */
  notePortGone(): void {
    this.#portGone = true
  }

  /** This thread has this end. */
  markHere(): void {
    store(this.words, this.side * SIDE_WORDS + HOLDER, threadId + 1)
  }

  /** This end is about to leave the thread. */
  markInTransit(): void {
    store(this.words, this.side * SIDE_WORDS + HOLDER, 0)
  }

  close(): void {
    or(this.words, this.#peer + INCOMING, PEER_CLOSED)
    notifyAll(this.words, this.#peer + INCOMING)
    this.port?.close()
  }
}

let probe: MessagePort | undefined

/** Whether a port is closed, or has moved. Node has no property for it, but refuses to transfer such a port. */
function isPortClosed(port: MessagePort): boolean {
  // Node checks the transfer list before it reads the value; and with a value that cannot be read, nothing is transferred.
  let accepted = false
  const unreadable = {
    get value() {
      accepted = true
      throw new Error('not to be sent')
    },
  }
  probe ??= new MessageChannel().port1
  try {
    probe.postMessage(unreadable, [port])
  } catch {
    // Always.
  }
  return !accepted
}
