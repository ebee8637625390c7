// Waiting for a promise with a limit: the one place where timeouts and abort signals meet promises.
import { TimeoutError } from '../errors.js'
import { startTimer } from './deadline.js'

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
    const release = () => {
      stopTimer()
      signal?.removeEventListener('abort', onAbort)
    }
    signal?.addEventListener('abort', onAbort)
    promise.then(resolve, reject).finally(release)
  })
}
