// Why a value cannot be sent to another thread, and where in it the culprit is. Runs only after sending has failed.
import { inspect } from 'node:util'
import { DataCloneError } from '../errors.js'
import { isShareable } from './handles.js'

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
  const culprit = findCulprit(value, root, new Set(transfer), new Set())
  if (typeof culprit === 'object') {
    const { path } = culprit
    const what = describe(culprit.value)
    return new DataCloneError(`${path} is ${what}, which cannot be sent to another thread`, { path, cause: failure })
  }
  return new DataCloneError(`${root} cannot be sent to another thread: ${messageOf(failure)}`, {
    path: root,
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
  if (isCloneable(value)) return undefined
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
  try {
    structuredClone(value)
    return true
  } catch {
    return false
  }
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
