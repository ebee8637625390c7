// Waiting for a promise with a limit: the one place where timeouts and abort signals meet promises.
//
// A reaction to a promise cannot be taken back, and a signal with many listeners makes Node warn of a leak. So each promise and
// each signal that is waited for has one listener, which calls all who wait just then.
import { TimeoutError } from '../errors.js'
import { startTimer } from './deadline.js'

/** Those who wait for the same promise or signal. */
class Waiters extends Set<() => void> {
  readonly wake = (): void => {
    for (const callback of this) callback()
  }
}

const ofPromises = new WeakMap<Promise<unknown>, Waiters>()
const ofSignals = new WeakMap<AbortSignal, Waiters>()

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
    const finish = (settle: () => void) => {
      stopTimer()
      stopWaiting()
      stopListening?.()
      settle()
    }
    const stopTimer = startTimer(timeoutMs, () => finish(() => reject(new TimeoutError(late()))))
    const stopWaiting = onceSettled(promise, () => finish(() => resolve(promise)))
    const stopListening = signal && whenAborted(signal, () => finish(() => reject(signal.reason)))
  })
}

/** Returns what takes it back. */
function onceSettled(promise: Promise<unknown>, callback: () => void): () => void {
  const known = ofPromises.get(promise)
  const waiters = known ?? new Waiters()
  if (!known) {
    ofPromises.set(promise, waiters)
    const wake = () => {
      ofPromises.delete(promise)
      waiters.wake()
    }
    promise.then(wake, wake)
  }
  waiters.add(callback)
  return () => waiters.delete(callback)
}

/**
 * Call back when the signal aborts; not if it has. All who listen to a signal by this share one listener: with one each, Node
 * would warn of a leak from the eleventh on. @returns what takes it back; the last one takes the listener with it
 */
export function whenAborted(signal: AbortSignal, callback: () => void): () => void {
  const waiters = ofSignals.get(signal) ?? new Waiters()
  ofSignals.set(signal, waiters)
  if (waiters.size === 0) signal.addEventListener('abort', waiters.wake)
  waiters.add(callback)
  return () => {
    waiters.delete(callback)
    if (waiters.size === 0) signal.removeEventListener('abort', waiters.wake)
  }
}
