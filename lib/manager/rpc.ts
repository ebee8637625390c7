// A link: comlink's protocol over one MessagePort, in both directions. Each side answers by comlink's `expose`. The asking side is
// this file: comlink's own `wrap` spends a third of the caller's time on random ids, loses the calls of a proxy that is collected
// (comlink#692), and never settles those whose other end dies. What comlink lacks on Node is added on both sides:
// - calls and replies made of primitive values wait for the end of the turn and travel together;
// - errors travel whole (lib/transport/error-codec.ts);
// - calls that are pending when the other end closes reject;
// - pending calls hold the program open, and nothing else does.
//
// A message on the port is an array of items, three fields each: what it is, the number of the call, and what it carries.
//
//   item     number     carries
//   CALL     its own    a Request
//   VALUE    the call's the result, a primitive value
//   SELF     the call's nothing: the result is the object that was called
//   CONTENT  the call's a result that is an object, or a failure
//   NOTICE   0          a Notice
//
// Not all wait for the end of the turn: an object is cloned when it is posted, and must show what it was when it was given. So
// what contains one is posted at once, with what waited before it.
import { expose, transferHandlers } from 'comlink'
import type { MessagePort, Transferable } from 'node:worker_threads'
import type { CallSite } from '../base/call-site.js'
import { decodeFailure, encodeFailure, type Failure } from '../transport/error-codec.js'
import { explainCloneFailure, unreadable } from '../transport/clone-error.js'
import { pack, unpack, type Packed } from '../transport/shareable.js'
import type { Notice, Request } from './messages.js'

const CALL = 0
const VALUE = 1
const SELF = 2
const CONTENT = 3
const NOTICE = 4
const FIELDS = 3

/** As many items wait at most. */
const MOST_WAITING = 1024

type Content = { kind: 'failed'; failure: Failure } | { kind: 'packed'; packed: Packed }

/** A reply that comlink cannot carry as it is. */
class Reply {
  readonly content: Content
  readonly transfer: Transferable[]
  constructor(content: Content, transfer: Transferable[] = []) {
    this.content = content
    this.transfer = transfer
  }
}

// Under a name of our own, for values of our own: whoever else uses comlink in this thread notices nothing.
transferHandlers.set('manyhands', {
  canHandle: (value): value is Reply => value instanceof Reply,
  serialize: ({ content, transfer }: Reply) => [content, transfer as never],
  deserialize: (content: unknown) => content,
})

/** What comlink answers. */
type Answer = { id: number } & ({ type: 'RAW'; value: unknown } | { type: 'HANDLER'; value: Content })

/** What is known here of a call. */
export interface Asked {
  /** What it was made with, for errors. */
  described?: unknown
  /** What a method that returns its own object returns here. */
  self?: object
  /** Where it was made, for errors. */
  callSite?: CallSite
}

interface Pending {
  resolve(value: unknown): void
  reject(reason: unknown): void
  asked: Asked | undefined
}

/** Says that the result is the object whose method it was. */
export const ITSELF: unique symbol = Symbol('itself')

/** Says that the answer was given already. */
const ANSWERED = Symbol('answered')

export interface LinkOptions {
  /** Answers requests. What it throws, the other side's call rejects with. */
  serve(request: Request): unknown
  hear(notice: Notice): void
  /** The other end has closed. Resolves to the reason with which calls reject, the pending ones and all later. */
  onClose(): Promise<unknown>
}

export class Link {
  readonly #port: MessagePort
  readonly #options: LinkOptions
  readonly #pending = new Map<number, Pending>()
  #waiting: unknown[] = []
  #flushes = false
  #lastNumber = 0
  /** Comlink's. */
  #onCall!: (event: { data: object }) => void
  /** The number of the call that is being served. */
  #serving = 0
  #closed = false

