// Whether calls that would share a message have an object in common. Structured clone would keep it one object, and one task
// would see what another does to it.
import { types } from 'node:util'
import { isShareable } from '../../transport/shareable.js'
import { someChild, walk } from '../../transport/walk.js'

/** Shareable objects and shared memory do not count. Looks into what structured clone looks into. May call getters. */
export function haveObjectsInCommon(lists: readonly (readonly unknown[])[]): boolean {
  const seen = new Set<object>()
  let common = false
  const enter = (value: object): boolean => {
    if (common || isShared(value)) return false
    common = seen.has(value) // In another list: of one list, each comes once.
    seen.add(value)
    return !common && !isPooled(value)
  }
  return lists.some((args) => {
    walk(args, enter, someChild)
    return common
  })
}

function isShared(value: object): boolean {
  return types.isSharedArrayBuffer(ArrayBuffer.isView(value) ? value.buffer : value) || isShareable(value)
}

/** Small Buffers are views of a shared pool; two of them never overlap. */
function isPooled(value: object): boolean {
  return Buffer.isBuffer(value) && value.byteLength < value.buffer.byteLength
}
