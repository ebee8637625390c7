// A MessagePort whose items travel together: those that may wait are posted at the end of the turn, in one message.
//
// A message on the port is an array of items, three fields each: the kind of the item, the number of its call, its content.
//
//   kind           number       content
//   CALL_ITEM      its own      an RpcRequest
//   VALUE_ITEM     the call's   the result, a primitive value
//   SELF_ITEM      the call's   null: the result is the object whose method was called
//   CONTENT_ITEM   the call's   a result that is an object, or a failure
//   NOTICE_ITEM    0            an RpcNotice
//
// An object must not wait: it is cloned when it is posted, and must arrive as it was when it was given. An item that contains one
// is posted at once, after those that waited, so that the order is kept.
import type { MessagePort, Transferable } from 'node:worker_threads'
import { nextTick } from '../base/clock.js'
import type { RpcNotice } from './messages.js'

export const CALL_ITEM = 0
export const VALUE_ITEM = 1
export const SELF_ITEM = 2
export const CONTENT_ITEM = 3
export const NOTICE_ITEM = 4
const FIELDS_PER_ITEM = 3

/** Maximum items that wait. */
const MAX_WAITING_ITEMS = 1024

interface PortHandlers {
  onItem(kind: number, number: number, content: unknown): void
  /** A message came that this thread cannot read. */
  onUnreadable(failure: unknown): void
  /** The other end has closed, or its thread has ended. */
  onClose(): void
}

export class BatchingPort {
  readonly #port: MessagePort
  #waiting: unknown[] = []
  #flushScheduled = false
  #closed = false

  constructor(port: MessagePort, handlers: PortHandlers) {
    this.#port = port
    port.on('message', (items: unknown[]) => {
      for (let i = 0; i < items.length; i += FIELDS_PER_ITEM)
        handlers.onItem(items[i] as number, items[i + 1] as number, items[i + 2])
    })
    port.on('messageerror', (failure) => handlers.onUnreadable(failure))
    port.once('close', () => {
      this.#closed = true
      this.#waiting = []
      handlers.onClose()
    })
    port.unref()
  }

  get closed(): boolean {
    return this.#closed
  }

  /** Hold the event loop, until `unref`. */
  ref(): void {
    this.#port.ref()
  }

  unref(): void {
    this.#port.unref()
  }

  /** Post an item at the end of the turn. */
  enqueue(kind: number, number: number, content: unknown): void {
    if (this.#closed) return
    this.#waiting.push(kind, number, content)
    if (this.#waiting.length >= MAX_WAITING_ITEMS * FIELDS_PER_ITEM) return this.#flush()
    if (this.#flushScheduled) return
    this.#flushScheduled = true
    // Not: a microtask. Items of other promises that settle in this turn would miss the message.
    nextTick(() => {
      this.#flushScheduled = false
      this.#flush()
    })
  }

  /** Post an item at once. @throws what postMessage throws */
  postNow(kind: number, number: number, content: unknown, transfer?: Transferable[]): void {
    if (this.#closed) return
    this.#flush()
    this.#port.postMessage([kind, number, content], transfer)
  }

  #flush(): void {
    if (this.#waiting.length === 0) return
    this.#port.postMessage(this.#waiting)
    this.#waiting = []
  }
}

/** Post one notice on a port that is not used otherwise, and close it. */
export function notifyAndClose(port: MessagePort, notice: RpcNotice): void {
  port.postMessage([NOTICE_ITEM, 0, notice])
  port.close()
}