  constructor(port: MessagePort, options: LinkOptions) {
    this.#port = port
    this.#options = options
    // Not the port itself: comlink would post on it what shall wait.
    const endpoint = {
      addEventListener: (_type: string, listener: never) => (this.#onCall = listener),
      removeEventListener() {},
      postMessage: (answer: Answer, transfer?: Transferable[]) => this.#onAnswer(answer, transfer),
    }
    expose((request: Request) => this.#serve(request), endpoint)
    port.on('message', (items: unknown[]) => this.#receive(items))
    port.on('messageerror', (failure) => this.#onUnreadable(failure))
    port.once('close', () => this.#close())
    port.unref()
  }

  get closed(): boolean {
    return this.#closed
  }

  /** Ask, and have the answer. */
  request(request: Request, transfer?: Transferable[], asked?: Asked): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const pending: Pending = { resolve, reject, asked }
      if (this.#closed) return void this.#rejectAll([pending])
      const number = ++this.#lastNumber
      if (this.#pending.size === 0) this.#port.ref()
      this.#pending.set(number, pending)
      if (isImmutable(request)) return this.#enqueue(CALL, number, request)
      try {
        this.#postNow(CALL, number, request, transfer)
      } catch (failure) {
        this.#settle(number)
        reject(explainCloneFailure(failure, asked?.described, 'args', transfer))
      }
    })
  }

  /** @throws what postMessage throws */
  tell(notice: Notice, transfer: Transferable[] = []): void {
    if (this.#closed) return
    // Those that hold no object of the caller's may wait.
    if (notice.kind === 'release' || notice.kind === 'leave' || notice.kind === 'forget' || notice.kind === 'lend')
      this.#enqueue(NOTICE, 0, notice)
    else this.#postNow(NOTICE, 0, notice, transfer)
  }

  /** As `tell`, of something that the caller gave. @param root what it is called @throws DataCloneError */
  send(notice: Notice, transfer: Transferable[], described: unknown, root: string): void {
    try {
      this.tell(notice, transfer)
    } catch (failure) {
      throw explainCloneFailure(failure, described, root, transfer)
    }
  }

  /** Answer now, so that the answer shows what the value is now. */
  answer(value: unknown): unknown {
    if (value === ITSELF) {
      this.#enqueue(SELF, this.#serving, null)
      return ANSWERED
    }
    if (typeof value !== 'object' || value === null) return value
    this.#postContent(this.#serving, value, this.#replyOf(value))
    return ANSWERED
  }

  close(): void {
    this.#flush()
    this.#port.close()
  }

  #onAnswer(answer: Answer, transfer?: Transferable[]): void {
    const { id, value } = answer
    if (answer.type === 'HANDLER') return this.#postNow(CONTENT, id, value, transfer)
    if (value === ANSWERED) return
    if (value === ITSELF) return this.#enqueue(SELF, id, null)
    if (!isObject(value)) return this.#enqueue(VALUE, id, value)
    this.#postContent(id, value, this.#replyOf(value))
  }

  #serve(request: Request): unknown {
    try {
      const value = this.#options.serve(request)
      return value instanceof Promise ? value.catch(failed) : value
    } catch (thrown) {
      return failed(thrown)
    }
  }

  #replyOf(value: unknown): Reply {
    const transfer: Transferable[] = []
    return new Reply({ kind: 'packed', packed: pack(value, transfer, this) }, transfer)
  }

  #postContent(number: number, value: unknown, { content, transfer }: Reply): void {
    try {
      this.#postNow(CONTENT, number, content, transfer)
    } catch (failure) {
      this.#postNow(CONTENT, number, failed(explainCloneFailure(failure, value, 'result', transfer)).content)
    }
  }

  // The port.

  #enqueue(what: number, number: number, content: unknown): void {
    if (this.#closed) return
    this.#waiting.push(what, number, content)
    if (this.#waiting.length >= MOST_WAITING * FIELDS) return this.#flush()
    if (this.#flushes) return
    this.#flushes = true
    // Not: a microtask. What other promises of this turn have yet to say comes along, too.
    process.nextTick(() => {
      this.#flushes = false
      this.#flush()
    })
  }

  #flush(): void {
    if (this.#waiting.length === 0) return
    this.#port.postMessage(this.#waiting)
    this.#waiting = []
  }

  #postNow(what: number, number: number, content: unknown, transfer?: Transferable[]): void {
    if (this.#closed) return
    this.#flush()
    this.#port.postMessage([what, number, content], transfer)
  }

  #receive(items: unknown[]): void {
    for (let i = 0; i < items.length; i += FIELDS) {
      const number = items[i + 1] as number
      const content = items[i + 2]
      switch (items[i]) {
        case CALL:
          this.#serving = number
          this.#onCall({ data: { id: number, type: 'APPLY', argumentList: [{ type: 'RAW', value: content }] } })
          break
        case VALUE:
          this.#settle(number)?.resolve(content)
          break
        case SELF: {
          const pending = this.#settle(number)
          pending?.resolve(pending.asked?.self)
          break
        }
        case CONTENT:
          this.#settleWith(number, content as Content)
          break
        default:
          this.#options.hear(content as Notice)
      }
    }
  }

  #settle(number: number): Pending | undefined {
    const pending = this.#pending.get(number)
    this.#pending.delete(number)
    if (pending && this.#pending.size === 0 && !this.#closed) this.#port.unref()
    return pending
  }

  async #rejectAll(pending: Pending[]): Promise<void> {
    const reason = await this.#options.onClose()
    for (const { reject } of pending) reject(reason)
  }

  #settleWith(number: number, content: Content): void {
    const pending = this.#settle(number)
    if (!pending) return
    if (content.kind === 'failed') return pending.reject(decodeFailure(content.failure, pending.asked?.callSite?.stack))
    try {
      pending.resolve(unpack(content.packed))
    } catch (failure) {
      pending.reject(failure)
    }
  }

  /** An answer came that cannot be read in this thread, and nobody knows whose it is: any of the pending calls may be it. */
  #onUnreadable(failure: unknown): void {
    this.#port.unref()
    for (const { reject } of this.#takePending()) reject(unreadable(failure, 'result'))
  }

  #close(): void {
    this.#closed = true
    this.#waiting = []
    void this.#rejectAll(this.#takePending())
  }

  #takePending(): Pending[] {
    const pending = [...this.#pending.values()]
    this.#pending.clear()
    return pending
  }
}

/** The only message on a port, which closes. */
export function tellLast(port: MessagePort, notice: Notice): void {
  port.postMessage([NOTICE, 0, notice])
  port.close()
}

function failed(thrown: unknown): Reply {
  return new Reply({ kind: 'failed', failure: encodeFailure(thrown) })
}

function isObject(value: unknown): boolean {
  return (typeof value === 'object' && value !== null) || typeof value === 'function' || typeof value === 'symbol'
}

/** Whether it cannot change, and can be cloned for sure. */
function isImmutable(request: Request): boolean {
  switch (request.kind) {
    case 'apply':
      for (const arg of request.args) if (isObject(arg)) return false
      return true
    case 'applyPacked':
    case 'callback':
    case 'run':
      return false
    default:
      return true
  }
}
