// One thread of an executor, from its boot to its exit, and the ways to end it.
//
//   askToEnd ──> its finalizer, its exit handlers ──> exit       a clean end: shutdown, idle time-out
//   awaitEnd ──> the same, without being asked                   it retires
//       └── END_LIMIT_MS later ──> terminate
//   terminate ──> exit
//       └── STUCK_AFTER_MS later ──> stuck: another may take its place; it exits when its native call returns
//                   └── END_LIMIT_MS later ──> it is not waited for any more
import type { Worker } from 'node:worker_threads'
import { Promise } from '../../../base/clock.js'
import { startTimer } from '../../../base/timer.js'
import type { WorkerHandle } from './worker-handle.js'

/** How long a worker may take to end by itself: its finalizer and its exit handlers. */
const END_LIMIT_MS = 5000

/** A terminated thread that has not exited by then runs a native call, which nothing can interrupt. Most exit within 20 ms. */
const STUCK_AFTER_MS = 200

/** How a thread ended. */
export interface ThreadExit {
  exitcode: number
  /** The uncaught error, where there was one. */
  reason: unknown
}

/** What a thread tells its pool. */
export interface ThreadEvents {
  /** It has thrown, and is about to exit. */
  onError(thread: PoolThread, exit: ThreadExit): void
  /** It is gone: it has exited or, if `isStuck`, never will by our doing. */
  onGone(thread: PoolThread, exit: ThreadExit): void
  /** A stuck thread has exited. */
  onLateExit(thread: PoolThread): void
}

export class PoolThread {
  readonly worker: Worker
  /** Its `Worker` has lost the id when the thread has exited. */
  readonly id: number
  handle: WorkerHandle | undefined
  /** It has thrown, or is being ended: it gets no handle, and its handle no lease. */
  isDying = false
  /** It ends on purpose. */
  isExpected = false
  /** It has ended before it was ready, and that was told. */
  hasFailed = false
  /** It counts as gone, though it has not exited. */
  isStuck = false
  /** Resolves when it has exited, or has been stuck for long. */
  readonly gone: Promise<void>
  readonly #events: ThreadEvents
  #resolveGone!: () => void
  #terminated = false
  /** The exit code to report, where that is not the real one. */
  #exitcode: number | undefined
  #reason: unknown
  #stopTimer = (): void => {}

  constructor(worker: Worker, events: ThreadEvents) {
    this.worker = worker
    this.id = worker.threadId
    this.#events = events
    this.gone = new Promise((resolve) => (this.#resolveGone = resolve))
    // Ahead of piscina's own listeners, which forget the thread.
    worker.prependOnceListener('exit', (code) => this.#onExit(code))
    worker.prependOnceListener('error', (reason: unknown) => {
      this.#setDying()
      this.#reason = reason
      events.onError(this, { exitcode: 1, reason })
    })
  }

  /** Whether the worker ends by itself, its exit handlers included. */
  get endsCleanly(): boolean {
    return this.isExpected && !this.#terminated
  }

  /** Have the worker end by itself. One that has run nothing of the program's is terminated at once. */
  askToEnd(): void {
    if (this.isExpected) return
    if (!this.handle?.isUp) return this.terminate()
    this.handle.askToEnd()
    this.awaitEnd()
  }

  /** The worker ends by itself. */
  awaitEnd(): void {
    this.#setDying()
    this.isExpected = true
    const onLate = () => {
      const message = `PoolWorker-${this.id} did not end within ${END_LIMIT_MS} ms, and is terminated`
      process.emitWarning(message, { code: 'MANYHANDS_WORKER_TERMINATED' })
      this.terminate()
    }
    this.#stopTimer = startTimer(END_LIMIT_MS, onLate, { hold: false })
  }

  /** End the thread at once. @param exitcode the exit code to report */
  terminate(exitcode?: number): void {
    if (this.#terminated) return // Each call of Worker.terminate() adds a listener.
    this.#terminated = true
    this.isExpected = true
    this.#exitcode = exitcode
    this.#setDying()
    this.#stopTimer()
    this.#stopTimer = startTimer(STUCK_AFTER_MS, () => this.#onStuck(), { hold: false })
    void this.worker.terminate()
  }

  #setDying(): void {
    this.isDying = true
    this.worker.ref() // Jobs may wait for its slot.
    if (this.handle) this.handle.isDying = true
  }

  #onStuck(): void {
    this.isStuck = true
    this.#events.onGone(this, { exitcode: this.#exitcode ?? 1, reason: this.#reason })
    this.#stopTimer = startTimer(END_LIMIT_MS, () => this.#resolveGone(), { hold: false })
  }

  #onExit(code: number): void {
    this.#stopTimer()
    if (this.isStuck) this.#events.onLateExit(this)
    else {
      this.#setDying()
      this.#events.onGone(this, { exitcode: this.#exitcode ?? code, reason: this.#reason })
    }
    this.#resolveGone()
  }
}
