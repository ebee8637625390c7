// What was thrown, as text. Programs change how stacks are made: `Error.prepareStackTrace` may return anything, or throw, and
// `stack` may be a getter or missing. Nothing here throws.
import { inspect } from 'node:util'

/**
 * The stack of an error, or of what `Error.captureStackTrace` was given, as text.
 * @param header the first line of a stack that has to be put together here
 */
export function stackText(holder: object, header: string): string {
  const stack = readStack(holder)
  if (typeof stack === 'string') return stack
  if (!Array.isArray(stack)) return header
  return [header, ...stack.map((site: unknown) => `    at ${siteText(site)}`)].join('\n')
}

/** @returns `undefined`: there is none, or it cannot be read */
function readStack(holder: object): unknown {
  const read = () => (holder as { stack?: unknown }).stack
  try {
    return read()
  } catch {
    return readUnprepared(read)
  }
}

/** A stack is made when it is first read, and again after `prepareStackTrace` has thrown. */
function readUnprepared(read: () => unknown): unknown {
  const { prepareStackTrace } = Error
  if (prepareStackTrace === undefined) return undefined
  try {
    Reflect.set(Error, 'prepareStackTrace', undefined)
    return read()
  } catch {
    return undefined
  } finally {
    Reflect.set(Error, 'prepareStackTrace', prepareStackTrace)
  }
}

function siteText(site: unknown): string {
  try {
    return String(site)
  } catch {
    return '<anonymous>'
  }
}

/** As `inspect`, also for what cannot be inspected: an error whose getters throw, say. */
export function thrownText(thrown: unknown): string {
  try {
    return inspect(thrown)
  } catch {
    try {
      return stackText(thrown as object, String(thrown))
    } catch {
      return 'a value that cannot be looked at'
    }
  }
}
