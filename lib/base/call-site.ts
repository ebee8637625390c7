// Where work was submitted: the caller's stack, which errors show after the worker's.
//
// Capturing a stack costs more than everything else in the submission of a small task. So in a burst (many submissions of one
// function within a few milliseconds) the first have stacks of their own, and the rest share the last of those: a loop's.
import { setTimeout } from './clock.js'
import { stackText } from './thrown-text.js'

const { captureStackTrace } = Error

/** Where work was submitted. */
export class CallSite {
  readonly #holder: { stack?: unknown }

  constructor(holder: { stack?: unknown }) {
    this.#holder = holder
  }

  /** The stack. It is formatted when it is first read. */
  get stack(): string {
    return stackText(this.#holder, '')
  }
}

/** Submissions of a burst that have a stack of their own. */
const MAX_OWN_STACKS = 16

const BURST_MS = 5

interface Burst {
  count: number
  callSite: CallSite
}

let bursts = new Map<object, Burst>()

/**
 * The stack from the caller of `api` on.
 * @param what what is submitted: submissions of the same form a burst
 */
export function captureCallSite(api: Function, what: object): CallSite {
  const burst = bursts.get(what)
  if (burst && burst.count >= MAX_OWN_STACKS) return burst.callSite
  const holder = {}
  captureStackTrace(holder, api)
  const callSite = new CallSite(holder)
  if (burst) {
    burst.count++
    burst.callSite = callSite
  } else {
    if (bursts.size === 0) setTimeout(endBursts, BURST_MS).unref()
    bursts.set(what, { count: 1, callSite })
  }
  return callSite
}

function endBursts(): void {
  bursts = new Map()
}
