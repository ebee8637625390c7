// Where work was submitted: the caller's stack, which follows the worker's in errors.
//
// Capturing one costs more than all else that the submission of a small task does. So of a burst (many submissions of one
// function within a few milliseconds) the first have a stack of their own, and the rest that of the last of those: a loop's.

/** A stack that is formatted when it is first read. */
export interface CallSite {
  readonly stack: string
}

/** So many of a burst have a stack of their own. */
const OWN_STACKS = 16

const BURST_MS = 5

interface Burst {
  count: number
  callSite: CallSite
}

let bursts = new Map<object, Burst>()

/** The caller's stack, from the caller of `api` on. @param what what is submitted: a burst is one of the same */
export function captureCallSite(api: Function, what: object): CallSite {
  const burst = bursts.get(what)
  if (burst && burst.count >= OWN_STACKS) return burst.callSite
  const callSite = { stack: '' }
  Error.captureStackTrace(callSite, api)
  if (burst) {
    burst.count++
    burst.callSite = callSite
  } else {
    if (bursts.size === 0) setTimeout(forget, BURST_MS).unref()
    bursts.set(what, { count: 1, callSite })
  }
  return callSite
}

function forget(): void {
  bursts = new Map()
}
