// Messages with shareable objects in them: packing, unpacking, discarding. Shareables are looked for at any depth of plain objects,
// arrays, Maps and Sets (lib/transport/walk.ts). README.md draws the way of a value.
import { MessagePort } from 'node:worker_threads'
import { refuseOptions } from '../base/validate.js'
import {
  changesOnSend,
  checkMajor,
  discardingHandle,
  handleToSend,
  hasShareables,
  isShareable,
  partsOf,
  rebuildShareable,
  type HandleObject,
} from './shareable.js'
import { isContainer, isObject, isPlain, replaceWithin, shallowCopy, someContent, someItem, walk } from './walk.js'

/** A message ready to be posted. */
export interface Packed {
  value: unknown
  /** Whether the receiver has handles to look for. */
  handles: boolean
}

/**
 * Make a message of a value. Post the value that is returned: if the handle of a shareable changes on sending, it is a copy with the
 * handles for this message.
 * @param transfer the ports of the shareables are added to it
 * @param to the receiver, for kinds whose handle depends on it
 * @throws RangeError the value is nested too deeply; DataCloneError a shareable of another major version of this package; what the
 * `onSend` of a shareable throws
 */
export function pack(value: unknown, transfer: unknown[], to?: unknown): Packed {
  if (!hasShareables() || !isObject(value) || isFlat(value)) return { value, handles: false }
  let handles = false
  let changes = false
  const note = (part: object): boolean => {
    if (!isShareable(part)) return true
    checkMajor(part)
    handles = true
    if (changesOnSend(part)) changes = true
    else addPorts(part, transfer)
    return false
  }
  walk(value, note, someContent)
  if (!changes) return { value, handles }
  const sent = (part: object): object => {
    if (!isShareable(part)) return isContainer(part) ? shallowCopy(part) : part
    if (!changesOnSend(part)) return part
    const handle = handleToSend(part, to)
    addPorts(handle, transfer)
    return handle
  }
  return { value: replaceWithin(value, sent, (part) => !isShareable(part)), handles }
}

/** Whether the value holds only primitives, as most messages do. By hand: every message passes here, and `someContent` takes longer. */
function isFlat(value: object): boolean {
  if (Array.isArray(value)) return !someItem(value, isAny)
  if (!isPlain(value)) return false
  for (const key of Object.keys(value)) {
    const item = value[key]
    if (typeof item === 'object' && item !== null) return false
  }
  return true
}

const isAny = (): boolean => true

function addPorts(found: HandleObject, transfer: unknown[]): void {
  const add = (part: object): boolean => {
    if (part instanceof MessagePort && !transfer.includes(part)) transfer.push(part)
    if (!isShareable(part)) return true
    addPorts(part, transfer)
    return false
  }
  for (const part of partsOf(found)) {
    if (part instanceof MessagePort) add(part)
    // Messages that the object brings along as it received them: with ports and handles in them.
    else if (Array.isArray(part)) walk(part, add, someContent)
  }
}

/** The value of a message, its handles replaced by their objects. Changes the containers in place. */
export function unpack({ value, handles }: Packed): unknown {
  return handles ? attach(value) : value
}

/**
 * What a message of the caller's own `postMessage` or `workerData` carried, with the shareable objects in it (at any depth of
 * plain objects, arrays, Maps and Sets) turned into working ones. The containers are changed in place.
 * @returns the message, or the shareable itself where the message is one.
 */
export function attach<T>(message: T): T
export function attach<T>(message: T, options?: unknown): T {
  refuseOptions(options, 'attach(message)')
  return replaceWithin(
    message,
    (part) => (isShareable(part) ? rebuildShareable(part) : part),
    (part) => !isShareable(part),
  ) as T
}

/** Give up a message that nobody will receive, arrived or not: close the ports in it. */
export function discard(message: unknown): void {
  discarding(message)()
}

/** @returns what discards a message that is being sent, even if the sender changes the value meanwhile */
export function discarding(message: unknown): () => void {
  const steps: (() => void)[] = []
  const note = (part: object): boolean => {
    if (part instanceof MessagePort) steps.push(() => part.close())
    if (!isShareable(part)) return true
    steps.push(discardingHandle(part))
    return false
  }
  walk(message, note, someContent)
  return () => {
    for (const step of steps) step()
  }
}
