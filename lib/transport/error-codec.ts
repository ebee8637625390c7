// How an error gets from one thread to another. Structured clone alone turns every error into one of six classes, and drops its
// code, its own properties and the classes of its causes. So errors are encoded here and rebuilt on the other side, as errors of
// the same built-in class, or of the same class of this package. Any other value that was thrown travels as it is.
//
// Both sides number the errors in the order in which they meet them. One that is met again travels as its number, so that a cycle
// stays a cycle.
import { types } from 'node:util'
import { DataCloneError, errorClasses } from '../errors.js'
import { pack, unpack, type Packed } from './pack.js'
import { cloneOf, explainCloneFailure } from './clone-error.js'

/** A thrown value, in a form that can always be posted. */
export type Failure =
  | { kind: 'value'; value: Packed }
  | { kind: 'again'; number: number }
  | {
      kind: 'error'
      /** The class to rebuild: a built-in, one of this package's, or DOMException. */
      class: string
      name: string
      message: string
      stack: string
      properties: Property[]
    }

/** An own property: `code`, `cause`, the `errors` of an AggregateError, and any other. Errors and arrays of errors are encoded in turn. */
interface Property {
  key: string
  enumerable: boolean
  value: Failure | Failure[]
}

const builtIns = new Map<string, Function>(
  [AggregateError, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError, Error].map((errorClass) => [
    errorClass.name,
    errorClass,
  ]),
)

/** Levels of causes that are encoded; deeper ones are cut, since encoding is recursive. */
const MAX_CAUSE_DEPTH = 100

/** Encode a thrown value. Never throws. */
export function encodeFailure(thrown: unknown): Failure {
  try {
    return encodeThrown(thrown, new Map(), 0)
  } catch (failure) {
    // A revoked proxy, say, throws whatever is done with it.
    const error = new DataCloneError('what was thrown cannot be looked at', { path: 'thrown value', cause: failure })
    return encodeThrown(error, new Map(), 0)
  }
}

function encodeThrown(thrown: unknown, seen: Map<Error, number>, depth: number): Failure {
  if (isError(thrown)) return encodeError(thrown, seen, depth)
  try {
    return { kind: 'value', value: pack(cloneOf(thrown), []) }
  } catch (failure) {
    return encodeError(explainCloneFailure(failure, thrown, 'thrown value'), seen, depth)
  }
}

function isError(value: unknown): value is Error {
  return types.isNativeError(value) || value instanceof Error
}

function encodeError(error: Error, seen: Map<Error, number>, depth: number): Failure {
  const number = seen.get(error)
  if (number !== undefined) return { kind: 'again', number }
  seen.set(error, seen.size)
  const properties: Property[] = []
  for (const key of Object.getOwnPropertyNames(error)) {
    if (key === 'stack' || key === 'message') continue
    const enumerable = Object.prototype.propertyIsEnumerable.call(error, key)
    const value = tryRead(() => encodeProperty(key, (error as unknown as Record<string, unknown>)[key], seen, depth))
    if (value) properties.push({ key, enumerable, value })
  }
  return {
    kind: 'error',
    class: classOf(error),
    name: readText(() => error.name) ?? 'Error',
    message: readText(() => error.message) ?? '',
    stack: readText(() => error.stack) ?? '',
    properties,
  }
}

/** @returns `undefined` for a cause beyond the limit. A cause that cannot be sent becomes an error that says so. @throws any other value cannot be sent */
function encodeProperty(
  key: string,
  value: unknown,
  seen: Map<Error, number>,
  depth: number,
): Property['value'] | void {
  const errors: unknown[] = Array.isArray(value) ? value : [value]
  if (key === 'cause' || key === 'errors' || (errors.length > 0 && errors.every(isError))) {
    if (depth >= MAX_CAUSE_DEPTH) return undefined
    const encoded = errors.map((one) => encodeThrown(one, seen, depth + 1))
    return Array.isArray(value) ? encoded : encoded[0]!
  }
  return { kind: 'value', value: pack(cloneOf(value), []) }
}

/** A text of a user's error, which may have getters that throw, and fields of other types. */
function readText(read: () => unknown): string | undefined {
  const value = tryRead(read)
  return typeof value === 'string' ? value : undefined
}

function tryRead<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}

function classOf(error: Error): string {
  if (error instanceof DOMException) return 'DOMException'
  const code = readText(() => (error as NodeJS.ErrnoException).code)
  // A class of the user's may have the name of one of ours, but not its code.
  const ours = code !== undefined && code.startsWith('ERR_MANYHANDS_')
  for (let prototype: unknown = error; prototype; prototype = Object.getPrototypeOf(prototype)) {
    // By name: an error of another realm (node:vm) has built-ins of its own.
    const { name } = (Object.getOwnPropertyDescriptor(prototype, 'constructor')?.value ?? {}) as { name?: string }
    if (name !== undefined && ((ours && errorClasses.has(name)) || builtIns.has(name))) return name
  }
  return 'Error'
}

/**
 * Rebuild a thrown value.
 * @param submitted the stack of the call site that asked for the work; its frames follow the worker's
 */
export function decodeFailure(failure: Failure, submitted?: string): unknown {
  return decodeThrown(failure, [], submitted)
}

function decodeThrown(failure: Failure, made: Error[], submitted?: string): unknown {
  if (failure.kind === 'value') return unpack(failure.value)
  if (failure.kind === 'again') return made[failure.number]
  const { name, message } = failure
  const stack = submitted ? `${failure.stack}\n    --- submitted by ---\n${framesOf(submitted)}` : failure.stack
  const error = failure.class === 'DOMException' ? new DOMException(message, name) : errorOf(failure.class, message)
  made.push(error)
  defineOn(error, 'stack', stack)
  if (error.name !== name) defineOn(error, 'name', name)
  for (const { key, enumerable, value } of failure.properties)
    defineOn(
      error,
      key,
      Array.isArray(value) ? value.map((one) => decodeThrown(one, made)) : decodeThrown(value, made),
      enumerable,
    )
  return error
}

/** An error of that class, made without its constructor, whose parameters are unknown. */
function errorOf(className: string, message: string): Error {
  const errorClass = errorClasses.get(className) ?? builtIns.get(className) ?? Error
  return Reflect.construct(Error, [message], errorClass) as Error
}

function defineOn(error: Error, key: string, value: unknown, enumerable = false): void {
  Object.defineProperty(error, key, { value, enumerable, writable: true, configurable: true })
}

function framesOf(stack: string): string {
  return stack
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
    .join('\n')
}
