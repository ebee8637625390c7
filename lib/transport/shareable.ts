// Shareable objects: views of shared memory (or of a port) that any thread can rebuild from a handle. A shareable has one own
// enumerable property, its handle, and keeps all else in private fields. Structured clone copies exactly the handle, so that a
// shareable passes through anybody's postMessage; `revive` then finds the handles in what arrived and rebuilds the objects.
//
// A handle is { [HANDLE]: [kind, id, ...parts] }: the kind names the class, the id the object (unique in the process), the
// parts are what the class rebuilds itself from: SharedArrayBuffers, numbers, strings, MessagePorts.
import { MessagePort, threadId } from 'node:worker_threads'
import { threadTable, joinThreadTable } from '../thread/liveness.js'

const HANDLE = '$manyhands'

type Handle = readonly [kind: string, id: number, ...parts: unknown[]]

/** What a class registers to be shareable. */
interface Kind {
  /**
   * The object of a handle.
   * @param here the object with that id that this thread already has; given only to kinds with `onSend`, which decide whether
   * it is the one: of all other kinds it is
   */
  rebuild(handle: Handle, here?: object): object
  /**
   * The parts of the handle in one message, where they differ from message to message: what is moved along, a port made for the
   * receiver. Parts of the object's own handle behind those stay. Called once a message. After Python's `__reduce__` and
   * comlink's transfer handlers.
   * @param to the receiver, where the sender named it
   * @throws what keeps the object from being sent
   */
  onSend?(object: object, to: unknown): readonly unknown[]
  /** Give up a handle that nobody will receive. @default its ports are closed */
  discard?(handle: Handle): void
}

const kinds = new Map<string, Kind>()

// One object per id and thread: what is received twice is `===`. Weak, so that being known keeps nothing alive.
const known = new Map<number, WeakRef<object>>()
const forgotten = new FinalizationRegistry<number>((id) => {
  if (known.get(id)?.deref() === undefined) known.delete(id)
})

let lastNumber = 0

/** Whether any shareable was made or rebuilt in this thread: until then nothing that is sent can contain one. */
let anyHere = false

/** Register how objects of a kind are rebuilt, and sent. Called once, by the module of the class. */
export function registerShareable(
  kind: string,
  rebuild: Kind['rebuild'],
  hooks: Pick<Kind, 'onSend' | 'discard'> = {},
): void {
  kinds.set(kind, { rebuild, ...hooks })
}

/** Make `object` shareable under a new id. Its class's constructor calls it. */
export function makeShareable(object: object, kind: string, ...parts: unknown[]): void {
  remember(object, [kind, threadId * 2 ** 32 + ++lastNumber, ...parts])
}

/** As `makeShareable`, for what a thread may die holding: who receives it must learn where deaths are told. */
export function makeOwnable(object: object, kind: string, ...parts: unknown[]): void {
  makeShareable(object, kind, ...parts, threadTable)
}

/**
 * As `makeShareable`, for views that are made by the million: nobody remembers them, so that each time one is received it is
 * another object (on the same memory).
 */
export function makeShareableView(object: object, kind: string, ...parts: unknown[]): void {
  anyHere = true
  const handle: Handle = [kind, threadId * 2 ** 32 + ++lastNumber, ...parts]
  Object.defineProperty(object, HANDLE, { value: handle, enumerable: true })
}

/** Give a rebuilt object the handle it was rebuilt from. */
export function remember(object: object, handle: Handle): void {
  anyHere = true
  const id = handle[1]
  Object.defineProperty(object, HANDLE, { value: handle, enumerable: true })
  known.set(id, new WeakRef(object))
  forgotten.register(object, id)
}

/** A message ready to be posted. */
export interface Packed {
  value: unknown
  /** Whether the receiver has handles to look for. */
  handles: boolean
}

/**
 * Make a message of a value; the ports that its shareables are made of are added to `transfer`. Send the value that it returns:
 * where a kind has an `onSend`, that is a copy with the handles for this message in it.
 * @param to the receiver, for `onSend`
 */
