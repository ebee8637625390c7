// Shareable objects: views of shared memory (or of a port) that any thread can rebuild from a handle. A shareable has one own
// enumerable property, its handle, and keeps all else in private fields. Structured clone copies exactly the handle, so that a
// shareable passes through anybody's postMessage. This file keeps the kinds, and the objects that this thread has; pack.ts makes
// messages of them.
//
// A handle is [kind, id, ...parts]: the kind names the class and the major version of this package, as in 'Lock@0', the id the object
// (unique in the process), the parts are what the class rebuilds the object from: SharedArrayBuffers, numbers, strings, MessagePorts.
import { getEnvironmentData, MessagePort, setEnvironmentData, threadId } from 'node:worker_threads'
import { MAJOR, perThread, VERSION } from '../copies.js'
import { DataCloneError } from '../errors.js'
import { threadTable, joinThreadTable } from '../thread/liveness.js'
import { showWithout } from './shown.js'

const HANDLE = '$manyhands'

type Handle = readonly [kind: string, id: number, ...parts: unknown[]]

/** A shareable, or its handle as structured clone has copied it: a plain object. */
export interface HandleObject {
  [HANDLE]: Handle
}

/** How objects of a kind are sent and rebuilt. */
interface Kind {
  /**
   * Make the object of a handle.
   * @param here the object with that id that this thread already has. Only a kind with `onSend` gets it, and decides whether to
   * return it; for other kinds it is returned without a call
   */
  rebuild(handle: Handle, here?: object): object
  /**
   * The parts of the handle in one message, where they differ from message to message: what is moved along, a port made for the
   * receiver. Further parts of the object's own handle stay. Called once a message. After Python's `__reduce__` and comlink's
   * transfer handlers.
   * @param to the receiver, where the sender named it
   * @throws what keeps the object from being sent
   */
  onSend?(object: object, to: unknown): readonly unknown[]
  /** Give up a handle that nobody will receive. @default its ports are closed */
  discard?(handle: Handle): void
  /** Whether the object takes no other properties: a misspelt field is an error then. @default it takes any */
  isFixed?(object: object): boolean
}

/** This copy's kinds: what its classes make is of these. */
const ownKinds = new Map<string, Kind>()

/** What this thread's copies share. */
const shared = perThread('shareables', () => {
  // One object per id and thread: what is received twice is `===`. Weak, so that being known keeps nothing alive.
  const known = new Map<number, WeakRef<object>>()
  return {
    /** The kinds by which handles are rebuilt: those of the first copy that has them. */
    kinds: new Map<string, Kind>(),
    /** The kind of each object, with the hooks of the copy that made it. */
    kindOf: new WeakMap<object, Kind>(),
    known,
    collected: new FinalizationRegistry<number>((id) => {
      if (known.get(id)?.deref() === undefined) known.delete(id)
    }),
  }
})

interface ThreadObjects {
  threadId: number
  /** How many ids were given out. */
  count: number
  /** Whether the thread has made or rebuilt a shareable. Until then nothing that it sends can contain one. */
  any: boolean
}

const OBJECTS_KEY = 'manyhands:objects'

/**
 * Of this thread's objects, what all copies share, of whatever version, and in whatever realm: environment data is the same in all.
 * A thread inherits a clone of its parent's, and replaces it.
 */
const threadObjects = ((): ThreadObjects => {
  const found = getEnvironmentData(OBJECTS_KEY) as unknown as ThreadObjects | undefined
  if (found?.threadId === threadId) return found
  const made = { threadId, count: 0, any: false }
  setEnvironmentData(OBJECTS_KEY, made)
  return made
})()

/** Whether what this thread sends can contain a shareable. */
export function hasShareables(): boolean {
  return threadObjects.any
}

/** Register a kind. Called once, by the module of the class. */
export function registerShareable(kind: string, rebuild: Kind['rebuild'], hooks: Omit<Kind, 'rebuild'> = {}): void {
  const name = `${kind}@${MAJOR}`
  const registered = { rebuild, ...hooks }
  ownKinds.set(name, registered)
  if (!shared.kinds.has(name)) shared.kinds.set(name, registered)
}

/** Make `object` shareable under a new id. Its class's constructor calls it. */
export function makeShareable(object: object, kind: string, ...parts: unknown[]): void {
  remember(object, [`${kind}@${MAJOR}`, newId(), ...parts])
}

