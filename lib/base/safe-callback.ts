// Telling whoever asked to be told. What their callback throws is theirs: it is printed, and stops nothing here.
import { inspect } from 'node:util'

/** @param what how the callback is called in what is printed: `a done callback of a future` */
export function callSafely<A extends unknown[]>(what: string, callback: (...args: A) => unknown, ...args: A): void {
  const print = (thrown: unknown) => void process.stderr.write(`${what} threw:\n${inspect(thrown)}\n`)
  try {
    const returned = callback(...args)
    if (returned instanceof Promise) returned.catch(print)
  } catch (thrown) {
    print(thrown)
  }
}
