// One attempt at a task in the calling thread. Nobody can end it but itself: it is asked to, by `currentProcess()`.
import { CancelledError, TimeoutError } from '../errors.js'
import { withTimeout } from '../base/with-timeout.js'
import { runAsked } from '../process/current-process.js'
import { isThenable } from '../base/thenable.js'

export type Outcome<R> = { kind: 'returned'; value: R } | { kind: 'threw'; thrown: unknown }

export interface Attempt<R> {
  /** What came of it. A promise if the task awaits something; that one settles when the time is over, too. */
  outcome: Outcome<R> | Promise<Outcome<R>>
  /** Resolves when the task has ended by itself. */
  ended: Promise<unknown>
  /** Ask it to stop, if it has not ended. */
  ask(): void
}

/** Call a task. @param timeoutMs what comes after that many milliseconds is a TimeoutError; zero or less: it is not called */
export function attempt<R>(perform: () => R | Promise<R>, timeoutMs: number): Attempt<R> {
  const asking = new AbortController()
  const sinceMs = performance.now()
  const late = () => new TimeoutError(`the task ran for more than ${timeoutMs} ms`)
  const threw = (thrown: unknown): Outcome<R> => ({ kind: 'threw', thrown })
  const inTime = (outcome: Outcome<R>) => (performance.now() - sinceMs > timeoutMs ? threw(late()) : outcome)
  let over = true
  const ask = () => {
    if (!over) asking.abort(new CancelledError('the task was asked to stop'))
  }
  const atOnce = (outcome: Outcome<R>): Attempt<R> => ({ outcome, ended: Promise.resolve(), ask })
  if (timeoutMs <= 0) return atOnce(threw(late()))
  let returned: R | Promise<R>
  try {
    returned = runAsked(asking.signal, perform)
  } catch (thrown) {
    return atOnce(inTime(threw(thrown)))
  }
  if (!isThenable(returned)) return atOnce(inTime({ kind: 'returned', value: returned }))
  over = false
  const ended = Promise.resolve(returned)
    .then((value): Outcome<R> => ({ kind: 'returned', value }), threw)
    .then((outcome) => {
      over = true
      return inTime(outcome)
    })
  const leftMs = timeoutMs - (performance.now() - sinceMs)
  return { outcome: withTimeout(ended, leftMs).catch(() => threw(late())), ended, ask }
}
