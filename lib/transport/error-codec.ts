// How an error gets from one thread to another. Structured clone alone turns every error into one of six classes, and drops its
// code, its own properties and the classes of its causes. So errors are encoded here and rebuilt on the other side, as errors of
// the same built-in class, or of the same class of this package. Any other value that was thrown travels as it is.
//
// Both sides number the errors in the order in which they meet them. One that is met again travels as its number, so that a cycle
// stays a cycle.
import { brandOf, isError } from '../base/brands.js'
import { stackText } from '../base/thrown-text.js'
import { DataCloneError, errorClasses } from '../errors.js'
import { cloneOf, explainCloneFailure, hasWithin } from './clone-error.js'
import { pack, unpack, type Packed } from './pack.js'
import { putIn, SendableParts, type ErrorPlace } from './sendable-part.js'

/** A thrown value, in a form that can always be posted. */
export type Failure =
  | { kind: 'value'; value: Packed; errors?: PlacedError[] }
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

/** An error within a value. The container is part of the value: both are in one message, which keeps identities. */
interface PlacedError extends Omit<ErrorPlace, 'error'> {
  failure: Failure
}

/** An own property: `code`, `cause`, the `errors` of an AggregateError, and any other. */
interface Property {
  key: string
  enumerable: boolean
  value: Failure
}

const builtIns = new Map<string, Function>(
  [AggregateError, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError, Error].map((errorClass) => [
    errorClass.name,
    errorClass,
  ]),
)

/** Levels of causes that are encoded; deeper ones are cut, since encoding is recursive. */
const MAX_CAUSE_DEPTH = 100

/** Errors that are encoded with one thrown value; getters may make errors without end. */
const MAX_ERRORS = 2 ** 14

/** What was met while one thrown value is encoded. */
class Encoding {
  /** The errors, numbered. */
  readonly errors = new Map<Error, number>()
  readonly parts = new SendableParts()
}

/** Encode a thrown value. Never throws. */
export function encodeFailure(thrown: unknown): Failure {
  try {
    return encodeThrown(thrown, new Encoding(), 0)
  } catch (failure) {
    // A revoked proxy, say, throws whatever is done with it.
    const error = new DataCloneError('what was thrown cannot be looked at', { path: 'thrown value', cause: failure })
    return encodeThrown(error, new Encoding(), 0)
  }
}

function encodeThrown(thrown: unknown, encoding: Encoding, depth: number): Failure {
  if (isError(thrown)) return encodeError(thrown, encoding, depth)
  try {
    return { kind: 'value', value: pack(cloneOf(thrown), []) }
  } catch (failure) {
    return encodeError(explainCloneFailure(failure, thrown, 'thrown value'), encoding, depth)
  }
}

function encodeError(error: Error, encoding: Encoding, depth: number): Failure {
  const { errors } = encoding
  const number = errors.get(error)
  if (number !== undefined) return { kind: 'again', number }
  errors.set(error, errors.size)
  const properties: Property[] = []
  const message = readText(() => error.message)
  for (const key of Object.getOwnPropertyNames(error)) {
    if (key === 'stack' || (key === 'message' && message !== undefined)) continue
    const enumerable = Object.prototype.propertyIsEnumerable.call(error, key)
    const read = tryRead(() => ({ value: (error as unknown as Record<string, unknown>)[key] }))
    const value = read && encodeProperty(key, read.value, encoding, depth)
    if (value) properties.push({ key, enumerable, value })
  }
  const name = readText(() => error.name) ?? 'Error'
  return {
    kind: 'error',
    class: classOf(error),
    name,
    message: message ?? '',
    stack: stackText(error, message ? `${name}: ${message}` : name),
    properties,
  }
}

/** @returns `undefined`: nothing of it can be sent, or it is an error beyond a limit. A cause that cannot be sent becomes an error that says so */
function encodeProperty(key: string, value: unknown, encoding: Encoding, depth: number): Failure | undefined {
  const isErrorValue = tryRead(() => isError(value))
  if (isErrorValue === undefined) return undefined // A proxy that cannot be looked at.
  if (isErrorValue) return encodeInner(value as Error, encoding, depth)
  const part = encodePart(value, encoding, depth)
  if (part || key !== 'cause' || depth >= MAX_CAUSE_DEPTH) return part
  return tryRead(() => encodeThrown(value, encoding, depth + 1))
}

/** An error that hangs on another. */
function encodeInner(error: Error, encoding: Encoding, depth: number): Failure | undefined {
  if (depth >= MAX_CAUSE_DEPTH || encoding.errors.size >= MAX_ERRORS) return undefined
  return encodeError(error, encoding, depth + 1)
}

/** What can be sent of a value. The errors in it are encoded in turn. */
function encodePart(value: unknown, encoding: Encoding, depth: number): Failure | undefined {
  const whole = hasWithin(value, isError) ? undefined : tryRead(() => pack(cloneOf(value), []))
  if (whole) return { kind: 'value', value: whole }
  const places: ErrorPlace[] = []
  const part = encoding.parts.copy(value, places)
  if (!part) return undefined
  const errors: PlacedError[] = []
  for (const { container, key, error } of places) {
    const failure = encodeInner(error, encoding, depth)
    if (failure) errors.push({ container, key, failure })
  }
  return { kind: 'value', value: pack(part.value, []), errors }
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
  if (brandOf(error) === 'DOMException') return 'DOMException'
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
  if (failure.kind === 'value') {
    const { value, errors = [] } = failure
    const unpacked = unpack(value)
    for (const { container, key, failure: inner } of errors) putIn(container, key, decodeThrown(inner, made))
    return unpacked
  }
  if (failure.kind === 'again') return made[failure.number]
  const { name, message } = failure
  const frames = framesOf(submitted)
  const stack = frames ? `${failure.stack}\n    --- submitted by ---\n${frames}` : failure.stack
  const error = failure.class === 'DOMException' ? new DOMException(message, name) : errorOf(failure.class, message)
  made.push(error)
  setStack(error, stack)
  if (error.name !== name) defineOn(error, 'name', name)
  for (const { key, enumerable, value } of failure.properties)
    defineOn(error, key, decodeThrown(value, made), enumerable)
  return error
}

/** An error of that class, made without its constructor, whose parameters are unknown. */
function errorOf(className: string, message: string): Error {
  const errorClass = errorClasses.get(className) ?? builtIns.get(className) ?? Error
  return Reflect.construct(Error, [message], errorClass) as Error
}

/** Not: always define it. That makes the stack of this thread first, by the program's `prepareStackTrace`, which may throw. */
function setStack(error: Error, stack: string): void {
  if (Object.hasOwn(error, 'stack')) error.stack = stack
  else defineOn(error, 'stack', stack) // `stackTraceLimit` is no number.
}

function defineOn(error: Error, key: string, value: unknown, enumerable = false): void {
  Object.defineProperty(error, key, { value, enumerable, writable: true, configurable: true })
}

/** End an error's stack with the frames of the call site that asked for the work. Those of this package, before it, tell nothing. */
export function addSubmitter(error: Error, submitted: string): void {
  const frames = framesOf(submitted)
  setStack(error, `${error.name}: ${error.message}${frames && `\n    --- submitted by ---\n${frames}`}`)
}

/** The frames of a stack, without its first lines. */
export function framesOf(stack = ''): string {
  return stack
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
    .join('\n')
}
