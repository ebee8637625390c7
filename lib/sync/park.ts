// Waiting, written once for threads that block and for those that await. An algorithm is a Waiter: an object that can try again, from
// scratch, whenever something may have changed. Only this file and async-waiters.ts know how a thread waits between the tries.
//
//            attempt() ── DONE ──> it has what it wanted
//              ^  │
//      changed │  └── WAIT ──> asleep on words[index] while that holds `seen`
//   or a slice └───────────────┘    │ out of time, aborted
//     is over                       └──> giveUp(): withdraw, or have it after all
//
// No sleep is longer than a slice: the thread that was to wake this one may have died before it could, or a thread that died may have
// swallowed the wake-up. Such a loss costs a slice, not for ever. A waiter that slept through a slice starts `probing`: it asks
// whether the threads that it waits for are dead.
import { performance } from '../base/clock.js'
import { waitOn, type Words } from '../memory/atomics.js'
import { runBlockedHooks, runLongWaitHooks } from '../thread/while-blocked.js'
import type { AdaptiveSpin } from './adaptive-spin.js'

/** The result of a try. */
export type TryResult = typeof DONE | typeof AGAIN | typeof WAIT
export const DONE = 0
/** Something changed during the try: try again at once. */
export const AGAIN = 1
/** Try again when `words[index]` no longer holds `seen`. The waiter has published its mark: the next writer will notify it. */
export const WAIT = 2

/** Something that waits. All that it remembers from one try to the next is in its fields. */
export interface Waiter {
  readonly words: Words
  readonly index: number
  readonly seen: number
  /** If this is given, a thread that blocks spins before it sleeps. */
  readonly adaptiveSpin?: AdaptiveSpin
  /** It has waited for longer than a wake-up takes. Set by its driver. */
  probing: boolean
  attempt(): TryResult
  /** Out of time: leave no trace. @returns whether it had got what it wanted just before */
  giveUp(): boolean
}

export const FIRST_SLICE_MS = 10
export const MAX_SLICE_MS = 250

/** Block the thread until the waiter is done (true) or the time is over (false). */
export function block(waiter: Waiter, timeoutMs: number): boolean {
  const endMs = timeoutMs === Infinity ? Infinity : performance.now() + timeoutMs
  let sliceMs = FIRST_SLICE_MS
  for (;;) {
    const result = waiter.attempt()
    if (result === DONE) return true
    if (result === AGAIN) continue
    // Not before the try: a waiter that gives up right after it was woken has swallowed a wake-up that others need.
    const leftMs = endMs === Infinity ? Infinity : endMs - performance.now()
    if (leftMs <= 0) return waiter.giveUp()
    if (waiter.adaptiveSpin?.spin(waiter.words, waiter.index, waiter.seen)) continue
    if (waitOn(waiter.words, waiter.index, waiter.seen, Math.min(leftMs, sliceMs)) === 'timed-out') {
      if (!waiter.probing) runLongWaitHooks()
      waiter.probing = true
      if (!runBlockedHooks()) sliceMs = Math.min(2 * sliceMs, MAX_SLICE_MS)
    }
  }
}

/** One wait of an operation, in both forms. */
export interface Step<T> {
  block(): T
  wait(): Promise<T>
}

/** An operation with several waits, written once: it yields each of them. */
export type Operation<R> = Generator<Step<unknown>, R, unknown>

/** Do one step of an operation. */
export function* perform<T>(step: Step<T>): Operation<T> {
  return (yield step) as T
}

/** Run an operation by blocking the thread at each of its waits. */
export function runBlocking<R>(operation: Operation<R>): R {
  let next = operation.next()
  while (!next.done) {
    let result: unknown
    try {
      result = next.value.block()
    } catch (reason) {
      next = operation.throw(reason)
      continue
    }
    next = operation.next(result)
  }
  return next.value
}
