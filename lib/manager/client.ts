// This thread's ways to managers, one for each: what its proxies send through, and what it holds.
//
// An object lives as long as some thread holds it. A thread holds what its proxies stand for: the manager counts how often it
// has sent a proxy of the object to the thread, and when the proxy is collected, the thread gives that number back. A thread
// that ends gives all of it back, since its port closes.
import { MessageChannel, threadId, type MessagePort } from 'node:worker_threads'
import { ManagerError } from '../errors.js'
import { unpack } from '../transport/shareable.js'
import { Link, tellLast } from './rpc.js'
import type { Request } from './messages.js'

/** One manager as this thread knows it. */
export interface Connection {
  /** The manager's thread id, by which all threads know it. */
  manager: number
  name: string
  link: Link
  /** Functions that were given to the manager, by number. */
  callbacks: Map<number, Function>
}

const connections = new Map<number, Connection>()

/** The way to a manager. @throws ManagerError this thread has none */
export function connectionTo(manager: number, name: string): Connection {
  const connection = connections.get(manager)
  if (connection) return connection
  throw new ManagerError(
    `a proxy of ${name} came to this thread without a way to the manager:` +
      ' pass proxies as arguments or results of processes and tasks, or through a Connection, or attach a proxy that came so first',
  )
}

/** Whether this thread has a way to the manager that is open. */
export function isConnected(manager: number): boolean {
  return connections.get(manager)?.link.closed === false
}

/** Use this port from now on. @param ended why calls reject when it has closed */
export function connect(manager: number, name: string, port: MessagePort, ended?: () => Promise<unknown>): Connection {
  const callbacks = new Map<number, Function>()
  let reason: Promise<unknown> | undefined
  const link = new Link(port, {
    serve: (request) => callBack(callbacks, request),
    hear: (notice) => {
      if (notice.kind === 'forget') callbacks.delete(notice.callback)
    },
    onClose: () => {
      callbacks.clear()
      reason ??= ended?.() ?? Promise.resolve(new ManagerError(`${name} has ended`))
      ended = undefined // Only the reason is kept, as long as the thread: not the manager and its worker.
      return reason
    },
  })
  const connection: Connection = { manager, name, link, callbacks }
  connections.set(manager, connection)
  link.tell({ kind: 'hello', threadId })
  return connection
}

/** A port has come along with a proxy. */
export function useWay(manager: number, name: string, port: MessagePort): void {
  if (!isConnected(manager)) {
    connect(manager, name, port)
    return
  }
  tellLast(port, { kind: 'merge', threadId })
}

/** A way to the manager for another thread, which holds these objects until the thread has it. */
export function newWay(connection: Connection, objects: number[]): MessagePort {
  const { port1, port2 } = new MessageChannel()
  connection.link.tell({ kind: 'connect', port: port1, objects }, [port1])
  return port2
}

async function callBack(callbacks: ReadonlyMap<number, Function>, request: Request): Promise<unknown> {
  if (request.kind !== 'callback') throw new TypeError(`a manager's client cannot serve ${request.kind}`)

  const fn = callbacks.get(request.callback)
  if (!fn) throw new ManagerError('the callback is not there any more')
  return fn(...(unpack(request.args) as unknown[]))
}
