// Waiting for a promise with a limit: the one place where timeouts and abort signals meet promises.
import { TimeoutError } from '../errors.js'
import { startTimer } from './deadline.js'

/** Who waits for a promise with a limit. A reaction to a promise cannot be taken back; so each has one, which calls these. */
const waiting = new WeakMap<Promise<unknown>, Set<() => void>>()

/**
 * What `promise` settles with, unless the time is over or the signal aborted before.
 * The timer, which holds the event loop, and the listener are gone when it settles.
 * @param late the error's message. @throws TimeoutError
 */
export function settleWithin<T>(
  promise: Promise<T>,
  timeoutMs: number,
  signal?: AbortSignal,
  late: () => string = () => `not there within ${timeoutMs} ms`,
): Promise<T> {
  if (timeoutMs === Infinity && !signal) return promise
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const stopTimer = startTimer(timeoutMs, () => {
      release()
      reject(new TimeoutError(late()))
    })
    const onAbort = () => {
      release()
      reject(signal!.reason)
    }
    const onSettled = () => {
      release()
      resolve(promise)
    }
    const release = () => {
      stopTimer()
      signal?.removeEventListener('abort', onAbort)
      waiters.delete(onSettled)
    }
    const waiters = waitersFor(promise)
    waiters.add(onSettled)
    signal?.addEventListener('abort', onAbort)
  })
}

function waitersFor(promise: Promise<unknown>): Set<() => void> {
  const known = waiting.get(promise)
  if (known) return known
  const waiters = new Set<() => void>()
  waiting.set(promise, waiters)
  const wake = () => {
    waiting.delete(promise)
    for (const wakeOne of waiters) wakeOne()
  }
  promise.then(wake, wake)
  return waiters
}
