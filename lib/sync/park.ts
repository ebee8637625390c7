// Waiting, written once for those who block and those who await. An algorithm is a Waiter: an object that can be asked to try
// again, from scratch, whenever something may have changed. Only this file knows in which way a thread waits between the tries.
//
//            attempt() ── DONE ──> it has what it wanted
//              ^  │
//      changed │  └── WAIT ──> asleep on words[index] while that holds `seen`
//   or a slice └───────────────┘    │ out of time, aborted
//     is over                       └──> giveUp(): withdraw, or have it after all
//
// No sleep is longer than a slice: the thread that was to wake us may have died before it could, or another that died may have
// swallowed the wake-up. What is lost that way costs a slice, not for ever. Whoever slept through a slice starts `probing`:
// asks whether those it waits for are dead.
import { whenAborted } from '../base/abort-listeners.js'
import { checkWaitOptions, startTimer, type WaitOptions } from '../base/wait-options.js'
import { notifyAll, waitOn, whenChanged, type Words } from '../memory/atomics.js'
import { runBlockedHooks, runLongWaitHooks } from '../thread/while-blocked.js'
import type { AdaptiveSpin } from './adaptive-spin.js'

/** What a try came to. */
export type TryResult = typeof DONE | typeof AGAIN | typeof WAIT
export const DONE = 0
/** Something changed under it: try again at once. */
export const AGAIN = 1
/** To be tried again when `words[index]` no longer holds `seen`. Whoever will change it has been told that somebody waits. */
export const WAIT = 2

/** Somebody who waits. All that it remembers from one try to the next is in its fields. */
export interface Waiter {
  readonly words: Words
  readonly index: number
  readonly seen: number
  /** Who blocks looks for a moment before it sleeps, if this is given. */
  readonly adaptiveSpin?: AdaptiveSpin
  /** Has waited for longer than a wake-up takes. Set by who drives it. */
  probing: boolean
  attempt(): TryResult
  /** Out of time: leave no trace. Whether it had got what it wanted just before. */
  giveUp(): boolean
}

const FIRST_SLICE_MS = 10
const LONGEST_SLICE_MS = 250

/** Block the thread until the waiter is done or the time is over. */
export function block(waiter: Waiter, timeoutMs: number): boolean {
  const endMs = timeoutMs === Infinity ? Infinity : performance.now() + timeoutMs
  let sliceMs = FIRST_SLICE_MS
  for (;;) {
    const outcome = waiter.attempt()
    if (outcome === DONE) return true
    if (outcome === AGAIN) continue
    // Not before the try: who was woken and then gives up because it is late has swallowed a wake-up that others wait for.
    const leftMs = endMs === Infinity ? Infinity : endMs - performance.now()
    if (leftMs <= 0) return waiter.giveUp()
    if (waiter.adaptiveSpin?.spin(waiter.words, waiter.index, waiter.seen)) continue
    if (waitOn(waiter.words, waiter.index, waiter.seen, Math.min(leftMs, sliceMs)) === 'timed-out') {
      if (!waiter.probing) runLongWaitHooks()
      waiter.probing = true
      if (!runBlockedHooks()) sliceMs = Math.min(2 * sliceMs, LONGEST_SLICE_MS)
    }
  }
}

interface Pending {
  waiter: Waiter
  waiting: boolean
  settle(outcome: boolean): void
  fail(reason: unknown): void
}

/**
 * Those of this thread who await the same word, in the order of their coming. At most one `waitAsync` is armed for them all: one
 * that is abandoned cannot be cancelled, and would absorb wake-ups.
 */
export class AsyncWaiters {
  #pending: Pending[] = []
  #armed = false
  #running = false
  readonly #byWord: boolean

  /** @param wake `run`: who has the queue calls `run` when something may have changed, on events of its own */
  constructor({ wake = 'word' }: { wake?: 'word' | 'run' } = {}) {
    this.#byWord = wake === 'word'
  }

