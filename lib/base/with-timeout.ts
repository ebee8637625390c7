// Waiting for a promise with a limit: the one place where timeouts and abort signals meet promises. After trio's fail_after.
//
// A reaction to a promise cannot be removed. So each promise that is waited for has one, which calls all current waiters.
import { Promise } from './clock.js'
import { TimeoutError } from '../errors.js'
import { whenAborted } from './abort-listeners.js'
import { startTimer } from './timer.js'

/** The callbacks of the waiters for each promise. */
const waiting = new WeakMap<Promise<unknown>, Set<() => void>>()

/**
 * What `promise` settles with, unless the time runs out or the signal aborts first.
 * The timer, which holds the event loop, and the listeners are removed when this settles.
 * @param timeoutMs Infinity waits for ever
 * @throws TimeoutError with `timeoutMessage`, made when the time runs out; the signal's reason
 */
export function withTimeout<T>(
  promise: Promise<T>,
  timeoutMs: number,
  signal?: AbortSignal,
  timeoutMessage: () => string = () => `not settled within ${timeoutMs} ms`,
): Promise<T> {
  if (timeoutMs === Infinity && !signal) return promise
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const finish = (settle: () => void) => {
      stopTimer()
      stopWaiting()
      stopListening()
      settle()
    }
    const stopTimer = startTimer(timeoutMs, () => finish(() => reject(new TimeoutError(timeoutMessage()))))
    const stopWaiting = onceSettled(promise, () => finish(() => resolve(promise)))
    const stopListening = whenAborted(signal, () => finish(() => reject(signal!.reason)))
  })
}

/** @returns what removes the callback */
function onceSettled(promise: Promise<unknown>, callback: () => void): () => void {
  const known = waiting.get(promise)
  const callbacks = known ?? new Set()
  if (!known) {
    waiting.set(promise, callbacks)
    const callAll = () => {
      waiting.delete(promise)
      for (const callback of callbacks) callback()
    }
    promise.then(callAll, callAll)
  }
  callbacks.add(callback)
  return () => callbacks.delete(callback)
}
