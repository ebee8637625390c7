// One attempt at a task in the calling thread. It cannot be ended from outside: it is asked to stop, through `currentProcess()`.
import { performance, Promise } from '../base/clock.js'
import { CancelledError, TimeoutError } from '../errors.js'
import { isThenable } from '../base/brands.js'
import { withTimeout } from '../base/with-timeout.js'
import { runAsked } from '../process/current-process.js'

export type AttemptResult<R> = { kind: 'returned'; value: R } | { kind: 'threw'; thrown: unknown }

export interface Attempt<R> {
  /** A promise if the task awaits something. It settles when the task's time is over, even if the task does not. */
  result: AttemptResult<R> | Promise<AttemptResult<R>>
  /** Resolves when the task itself has ended. */
  ended: Promise<unknown>
  /** Ask the task to stop, unless it has ended. */
  askToStop(): void
}

/**
 * Call a task.
 * @param timeoutMs a result that comes later is a TimeoutError; with zero or less, the task is not called
 * @param explain completes that error
 */
export function attempt<R>(
  perform: () => R | Promise<R>,
  timeoutMs: number,
  explain: (error: TimeoutError) => void,
): Attempt<R> {
  const stopping = new AbortController()
  const startMs = performance.now()
  let running = false
  const askToStop = () => {
    if (running) stopping.abort(new CancelledError('the task was asked to stop'))
  }
  const threw = (thrown: unknown): AttemptResult<R> => ({ kind: 'threw', thrown })
  const timedOut = () => {
    const error = new TimeoutError(`the task ran for more than ${timeoutMs} ms`)
    explain(error)
    return threw(error)
  }
  const inTime = (result: AttemptResult<R>) => (performance.now() - startMs > timeoutMs ? timedOut() : result)
  const endedAlready = (result: AttemptResult<R>): Attempt<R> => ({ result, ended: Promise.resolve(), askToStop })
  if (timeoutMs <= 0) return endedAlready(timedOut())
  let returned: R | Promise<R>
  try {
    returned = runAsked(stopping.signal, perform)
  } catch (thrown) {
    return endedAlready(inTime(threw(thrown)))
  }
  if (!isThenable(returned)) return endedAlready(inTime({ kind: 'returned', value: returned }))
  running = true
  const ended = Promise.resolve(returned)
    .then((value): AttemptResult<R> => ({ kind: 'returned', value }), threw)
    .then((result) => {
      running = false
      return inTime(result)
    })
  const leftMs = timeoutMs - (performance.now() - startMs)
  return { result: withTimeout(ended, leftMs).catch(timedOut), ended, askToStop }
}