export function pack(value: unknown, transfer: unknown[], to?: unknown): Packed {
  if (!anyHere || typeof value !== 'object' || value === null || isFlat(value)) return { value, handles: false }
  let handles = false
  let changes = false
  const note = (found: HandleObject): void => {
    handles = true
    if (changesOnSend(found)) changes = true
    else addPorts(found, transfer)
  }
  visit(value, note)
  if (!changes) return { value, handles }
  const sent = new Map<object, HandleObject>()
  const copy = copyWith(value, (found) => {
    if (!changesOnSend(found)) return found
    let instead = sent.get(found)
    if (!instead) {
      const [kind, id, ...parts] = found[HANDLE]
      const changed = kinds.get(kind)!.onSend!(found, to)
      sent.set(found, (instead = { [HANDLE]: [kind, id, ...changed, ...parts.slice(changed.length)] }))
      addPorts(instead, transfer)
    }
    return instead
  })
  return { value: copy, handles }
}

/** A handle as it was received, a plain object, is passed on as it is. */
function changesOnSend(found: HandleObject): boolean {
  return kinds.get(found[HANDLE][0])?.onSend !== undefined && !isPlain(found)
}

function addPorts(found: HandleObject, transfer: unknown[]): void {
  const add = (port: MessagePort): void => {
    if (!transfer.includes(port)) transfer.push(port)
  }
  for (const part of found[HANDLE]) {
    if (part instanceof MessagePort) add(part)
    else if (Array.isArray(part)) {
      // Messages that the object brings along as they came: with ports as such, and handles.
      for (const port of portsIn(part)) add(port)
      visit(part, (inner) => addPorts(inner, transfer))
    }
  }
}

/** The ports among what a message carries, but for those that shareables are made of. */
function* portsIn(value: unknown, seen: Set<unknown> = new Set()): Generator<MessagePort> {
  if (value instanceof MessagePort) yield value
  if (typeof value !== 'object' || value === null || seen.has(value) || isHandleObject(value)) return
  seen.add(value)
  if (Array.isArray(value) || value instanceof Set) for (const item of value) yield* portsIn(item, seen)
  else if (value instanceof Map) for (const entry of value) yield* portsIn(entry, seen)
  else if (isPlain(value)) for (const item of Object.values(value)) yield* portsIn(item, seen)
}

/** Nobody receives a message any more, whether it has come or not: close the ports that it brings along. */
export function discard(message: unknown): void {
  discarding(message)()
}

/** What discards a message that is sent now. Who sent it may change and use the value after that. */
export function discarding(message: unknown): () => void {
  const ports = [...portsIn(message)]
  const handles: Handle[] = []
  visit(message, (found) => void handles.push(found[HANDLE]))
  return () => {
    for (const handle of handles) {
      const kind = kinds.get(handle[0])
      if (kind?.discard) kind.discard(handle)
      else ports.push(...handle.filter((part) => part instanceof MessagePort))
    }
    for (const port of ports) port.close()
  }
}

/** The number of a shareable: unique in the process, the same in all threads. */
export function idOf(object: object): number {
  return (object as HandleObject)[HANDLE][1]
}

/** The value of a message, its handles rebuilt. */
export function unpack({ value, handles }: Packed): unknown {
  return handles ? revive(value) : value
}

/**
 * What a message of the caller's own `postMessage` or `workerData` carried, with the shareable objects in it (at any depth of
 * plain objects, arrays, Maps and Sets) turned into working ones. The containers are changed in place.
 * @returns the message, or the shareable itself where the message is one.
 */
export function attach<T>(message: T): T {
  return revive(message) as T
}

interface HandleObject {
  [HANDLE]: Handle
}

/** Whether the object is shareable, or the handle of one. */
export function isShareable(value: object): boolean {
  return isHandleObject(value)
}

function isHandleObject(value: object): value is HandleObject {
  const handle = (value as Partial<HandleObject>)[HANDLE]
  return Array.isArray(handle) && typeof handle[0] === 'string' && typeof handle[1] === 'number'
}

