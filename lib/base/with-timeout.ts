// Waiting for a promise with a limit: the one place where timeouts and abort signals meet promises.
//
// A reaction to a promise cannot be taken back. So each promise that is waited for has one, which calls all who wait just then.
import { TimeoutError } from '../errors.js'
import { whenAborted } from './abort-listeners.js'
import { startTimer } from './wait-options.js'

/** Those who wait for the same promise. */
const waiting = new WeakMap<Promise<unknown>, Set<() => void>>()

/**
 * What `promise` settles with, unless the time is over or the signal aborted before.
 * The timer, which holds the event loop, and the listener are gone when it settles.
 * @param late the error's message. @throws TimeoutError
 */
export function withTimeout<T>(
  promise: Promise<T>,
  timeoutMs: number,
  signal?: AbortSignal,
  late: () => string = () => `not there within ${timeoutMs} ms`,
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
    const stopTimer = startTimer(timeoutMs, () => finish(() => reject(new TimeoutError(late()))))
    const stopWaiting = onceSettled(promise, () => finish(() => resolve(promise)))
    const stopListening = whenAborted(signal, () => finish(() => reject(signal!.reason)))
  })
}

/** Returns what takes it back. */
function onceSettled(promise: Promise<unknown>, callback: () => void): () => void {
  const known = waiting.get(promise)
  const callbacks = known ?? new Set()
  if (!known) {
    waiting.set(promise, callbacks)
    const wake = () => {
      waiting.delete(promise)
      for (const callback of callbacks) callback()
    }
    promise.then(wake, wake)
  }
  callbacks.add(callback)
  return () => callbacks.delete(callback)
}
