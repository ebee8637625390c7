// Awaiting: the waiters of this thread that wait without blocking it, in the order in which they came. At most one `waitAsync` is
// armed for those that wait on the same word: an abandoned one cannot be cancelled, and would absorb wake-ups.
import { Promise, setTimeout } from '../base/clock.js'
import { whenAborted } from '../base/abort-listeners.js'
import { settledAfterTurn } from '../base/loop-turn.js'
import { startTimer } from '../base/timer.js'
import { checkWaitOptions, type WaitOptions } from '../base/wait-options.js'
import { notifyAll, whenChanged } from '../memory/atomics.js'
import { AGAIN, block, FIRST_SLICE_MS, MAX_SLICE_MS, perform, WAIT, type Operation, type Waiter } from './park.js'

interface PendingWait {
  waiter: Waiter
  waiting: boolean
  settle(taken: boolean): void
  fail(reason: unknown): void
}

// Whether the last call of `join` has to wait. Not: a variable of `join`, which would cost each call a context.
let isPending = false

/** The waiters of this thread at one place, oldest first. Only the oldest tries. */
export class AsyncWaiters {
  #pending: PendingWait[] = []
  #armed = false
  #running = false
  readonly #byWord: boolean

  /** @param wake 'word': the list runs when the waiters' word changes; 'run': its owner calls `run`, on events of its own */
  constructor({ wake = 'word' }: { wake?: 'word' | 'run' } = {}) {
    this.#byWord = wake === 'word'
  }

  get empty(): boolean {
    return this.#pending.length === 0
  }

  /** Wait, without blocking, until the waiter is done (true) or the time is over (false). Rejects when the signal aborts. */
  join(waiter: Waiter, options: WaitOptions | undefined): Promise<boolean> {
    isPending = false
    const joined = new Promise<boolean>((resolve, reject) => {
      const { timeoutMs, signal } = checkWaitOptions(options)
      if (signal?.aborted) return reject(signal.reason)
      let stopTimer = () => {}
      let stopListening = () => {}
      const release = () => {
        stopTimer()
        stopListening()
      }
      const onAbort = () => this.#withdraw(pending, () => reject(signal!.reason))
      const pending: PendingWait = {
        waiter,
        waiting: true,
        settle: (taken) => (release(), resolve(taken)),
        fail: (reason) => (release(), reject(reason)),
      }
      this.#pending.push(pending)
      this.#run()
      if (!pending.waiting) return
      const onTime = () => this.#withdraw(pending, () => resolve(false))
      if (timeoutMs <= 0) return onTime()
      if (timeoutMs !== Infinity) stopTimer = startTimer(timeoutMs, onTime)
      stopListening = whenAborted(signal, onAbort)
      keepPolling(this)
      isPending = true
    })
    return isPending ? joined : settledAfterTurn(joined)
  }

  /** Something may have changed: let the waiters try, oldest first. */
  run(): void {
    if (this.#pending.length > 0) this.#run()
  }

  /** As `run`, from the poll: the oldest has waited for long. */
  probe(): void {
    const [first] = this.#pending
    if (!first) return
    first.waiter.probing = true
    this.#run()
  }

  #run(): void {
    if (this.#running) return // A try released something, which led back here: the loop below goes on anyway.
    this.#running = true
    try {
      while (this.#tryFirst());
    } finally {
      this.#running = false
    }
  }

  /** @returns whether the next may try */
  #tryFirst(): boolean {
    const [first] = this.#pending
    if (!first) return false
    const { waiter } = first
    try {
      const result = waiter.attempt()
      if (result === AGAIN) return true
      if (result === WAIT) return this.#arm(waiter)
      this.#leave(first)
      first.settle(true)
    } catch (reason) {
      this.#leave(first)
      first.fail(reason)
    }
    return true
  }

  /** Run the list when the word changes. @returns whether it has changed already */
  #arm({ words, index, seen }: Waiter): boolean {
    if (this.#armed || !this.#byWord) return false
    this.#armed = true
    let changed = false
    let returned = false
    whenChanged(words, index, seen, () => {
      this.#armed = false
      if (returned) this.run()
      else changed = true
    })
    returned = true
    return changed
  }

  #withdraw(pending: PendingWait, withdrawn: () => void): void {
    if (!pending.waiting) return
    const wasFirst = pending === this.#pending[0]
    this.#leave(pending)
    try {
      if (pending.waiter.giveUp()) pending.settle(true)
      else {
        withdrawn()
        pending.settle(false)
      }
    } catch (reason) {
      pending.fail(reason)
    }
    // A wake-up may have been meant for it.
    if (wasFirst) this.run()
  }

  #leave(pending: PendingWait): void {
    pending.waiting = false
    if (pending === this.#pending[0]) this.#pending.shift()
    else this.#pending.splice(this.#pending.indexOf(pending), 1)
    if (this.#pending.length > 0) return
    polled.delete(this)
    // Otherwise an armed waitAsync could stay for ever: nobody may ever notify the word again.
    if (this.#armed) notifyAll(pending.waiter.words, pending.waiter.index)
  }
}

// The poll: one timer while anything waits in this thread. It holds the event loop, which a pending waitAsync does not. It is also
// the slice of waiters that await: on each tick they try again.
const polled = new Set<AsyncWaiters>()
let pollTimer: NodeJS.Timeout | undefined
let pollMs = FIRST_SLICE_MS

function keepPolling(waiters: AsyncWaiters): void {
  if (polled.size === 0) pollMs = FIRST_SLICE_MS
  polled.add(waiters)
  pollTimer ??= setTimeout(poll, pollMs)
}

function poll(): void {
  pollTimer = undefined
  pollMs = Math.min(2 * pollMs, MAX_SLICE_MS)
  for (const waiters of polled) waiters.probe()
  if (polled.size > 0) pollTimer ??= setTimeout(poll, pollMs)
}

/** The step of an operation that waits until the waiter is done (true) or the time is over (false). */
export function untilDone(waiter: Waiter, timeoutMs: number, signal?: AbortSignal): Operation<boolean> {
  return perform({
    block: () => block(waiter, timeoutMs),
    wait: () => new AsyncWaiters().join(waiter, { timeout: timeoutMs, signal }),
  })
}

/** Run an operation by awaiting each of its waits. */
export async function runAwaiting<R>(operation: Operation<R>): Promise<R> {
  let next = operation.next()
  while (!next.done) {
    let result: unknown
    try {
      result = await next.value.wait()
    } catch (reason) {
      next = operation.throw(reason)
      continue
    }
    next = operation.next(result)
  }
  return next.value
}
