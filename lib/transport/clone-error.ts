// Why a value cannot be sent to another thread, and where in it the culprit is. Runs only after sending has failed, or where
// there is something to refuse.
import { inspect } from 'node:util'
import { DataCloneError } from '../errors.js'
import { isShareable } from './shareable.js'

/**
 * The error to throw for a value whose sending failed.
 * @param failure what `postMessage` threw
 * @param root how the value is called in the path: `args`, `result`
 */
export function explainCloneFailure(
  failure: unknown,
  value: unknown,
  root: string,
  transfer: unknown[] = [],
): DataCloneError {
  if (isTooDeep(failure))
    return new DataCloneError(`${root} is nested too deeply to be sent to another thread`, {
      path: root,
      cause: failure,
    })
  const culprit = findCulprit(value, root, new Set(transfer), new Set())
  if (typeof culprit === 'object') {
    const { path } = culprit
    const reason = mustMove(failureOf(culprit.value))
      ? 'is moved to another thread, never cloned: it has to be in a transfer list'
      : 'cannot be sent to another thread'
    return new DataCloneError(`${path} is ${describe(culprit.value)}, which ${reason}`, { path, cause: failure })
  }
  return new DataCloneError(`${root} cannot be sent to another thread: ${messageOf(failure)}`, {
    path: root,
    cause: failure,
  })
}

/** Whether it is what V8 throws where the stack does not suffice for a walk through a value. */
export function isTooDeep(failure: unknown): boolean {
  return failure instanceof RangeError && /call stack/.test(failure.message)
}

/** The error of who receives a message that was sent well, but cannot be read here: it is nested more deeply than this thread's stack is, say. */
export function unreadable(failure: unknown, path = 'message'): DataCloneError {
  return new DataCloneError(`a ${path} came that cannot be read here, and is lost: ${messageOf(failure)}`, {
    path,
    cause: failure,
  })
}

function messageOf(failure: unknown): string {
  return failure instanceof Error ? failure.message : String(failure)
}

/** Where in a value is something that `test` is true for, and what: looked for at any depth. */
export function findWithin(value: unknown, path: string, test: (value: object) => boolean): Culprit | undefined {
  const seen = new Set<unknown>()
  const search = (inner: unknown, innerPath: string): Culprit | undefined => {
    if (typeof inner !== 'object' || inner === null || seen.has(inner)) return undefined
    seen.add(inner)
    if (test(inner)) return { path: innerPath, value: inner }
    if (ArrayBuffer.isView(inner)) return undefined
    for (const [childPath, child] of children(inner, innerPath)) {
      const found = search(child, childPath)
      if (found) return found
    }
    return undefined
  }
  return search(value, path)
}

interface Culprit {
  path: string
  value: unknown
}

/** `excused`: what fails alone is transferred, or shareable, and so would pass; nor are the containers around it to blame. */
function findCulprit(
  value: unknown,
  path: string,
  transfer: Set<unknown>,
  seen: Set<unknown>,
): Culprit | 'excused' | undefined {
  if (typeof value === 'function' || typeof value === 'symbol') return { path, value }
  if (typeof value !== 'object' || value === null || seen.has(value)) return undefined
  if (transfer.has(value) || isShareable(value)) return 'excused'
  seen.add(value)
  const failure = failureOf(value)
  if (failure === undefined) return undefined
  // It has methods of its own, which are not to blame.
  if (mustMove(failure) && value.constructor?.name === 'FileHandle') return { path, value }
  let excused = false
  for (const [childPath, child] of children(value, path)) {
    const culprit = findCulprit(child, childPath, transfer, seen)
    if (typeof culprit === 'object') return culprit
    if (culprit) excused = true
  }
  return excused ? 'excused' : { path, value }
}

/** Whether structured clone takes it, with nothing moved. */
export function isCloneable(value: unknown): boolean {
  return failureOf(value) === undefined
}

/** Whether it can be sent to another thread through a port: cloned, or moved. */
export function maySend(value: unknown): boolean {
  const failure = failureOf(value)
  return failure === undefined || mustMove(failure)
}

/** What structured clone throws; `undefined`: nothing. */
function failureOf(value: unknown): unknown {
  try {
    structuredClone(value)
    return undefined
  } catch (failure) {
    return failure ?? new Error('a getter threw nothing')
  }
}

function mustMove(failure: unknown): boolean {
  return (failure as { code?: unknown } | undefined)?.code === 'ERR_MISSING_TRANSFERABLE_IN_TRANSFER_LIST'
}

function* children(value: object, path: string): Generator<[path: string, child: unknown]> {
  if (value instanceof Map) {
    let index = 0
    for (const [key, item] of value) {
      yield [`${path}.keys()[${index++}]`, key]
      yield [`${path}.get(${literal(key)})`, item]
    }
  } else if (value instanceof Set) {
    let index = 0
    for (const item of value) yield [`${path}.values()[${index++}]`, item]
  } else {
    for (const key of Object.keys(value)) {
      const childPath = Array.isArray(value) && /^\d+$/.test(key) ? `${path}[${key}]` : path + member(key)
      let child: unknown
      try {
        child = (value as Record<string, unknown>)[key]
      } catch {
        child = Symbol('a getter that throws')
      }
      yield [childPath, child]
    }
    if (value instanceof Error && Object.hasOwn(value, 'cause')) yield [`${path}.cause`, value.cause]
  }
}

function member(key: string): string {
  return /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`
}

function literal(key: unknown): string {
  return typeof key === 'object' ? '…' : inspect(key)
}

function describe(value: unknown): string {
  if (typeof value === 'function') return `a function (${value.name || 'anonymous'})`
  if (typeof value === 'symbol') return `a symbol (${value.description ?? ''})`
  const { name } = (value as object).constructor ?? {}
  return name && name !== 'Object' ? `a ${name}` : 'an object'
}
