// A link: comlink over one MessagePort, in both directions. Comlink matches replies with calls and carries values; what it
// lacks on Node is added here:
// - calls and replies made of primitive values wait for the end of the turn and travel together;
// - errors travel whole (lib/task/failure.ts);
// - calls that are pending when the other end closes reject;
// - the root proxy is held as long as the link: one that is collected would take the calls in flight along (comlink#692);
// - pending calls hold the program open, and nothing else does.
//
// A message on the port is an array of items, three fields each: what it is, the number of the call, and what it carries.
// Not all are kept for the end of the turn: an object is cloned when it is posted, and shows what it was then. So what
// contains one is posted at once, with what waited before it.
import { expose, transfer as withTransfer, transferHandlers, wrap, type Endpoint } from 'comlink'
import type { MessagePort, Transferable } from 'node:worker_threads'
import { decodeFailure, encodeFailure, type Failure } from '../task/failure.js'
import { explainCloneFailure } from '../task/clone.js'
import { pack, unpack, type Packed } from '../memory/handles.js'
import type { Notice, Request } from './wire.js'

const CALL = 0
const REPLY = 1
const SELF = 2
const NOTICE = 3
const FIELDS = 3

/** As many items wait at most. */
const MOST_WAITING = 1024

const HANDLER = 'manyhands'

/** A reply that comlink cannot carry as it is. */
class Reply {
  readonly content: { kind: 'failed'; failure: Failure } | { kind: 'packed'; packed: Packed }
  readonly transfer: Transferable[]
  constructor(content: Reply['content'], transfer: Transferable[] = []) {
    this.content = content
    this.transfer = transfer
  }
}

/** What a call rejects with, made in the thread that made the call. */
class Rejection {
  readonly reason: unknown
  constructor(reason: unknown) {
    this.reason = reason
  }
}

// Under a name of our own, for values of our own: whoever else uses comlink in this thread notices nothing.
transferHandlers.set(HANDLER, {
  canHandle: (value): value is Reply => value instanceof Reply,
  serialize: ({ content, transfer }: Reply) => [content, transfer as never],
  deserialize: (content: Reply['content'] | Rejection) => {
    if (content instanceof Rejection) throw content.reason
    if (content.kind === 'failed') throw decodeFailure(content.failure)
    return unpack(content.packed)
  },
})

type Wire = { type: 'RAW'; value: unknown } | { type: 'HANDLER'; name: string; value: unknown }
type ComlinkCall = { id: string; type: string; argumentList: Wire[] }
type Listener = (event: { data: object }) => void

interface Pending {
  /** By which comlink knows the call. */
  id: string
  /** What a method that returns its own object returns here. */
  self: object | undefined
  /** What it was called with, for errors. */
  described: unknown
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
  readonly #call: (request: Request) => Promise<unknown>
  readonly #pending = new Map<number, Pending>()
  #waiting: unknown[] = []
  #flushes = false
  #lastNumber = 0
  #onReply!: Listener
  #onCall!: Listener
  /** Of the call that is being made. */
  #calling: Omit<Pending, 'id'> | undefined
  /** The number of the call that is being served. */
  #serving = 0
  #closed = false

  constructor(port: MessagePort, options: LinkOptions) {
    this.#port = port
    this.#options = options
    this.#call = wrap(this.#endpoint((listener) => (this.#onReply = listener), this.#postCall)) as never
    expose(
      (request: Request) => this.#serve(request),
      this.#endpoint((listener) => (this.#onCall = listener), this.#postReply),
    )
    port.on('message', (items: unknown[]) => this.#receive(items))
    port.once('close', () => this.#close())
    port.unref()
  }

  get closed(): boolean {
    return this.#closed
  }

  /**
   * Ask, and have the answer.
   * @param described what the call was made with, for errors
   * @param self what a method that returns its object returns here
   */
  request(request: Request, transfer?: Transferable[], described?: unknown, self?: object): Promise<unknown> {
    this.#calling = { self, described }
    if (transfer && transfer.length > 0) withTransfer(request, transfer as never)
    return this.#call(request)
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
    const number = this.#serving
    this.#postWire(number, value, wireOf(this.#replyOf(value)))
    return ANSWERED
  }

  close(): void {
    this.#flush()
    this.#port.close()
  }

  // What comlink calls. Its endpoints are objects of ours: it asks a MessagePort for more than it needs.

  #endpoint(
    onListener: (listener: Listener) => void,
    post: (message: never, transfer?: Transferable[]) => void,
  ): Endpoint {
    return {
      addEventListener: (_type: string, listener: unknown) => onListener(listener as Listener),
      removeEventListener() {},
      postMessage: post.bind(this) as never,
    }
  }

  #postCall(message: ComlinkCall, transfer?: Transferable[]): void {
    // Comlink says goodbye when its proxy is collected: nobody is there who would mind.
    if (message.type !== 'APPLY') return
    const { self, described } = this.#calling!
    const pending: Pending = { id: message.id, self, described }
    this.#calling = undefined
    if (this.#closed) return void this.#rejectAll([pending])
    const number = ++this.#lastNumber
    if (this.#pending.size === 0) this.#port.ref()
    this.#pending.set(number, pending)
    const request = (message.argumentList[0] as { value: Request }).value
    if ((!transfer || transfer.length === 0) && isImmutable(request)) return this.#enqueue(CALL, number, request)
    try {
      this.#postNow(CALL, number, request, transfer)
    } catch (failure) {
      this.#settle(number)
      this.#reject(pending, explainCloneFailure(failure, described, 'args', transfer ?? []))
    }
  }

  #postReply(message: Wire & { id: number }): void {
    const { id } = message
    if (message.type === 'RAW') {
      const { value } = message
      if (value === ANSWERED) return
      if (value === ITSELF) return this.#enqueue(SELF, id, null)
      if (!isObject(value)) return this.#enqueue(REPLY, id, { type: 'RAW', value })
      return this.#postWire(id, value, wireOf(this.#replyOf(value)))
    }
    this.#postNow(REPLY, id, { type: 'HANDLER', name: message.name, value: message.value })
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

  #postWire(number: number, value: unknown, { wire, transfer }: ReturnType<typeof wireOf>): void {
    if (this.#closed) return
    try {
      this.#postNow(REPLY, number, wire, transfer)
    } catch (failure) {
      this.#postNow(REPLY, number, wireOf(failed(explainCloneFailure(failure, value, 'result', transfer))).wire)
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
        case REPLY: {
          const pending = this.#settle(number)
          if (pending) this.#onReply({ data: Object.assign(content as Wire, { id: pending.id }) })
          break
        }
        case SELF: {
          const pending = this.#settle(number)
          if (pending) this.#onReply({ data: { id: pending.id, type: 'RAW', value: pending.self } })
          break
        }
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
    for (const call of pending) this.#reject(call, reason)
  }

  #reject({ id }: Pending, reason: unknown): void {
    this.#onReply({ data: { id, type: 'HANDLER', name: HANDLER, value: new Rejection(reason) } })
  }

  #close(): void {
    this.#closed = true
    this.#waiting = []
    const pending = [...this.#pending.values()]
    this.#pending.clear()
    void this.#rejectAll(pending)
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

function wireOf({ content, transfer }: Reply): { wire: Wire; transfer: Transferable[] } {
  return { wire: { type: 'HANDLER', name: HANDLER, value: content }, transfer }
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
