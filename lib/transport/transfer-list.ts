// Transfer lists of callers: whether each object can be moved, and which objects go with a part of the arguments. `map` sends its
// items in chunks, and moves an object with the chunk that has it.
import { inspect, types } from 'node:util'
import type { Transferable } from 'node:worker_threads'
import { brandOf } from '../base/brands.js'
import { DataCloneError } from '../errors.js'
import { someChild, walk } from './walk.js'

/** Check a list when it is given. @throws TypeError one of the objects cannot be moved */
export function checkTransfer(transfer: readonly unknown[]): void {
  const unmovable = findUnmovable(transfer)
  if (unmovable) throw new TypeError(unmovable.message)
}

/**
 * Check the objects again before they are moved: since `with` was called, they may have been moved or closed.
 * Not: leave it to postMessage, which sends a detached buffer as an empty one.
 * @throws DataCloneError one of the objects cannot be moved
 */
export function checkStillMovable(transfer: readonly Transferable[]): void {
  const unmovable = findUnmovable(transfer)
  if (unmovable) throw new DataCloneError(unmovable.message, { path: unmovable.path })
}

function findUnmovable(transfer: readonly unknown[]): { path: string; message: string } | undefined {
  for (const [index, item] of transfer.entries()) {
    const path = `transfer[${index}]`
    if (transfer.indexOf(item) < index)
      return { path, message: `${path} must not be in the list before: ${inspect(item, { depth: 0 })}` }
    if (!isMovable(item)) {
      const allowed = 'an ArrayBuffer that is not detached, an open MessagePort, or another object that can be moved'
      return { path, message: `${path} must be ${allowed}, not ${inspect(item, { depth: 0 })}` }
    }
  }
  return undefined
}

/** Trying to move these would lock them. */
const LOCKED_BY_TRYING: readonly unknown[] = ['ReadableStream', 'WritableStream', 'TransformStream', 'AbortSignal']

function isMovable(item: unknown): boolean {
  if (types.isArrayBuffer(item)) return !isDetached(item)
  return LOCKED_BY_TRYING.includes(brandOf(item)) || cloneFailure([item]) === cloneFailure([])
}

function isDetached(buffer: ArrayBuffer): boolean {
  try {
    void new Uint8Array(buffer)
    return false
  } catch {
    return true
  }
}

const UNCLONEABLE = Symbol('cannot be cloned')

/**
 * The error of cloning an uncloneable value with this list. Structured clone checks the list before the value, so the error tells
 * whether the list is good, and nothing is moved.
 */
function cloneFailure(transfer: readonly unknown[]): string {
  try {
    return String(structuredClone(UNCLONEABLE, { transfer: transfer as Transferable[] }))
  } catch (thrown) {
    return (thrown as Error).message
  }
}

/** Those of `candidates` that are within `value`, at any depth that structured clone looks into. */
export function transferredWith(value: unknown, candidates: readonly Transferable[]): Transferable[] {
  if (candidates.length === 0) return []
  const wanted = new Set<unknown>(candidates)
  const found = new Set<unknown>()
  const enter = (part: object): boolean => {
    if (!wanted.has(part)) return true
    found.add(part)
    return false
  }
  walk(value, enter, someChild)
  return candidates.filter((candidate) => found.has(candidate))
}
