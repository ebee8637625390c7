// Remote procedure calls over one port, in both directions, by comlink's protocol. The side that answers is comlink's `expose`.
// The side that asks is this file: comlink's own `wrap` spends a third of the caller's time on random ids, loses the calls of a
// proxy that is collected (comlink#692), and never settles calls whose other end dies. Both sides add what comlink lacks on Node:
// - calls and replies made of primitive values travel together (batching-port.ts);
// - errors keep their class, cause, properties and stack (lib/transport/error-codec.ts);
// - calls that are pending when the other end closes reject;
// - pending calls hold the program open, and nothing else does.
import { expose, transferHandlers } from 'comlink'
import type { MessagePort, Transferable } from 'node:worker_threads'
import { isThenable } from '../base/brands.js'
import { Promise } from '../base/clock.js'
import type { CallSite } from '../base/call-site.js'
import { decodeFailure, encodeFailure, type Failure } from '../transport/error-codec.js'
import { explainCloneFailure, unreadable } from '../transport/clone-error.js'
import { pack, unpack, type Packed } from '../transport/pack.js'
import { BatchingPort, CALL_ITEM, CONTENT_ITEM, NOTICE_ITEM, SELF_ITEM, VALUE_ITEM } from './batching-port.js'
import type { RpcNotice, RpcRequest } from './messages.js'

type ReplyContent = { kind: 'failed'; failure: Failure } | { kind: 'packed'; packed: Packed }

/** A reply that comlink cannot carry as it is. */
class Reply {
  readonly content: ReplyContent
  readonly transfer: Transferable[]
  constructor(content: ReplyContent, transfer: Transferable[] = []) {
    this.content = content
    this.transfer = transfer
  }
}

// Under a name of our own, for values of our own: other users of comlink in this thread are not affected.
transferHandlers.set('manyhands', {
  canHandle: (value): value is Reply => value instanceof Reply,
  serialize: ({ content, transfer }: Reply) => [content, transfer as never],
  deserialize: (content: unknown) => content,
})

/** What comlink posts as the answer to a call. */
type ComlinkAnswer = { id: number } & ({ type: 'RAW'; value: unknown } | { type: 'HANDLER'; value: ReplyContent })

/** What the calling side keeps of a call until it is answered. */
export interface CallContext {
  /** The arguments, for errors. */
  described?: unknown
  /** The proxy whose method is called: the result of a method that returns its own object. */
  self?: object
  /** Where the call was made, for errors. */
  callSite?: CallSite
}

interface PendingCall {
  resolve(value: unknown): void
  reject(reason: unknown): void
  context: CallContext | undefined
}

/** As a result: the object whose method was called. */
export const RETURN_THIS: unique symbol = Symbol('return this')

/** As a result: the reply was posted already. */
const REPLIED = Symbol('replied')

export interface RpcOptions {
  /** Returns the result of a request, or a promise of it. What it throws, the call at the other side rejects with. */
  onRequest(request: RpcRequest): unknown
  onNotice(notice: RpcNotice): void
  /** The other end has closed. Resolves to the reason with which calls reject, the pending ones and all later. */
  onClose(): Promise<unknown>
}

export class Rpc {
  readonly #port: BatchingPort
  readonly #options: RpcOptions
  readonly #pending = new Map<number, PendingCall>()
  #lastNumber = 0
  /** Comlink's listener. */
  #onCall!: (event: { data: object }) => void
  /** The number of the call that is being served. */
  #serving = 0

