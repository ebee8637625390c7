// Waiting for several futures at once. After Python's concurrent.futures.wait and as_completed.
import { inspect } from 'node:util'
import { performance, Promise } from '../base/clock.js'
import { TimeoutError } from '../errors.js'
import { Fifo } from './fifo.js'
import { turnIfDue } from '../base/loop-turn.js'
import { checkOptions } from '../base/validate.js'
import { checkWaitOptions, type WaitOptions } from '../base/wait-options.js'
import { withTimeout } from '../base/with-timeout.js'
import { Future } from './future.js'

/** `wait` returns when any of the futures is done. */
export const FIRST_COMPLETED = 'FIRST_COMPLETED'
/** `wait` returns when any of the futures has failed, or all are done. */
export const FIRST_EXCEPTION = 'FIRST_EXCEPTION'
/** `wait` returns when all futures are done. */
export const ALL_COMPLETED = 'ALL_COMPLETED'

/** What `wait` waits for. */
export type ReturnWhen = typeof FIRST_COMPLETED | typeof FIRST_EXCEPTION | typeof ALL_COMPLETED

/** Options of `wait`. A plain number is the `timeout`. */
export type WaitForOptions =
  | number
  | {
      /** Milliseconds. @default Infinity */
      timeout?: number | undefined
      /** Aborting it rejects with the signal's reason. */
      signal?: AbortSignal | undefined
      /** @default ALL_COMPLETED */
      returnWhen?: ReturnWhen | undefined
    }

/**
 * Wait until some or all of the futures are done, or the time is over, which is no error.
 * @returns the futures that are done, cancelled ones included, and the others
 * @throws TypeError, RangeError; the signal's reason
 * After Python's concurrent.futures.wait.
 */
export async function wait<F extends Future<any>>(
  futures: Iterable<F>,
  options: WaitForOptions = {},
): Promise<{ done: Set<F>; notDone: Set<F> }> {
  const all = checkFutures(futures)
  const { timeoutMs, signal, endsWaiting } = checkWaitForOptions(options)
  let pending = [...all].filter((future) => !future.done()).length
  if (pending > 0 && ![...all].some((future) => future.done() && endsWaiting(future))) {
    let onDone!: (future: Future<any>) => void
    const reached = new Promise<void>((resolve) => {
      onDone = (future) => {
        pending--
        if (pending === 0 || endsWaiting(future)) resolve()
      }
    })
    for (const future of all) if (!future.done()) future.whenDone(onDone)
    try {
      await withTimeout(reached, timeoutMs, signal)
    } catch (thrown) {
      if (!(thrown instanceof TimeoutError) || thrown === signal?.reason) throw thrown
    } finally {
      for (const future of all) future.removeDoneCallback(onDone)
    }
  } else await turnIfDue()
  const done = new Set([...all].filter((future) => future.done()))
  return { done, notDone: new Set([...all].filter((future) => !done.has(future))) }
}

function checkWaitForOptions(options: WaitForOptions): {
  timeoutMs: number
  signal?: AbortSignal
  endsWaiting: (future: Future<any>) => boolean
} {
  if (typeof options === 'number') return { ...checkWaitOptions(options), endsWaiting: stopCondition(ALL_COMPLETED) }
  checkOptions(options, 'the options of wait', ['timeout', 'signal', 'returnWhen'])
  const { timeout, signal, returnWhen = ALL_COMPLETED } = options
  return { ...checkWaitOptions({ timeout, signal }), endsWaiting: stopCondition(returnWhen) }
}

/** Which future ends the waiting before all are done. */
function stopCondition(returnWhen: unknown): (future: Future<any>) => boolean {
  switch (returnWhen) {
    case ALL_COMPLETED:
      return () => false
    case FIRST_COMPLETED:
      return () => true
    case FIRST_EXCEPTION:
      return (future) => future.failed
    default:
      throw new TypeError(
        `returnWhen must be ${ALL_COMPLETED}, ${FIRST_COMPLETED} or ${FIRST_EXCEPTION}, not ${inspect(returnWhen)}`,
      )
  }
}

/**
 * A future as `asCompleted` yields it. TypeScript supposes that `for await` awaits what has a `then`, which it does not: to the
 * types, this future has none. Call its `result()`.
 */
export type Completed<F> = F & { readonly then: never }

/**
 * Iterate over futures in the order in which they get done, each once. Futures that are done already come first.
 * @param options the time counts from this call
 * @throws TypeError, RangeError at the call
 * @throws TimeoutError (ERR_MANYHANDS_TIMEOUT) in the iteration: some are unfinished in time
 * @throws the signal's reason in the iteration
 * After Python's concurrent.futures.as_completed.
 */
export function asCompleted<F extends Future<any>>(
  futures: Iterable<F>,
  options?: WaitOptions,
): AsyncIterableIterator<Completed<F>> {
  // A future leaves it as it is done: what was yielded is the consumer's alone.
  const pending = checkFutures(futures)
  const total = pending.size
  const { timeoutMs, signal } = checkWaitOptions(options)
  const endMs = performance.now() + timeoutMs
  const finished = new Fifo<F>()
  let onArrival = () => {}
  const onDone = (future: Future<any>) => {
    pending.delete(future as F)
    finished.push(future as F)
    onArrival()
  }
  for (const future of pending) future.whenDone(onDone)
  const close = () => {
    for (const future of pending) future.removeDoneCallback(onDone)
    pending.clear()
    finished.clear()
  }
  let lastStep: Promise<unknown> = Promise.resolve()
  async function step(): Promise<IteratorResult<Completed<F>, undefined>> {
    if (finished.isEmpty) {
      if (pending.size === 0) return { done: true, value: undefined }
      const timeoutMessage = () => `${pending.size} (of ${total}) futures unfinished`
      const arrival = new Promise<void>((resolve) => (onArrival = resolve))
      await withTimeout(arrival, endMs - performance.now(), signal, timeoutMessage)
    } else {
      await turnIfDue()
      if (finished.isEmpty) return { done: true, value: undefined } // Left meanwhile.
    }
    return { done: false, value: finished.shift()! as Completed<F> }
  }
  // Not: a generator, which awaits the futures that it yields. Like a generator's, a step begins when the one before has ended.
  return {
    [Symbol.asyncIterator]() {
      return this
    },
    next() {
      const next = lastStep.then(step)
      lastStep = next.catch(close)
      return next
    },
    return() {
      close()
      return Promise.resolve({ done: true, value: undefined })
    },
  }
}

function checkFutures<F extends Future<any>>(futures: Iterable<F>): Set<F> {
  if (futures === null || futures === undefined || !(Symbol.iterator in Object(futures)))
    throw new TypeError(`an iterable of futures is needed, not ${inspect(futures)}`)
  const all = new Set(futures)
  for (const future of all) if (!(future instanceof Future)) throw new TypeError(`${inspect(future)} is not a Future`)
  return all
}
