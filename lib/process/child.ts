// A process that was started: its thread, and what becomes known of its end.
//
// What a process leaves behind, it leaves where a blocked parent can read it: its exit code in the control words, the error
// that ended it in a mailbox that nobody listens to. The end itself is seen by the Worker's 'exit' event or, while this thread
// is blocked in joinSync, by the reaper; whichever is first calls #finish.
import { inspect } from 'node:util'
import { receiveMessageOnPort, type MessagePort, type Worker } from 'node:worker_threads'
import { TimeoutError } from '../errors.js'
import { load, notifyAll, store, waitOn, type Words } from '../memory/atomics.js'
import { publish } from '../base/diagnostics.js'
import { onLongWait, runBlockedHooks } from '../thread/while-blocked.js'
import { startTimer } from '../base/wait-options.js'
import { withTimeout } from '../base/with-timeout.js'
import { decodeFailure, type Failure } from '../transport/error-codec.js'
import { CANCELLED, ENDED, EXITING, EXIT_CODE, forestall } from './control-block.js'
import { markEnded, watchForDeath } from './reaper.js'

export const SIGKILL = 9
export const SIGTERM = 15

/** No single wait of a blocked thread is longer: a wake-up that got lost costs this much, not for ever. */
const LONGEST_SLICE_MS = 1000
const CHORES_SLICE_MS = 10

/** Becomes ready when its process has ended. */
export class Sentinel {
  readonly #control: Words
  readonly #watch: () => void
  /** @internal */
  constructor(control: Words, watch: () => void) {
    this.#control = control
    this.#watch = watch
  }
  /** Whether the process has ended. */
  get ready(): boolean {
    return load(this.#control, ENDED) !== 0
  }
  /** @internal This thread, which started the process, is going to be blocked: have it become ready all the same. */
  watch(): void {
    this.#watch()
  }
}

interface Started {
  name: string
  daemon: boolean
  worker: Worker
  control: Words
  mailbox: MessagePort
  onEnd: () => void
  /** It was ended before it began: nobody receives its arguments. */
  onForestalled: () => void
}

export class Running {
  readonly pid: number
  readonly sentinel: Sentinel
  exitcode: number | null = null
  error: unknown = undefined
  readonly #started: Started
  readonly #exit: Promise<void>
  #pendingJoins = 0
  #stoppedBy = 0
  #grace: { signal: number; endMs: number; stopTimer: () => void } | undefined
  #watched = false
  #forestalled = false
  readonly #forget: () => void
  #reported = false

  constructor(started: Started) {
    const { worker, control, daemon } = started
    this.#started = started
    this.pid = worker.threadId
    this.sentinel = new Sentinel(control, () => this.#watch())
    if (daemon) worker.unref()
    else worker.ref()
    this.#forget = onLongWait(() => this.#watch())
    // Comes before 'exit'; or, after a joinSync, for an error that the process could not tell itself (out of memory).
    // May come twice, when an exit handler throws as well.
    worker.on('error', (thrown: unknown) => {
      this.#drainMailbox()
      this.#report(thrown)
    })
    this.#exit = new Promise((resolve) => {
      worker.once('exit', (code) => {
        markEnded(this.pid, control)
        this.#finish(code)
        resolve()
      })
    })
  }

  get ended(): boolean {
    return this.exitcode !== null
  }

  async waitForEnd(timeoutMs: number, signal?: AbortSignal): Promise<void> {
    const { worker, daemon } = this.#started
    signal?.throwIfAborted()
    if (this.ended) return
    // A pending join holds the program open, also when what it waits for does not.
    if (this.#pendingJoins++ === 0) worker.ref()
    try {
      await withTimeout(this.#exit, timeoutMs, signal)
    } catch (reason) {
      if (!(reason instanceof TimeoutError)) throw reason
    } finally {
      if (--this.#pendingJoins === 0 && daemon) worker.unref()
    }
  }

  waitForEndSync(timeoutMs: number): void {
    const { control } = this.#started
    if (this.ended) return
    this.#watch()
    const endMs = performance.now() + timeoutMs
    while (load(control, ENDED) === 0) {
      const leftMs = endMs - performance.now()
      if (leftMs <= 0) return
      // The timer of a grace period stands still while this thread is blocked.
      const graceMs = this.#grace ? this.#grace.endMs - performance.now() : Infinity
      const sliceMs = runBlockedHooks() ? CHORES_SLICE_MS : LONGEST_SLICE_MS
      if (graceMs > 0) waitOn(control, ENDED, 0, Math.min(leftMs, graceMs, sliceMs))
      else this.stop(this.#grace!.signal, 0)
    }
    this.#finish()
  }

  /** Have the reaper see its end, for a parent that blocks. */
  #watch(): void {
    if (this.#forestalled) markEnded(this.pid, this.#started.control)
    if (this.#watched || this.#forestalled || this.ended) return
    this.#watched = true
    watchForDeath(this.#started.worker, this.#started.control)
  }

  stop(signal: number, graceMs: number): void {
    const { worker, control, onForestalled } = this.#started
    if (this.ended) return
    this.#endGrace()
    if (graceMs <= 0) {
      if (this.#stoppedBy) return // Each call of Worker.terminate() adds a listener.
      this.#stoppedBy = signal
      this.#forestalled = forestall(control)
      if (this.#forestalled) onForestalled()
      void worker.terminate()
      return
    }
    store(control, CANCELLED, 1)
    notifyAll(control, CANCELLED)
    // Holds nothing open: a daemon would hold the program, and any other process does so itself.
    const stopTimer = startTimer(graceMs, () => this.stop(signal, 0), { hold: false })
    this.#grace = { signal, endMs: performance.now() + graceMs, stopTimer }
  }

  #endGrace(): void {
    this.#grace?.stopTimer()
    this.#grace = undefined
  }

  /** @param code what Node says of how the thread ended; while this thread is blocked it says nothing */
  #finish(code?: number): void {
    if (this.ended) return
    const { control, mailbox, onEnd } = this.#started
    const byItself = load(control, EXITING) === 1
    if (this.#stoppedBy) this.exitcode = byItself ? load(control, EXIT_CODE) : -this.#stoppedBy
    else this.exitcode = code ?? (byItself ? load(control, EXIT_CODE) : 1)
    this.#endGrace()
    this.#forget()
    this.#drainMailbox()
    mailbox.close()
    onEnd()
    const { name } = this.#started
    publish('process', () => ({ event: 'ended', name, pid: this.pid, exitcode: this.exitcode }))
  }

  #drainMailbox(): void {
    let failure: Failure | null = null
    for (let letter; (letter = receiveMessageOnPort(this.#started.mailbox));) failure = letter.message as Failure | null
    if (failure) this.#report(decodeFailure(failure))
  }

  /** Keep the error and print it, as Node would have printed it at the top level. */
  #report(thrown: unknown): void {
    if (this.#reported) return
    this.#reported = true
    this.error = thrown
    process.stderr.write(`Process ${this.#started.name}:\n${inspect(thrown)}\n`)
  }
}