  constructor(port: MessagePort, options: RpcOptions) {
    this.#options = options
    this.#port = new BatchingPort(port, {
      onItem: (kind, number, content) => this.#onItem(kind, number, content),
      onUnreadable: (failure) => this.#onUnreadable(failure),
      onClose: () => void this.#rejectAll(this.#takePending()),
    })
    // Not the port itself: comlink would post at once what may wait.
    const endpoint = {
      addEventListener: (_type: string, listener: never) => (this.#onCall = listener),
      removeEventListener() {},
      postMessage: (answer: ComlinkAnswer, transfer?: Transferable[]) => this.#onAnswer(answer, transfer),
    }
    expose((request: RpcRequest) => this.#serve(request), endpoint)
  }

  get closed(): boolean {
    return this.#port.closed
  }

  /** Send a request. Resolves to its result. */
  request(request: RpcRequest, transfer?: Transferable[], context?: CallContext): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const pending: PendingCall = { resolve, reject, context }
      if (this.closed) return void this.#rejectAll([pending])
      const number = ++this.#lastNumber
      if (this.#pending.size === 0) this.#port.ref()
      this.#pending.set(number, pending)
      if (requestMayWait(request)) return this.#port.enqueue(CALL_ITEM, number, request)
      try {
        this.#port.postNow(CALL_ITEM, number, request, transfer)
      } catch (failure) {
        this.#takeCall(number)
        reject(explainCloneFailure(failure, context?.described, 'args', transfer))
      }
    })
  }

  /**
   * Send a notice.
   * @param given the caller's value in it, and what an error calls it
   * @throws DataCloneError the value cannot be sent
   */
  notify(notice: RpcNotice, transfer: Transferable[] = [], given?: { value: unknown; root: string }): void {
    if (noticeMayWait(notice)) return this.#port.enqueue(NOTICE_ITEM, 0, notice)
    try {
      this.#port.postNow(NOTICE_ITEM, 0, notice, transfer)
    } catch (failure) {
      throw given ? explainCloneFailure(failure, given.value, given.root, transfer) : failure
    }
  }

  /** Within `onRequest`: reply now, so that the reply shows the value as it is now. Returns the result for `onRequest`. */
  replyNow(value: unknown): unknown {
    if (value === RETURN_THIS) {
      this.#port.enqueue(SELF_ITEM, this.#serving, null)
      return REPLIED
    }
    if (typeof value !== 'object' || value === null) return value
    this.#postReply(this.#serving, value, this.#replyOf(value))
    return REPLIED
  }

  // The side that answers.

  #serve(request: RpcRequest): unknown {
    try {
      const value = this.#options.onRequest(request)
      return isThenable(value) ? Promise.resolve(value).then(undefined, failedReply) : value
    } catch (thrown) {
      return failedReply(thrown)
    }
  }

  #onAnswer(answer: ComlinkAnswer, transfer?: Transferable[]): void {
    const { id, value } = answer
    if (answer.type === 'HANDLER') return this.#port.postNow(CONTENT_ITEM, id, value, transfer)
    if (value === REPLIED) return
    if (value === RETURN_THIS) return this.#port.enqueue(SELF_ITEM, id, null)
    if (valueMayWait(value)) return this.#port.enqueue(VALUE_ITEM, id, value)
    this.#postReply(id, value, this.#replyOf(value))
  }

  #replyOf(value: unknown): Reply {
    const transfer: Transferable[] = []
    return new Reply({ kind: 'packed', packed: pack(value, transfer, this) }, transfer)
  }

  #postReply(number: number, value: unknown, { content, transfer }: Reply): void {
    try {
      this.#port.postNow(CONTENT_ITEM, number, content, transfer)
    } catch (failure) {
      const reply = failedReply(explainCloneFailure(failure, value, 'result', transfer))
      this.#port.postNow(CONTENT_ITEM, number, reply.content)
    }
  }

  // The side that asks.

  #onItem(kind: number, number: number, content: unknown): void {
    switch (kind) {
      case CALL_ITEM:
        this.#serving = number
        this.#onCall({ data: { id: number, type: 'APPLY', argumentList: [{ type: 'RAW', value: content }] } })
        break
      case VALUE_ITEM:
        this.#takeCall(number)?.resolve(content)
        break
      case SELF_ITEM: {
        const call = this.#takeCall(number)
        call?.resolve(call.context?.self)
        break
      }
      case CONTENT_ITEM:
        this.#settle(number, content as ReplyContent)
        break
      default:
        this.#options.onNotice(content as RpcNotice)
    }
  }

  #settle(number: number, content: ReplyContent): void {
    const call = this.#takeCall(number)
    if (!call) return
    if (content.kind === 'failed') return call.reject(decodeFailure(content.failure, call.context?.callSite?.stack))
    try {
      call.resolve(unpack(content.packed))
    } catch (failure) {
      call.reject(failure)
    }
  }

  #takeCall(number: number): PendingCall | undefined {
    const call = this.#pending.get(number)
    this.#pending.delete(number)
    if (call && this.#pending.size === 0 && !this.closed) this.#port.unref()
    return call
  }

  #takePending(): PendingCall[] {
    const pending = [...this.#pending.values()]
    this.#pending.clear()
    return pending
  }

  /** A reply came that this thread cannot read, its number included: it may be that of any pending call. */
  #onUnreadable(failure: unknown): void {
    this.#port.unref()
    for (const { reject } of this.#takePending()) reject(unreadable(failure, 'result'))
  }

  async #rejectAll(pending: PendingCall[]): Promise<void> {
    const reason = await this.#options.onClose()
    for (const { reject } of pending) reject(reason)
  }
}

function failedReply(thrown: unknown): Reply {
  return new Reply({ kind: 'failed', failure: encodeFailure(thrown) })
}

/** Whether the value cannot change before the end of the turn, and can be cloned for sure. */
function valueMayWait(value: unknown): boolean {
  return value === null || (typeof value !== 'object' && typeof value !== 'function' && typeof value !== 'symbol')
}

function requestMayWait(request: RpcRequest): boolean {
  switch (request.kind) {
    case 'apply':
      for (const arg of request.args) if (!valueMayWait(arg)) return false
      return true
    case 'applyPacked':
    case 'applyFunction':
    case 'callback':
      return false
    default:
      return true
  }
}

/** Whether the notice contains no value of the caller's and no port, and need not be the first on its port. */
function noticeMayWait({ kind }: RpcNotice): boolean {
  return kind === 'addRef' || kind === 'releaseRefs' || kind === 'endIteration' || kind === 'releaseCallback'
}