/** As `makeShareable`, for what a thread may die holding: the handle carries the table in which the receiver finds deaths. */
export function makeOwnable(object: object, kind: string, ...parts: unknown[]): void {
  makeShareable(object, kind, ...parts, threadTable)
}

/**
 * As `makeShareable`, for views made by the million, which take no other properties: they are not remembered, so each receipt makes
 * another object on the same memory.
 */
export function makeShareableView(object: object, kind: string, ...parts: unknown[]): void {
  setHandle(object, [`${kind}@${MAJOR}`, newId(), ...parts], undefined)
  Object.preventExtensions(object)
}

function newId(): number {
  return threadId * 2 ** 32 + ++threadObjects.count
}

/** Give an object the handle it was rebuilt from, or another of the same id. */
export function remember(object: object, handle: Handle, kind: Kind | undefined = ownKinds.get(handle[0])): void {
  setHandle(object, handle, kind)
  const id = handle[1]
  shared.known.set(id, new WeakRef(object))
  shared.collected.register(object, id)
}

/** @param kind kept where it has hooks, which are asked later */
function setHandle(object: object, handle: Handle, kind: Kind | undefined): void {
  threadObjects.any = true
  if (kind?.onSend) shared.kindOf.set(object, kind)
  Object.defineProperty(object, HANDLE, { value: handle, enumerable: true })
  showWithout(HANDLE, object)
  if (kind?.isFixed?.(object)) Object.preventExtensions(object)
}

/** Whether the object is shareable, or the handle of one. */
export function isShareable(value: object): value is HandleObject {
  const handle = (value as Partial<HandleObject>)[HANDLE]
  return Array.isArray(handle) && typeof handle[0] === 'string' && typeof handle[1] === 'number'
}

/** @throws DataCloneError (ERR_MANYHANDS_DATA_CLONE) it belongs to a copy of another major version */
export function checkMajor({ [HANDLE]: [kind] }: HandleObject): void {
  const [name, major = MAJOR] = kind.split('@')
  if (major === MAJOR) return
  const message = `a ${name} of version ${major} of manyhands cannot be used by version ${VERSION}`
  throw new DataCloneError(`${message}: the program has both installed`, { path: 'message' })
}

/** The id of a shareable: unique in the process, the same in all threads. */
export function idOf(object: object): number {
  return (object as HandleObject)[HANDLE][1]
}

/** Whether each message carries another handle of it. A plain object, the handle as it was received, is passed on unchanged. */
export function changesOnSend(found: HandleObject): boolean {
  return shared.kindOf.has(found)
}

/** The handle that a message carries in place of a shareable which changes on sending. @throws what `onSend` throws */
export function handleToSend(object: HandleObject, to: unknown): HandleObject {
  const [kind, id, ...parts] = object[HANDLE]
  const changed = shared.kindOf.get(object)!.onSend!(object, to)
  return { [HANDLE]: [kind, id, ...changed, ...parts.slice(changed.length)] }
}

/** The parts of a handle. */
export function partsOf(found: HandleObject): readonly unknown[] {
  return found[HANDLE].slice(2)
}

/** The object of a received handle: the one that this thread has, or a new one. @throws TypeError this thread does not know the kind */
export function rebuildShareable(found: HandleObject): object {
  const handle = found[HANDLE]
  const [kind, id] = handle
  checkMajor(found)
  const here = shared.known.get(id)?.deref()
  const registered = (here && shared.kindOf.get(here)) ?? shared.kinds.get(kind)
  if (here && !registered?.onSend) return here
  if (!registered) throw new TypeError(`this thread has no class for the shareable kind '${kind.split('@')[0]}'`)
  for (const part of handle) joinThreadTable(part)
  const object = registered.rebuild(handle, here)
  if (!Object.hasOwn(object, HANDLE)) remember(object, handle, registered)
  return object
}

/** @returns what gives up a handle that nobody will receive */
export function discardingHandle(found: HandleObject): () => void {
  const handle = found[HANDLE]
  const kind = shared.kinds.get(handle[0])
  return () => {
    if (kind?.discard) return kind.discard(handle)
    for (const part of handle) if (part instanceof MessagePort) part.close()
  }
}
