// Why a value cannot be sent to another thread, and where in it the culprit is. Runs only after sending has failed, or where
// there is something to refuse.
import { inspect } from 'node:util'
import { DataCloneError } from '../errors.js'
import { isShareable } from './shareable.js'
import { isObject, someChild, walk } from './walk.js'

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
  return failure instanceof RangeError && /call stack|nested/.test(failure.message)
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

/** Where in a value something is that `test` is true for, and what: looked for at any depth. */
export function findWithin(value: unknown, path: string, test: (value: object) => boolean): Culprit | undefined {
  if (!hasWithin(value, test)) return undefined
  const seen = new Set<unknown>()
  const search = (inner: unknown, innerPath: string): Culprit | undefined => {
    if (!isObject(inner) || seen.has(inner)) return undefined
    seen.add(inner)
    if (test(inner)) return { path: innerPath, value: inner }
    for (const { path: childPath, value: child } of childrenOf(inner, innerPath)) {
      const found = search(child, childPath)
      if (found) return found
    }
    return undefined
  }
  return search(value, path)
}

/** Paths cost more than the walk, and most values have nothing to be found. */
function hasWithin(value: unknown, test: (value: object) => boolean): boolean {
  let found = false
  const enter = (part: object): boolean => {
    found ||= test(part)
    return !found
  }
  try {
    walk(value, enter, someChild)
  } catch {
    return true // A getter has thrown, which the search gets past.
  }
  return found
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
  if (!isObject(value) || seen.has(value)) return undefined
  if (transfer.has(value) || isShareable(value)) return 'excused'
  seen.add(value)
  const failure = failureOf(value)
  if (failure === undefined) return undefined
  // It has methods of its own, which are not to blame.
  if (mustMove(failure) && value.constructor?.name === 'FileHandle') return { path, value }
  let excused = false
  for (const child of childrenOf(value, path)) {
    const culprit = findCulprit(child.value, child.path, transfer, seen)
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

/** What is directly in a value, but for what can be cloned for sure. A list: to search it in a callback would take more stack. */
function childrenOf(value: object, path: string): Culprit[] {
  const children: Culprit[] = []
  someChild(readable(value), (child, key, isKey) => {
    children.push({ path: pathTo(value, path, key, isKey), value: child })
    return false
  })
  return children
}

/** The value, or what it holds, with a symbol in the place of a property whose getter throws. Of an array with named properties, those too. */
function readable(value: object): object {
  if (value instanceof Map || value instanceof Set || value instanceof Error || ArrayBuffer.isView(value)) return value
  const read = (key: string): unknown => {
    try {
      return (value as Record<string, unknown>)[key]
    } catch {
      return Symbol('a getter that throws')
    }
  }
  return Object.fromEntries(Object.keys(value).map((key) => [key, read(key)]))
}

function pathTo(value: object, path: string, key: unknown, isKey: boolean): string {
  if (isKey) return `${path}.keys()[${key as number}]`
  if (value instanceof Map) return `${path}.get(${literal(key)})`
  if (value instanceof Set) return `${path}.values()[${key as number}]`
  return Array.isArray(value) && /^\d+$/.test(key as string)
    ? `${path}[${key as string}]`
    : path + member(key as string)
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
