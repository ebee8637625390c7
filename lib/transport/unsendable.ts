// Objects of this package that belong to the thread in which they were made: executors, futures, processes. Structured clone would
// take their public fields, if they have any, and deliver `{}`. So each has an own enumerable property that it refuses, through
// anybody's postMessage: in the place where a shareable has its handle, a symbol that says what to send instead.
import { showWithout } from './shown.js'

const MARK = '$manyhands'

/** Why an object of a class cannot be sent. @param instead what its user is to do: `await it, and send its result` */
export function unsendableMark(instead: string): symbol {
  return Symbol(instead)
}

/** Keep an object from being sent. Its class's constructor calls it. */
export function markUnsendable(object: object, mark: symbol): void {
  ;(object as { [MARK]?: symbol })[MARK] = mark
  showWithout(MARK, object)
}

/** The same for all objects of a class that cannot be cloned as it is, promises. They need no property of their own. */
export function markAllUnsendable(prototype: object, mark: symbol): void {
  Object.defineProperty(prototype, MARK, { value: mark })
}

/** What to do instead of sending the object; `undefined` for any other object. */
export function insteadOfSending(object: object): string | undefined {
  const mark = (object as { [MARK]?: unknown })[MARK]
  return typeof mark === 'symbol' ? mark.description : undefined
}
