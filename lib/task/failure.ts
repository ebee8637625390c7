// How an error gets from one thread to another. Structured clone alone turns every error into one of six classes and drops its
// code, its own properties and the class of its causes; so errors are taken apart here and rebuilt on the other side, as an
// error of the same built-in class (or of this package's own). Anything else that was thrown travels as the value it is.
import { types } from 'node:util'
import { errorClasses } from '../errors.js'
import { pack, unpack, type Packed } from '../memory/handles.js'
import { explainCloneFailure } from './clone.js'

/** What was thrown, in a form that can always be posted. */
export type Failure =
  | { kind: 'value'; value: Packed }
  | {
      kind: 'error'
      /** The class to rebuild: a built-in, one of this package's, or DOMException. */
      class: string
      name: string
      message: string
      stack: string
      /** Own enumerable properties, `code` among them, as far as they can be cloned. */
      properties: Packed
      cause?: Failure
      /** The errors of an AggregateError. */
      errors?: Failure[]
    }

const builtIns = new Map<string, Function>(
  [AggregateError, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError, Error].map((errorClass) => [
    errorClass.name,
    errorClass,
  ]),
)

/** Longer chains of causes are cut: a chain may be a cycle. */
const DEEPEST_CAUSE = 16

/** Take apart whatever was thrown. Never throws. */
export function encodeFailure(thrown: unknown, depth = 0): Failure {
  if (thrown instanceof DOMException) return encodeDOMException(thrown)
  if (types.isNativeError(thrown) || thrown instanceof Error) return encodeError(thrown, depth)
  try {
    return { kind: 'value', value: pack(structuredClone(thrown), []) }
  } catch (failure) {
    return encodeError(explainCloneFailure(failure, thrown, 'thrown value'), depth)
  }
}

function encodeDOMException({ name, message, stack }: DOMException): Failure {
  return { kind: 'error', class: 'DOMException', name, message, stack: stack ?? '', properties: pack({}, []) }
}

function encodeError(error: Error, depth: number): Failure {
  const properties: Record<string, unknown> = {}
  for (const key of Object.keys(error)) {
    if (key === 'stack' || key === 'message' || key === 'cause' || key === 'errors') continue
    const value = quietly(() => structuredClone((error as unknown as Record<string, unknown>)[key]))
    if (value !== undefined) properties[key] = value
  }
  const goDeeper = depth < DEEPEST_CAUSE
  const errors: unknown = quietly(() => (error as AggregateError).errors)
  return {
    kind: 'error',
    class: classOf(error),
    name: text(() => error.name) ?? 'Error',
    message: text(() => error.message) ?? '',
    stack: text(() => error.stack) ?? '',
    properties: pack(properties, []),
    ...(goDeeper && Object.hasOwn(error, 'cause') && { cause: encodeFailure(error.cause, depth + 1) }),
    ...(goDeeper && Array.isArray(errors) && { errors: errors.map((one) => encodeFailure(one, depth + 1)) }),
  }
}

/** Errors of others may have getters that throw, and fields of other types. */
function text(read: () => unknown): string | undefined {
  const value = quietly(read)
  return typeof value === 'string' ? value : undefined
}

function quietly<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}

function classOf(error: Error): string {
  for (let prototype: unknown = error; prototype; prototype = Object.getPrototypeOf(prototype)) {
    // By name: an error of another realm (node:vm) has built-ins of its own.
    const { name } = (Object.getOwnPropertyDescriptor(prototype, 'constructor')?.value ?? {}) as { name?: string }
    if (name !== undefined && (errorClasses.has(name) || builtIns.has(name))) return name
  }
  return 'Error'
}

/**
 * Rebuild what was thrown.
 * @param submitted stack of whoever asked for the work; its frames follow the worker's
 */
export function decodeFailure(failure: Failure, submitted?: string): unknown {
  if (failure.kind === 'value') return unpack(failure.value)
  const { name, message, cause, errors } = failure
  const stack = submitted ? `${failure.stack}\n    --- submitted by ---\n${framesOf(submitted)}` : failure.stack
  const error = failure.class === 'DOMException' ? new DOMException(message, name) : rebuild(failure.class, message)
  hide(error, 'stack', stack)
  if (error.name !== name) hide(error, 'name', name)
  if (cause) hide(error, 'cause', decodeFailure(cause))
  if (errors)
    hide(
      error,
      'errors',
      errors.map((one) => decodeFailure(one)),
    )
  return Object.assign(error, unpack(failure.properties))
}

/** An error of that class without running its constructor, whose parameters are its own affair. */
function rebuild(className: string, message: string): Error {
  const errorClass = errorClasses.get(className) ?? builtIns.get(className) ?? Error
  return Reflect.construct(Error, [message], errorClass) as Error
}

function hide(error: Error, key: string, value: unknown): void {
  Object.defineProperty(error, key, { value, writable: true, configurable: true })
}

function framesOf(stack: string): string {
  return stack
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
    .join('\n')
}