  get empty(): boolean {
    return this.#pending.length === 0
  }

  /** Wait, without blocking, until the waiter is done (true) or the time is over (false). Rejects when the signal aborts. */
  join(waiter: Waiter, options: WaitOptions | undefined): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const { timeoutMs, signal } = checkWaitOptions(options)
      if (signal?.aborted) return reject(signal.reason)
      let stopTimer = () => {}
      let stopListening = () => {}
      const release = () => {
        stopTimer()
        stopListening()
      }
      const onAbort = () => this.#withdraw(pending, () => reject(signal!.reason))
      const pending: Pending = {
        waiter,
        waiting: true,
        settle: (outcome) => (release(), resolve(outcome)),
        fail: (reason) => (release(), reject(reason)),
      }
      this.#pending.push(pending)
      this.#run()
      if (!pending.waiting) return
      const late = () => this.#withdraw(pending, () => resolve(false))
      if (timeoutMs <= 0) return late()
      if (timeoutMs !== Infinity) stopTimer = startTimer(timeoutMs, late)
      stopListening = whenAborted(signal, onAbort)
      keepAlive(this)
    })
  }

  /** Something may have changed: let those who wait try, the first first. */
  run(): void {
    if (this.#pending.length > 0) this.#run()
  }

  /** As `run`, by the poll: the first has waited for long. */
  probe(): void {
    const [first] = this.#pending
    if (!first) return
    first.waiter.probing = true
    this.#run()
  }

  #run(): void {
    if (this.#running) return // A try released something that led back here: the loop below goes on anyway.
    this.#running = true
    try {
      while (this.#tryFirst());
    } finally {
      this.#running = false
    }
  }

  /** Whether the next may try. */
  #tryFirst(): boolean {
    const [first] = this.#pending
    if (!first) return false
    const { waiter } = first
    try {
      const outcome = waiter.attempt()
      if (outcome === AGAIN) return true
      if (outcome === WAIT) return this.#arm(waiter)
      this.#leave(first)
      first.settle(true)
    } catch (reason) {
      this.#leave(first)
      first.fail(reason)
    }
    return true
  }

  /** Have the queue run when the word changes. Whether it has changed already. */
  #arm({ words, index, seen }: Waiter): boolean {
    if (this.#armed || !this.#byWord) return false
    this.#armed = true
    let changed = false
    let called = false
    whenChanged(words, index, seen, () => {
      this.#armed = false
      if (called) this.run()
      else changed = true
    })
    called = true
    return changed
  }

  #withdraw(pending: Pending, withdrawn: () => void): void {
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
    // It may have been the one that a wake-up was meant for.
    if (wasFirst) this.run()
  }

  #leave(pending: Pending): void {
    pending.waiting = false
    if (pending === this.#pending[0]) this.#pending.shift()
    else this.#pending.splice(this.#pending.indexOf(pending), 1)
    if (this.#pending.length > 0) return
    waiting.delete(this)
    // Nobody might ever notify the word again, and an armed waitAsync would stay for ever.
    if (this.#armed) notifyAll(pending.waiter.words, pending.waiter.index)
  }
}

// A pending waitAsync does not hold the event loop, so one timer does, as long as anybody waits in this thread. It is also the
// slice of those who await: on each tick they try again.
const waiting = new Set<AsyncWaiters>()
let timer: NodeJS.Timeout | undefined
let sliceMs = FIRST_SLICE_MS

function keepAlive(queue: AsyncWaiters): void {
  if (waiting.size === 0) sliceMs = FIRST_SLICE_MS
  waiting.add(queue)
  timer ??= setTimeout(tick, sliceMs)
}

function tick(): void {
  timer = undefined
  sliceMs = Math.min(2 * sliceMs, LONGEST_SLICE_MS)
  for (const queue of waiting) queue.probe()
  if (waiting.size > 0) timer ??= setTimeout(tick, sliceMs)
}
