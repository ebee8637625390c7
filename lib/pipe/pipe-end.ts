// One end of a pipe as its thread sees it: a MessagePort that carries the messages, and shared words that tell of them where
// no event loop turns. Only lib/pipe/connection.ts uses it.
//
// word               field    written by            meaning
//  side * 64         IN       the other end         bit 0: the other end is closed; the rest: messages sent to this side, mod 2^31
//  side * 64 + 32    TAKEN    this end              messages received by this side, mod 2^31
//  side * 64 + 33    OWNER    this end              id of the thread that has this end, plus one; 0: on its way to another
//
// Sending: post, then count, then notify. Receiving: load the count, take from the port, and only then wait on what was loaded.
//   Not: take, then load, then wait. A message that lands between the two is counted before it is looked for, and slept over.
// The count is a hint: a sender that dies between the two leaves a message uncounted, which whoever waits finds within a slice.
// The closed bit is set after the last message: who loaded it, then finds the port empty, has received all.
//
// An end that nobody closes (its thread died, or whoever it was sent to) takes its port along. Then the system closes the port
// at this side, too, as soon as it is read when empty. That needs no event loop, and is seen by `portIsGone`.
import {
  MessageChannel,
  receiveMessageOnPort,
  threadId,
  type MessagePort,
  type Transferable,
} from 'node:worker_threads'
import { add, load, notifyAll, or, store, type Words } from '../memory/atomics.js'
import { registerThread, probeDead, isDead, probeDue } from '../thread/liveness.js'

const SIDE_WORDS = 64
const IN = 0
const TAKEN = 32
const OWNER = 33

const CLOSED = 1
const MESSAGE = 2

/** Stands in for "no message": any value can be one. */
export const NOTHING: unique symbol = Symbol('nothing')

export function newWords(): Words {
  return new Int32Array(new SharedArrayBuffer(2 * SIDE_WORDS * Int32Array.BYTES_PER_ELEMENT))
}

export class Wire {
  readonly words: Words
  readonly side: number
  /** The word on which this side waits. */
  readonly index: number
  readonly port: MessagePort | null
  readonly #peer: number
  #gone: boolean
  /** Whether anything was sent since the last message was received: who answers, lives, and the system is not asked. */
  #unanswered = true
  #listener: ((message: unknown) => void) | undefined
  #failureListener: ((failure: unknown) => void) | undefined

  constructor(words: Words, side: number, port: MessagePort | null) {
    this.words = words
    this.side = side
    this.port = port
    this.index = side * SIDE_WORDS + IN
    this.#peer = (1 - side) * SIDE_WORDS
    this.#gone = port === null
    registerThread()
    this.stay()
  }

  /** What the next message would have to change. To be loaded before `take`. */
  get seen(): number {
    return load(this.words, this.index)
  }

  /** Whether the other end had been closed by its owner when `seen` was loaded. */
  static closedIn(seen: number): boolean {
    return (seen & CLOSED) !== 0
  }

  /** Post a message and tell of it. @throws what postMessage throws, with nothing sent */
  post(message: unknown, transfer: readonly Transferable[] | undefined): void {
    this.#unanswered = true
    if (transfer) this.port?.postMessage(message, transfer)
    else this.port?.postMessage(message)
    add(this.words, this.#peer + IN, MESSAGE)
    notifyAll(this.words, this.#peer + IN)
  }

  /** The oldest message, or NOTHING; for one that cannot be read here, what `unreadable` makes of the reason. */
  take(unreadable: (failure: unknown) => unknown): unknown {
    if (this.#gone) return NOTHING
    let message: unknown
    try {
      const letter = receiveMessageOnPort(this.port!)
      if (letter === undefined) return NOTHING
      message = letter.message
    } catch (failure) {
      message = unreadable(failure) // It has left the port nevertheless.
    }
    this.#countTaken()
    return message
  }

  #countTaken(): void {
    this.#unanswered = false
    add(this.words, this.side * SIDE_WORDS + TAKEN, MESSAGE)
  }

  /** Have the event loop take the messages, and hold it open, until `rest` or `deaf`. */
  hear(onMessage: (message: unknown) => void, unreadable: (failure: unknown) => unknown): void {
    if (this.#gone) return
    if (this.#listener) return this.port!.ref()
    this.#listener = (message) => {
      this.#countTaken()
      onMessage(message)
    }
    this.#failureListener = (failure) => this.#listener?.(unreadable(failure))
    this.port!.on('messageerror', this.#failureListener)
    this.port!.on('message', this.#listener)
  }

  /** Do not hold the event loop any more. */
  rest(): void {
    if (this.#listener) this.port!.unref()
  }

  /** Leave what comes where it is, in the port. */
  deaf(): void {
    if (!this.#listener) return
    this.port!.off('message', this.#listener).off('messageerror', this.#failureListener!)
    this.#listener = undefined
  }

  /** Whether the count says that there is a message. If it does, there is; if not, there may be one. */
  get promises(): boolean {
    return (((this.seen & ~CLOSED) - load(this.words, this.side * SIDE_WORDS + TAKEN)) | 0) > 0
  }

  /**
   * Whether nobody will read what is sent. Cheap. Right a few milliseconds after the other end's thread has ended; in a blocked
   * thread, one more message may be sent first.
   */
  get broken(): boolean {
    if (Wire.closedIn(this.seen) || this.#gone) return true
    const owner = load(this.words, this.#peer + OWNER) - 1
    return (
      owner >= 0 && owner !== threadId && (isDead(owner) || (this.#unanswered && probeDue(this) && probeDead(owner)))
    )
  }

  /** Whether the other end is on its way to another thread. If that dies before it looks, only the port tells: by `gone`. */
  get peerTravels(): boolean {
    return load(this.words, this.#peer + OWNER) === 0
  }

  /** Whether it was seen to be gone. */
  get lost(): boolean {
    return this.#gone
  }

  /** Whether the port was closed by the end of whoever had the other one, or has left this thread. Some 20 µs. */
  get gone(): boolean {
    return (this.#gone ||= portIsGone(this.port!))
  }

  /**
   * The port's 'close' event. From then on the port is not touched: Node crashes when one is read during that event. Nothing is
   * lost: a port is closed by the other end's death only when all was taken.
   */
  lose(): void {
    this.#gone = true
  }

  /** This thread has this end. */
  stay(): void {
    store(this.words, this.side * SIDE_WORDS + OWNER, threadId + 1)
  }

  /** This end is about to leave the thread. */
  leave(): void {
    store(this.words, this.side * SIDE_WORDS + OWNER, 0)
  }

  close(): void {
    or(this.words, this.#peer + IN, CLOSED)
    notifyAll(this.words, this.#peer + IN)
    this.port?.close()
  }
}

let probe: MessagePort | undefined

/** Whether a port is closed, or has moved. Node has no property for it, but refuses to transfer such a port. */
function portIsGone(port: MessagePort): boolean {
  // The list is looked at before the value is; and with a value that cannot be read, nothing is transferred.
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
