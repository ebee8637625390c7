// What callers may write where options stand: objects, flags and counts. What is refused is named, with its value and what is allowed.
import { inspect } from 'node:util'

/**
 * @param what how the options are called in the error: `the options of cancel`
 * @param names those that there are: `{ force, grace }`
 * @throws TypeError
 */
export function checkOptions(options: unknown, what: string, names: string): void {
  if (typeof options !== 'object' || options === null)
    throw new TypeError(`${what} must be an object, ${names}, not ${inspect(options)}`)
}

/** @throws TypeError */
export function checkFlag(value: unknown, name: string): boolean {
  if (typeof value !== 'boolean') throw new TypeError(`${name} must be true or false, not ${inspect(value)}`)
  return value
}

/** @throws TypeError, RangeError */
export function checkCount(value: unknown, name: string): number {
  if (typeof value !== 'number') throw new TypeError(`${name} must be a number, not ${inspect(value)}`)
  if (!Number.isInteger(value) || value < 1)
    throw new RangeError(`${name} must be an integer of 1 or more, not ${value}`)
  return value
}
