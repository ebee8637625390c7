// In the manager's thread: the functions that a caller has given to a call. Each calls the caller's function, in the caller's thread.
import { pack, unpack } from '../transport/pack.js'
import type { Rpc } from './rpc.js'
import type { CallArguments, RpcRequest } from './messages.js'
import type { Transferable } from 'node:worker_threads'

/** The arguments of a call. Functions among them are replaced by ones that call the caller's. */
export function argumentsOf(rpc: Rpc, { packed, callbacks = [] }: CallArguments): unknown[] {
  const args = unpack(packed) as unknown[]
  for (const [index, number] of callbacks) args[index] = callbackOf(rpc, number)
  return args
}

const collectedCallbacks = new FinalizationRegistry<{ rpc: Rpc; number: number }>(({ rpc, number }) =>
  rpc.notify({ kind: 'releaseCallback', callback: number }),
)

/** A function that calls the caller's function of that number, in the caller's thread. */
function callbackOf(rpc: Rpc, number: number): Function {
  const callback = (...args: unknown[]): Promise<unknown> => {
    const transfer: Transferable[] = []
    const request: RpcRequest = { kind: 'callback', callback: number, args: pack(args, transfer, rpc) }
    return rpc.request(request, transfer, { described: args })
  }
  collectedCallbacks.register(callback, { rpc, number })
  return callback
}
