// A hand of an executor: the line to one of its threads, and the lease that is there. Piscina starts the threads and hands each
// its end of a line; leases go by that, at half of what a run of piscina costs.
//
//   hired ──lease──> works ──its end──> rests ──lease──> works ──> …
//                      └── the thread ends: what it had fails with ThreadEnded
//
// A hand may be given a lease before it has a thread: the line keeps it.
import { MessageChannel, receiveMessageOnPort, type Transferable } from 'node:worker_threads'
import type { LeaseMessage, LeaseEnd, Line, WorkerMessage } from '../protocol/messages.js'
import type { FunctionStats } from './batch-size.js'

/** A lease for whichever hand is free. */
export interface Errand {
  /**
   * Called as it is given to a hand: what it clones, it clones then. What is moved with it is added to `transfer`.
   * @throws ThreadEnded it is not wanted any more; or whatever keeps it from being made
   */
  makeLease: () => LeaseMessage
  transfer: readonly Transferable[]
  /** The functions that its tasks call. The worker is told of those that are new to it. */
  functions: Iterable<FunctionStats>
  /** Called once it is known which thread has it, before anything of it is told. */
  onTaken: (threadId: number) => void
  onEnd: (end: LeaseEnd) => void
  /** Of ThreadEnded, or of whatever kept its message from being made. */
  onFailure: (reason: unknown) => void
}

/** How a thread ended. */
export interface Ending {
  exitcode: number
  /** The uncaught error, where there was one. */
  reason: unknown
}

/** Why a lease has no end of its own. */
export class ThreadEnded {
  /** None: the lease had no thread. */
  readonly ending: Ending | undefined
  constructor(ending?: Ending) {
    this.ending = ending
  }
}

export class WorkerHandle {
  /** Once it has one. */
  threadId: number | undefined
  /** Since when it has nothing to do. */
  restsSinceMs = 0
  readonly #line: Line
  readonly #onFree: () => void
  /** The functions that the worker was told of, by number. */
  readonly #told = new Set<number>()
  #errand: Errand | undefined

  /** @param onFree called when an errand is done */
  constructor(line: Line, onFree: (hand: WorkerHandle) => void) {
    this.#line = line
    this.#onFree = () => onFree(this)
    line.leases.on('message', (end: LeaseEnd) => this.#finish(end))
    line.leases.unref()
  }

  give(errand: Errand): void {
    const { makeLease, transfer, functions } = errand
    this.#errand = errand // At once: making the message may call getters, which may submit.
    if (this.threadId !== undefined) errand.onTaken(this.threadId)
    try {
      const lease = makeLease()
      for (const { number, definition } of functions) if (!this.#told.has(number)) lease.news.push([number, definition])
      this.#line.leases.postMessage(lease, transfer)
      for (const [number] of lease.news) this.#told.add(number)
    } catch (reason) {
      this.#errand = undefined
      this.#onFree()
      errand.onFailure(reason)
    }
  }

  place(threadId: number): void {
    this.threadId = threadId
    this.restsSinceMs = performance.now()
    this.#errand?.onTaken(threadId)
  }

  /** Look whether its errand is done, while this thread is blocked. What it says of a failure can wait. */
  look(): void {
    const got = receiveMessageOnPort(this.#line.leases)
    if (!got) return
    const end = got.message as LeaseEnd
    if (end.kind === 'ended') this.#finish(end)
    else queueMicrotask(() => this.#errand && this.#finish(end))
  }

  #finish(end: LeaseEnd): void {
    const errand = this.#errand!
    this.#errand = undefined
    this.#onFree()
    errand.onEnd(end)
  }

  /**
   * Nobody listens for it: what was posted before a task counts as finished is there when it does.
   * @param onUnreadable in the place of a message that cannot be read in this thread, for want of stack, say
   */
  hear(onMessage: (message: WorkerMessage) => void, onUnreadable: (failure: unknown) => void): void {
    for (;;) {
      let got: { message: unknown } | undefined
      try {
        got = receiveMessageOnPort(this.#line.outcomes)
      } catch (failure) {
        onUnreadable(failure)
        continue
      }
      if (!got) return
      onMessage(got.message as WorkerMessage)
    }
  }

  /** Its thread has ended, or it will never have one. @returns whether an errand failed of that */
  end(ending?: Ending): boolean {
    const { leases, outcomes } = this.#line
    const last = receiveMessageOnPort(leases)
    if (last) this.#finish(last.message as LeaseEnd)
    leases.close()
    outcomes.close()
    const errand = this.#errand
    this.#errand = undefined
    errand?.onFailure(new ThreadEnded(ending))
    return errand !== undefined
  }
}

/** Both ends of a line. */
export function newLine(): { here: Line; there: Line } {
  const [leases, outcomes] = [new MessageChannel(), new MessageChannel()]
  return {
    here: { leases: leases.port1, outcomes: outcomes.port1 },
    there: { leases: leases.port2, outcomes: outcomes.port2 },
  }
}
