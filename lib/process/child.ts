// A started process as its parent sees it: its thread, waiting for it, stopping it, and how it ended.
//
// The process leaves its results where a blocked parent can read them: its exit code in the control block, the error that
// ended it in a mailbox, a port without a listener. The end itself is seen by the 'close' event of its output port, the Worker's
// 'exit' event, which comes later, or, while this thread is blocked in joinSync, the reaper. The first to see it calls #finish.
import { receiveMessageOnPort } from 'node:worker_threads'
import { recognizeCopies } from '../copies.js'
import { performance, Promise } from '../base/clock.js'
import { turnIfDue } from '../base/loop-turn.js'
import { TimeoutError } from '../errors.js'
import { load, notifyAll, store, waitOn, type Words } from '../memory/atomics.js'
import { thrownText } from '../base/thrown-text.js'
import { publish } from '../base/diagnostics.js'
import { probeDead } from '../thread/liveness.js'
import { onLongWait, runBlockedHooks } from '../thread/while-blocked.js'
import { startTimer } from '../base/timer.js'
import { withTimeout } from '../base/with-timeout.js'
import { decodeFailure, type Failure } from '../transport/error-codec.js'
import { markUnsendable, unsendableMark } from '../transport/unsendable.js'
import { CANCEL_REQUESTED, ENDED, EXIT_CODE, EXIT_COMPLETE, EXITING, preventStart } from './control-block.js'
import { markEnded, watchForDeath } from './reaper.js'
import type { ProcessThread } from './warm-threads.js'

/** Upper bound of a single sleep of a blocked join: a lost wake-up costs this much, not for ever. */
const MAX_JOIN_SLICE_MS = 1000
/** The same where hooks must run while the thread is blocked. */
const MAX_HOOK_SLICE_MS = 10
/** The same while the reader of this thread's stdout is behind. */
const MAX_READER_SLICE_MS = 1

const UNSENDABLE_SENTINEL = unsendableMark('wait for it in the thread that started the process')

let newSentinel: (control: Words, watch: () => void) => Sentinel

/** Becomes ready when its process has ended. See `Connection.wait`. */
export class Sentinel {
  static {
    newSentinel = (control, watch) => new this(control, watch)
  }

  readonly #control: Words
  readonly #watch: () => void

  private constructor(control: Words, watch: () => void) {
    markUnsendable(this, UNSENDABLE_SENTINEL)
    this.#control = control
    this.#watch = watch
  }

  /** Whether the process has ended. */
  get ready(): boolean {
    return load(this.#control, ENDED) !== 0
  }

  /** @internal Have it become ready even while this thread, which started the process, is blocked. */
  watch(): void {
    this.#watch()
  }
}

interface ChildParts extends ProcessThread {
  name: string
  daemon: boolean
  onEnd: () => void
  /** Called when the thread is ended before it has received the arguments. */
  onStartPrevented: () => void
}

/** A process from its start on. */
export class Child {
  readonly pid: number
  readonly sentinel: Sentinel
  exitcode: number | null = null
  error: unknown = undefined
  readonly #parts: ChildParts
  readonly #exit: Promise<void>
  #pendingJoins = 0
  /** The exit code with which the thread is being ended from here; `undefined` while nothing ends it. */
  #stopExitcode: number | undefined
  #grace: { exitcode: number; endMs: number; stopTimer: () => void } | undefined
  #watched = false
  #startPrevented = false
  readonly #stopLongWaitHook: () => void
  #reported = false

  constructor(parts: ChildParts) {
    const { worker, control, output, daemon } = parts
    this.#parts = parts
    this.pid = worker.threadId
    this.sentinel = newSentinel(control, () => this.#watch())
    if (daemon) worker.unref()
    else worker.ref()
    this.#stopLongWaitHook = onLongWait(() => this.#watch())
    // Comes before 'exit'; or, after a joinSync, for an error that the process could not post itself (out of memory).
    // May come twice, when an exit handler throws as well.
    worker.on('error', (thrown: unknown) => {
      output.flush()
      this.#readMailbox()
      this.#report(thrown)
    })
    this.#exit = new Promise((resolve) => {
      const onEnded = (code?: number) => {
        markEnded(this.pid, control)
        output.close()
        this.#finish(code)
        resolve()
      }
      worker.once('exit', onEnded)
      output.onceThreadGone(() => {
        if (load(control, EXITING) === 1 && load(control, EXIT_COMPLETE) === 1) onEnded() // Nothing is left to wait for.
      })
    })
  }

  get ended(): boolean {
    return this.exitcode !== null
  }

