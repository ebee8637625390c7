// This thread's clients of managers, one for each manager: the port that its proxies use, and the functions it has given away.
//
// An object lives as long as some thread has a proxy of it. The manager counts a reference for each time that it has sent a
// proxy of the object to a thread; the thread counts with it, and gives that number back when the proxy is collected. When the
// thread ends, its port closes and the manager takes back what is left. See README.md.
import { MessageChannel, threadId, type MessagePort } from 'node:worker_threads'
import { Promise } from '../base/clock.js'
import { ManagerError } from '../errors.js'
import { unpack } from '../transport/pack.js'
import { notifyAndClose } from './batching-port.js'
import { Rpc } from './rpc.js'
import type { RpcRequest } from './messages.js'

/** A manager as this thread knows it. */
export interface ManagerClient {
  /** The manager's thread id, by which all threads know it. */
  manager: number
  name: string
  rpc: Rpc
  /** The functions that were given to the manager, by number. */
  callbacks: Map<number, Function>
}

const clients = new Map<number, ManagerClient>()

/** @throws ManagerError (ERR_MANYHANDS_MANAGER) this thread has no port to the manager */
export function clientOf(manager: number, name: string): ManagerClient {
  const client = clients.get(manager)
  if (client) return client
  throw new ManagerError(
    `this thread received a proxy of ${name}, but no port to that manager: pass proxies as arguments or results of` +
      ' processes and tasks, or through a Connection; call attach() on a message of your own that contains one',
  )
}

/** Whether this thread has an open port to the manager. */
export function isConnected(manager: number): boolean {
  return clients.get(manager)?.rpc.closed === false
}

/**
 * Use this port for the manager from now on.
 * @param onEnd resolves to the reason with which calls reject once the port has closed. @default a ManagerError
 */
export function connect(
  manager: number,
  name: string,
  port: MessagePort,
  onEnd?: () => Promise<unknown>,
): ManagerClient {
  const callbacks = new Map<number, Function>()
  let reason: Promise<unknown> | undefined
  const rpc = new Rpc(port, {
    onRequest: (request) => callBack(callbacks, request),
    onNotice: (notice) => {
      if (notice.kind === 'releaseCallback') callbacks.delete(notice.callback)
    },
    onClose: () => {
      callbacks.clear()
      reason ??= onEnd?.() ?? Promise.resolve(new ManagerError(`${name} has ended`))
      onEnd = undefined // The client stays as long as this thread. It keeps the reason, not the manager and its worker.
      return reason
    },
  })
  const client: ManagerClient = { manager, name, rpc, callbacks }
  clients.set(manager, client)
  rpc.notify({ kind: 'hello', threadId })
  return client
}

/** A port to the manager has arrived with a proxy: use it, unless this thread has one. */
export function adoptPort(manager: number, name: string, port: MessagePort): void {
  if (isConnected(manager)) notifyAndClose(port, { kind: 'mergeRefs', threadId })
  else connect(manager, name, port)
}

/** A port to the manager, for a thread that is about to receive a proxy of the object. It holds a reference until then. */
export function openPortFor(object: number, { rpc }: ManagerClient): MessagePort {
  const { port1, port2 } = new MessageChannel()
  rpc.notify({ kind: 'openPort', port: port1, object }, [port1])
  return port2
}

async function callBack(callbacks: ReadonlyMap<number, Function>, request: RpcRequest): Promise<unknown> {
  if (request.kind !== 'callback') throw new TypeError(`a manager's client does not serve '${request.kind}' requests`)

  const fn = callbacks.get(request.callback)
  if (!fn) throw new ManagerError('the callback was released')
  return fn(...(unpack(request.args) as unknown[]))
}
