// Waiting for several futures at once, after Python's concurrent.futures.wait and as_completed.
import { inspect } from 'node:util'
import { TimeoutError } from '../errors.js'
import { checkWaitOptions, type WaitOptions } from '../base/wait-options.js'
import { withTimeout } from '../base/with-timeout.js'
import { Future } from './future.js'

/** `wait` returns when any of them is done. */
export const FIRST_COMPLETED = 'FIRST_COMPLETED'
/** `wait` returns when any of them has failed, or all are done. */
export const FIRST_EXCEPTION = 'FIRST_EXCEPTION'
/** `wait` returns when all are done or cancelled. */
export const ALL_COMPLETED = 'ALL_COMPLETED'

export type ReturnWhen = typeof FIRST_COMPLETED | typeof FIRST_EXCEPTION | typeof ALL_COMPLETED

/** A plain number is the `timeout`. */
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
 * Wait until some or all of the futures are done, or the time is over (which is no error).
 * @throws TypeError, RangeError; the signal's reason
 */
export async function wait<F extends Future<any>>(
  futures: Iterable<F>,
  options: WaitForOptions = {},
): Promise<{ done: Set<F>; notDone: Set<F> }> {
  const all = checkFutures(futures)
  const { timeoutMs, signal } = checkWaitOptions(options)
  const { returnWhen = ALL_COMPLETED } = typeof options === 'number' ? {} : options
  const enough = stopCondition(returnWhen)
  let pending = [...all].filter((future) => !future.done()).length
  if (pending > 0 && ![...all].some((future) => future.done() && enough(future))) {
    let onDone!: (future: Future<any>) => void
    const reached = new Promise<void>((resolve) => {
      onDone = (future) => {
        pending--
        if (pending === 0 || enough(future)) resolve()
      }
    })
    for (const future of all) if (!future.done()) future.addDoneCallback(onDone)
    try {
      await withTimeout(reached, timeoutMs, signal)
    } catch (thrown) {
      if (!(thrown instanceof TimeoutError) || thrown === signal?.reason) throw thrown
    } finally {
      for (const future of all) future.removeDoneCallback(onDone)
    }
  }
  const done = new Set([...all].filter((future) => future.done()))
  return { done, notDone: new Set([...all].filter((future) => !done.has(future))) }
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
 * types, this one has none. Ask it for its `result()`.
 */
export type Completed<F> = F & { readonly then: never }

/**
 * The futures in the order in which they get done, each once; those that are done already come first.
 * @throws TimeoutError (ERR_MANYHANDS_TIMEOUT), as iteration goes on, when some are unfinished in time, counted from this call.
 */
export function asCompleted<F extends Future<any>>(
  futures: Iterable<F>,
  options?: WaitOptions,
): AsyncIterableIterator<Completed<F>> {
  const all = checkFutures(futures)
  const { timeoutMs, signal } = checkWaitOptions(options)
  const endMs = performance.now() + timeoutMs
  const finished: F[] = []
  let wake = () => {}
  const onDone = (future: Future<any>) => {
    finished.push(future as F)
    wake()
  }
  for (const future of all) future.addDoneCallback(onDone)
  const close = () => {
    for (const future of all) future.removeDoneCallback(onDone)
  }
  let yielded = 0
  let turn: Promise<unknown> = Promise.resolve()
  async function step(): Promise<IteratorResult<Completed<F>, undefined>> {
    if (yielded === all.size) return { done: true, value: undefined }
    if (finished.length === 0) {
      const late = () => `${all.size - yielded} (of ${all.size}) futures unfinished`
      const news = new Promise<void>((resolve) => (wake = resolve))
      await withTimeout(news, endMs - performance.now(), signal, late)
    }
    yielded++

    return { done: false, value: finished.shift()! as Completed<F> }
  }
  // Not a generator, which would await the futures that it yields. As with one, a step begins when the last has ended.
  return {
    [Symbol.asyncIterator]() {
      return this
    },
    next() {
      const next = turn.then(step)
      turn = next.catch(close)
      return next
    },
    return() {
      close()
      yielded = all.size
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
