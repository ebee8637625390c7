// A proxy of an object that lives in a manager. It is an ordinary object, so that structured clone copies it, as its handle;
// what makes it a proxy is its prototype: whatever is not found in the object itself is asked of that.
// Not: a Proxy itself. Structured clone refuses those.
//
// handle: ['Remote', object, manager, the manager's name, kind of object, port?]. The port, of which each message that is sent
// has a new one, is a way to the manager for the thread that receives it, and becomes its own if it has none.
import { inspect } from 'node:util'
import type { MessagePort, Transferable } from 'node:worker_threads'
import { DataCloneError } from '../errors.js'
import { makeShareable, idOf, pack, registerShareable, remember } from '../transport/shareable.js'
import { captureCallSite, type CallSite } from '../base/call-site.js'
import { define } from '../task/target.js'
import { definitionOfTask } from '../task/task.js'
import { connectionTo, isConnected, newWay, useWay, type Connection } from './client.js'
import type { Asked } from './rpc.js'
import type { Arguments, ObjectKind, Request } from './messages.js'

const KIND = 'Remote'

/** What is known of a proxy, apart from it, so that it can be collected. */
interface State {
  id: number
  manager: number
  name: string
  kind: ObjectKind
  /** How often the manager has counted this thread as a holder. */
  holds: number
}

const states = new WeakMap<object, State>()

const collected = new FinalizationRegistry<State>(({ id, manager, name, holds }) => {
  if (isConnected(manager)) connectionTo(manager, name).link.tell({ kind: 'release', object: id, count: holds })
})

/** A proxy of an object that the manager is about to be told to make. */
export function newRemote(manager: number, name: string, kind: ObjectKind): { remote: object; id: number } {
  const state: State = { id: 0, manager, name, kind, holds: 1 }
  const remote = proxyOf(state)
  makeShareable(remote, KIND, manager, name, kind)
  state.id = idOf(remote)
  return { remote, id: state.id }
}

function proxyOf(state: State): object {
  const remote = Object.create(new Proxy(Object.prototype, traps)) as object
  states.set(remote, state)
  collected.register(remote, state)
  return remote
}

registerShareable(
  KIND,
  (handle, here) => {
    const [kind, id, manager, name, objectKind, port] = handle as [
      string,
      number,
      number,
      string,
      ObjectKind,
      MessagePort?,
    ]
    const remote = here ?? proxyOf({ id, manager, name, kind: objectKind, holds: 0 })
    if (!here) remember(remote, [kind, id, manager, name, objectKind])
    states.get(remote)!.holds++
    if (port) useWay(manager, name, port)
    return remote
  },
  {
    onSend(remote, to) {
      const { id, manager, name, kind } = states.get(remote)!
      const way = wayFor(to, id, manager, name)
      return [manager, name, kind, ...(way ? [way] : [])]
    },
  },
)

/** Whoever is sent a proxy by its own manager, or the other way round, has a way. */
export const holders: WeakMap<object, { manager: number; hold(object: number): void }> = new WeakMap()

function wayFor(to: unknown, id: number, manager: number, name: string): MessagePort | undefined {
  const holder = typeof to === 'object' && to ? holders.get(to) : undefined
  if (holder?.manager === manager) {
    holder.hold(id)
    return undefined
  }
  if (!isConnected(manager)) return undefined
  const connection = connectionTo(manager, name)
  if (connection.link === to) {
    connection.link.tell({ kind: 'lend', object: id })
    return undefined
  }
  return newWay(connection, [id])
}

const INSPECT = inspect.custom
const members = new WeakMap<object, Map<string, unknown>>()

/** A `then` would make a proxy a promise to whoever awaits it; a `toJSON` is called by whoever logs it; and so on. */
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
        `a managed object has no field ${String(name)}: not ${[...NO_MEMBERS].join(', ')}, nor a symbol`,
      )
    const { id, manager, name: managerName } = states.get(remote)!
    const { link } = connectionTo(manager, managerName)
    const transfer: Transferable[] = []
    link.send({ kind: 'set', object: id, name, value: pack(value, transfer, link) }, transfer, value, name)
    return true
  },
  getPrototypeOf: () => Object.prototype,
}

function symbolMember(target: object, name: symbol, remote: object): unknown {
  if (name === Symbol.asyncIterator) return () => iterate(remote)
  if (name === INSPECT) {
    const { kind, id, name: managerName } = states.get(remote)!
    return () => `Remote ${kind} ${id} of ${managerName}`
  }
  // Not: leave it to `valueOf` and `toString`, which would be calls that nobody waits for.
  if (name === Symbol.toPrimitive) return () => inspect(remote)
  return Reflect.get(target, name) as unknown
}

