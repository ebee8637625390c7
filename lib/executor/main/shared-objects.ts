// Whether calls that would travel in one message have an object in common: structured clone would keep it one object, and a task
// would see what another has made of it.
import { isShareable } from '../../transport/shareable.js'

/** What is shared anyway does not count. Looks into what structured clone looks into. May call getters. */
export function haveObjectsInCommon(lists: readonly (readonly unknown[])[]): boolean {
  const owners = new Map<object, number>()
  const meets = (value: unknown, list: number): boolean => {
    if (typeof value !== 'object' || value === null || isShared(value)) return false
    const owner = owners.get(value)
    if (owner !== undefined) return owner !== list
    owners.set(value, list)
    if (ArrayBuffer.isView(value)) return !isPooled(value) && meets(value.buffer, list)
    if (value instanceof Map) for (const entry of value) if (meets(entry[0], list) || meets(entry[1], list)) return true
    if (value instanceof Set) for (const item of value) if (meets(item, list)) return true
    for (const key of Object.keys(value)) if (meets((value as Record<string, unknown>)[key], list)) return true
    return false
  }
  return lists.some((args, list) => args.some((arg) => meets(arg, list)))
}

function isShared(value: object): boolean {
  return (ArrayBuffer.isView(value) ? value.buffer : value) instanceof SharedArrayBuffer || isShareable(value)
}

/** Small Buffers are parts of one, of which none has the same. */
function isPooled(view: ArrayBufferView): boolean {
  return Buffer.isBuffer(view) && view.byteLength < view.buffer.byteLength
}