  async join(timeoutMs: number, signal?: AbortSignal): Promise<void> {
    const { worker, daemon } = this.#parts
    signal?.throwIfAborted()
    if (this.ended) return turnIfDue()
    // A pending join holds the program open, even for a daemon.
    if (this.#pendingJoins++ === 0) worker.ref()
    try {
      await withTimeout(this.#exit, timeoutMs, signal)
    } catch (reason) {
      if (!(reason instanceof TimeoutError)) throw reason
    } finally {
      if (--this.#pendingJoins === 0 && daemon) worker.unref()
    }
  }

  joinSync(timeoutMs: number): void {
    const { control, output } = this.#parts
    if (this.ended) return
    this.#watch()
    const endMs = performance.now() + timeoutMs
    for (;;) {
      const ended = load(control, ENDED)
      const isWritten = output.writeNow() // Each message of it wakes this thread.
      if (ended !== 0 && isWritten) break
      if (ended === 0 && isWritten && probeDead(this.pid)) markEnded(this.pid, control) // The reaper may be unable to start.
      const leftMs = endMs - performance.now()
      if (leftMs <= 0) break
      // The timer of a grace period stands still while this thread is blocked.
      const graceMs = this.#grace ? this.#grace.endMs - performance.now() : Infinity
      const hookMs = runBlockedHooks() ? MAX_HOOK_SLICE_MS : MAX_JOIN_SLICE_MS
      const sliceMs = isWritten ? hookMs : MAX_READER_SLICE_MS
      if (graceMs > 0) waitOn(control, ENDED, ended, Math.min(leftMs, graceMs, sliceMs))
      else {
        this.stop(this.#grace!.exitcode, 0)
        this.#watch() // The reaper does not see the end of a thread that is still booting.
      }
    }
    const hasEnded = load(control, ENDED) !== 0
    output.flush()
    if (hasEnded) this.#finish()
  }

  /** For a parent that blocks: have the reaper see the end. If the target will never run, that is the end. */
  #watch(): void {
    if (this.#startPrevented) markEnded(this.pid, this.#parts.control)
    if (this.#watched || this.#startPrevented || this.ended) return
    this.#watched = true
    watchForDeath(this.#parts.worker, this.#parts.control)
  }

  /** End the thread. @param graceMs with more than 0, ask first, and end it after that time if it still runs */
  stop(exitcode: number, graceMs: number): void {
    const { worker, control, onStartPrevented } = this.#parts
    if (this.ended) return
    this.#endGrace()
    if (graceMs <= 0) {
      if (this.#stopExitcode !== undefined) return // Each call of Worker.terminate() adds a listener.
      this.#stopExitcode = exitcode
      this.#startPrevented = preventStart(control)
      if (this.#startPrevented) onStartPrevented()
      void worker.terminate()
      return
    }
    store(control, CANCEL_REQUESTED, 1)
    notifyAll(control, CANCEL_REQUESTED)
    // Does not hold the event loop: the process does that itself, unless it is a daemon.
    const stopTimer = startTimer(graceMs, () => this.stop(exitcode, 0), { hold: false })
    this.#grace = { exitcode, endMs: performance.now() + graceMs, stopTimer }
  }

  #endGrace(): void {
    this.#grace?.stopTimer()
    this.#grace = undefined
  }

  /** @param code the exit code that Node reports; none where a blocked thread saw the end */
  #finish(code?: number): void {
    if (this.ended) return
    const { control, mailbox, name, onEnd } = this.#parts
    const byItself = load(control, EXITING) === 1
    if (byItself && (code === undefined || this.#stopExitcode !== undefined)) this.exitcode = load(control, EXIT_CODE)
    // Node reports 0 for a thread that could not be started.
    else this.exitcode = this.#stopExitcode ?? (this.error === undefined ? code : code || 1) ?? 1
    this.#endGrace()
    this.#stopLongWaitHook()
    this.#readMailbox()
    mailbox.close()
    onEnd()
    publish('process', () => ({ event: 'ended', name, pid: this.pid, exitcode: this.exitcode }))
  }

  #readMailbox(): void {
    let failure: Failure | null = null
    for (let posted; (posted = receiveMessageOnPort(this.#parts.mailbox));) failure = posted.message as Failure | null
    if (failure) this.#report(decodeFailure(failure))
  }

  /** Keep the error and print it, as Node would have printed it at the top level. */
  #report(thrown: unknown): void {
    if (this.#reported) return
    this.#reported = true
    this.error = thrown
    process.stderr.write(`Process ${this.#parts.name}:\n${thrownText(thrown)}\n`)
  }
}

recognizeCopies(Sentinel, 'Sentinel')
