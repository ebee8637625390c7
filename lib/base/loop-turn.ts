// Letting the event loop turn. A wait that need not wait settles in a microtask. A loop over such waits would never let the event
// loop turn: no timer, no server, no signal. So every 10 ms one of them takes a turn of the loop.
import { performance, Promise, setImmediate } from './clock.js'

const MAX_BUSY_MS = 10
/** Looking at the clock takes as long as a third of a wait. */
const WAITS_PER_LOOK = 16

let waits = 0
let lastTurnMs = 0

/** Called by each wait that need not wait. @returns what to await before it goes on, if a turn is due */
export function turnIfDue(): Promise<void> | undefined {
  if (++waits < WAITS_PER_LOOK) return undefined
  waits = 0
  const nowMs = performance.now()
  if (nowMs - lastTurnMs < MAX_BUSY_MS) return undefined
  lastTurnMs = nowMs
  return new Promise((resolve) =>
    setImmediate(() => {
      lastTurnMs = performance.now()
      resolve()
    }),
  )
}

/** As `turnIfDue`. @returns the value, or a promise of it */
export function afterTurn<T>(value: T): T | Promise<T> {
  const turn = turnIfDue()
  return turn ? turn.then(() => value) : value
}

/** As `turnIfDue`, for a promise that is settled, or will be at once. */
export function settledAfterTurn<T>(promise: Promise<T>): Promise<T> {
  const turn = turnIfDue()
  return turn ? promise.finally(() => turn) : promise
}