/** To be called, where it is a method; to be awaited, where it is a field. */
function memberOf(remote: object, name: string): unknown {
  const { id, kind, manager, name: managerName } = states.get(remote)!
  const call = (...args: unknown[]): Promise<unknown> => {
    try {
      const callSite = captureCallSite(call, call)
      return callMethod(connectionTo(manager, managerName), { remote, id, kind, callSite }, name, args)
    } catch (reason) {
      return Promise.reject(reason)
    }
  }
  return Object.defineProperties(call, {
    name: { value: name },
    // oxlint-disable-next-line unicorn/no-thenable -- that is how a field is read
    then: {
      value: (onFulfilled: never, onRejected: never) => {
        const read = async () => connectionTo(manager, managerName).link.request({ kind: 'get', object: id, name })
        return read().then(onFulfilled, onRejected)
      },
    },
  })
}

/** Methods of dicts and lists that take a function and change nothing: the caller runs them on a copy. */
const READERS = new Set(
  'forEach map flatMap filter find findIndex findLast findLastIndex some every reduce reduceRight toSorted'.split(' '),
)

/** Those that take a function to be run in the manager. */
const CHANGERS = new Set(['update', 'sort'])

function uncloneable(fn: Function, place: number): DataCloneError {
  const path = `args[${place}]`
  const what = `a function (${fn.name || 'anonymous'})`
  return new DataCloneError(`${path} is ${what}, which cannot be sent to another thread`, { path })
}

/** Whose method is called, and where. */
interface Callee {
  remote: object
  id: number
  kind: ObjectKind
  callSite: CallSite
}

function callMethod(connection: Connection, callee: Callee, name: string, args: unknown[]): Promise<unknown> {
  const { remote, id, kind, callSite } = callee
  const { link } = connection
  const from = { described: args, self: remote, callSite }
  let simple = true
  for (const arg of args) if (typeof arg === 'object' ? arg !== null : typeof arg === 'function') simple = false
  if (simple) return link.request({ kind: 'apply', object: id, name, args }, undefined, from)
  if (kind !== 'object') {
    const place = args.findIndex((arg) => typeof arg === 'function')
    const fn = args[place] as Function | undefined
    if (fn && !CHANGERS.has(name) && (!READERS.has(name) || place > 0)) throw uncloneable(fn, place)
    if (fn && READERS.has(name) && !definitionOfTask(fn)) return onCopy(link, id, kind, name, args)
    if (fn) return run(link, id, name, fn, { ...from, described: args.toSpliced(place, 1) })
  }
  const transfer: Transferable[] = []
  const request: Request = { kind: 'applyPacked', object: id, name, args: packArguments(connection, args, transfer) }
  return link.request(request, transfer, from)
}

async function onCopy(link: Connection['link'], object: number, kind: ObjectKind, name: string, args: unknown[]) {
  const items = await link.request({ kind: 'apply', object, name: 'entries', args: [] })
  const copy: unknown =
    kind === 'dict' ? new Map(items as [unknown, unknown][]) : (items as [number, unknown][]).map(([, item]) => item)
  const method = (copy as Record<string, unknown>)[name]
  if (typeof method !== 'function') throw new TypeError(`${name} is not a method of a ${kind}`)
  return method.apply(copy, args) as unknown
}

/** The function goes to the manager: a task by its name, any other by its source. */
function run(link: Connection['link'], object: number, name: string, fn: Function, from: Asked): Promise<unknown> {
  const transfer: Transferable[] = []
  const args = pack(from.described, transfer, link)
  return link.request({ kind: 'run', object, name, target: define(fn as never), args }, transfer, from)
}

let lastCallback = 0

function packArguments({ callbacks, link }: Connection, args: unknown[], transfer: Transferable[]): Arguments {
  const sent: [number, number][] = []
  const values = args.map((arg, index) => {
    if (typeof arg !== 'function') return arg
    callbacks.set(++lastCallback, arg)
    sent.push([index, lastCallback])
    return undefined
  })
  return { packed: pack(values, transfer, link), callbacks: sent.length > 0 ? sent : undefined }
}

async function* iterate(remote: object): AsyncGenerator<unknown> {
  const { id, manager, name } = states.get(remote)!
  const { link } = connectionTo(manager, name)
  let batch = (await link.request({ kind: 'iterate', object: id })) as Batch
  try {
    for (;;) {
      yield* batch.items
      if (batch.cursor === undefined) return
      batch = (await link.request({ kind: 'advance', cursor: batch.cursor })) as Batch
    }
  } finally {
    if (batch.cursor !== undefined) link.tell({ kind: 'leave', cursor: batch.cursor })
  }
}

/** Some of what is iterated over. */
export interface Batch {
  items: unknown[]
  /** Where it goes on; undefined at the end. */
  cursor: number | undefined
}