function rebuild(found: HandleObject): object {
  const handle = found[HANDLE]
  const [kind, id] = handle
  const here = known.get(id)?.deref()
  const registered = kinds.get(kind)
  if (here && !registered?.onSend) return here
  if (!registered) throw new TypeError(`this thread has no class for the shareable kind '${kind}'`)
  for (const part of handle) joinThreadTable(part)
  const object = registered.rebuild(handle, here)
  if (!Object.hasOwn(object, HANDLE)) remember(object, handle)
  return object
}

function revive(value: unknown): unknown {
  return visit(value, rebuild)
}

/**
 * Walk a value through plain objects, arrays, Maps and Sets, cycles included. Wherever a handle object is found, `onHandle` is
 * called; if it returns an object, that takes the handle object's place.
 */
function visit(root: unknown, onHandle: (found: HandleObject) => object | void): unknown {
  const seen = new Set<object>()
  const step = (value: unknown): unknown => {
    if (typeof value !== 'object' || value === null) return value
    if (isHandleObject(value)) return onHandle(value) ?? value
    if (seen.has(value)) return value
    seen.add(value)
    if (Array.isArray(value)) {
      for (let i = 0; i < value.length; i++) {
        const item: unknown = value[i]
        if (typeof item !== 'object' || item === null) continue
        const next = step(item)
        if (next !== item) value[i] = next
      }
    } else if (value instanceof Map) {
      const entries = [...value]
      const stepped = entries.map(([key, item]) => [step(key), step(item)] as const)
      if (entries.some(([key, item], i) => key !== stepped[i]![0] || item !== stepped[i]![1])) {
        value.clear()
        for (const [key, item] of stepped) value.set(key, item)
      }
    } else if (value instanceof Set) {
      const items = [...value]
      const stepped = items.map(step)
      if (items.some((item, i) => item !== stepped[i])) {
        value.clear()
        for (const item of stepped) value.add(item)
      }
    } else if (isPlain(value)) {
      for (const key of Object.keys(value)) {
        const item: unknown = value[key]
        if (typeof item !== 'object' || item === null) continue
        const next = step(item)
        if (next !== item) value[key] = next
      }
    }
    return value
  }
  return step(root)
}

/** A copy of the containers, cycles included, with something else in the place of each handle object. All others are as they are. */
function copyWith(root: unknown, onHandle: (found: HandleObject) => object): unknown {
  const copies = new Map<object, object>()
  const step = (value: unknown): unknown => {
    if (typeof value !== 'object' || value === null) return value
    if (isHandleObject(value)) return onHandle(value)
    const known = copies.get(value)
    if (known) return known
    if (Array.isArray(value)) {
      const copy: unknown[] = value.slice()
      copies.set(value, copy)
      for (const key of Object.keys(value)) copy[Number(key)] = step(value[Number(key)])
      return copy
    }
    if (value instanceof Map) {
      const copy = new Map<unknown, unknown>()
      copies.set(value, copy)
      for (const [key, item] of value) copy.set(step(key), step(item))
      return copy
    }
    if (value instanceof Set) {
      const copy = new Set<unknown>()
      copies.set(value, copy)
      for (const item of value) copy.add(step(item))
      return copy
    }
    if (!isPlain(value)) return value
    const copy: Record<string, unknown> = {}
    copies.set(value, copy)
    for (const key of Object.keys(value))
      Object.defineProperty(copy, key, {
        value: step(value[key]),
        enumerable: true,
        writable: true,
        configurable: true,
      })
    return copy
  }
  return step(root)
}

/** Whether it is a plain object or an array of primitives only, as most messages are: there is nothing to look for in it. */
function isFlat(value: object): boolean {
  if (Array.isArray(value)) return value.every((item) => typeof item !== 'object' || item === null)
  if (!isPlain(value)) return false
  for (const key of Object.keys(value)) {
    const item: unknown = value[key]
    if (typeof item === 'object' && item !== null) return false
  }
  return true
}

function isPlain(value: object): value is Record<string, unknown> {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}
