// Transfer lists of callers: whether their objects can be moved, and which of them go along with a part of the arguments. `map`
// sends its items in chunks; an object is moved with the chunk that contains it.
import { inspect } from 'node:util'
import type { Transferable } from 'node:worker_threads'
import { DataCloneError } from '../errors.js'
import { someChild, walk } from './walk.js'

/** For `with`, as it is called. @throws TypeError an object cannot be moved */
export function checkTransfer(transfer: readonly unknown[]): void {
  const unmovable = findUnmovable(transfer)
  if (unmovable) throw new TypeError(unmovable.message)
}

/**
 * For the moment before objects are moved: since `with` was called they may have been moved or closed.
 * Not: leave this to postMessage. It sends a detached buffer as an empty one.
 * @throws DataCloneError
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

/** Instances of these cannot be tried out: that would lock them. */
const LOCKED_BY_LOOKING = [ReadableStream, WritableStream, TransformStream, AbortSignal]

function isMovable(item: unknown): boolean {
  if (item instanceof ArrayBuffer) return !isDetached(item)
  return LOCKED_BY_LOOKING.some((kind) => item instanceof kind) || refusal([item]) === refusal([])
}

function isDetached(buffer: ArrayBuffer): boolean {
  try {
    void new Uint8Array(buffer)
    return false
  } catch {
    return true
  }
}

const UNCLONEABLE = Symbol('refused after the transfer list')

/** Why a transfer list is refused. Structured clone checks the list before the value, and the value fails, so nothing is moved. */
function refusal(transfer: readonly unknown[]): string {
  try {
    return String(structuredClone(UNCLONEABLE, { transfer: transfer as Transferable[] }))
  } catch (thrown) {
    return (thrown as Error).message
  }
}

/** The candidates that `value` contains, at any depth of plain objects, arrays, Maps, Sets and typed arrays. */
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
