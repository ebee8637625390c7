// Calling a user's callback. An error that it throws is the user's: it is printed, and stops nothing here.
import { types } from 'node:util'
import { thrownText } from './thrown-text.js'

/** @param what how the printed line names the callback: `a done callback of a future` */
export function callSafely<A extends unknown[]>(what: string, callback: (...args: A) => unknown, ...args: A): void {
  const print = (thrown: unknown) => void process.stderr.write(`${what} threw:\n${thrownText(thrown)}\n`)
  try {
    const returned = callback(...args)
    if (types.isPromise(returned)) returned.catch(print)
  } catch (thrown) {
    print(thrown)
  }
}
