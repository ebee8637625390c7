// A proxy of an object that lives in a manager. It is an ordinary object with one property, its handle, so that structured clone
// copies it. Its prototype makes it a proxy: that is a Proxy, which is asked for every property that the object does not have.
// Not: a Proxy itself. Structured clone refuses those.
//
// handle: ['Remote', object, manager, the manager's name, kind of object, port?]. Each message has a port of its own, which
// leads to the manager. The receiver uses it, unless it has one.
import { inspect } from 'node:util'
import type { MessagePort, Transferable } from 'node:worker_threads'
import { Promise } from '../base/clock.js'
import { pack } from '../transport/pack.js'
import { makeShareable, idOf, remember } from '../transport/shareable.js'
import { captureCallSite } from '../base/call-site.js'
import { adoptPort, clientOf, isConnected, openPortFor } from './client.js'
import { callMethod, iterate } from './remote-call.js'
import { REMOTE_KIND, type ObjectKind } from './messages.js'

/** What is known of a proxy. Apart from it, so that it can be collected. */
interface ProxyState {
  id: number
  manager: number
  managerName: string
  kind: ObjectKind
  /** How many references the manager counts for this proxy. */
  refs: number
}

const states = new WeakMap<object, ProxyState>()

const collectedProxies = new FinalizationRegistry<ProxyState>(({ id, manager, managerName, refs }) => {
  if (isConnected(manager)) clientOf(manager, managerName).rpc.notify({ kind: 'releaseRefs', object: id, count: refs })
})

/** A proxy of an object that the manager is about to be told to make. */
export function newRemote(manager: number, managerName: string, kind: ObjectKind): { remote: object; id: number } {
  const state: ProxyState = { id: 0, manager, managerName, kind, refs: 1 }
  const remote = proxyOf(state)
  makeShareable(remote, REMOTE_KIND, manager, managerName, kind)
  state.id = idOf(remote)
  return { remote, id: state.id }
}

function proxyOf(state: ProxyState): object {
  const remote = Object.create(new Proxy(Object.prototype, traps)) as object
  states.set(remote, state)
  collectedProxies.register(remote, state)
  return remote
}

type RemoteHandle = readonly [string, id: number, manager: number, managerName: string, ObjectKind, MessagePort?]

/** The proxy of a handle that was received. @param here the one that this thread has */
export function rebuildRemote(handle: readonly unknown[], here: object | undefined): object {
  const [name, id, manager, managerName, kind, port] = handle as RemoteHandle
  const remote = here ?? proxyOf({ id, manager, managerName, kind, refs: 0 })
  if (!here) remember(remote, [name, id, manager, managerName, kind])
  states.get(remote)!.refs++
  if (port) adoptPort(manager, managerName, port)
  return remote
}

/** The parts of the handle in one message. @param to the Rpc through which the proxy is sent, where it is sent through one */
export function remoteParts(remote: object, to: unknown): readonly unknown[] {
  const state = states.get(remote)!
  const port = addRefFor(to, state)
  return [state.manager, state.managerName, state.kind, ...(port ? [port] : [])]
}

/** In a manager's thread: its host's end of each port, by Rpc, where a reference is counted for what is sent through it. */
export const hostSessions: WeakMap<object, { manager: number; addRef(object: number): void }> = new WeakMap()

/**
 * Have the manager count a reference for the receiver of a proxy.
 * @param to the Rpc through which the proxy is sent, where it is sent through one
 * @returns a port for the receiver, unless it is the manager itself, or receives the proxy from it
 */
function addRefFor(to: unknown, { id, manager, managerName }: ProxyState): MessagePort | undefined {
  const session = typeof to === 'object' && to ? hostSessions.get(to) : undefined
  if (session?.manager === manager) {
    session.addRef(id)
    return undefined
  }
  if (!isConnected(manager)) return undefined
  const client = clientOf(manager, managerName)
  if (client.rpc !== to) return openPortFor(id, client)
  client.rpc.notify({ kind: 'addRef', object: id })
  return undefined
}

const INSPECT = inspect.custom
const members = new WeakMap<object, Map<string, unknown>>()

/** With a `then`, `await` would take a proxy for a promise; `JSON.stringify` would call a `toJSON`; and so on. */
const NO_MEMBERS = new Set(['then', 'toJSON', 'constructor', '__proto__'])

const traps: ProxyHandler<object> = {
  get(target, name, remote: object) {
    if (typeof name === 'symbol') return symbolMember(target, name, remote)
    if (NO_MEMBERS.has(name)) return undefined
    let known = members.get(remote)
    if (!known) members.set(remote, (known = new Map()))
    let member = known.get(name)
    if (!member) known.set(name, (member = memberOf(remote, name)))
    return member
  },
  set(_target, name, value: unknown, remote: object) {
    if (typeof name === 'symbol' || NO_MEMBERS.has(name))
      throw new TypeError(
        `a managed object has no field ${String(name)}: fields are strings other than ${[...NO_MEMBERS].join(', ')}`,
      )
    const { id, manager, managerName } = states.get(remote)!
    const { rpc } = clientOf(manager, managerName)
    const transfer: Transferable[] = []
    rpc.notify({ kind: 'set', object: id, name, value: pack(value, transfer, rpc) }, transfer, { value, root: name })
    return true
  },
  getPrototypeOf: () => Object.prototype,
}

function symbolMember(target: object, name: symbol, remote: object): unknown {
  if (name === Symbol.asyncIterator) {
    const { id, manager, managerName } = states.get(remote)!
    return () => iterate(clientOf(manager, managerName), id)
  }
  if (name === INSPECT) {
    const { id, kind, managerName } = states.get(remote)!
    return () => `Remote ${kind} ${id} of ${managerName}`
  }
  // Not: leave it to `valueOf` and `toString`. Those would be calls whose promises nobody awaits.
  if (name === Symbol.toPrimitive) return () => inspect(remote)
  return Reflect.get(target, name) as unknown
}

/** A function, to be called where the name is that of a method. It has a `then`, to be awaited where it is that of a field. */
function memberOf(remote: object, name: string): unknown {
  const { id, kind, manager, managerName } = states.get(remote)!
  const call = (...args: unknown[]): Promise<unknown> => {
    try {
      const callSite = captureCallSite(call, call)
      return callMethod(clientOf(manager, managerName), { remote, id, kind, callSite }, name, args)
    } catch (reason) {
      return Promise.reject(reason)
    }
  }
  return Object.defineProperties(call, {
    name: { value: name },
    // oxlint-disable-next-line unicorn/no-thenable -- that is how a field is read
    then: {
      value: (onFulfilled: never, onRejected: never) => {
        const read = async () => clientOf(manager, managerName).rpc.request({ kind: 'get', object: id, name })
        return read().then(onFulfilled, onRejected)
      },
    },
  })
}
