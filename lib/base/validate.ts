// Checks of arguments given by callers. Each error names the argument, the value, and what is allowed.
import { inspect, types } from 'node:util'
import { isObjectPrototype, prototypeOf } from './brands.js'

/**
 * Check an options object. An option that is present with the value `undefined` counts as absent.
 * @param what how an error names the options: `the options of cancel`
 * @param known the names of all options that there are
 * @throws TypeError not an object; an unknown option
 */
export function checkOptions(options: unknown, what: string, known: readonly string[]): asserts options is object {
  if (typeof options !== 'object' || options === null || Array.isArray(options) || isCollection(options))
    throw new TypeError(`${what} must be an object, { ${known.join(', ')} }, not ${inspect(options)}`)
  for (const name of optionNames(options))
    if (!known.includes(name)) throw new TypeError(`${what} do not include '${name}'; they are { ${known.join(', ')} }`)
}

function isCollection(value: object): boolean {
  return types.isMap(value) || types.isSet(value)
}

/** What reading the options could find: also what is inherited, but for the methods of a class and what all objects have. */
function optionNames(options: object): string[] {
  const names = Object.keys(options)
  for (let from = prototypeOf(options); from && !isObjectPrototype(from); from = prototypeOf(from))
    for (const [name, { enumerable, get }] of Object.entries(Object.getOwnPropertyDescriptors(from)))
      if (enumerable || get) names.push(name)
  return names
}

/** Refuse options of a function that has none. Not: any excess argument. `map` of an array passes an index. @throws TypeError */
export function refuseOptions(options: unknown, what: string): void {
  if (typeof options === 'object' && options !== null) refuseExcess([options], what)
}

/**
 * Check that a function was not given more arguments than it has: options of another library, say.
 * @param excess those behind its parameters
 * @param what how an error names the function, with its parameters: `kill()`
 * @throws TypeError
 */
export function refuseExcess(excess: readonly unknown[], what: string): void {
  if (excess.some((argument) => argument !== undefined))
    throw new TypeError(`${what} takes nothing else, not ${excess.map((argument) => inspect(argument)).join(', ')}`)
}

/** @throws TypeError */
export function checkFlag(value: unknown, name: string): boolean {
  if (typeof value !== 'boolean') throw new TypeError(`${name} must be true or false, not ${inspect(value)}`)
  return value
}

/** @throws TypeError */
export function checkString(value: unknown, name: string): string {
  if (typeof value !== 'string') throw new TypeError(`${name} must be a string, not ${inspect(value)}`)
  return value
}

/** @throws TypeError */
export function checkFunction(value: unknown, name: string): Function {
  if (typeof value !== 'function') throw new TypeError(`${name} must be a function, not ${inspect(value)}`)
  return value
}

/**
 * Check an integer from `min` to `max`.
 * @throws TypeError not a number; RangeError not an integer, or out of the range
 */
export function checkInteger(value: unknown, name: string, min = 0, max: number = Infinity): number {
  if (typeof value !== 'number') throw new TypeError(`${name} must be a number, not ${inspect(value)}`)
  if (Number.isInteger(value) && value >= min && value <= max) return value
  const allowed = max === Infinity ? `of ${min} or more` : `from ${min} to ${max}`
  throw new RangeError(`${name} must be an integer ${allowed}, not ${value}`)
}

/** Check an integer of 1 or more. @throws TypeError, RangeError */
export function checkCount(value: unknown, name: string): number {
  return checkInteger(value, name, 1)
}
