// Messages with shareable objects in them: made of values, turned back into values, and given up. Shareables are looked for at
// any depth of plain objects, arrays, Maps and Sets (lib/transport/walk.ts).
import { MessagePort } from 'node:worker_threads'
import {
  anyShareable,
  changesOnSend,
  discardingHandle,
  handleToSend,
  isShareable,
  partsOf,
  rebuild,
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
 * Make a message of a value. Post the value that it returns: where a shareable's handle changes on sending, it is a copy with
 * the handles for this message.
 * @param transfer the ports that its shareables are made of are added to it
 * @param to the receiver, for kinds to which it makes a difference
 * @throws RangeError nested too deeply; what keeps a shareable from being sent
 */
export function pack(value: unknown, transfer: unknown[], to?: unknown): Packed {
  if (!anyShareable || !isObject(value) || isFlat(value)) return { value, handles: false }
  let handles = false
  let changes = false
  const note = (part: object): boolean => {
    if (!isShareable(part)) return true
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

/** Whether it has nothing but primitives in it, as most messages do. By hand, since every message is asked. */
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
    // Messages that the object brings along as they came: with ports as such, and handles.
    else if (Array.isArray(part)) walk(part, add, someContent)
  }
}

/** The value of a message, with its handles rebuilt. The containers are changed in place. */
export function unpack({ value, handles }: Packed): unknown {
  return handles ? attach(value) : value
}

/**
 * What a message of the caller's own `postMessage` or `workerData` carried, with the shareable objects in it (at any depth of
 * plain objects, arrays, Maps and Sets) turned into working ones. The containers are changed in place.
 * @returns the message, or the shareable itself where the message is one.
 */
export function attach<T>(message: T): T {
  return replaceWithin(
    message,
    (part) => (isShareable(part) ? rebuild(part) : part),
    (part) => !isShareable(part),
  ) as T
}

/** Nobody will receive a message, whether it has come or not: close the ports that it brings along. */
export function discard(message: unknown): void {
  discarding(message)()
}

/** What discards a message that is sent now, whose value the sender may change and use later. */
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
