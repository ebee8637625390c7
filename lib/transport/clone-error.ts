// Why a value cannot be sent to another thread, and where in it the culprit is. The search runs only after sending has failed, or
// where a value has to be refused.
import { inspect, types } from 'node:util'
import { MessagePort } from 'node:worker_threads'
import { isError, isErrorNamed } from '../base/brands.js'
import { DataCloneError } from '../errors.js'
import { isShareable } from './shareable.js'
import { insteadOfSending } from './unsendable.js'
import { isObject, someChild, walk } from './walk.js'

/**
 * The error to throw for a value whose sending failed.
 * @param failure what `postMessage` threw
 * @param root what the path calls the value: `args`, `result`
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
    const instead = isObject(culprit.value) && insteadOfSending(culprit.value)
    const reason = mustMove(failureOf(culprit.value))
      ? 'is moved to another thread, never cloned: it has to be in a transfer list'
      : 'cannot be sent to another thread'
    const advice = instead ? `: ${instead}` : ''
    return new DataCloneError(`${path} is ${describe(culprit.value)}, which ${reason}${advice}`, {
      path,
      cause: failure,
    })
  }
  return new DataCloneError(`${root} cannot be sent to another thread: ${messageOf(failure)}`, {
    path: root,
    cause: failure,
  })
}

/** Whether V8, or a walk, found a value nested too deeply. */
export function isTooDeep(failure: unknown): boolean {
  return isErrorNamed(failure, 'RangeError') && /call stack|nested/.test(failure.message)
}

/** The receiver's error for a message that was sent but cannot be read here: it is nested more deeply than this thread's stack allows, say. */
export function unreadable(failure: unknown, path = 'message'): DataCloneError {
  return new DataCloneError(`a ${path} came that cannot be read here, and is lost: ${messageOf(failure)}`, {
    path,
    cause: failure,
  })
}

function messageOf(failure: unknown): string {
  return isError(failure) ? failure.message : String(failure)
}

/** The first object at any depth of a value for which `test` is true. */
export function findWithin(value: unknown, path: string, test: (value: object) => boolean): Located | undefined {
  if (!hasWithin(value, test)) return undefined // Asked first, since paths cost more than the walk.
  const seen = new Set<unknown>()
  const search = (inner: unknown, innerPath: string): Located | undefined => {
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

/** Whether `test` is true for an object at any depth, or could be: a getter has thrown. */
export function hasWithin(value: unknown, test: (value: object) => boolean): boolean {
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

/** Something in a value, and the path to it. */
interface Located {
  path: string
  value: unknown
}

/** @returns `excused`: only what is transferred, or shareable, fails here, and would pass. The containers around it are not to blame either */
function findCulprit(
  value: unknown,
  path: string,
  transfer: Set<unknown>,
  seen: Set<unknown>,
): Located | 'excused' | undefined {
  if (typeof value === 'function' || typeof value === 'symbol') return { path, value }
  if (!isObject(value) || seen.has(value)) return undefined
  if (transfer.has(value) || isShareable(value)) return 'excused'
  seen.add(value)
  if (insteadOfSending(value) !== undefined) return { path, value }
  const failure = failureOf(value)
  if (failure === undefined) return undefined
  // Its own methods are not to blame.
  if (mustMove(failure) && value.constructor?.name === 'FileHandle') return { path, value }
  let excused = false
  for (const child of childrenOf(value, path)) {
    const culprit = findCulprit(child.value, child.path, transfer, seen)
    if (typeof culprit === 'object') return culprit
    if (culprit) excused = true
  }
  return excused ? 'excused' : { path, value }
}

/** Whether structured clone takes the value with nothing moved. */
export function isCloneable(value: unknown): boolean {
  return failureOf(value) === undefined
}

/** Whether the value can be sent through a port: cloned or moved. */
export function maySend(value: unknown): boolean {
  const failure = failureOf(value)
  return failure === undefined || mustMove(failure)
}

/** What structured clone throws; `undefined` if it does not. */
function failureOf(value: unknown): unknown {
  try {
    cloneOf(value)
    return undefined
  } catch (failure) {
    return failure ?? new Error('a getter threw nothing')
  }
}

/** As structuredClone, which crashes Node 20 where the value holds a port that has been closed or moved. @throws as it does */
export function cloneOf<T>(value: T): T {
  if (hasWithin(value, (part) => part instanceof MessagePort))
    throw Object.assign(new Error('a MessagePort is moved, never cloned'), { code: MISSING_IN_TRANSFER_LIST })
  return structuredClone(value)
}

const MISSING_IN_TRANSFER_LIST = 'ERR_MISSING_TRANSFERABLE_IN_TRANSFER_LIST'

function mustMove(failure: unknown): boolean {
  return (failure as { code?: unknown } | undefined)?.code === MISSING_IN_TRANSFER_LIST
}

/** The children of a value. A list, since recursion from within a callback would take more stack. */
function childrenOf(value: object, path: string): Located[] {
  const children: Located[] = []
  someChild(readable(value), (child, key, isKey) => {
    children.push({ path: pathTo(value, path, key, isKey), value: child })
    return false
  })
  return children
}

const GETTER_THAT_THROWS = Symbol('a getter that throws')

/** The properties of a value, an array's named ones too, with a symbol in place of each whose getter throws; other values as they are. */
function readable(value: object): object {
  if (types.isMap(value) || types.isSet(value) || types.isNativeError(value) || ArrayBuffer.isView(value)) return value
  const read = (key: string): unknown => {
    try {
      return (value as Record<string, unknown>)[key]
    } catch {
      return GETTER_THAT_THROWS
    }
  }
  return Object.fromEntries(Object.keys(value).map((key) => [key, read(key)]))
}

function pathTo(value: object, path: string, key: unknown, isKey: boolean): string {
  if (isKey) return `${path}.keys()[${key as number}]`
  if (types.isMap(value)) return `${path}.get(${literal(key)})`
  if (types.isSet(value)) return `${path}.values()[${key as number}]`
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
  if (value === GETTER_THAT_THROWS) return GETTER_THAT_THROWS.description!
  if (typeof value === 'symbol') return `a symbol (${value.description ?? ''})`
  const { name } = (value as object).constructor ?? {}
  return name && name !== 'Object' ? `a ${name}` : 'an object'
}
