// Calls of a proxy's methods, and iterations, as the caller's thread sends them.
//
//   arguments                                        request
//   primitive values only                            apply: travels with other calls of the turn
//   a function, to a method of a dict, a list or
//   a namespace that
//     only reads (map, filter, …)                    apply `entries`; the method runs here, on a copy. A task: as update
//     changes (update, sort)                         applyFunction: the function runs in the manager
//     takes no function (set, push, …)               none: DataCloneError
//   anything else                                    applyPacked; functions are called back in this thread
import type { Transferable } from 'node:worker_threads'
import { bindContext } from '../base/async-context.js'
import { DataCloneError } from '../errors.js'
import type { CallSite } from '../base/call-site.js'
import { define } from '../task/target.js'
import { definitionOfTask } from '../task/task.js'
import { pack } from '../transport/pack.js'
import type { ManagerClient } from './client.js'
import type { CallContext, Rpc } from './rpc.js'
import type { CallArguments, IterationPage, ObjectKind, RpcRequest } from './messages.js'

/** Methods of dicts and lists that take a function and change nothing. */
const READING_METHODS = new Set(
  'forEach map flatMap filter find findIndex findLast findLastIndex some every reduce reduceRight toSorted'.split(' '),
)

/** Methods that take a function and change the object. */
const CHANGING_METHODS = new Set(['update', 'sort'])

/** The object whose method is called, and where the call was made. */
interface Callee {
  remote: object
  id: number
  kind: ObjectKind
  callSite: CallSite
}

/** @throws DataCloneError, TypeError a function among the arguments cannot be sent */
export function callMethod(client: ManagerClient, callee: Callee, name: string, args: unknown[]): Promise<unknown> {
  const { remote, id, kind, callSite } = callee
  const { rpc } = client
  const context: CallContext = { described: args, self: remote, callSite }
  let primitive = true
  for (const arg of args) if (typeof arg === 'object' ? arg !== null : typeof arg === 'function') primitive = false
  if (primitive) return rpc.request({ kind: 'apply', object: id, name, args }, undefined, context)
  if (kind !== 'object') {
    const index = args.findIndex((arg) => typeof arg === 'function')
    const fn = args[index] as Function | undefined
    const reads = READING_METHODS.has(name)
    if (fn && !CHANGING_METHODS.has(name) && (!reads || index > 0)) throw uncloneable(fn, index)
    if (fn && reads && !definitionOfTask(fn)) return callOnCopy(rpc, id, kind, name, args)
    if (fn) return applyFunction(rpc, id, name, fn, { ...context, described: args.toSpliced(index, 1) })
  }
  const transfer: Transferable[] = []
  const request: RpcRequest = { kind: 'applyPacked', object: id, name, args: packArguments(client, args, transfer) }
  return rpc.request(request, transfer, context)
}

function uncloneable(fn: Function, index: number): DataCloneError {
  const path = `args[${index}]`
  const what = `a function (${fn.name || 'anonymous'})`
  return new DataCloneError(`${path} is ${what}, which cannot be sent to another thread`, { path })
}

async function callOnCopy(rpc: Rpc, object: number, kind: ObjectKind, name: string, args: unknown[]): Promise<unknown> {
  const entries = await rpc.request({ kind: 'apply', object, name: 'entries', args: [] })
  const copy: unknown =
    kind === 'dict'
      ? new Map(entries as [unknown, unknown][])
      : (entries as [number, unknown][]).map(([, item]) => item)
  const method = (copy as Record<string, unknown>)[name]
  if (typeof method !== 'function') throw new TypeError(`${name} is not a method of a ${kind}`)
  return method.apply(copy, args) as unknown
}

/** The function goes to the manager: a task by its name, any other by its source. */
function applyFunction(rpc: Rpc, object: number, name: string, fn: Function, context: CallContext): Promise<unknown> {
  const transfer: Transferable[] = []
  const args = pack(context.described, transfer, rpc)
  return rpc.request({ kind: 'applyFunction', object, name, target: define(fn as never), args }, transfer, context)
}

let lastCallback = 0

function packArguments({ callbacks, rpc }: ManagerClient, args: unknown[], transfer: Transferable[]): CallArguments {
  const sent: [number, number][] = []
  const values = args.map((arg, index) => {
    if (typeof arg !== 'function') return arg
    callbacks.set(++lastCallback, bindContext(arg as (...args: unknown[]) => unknown))
    sent.push([index, lastCallback])
    return undefined
  })
  return { packed: pack(values, transfer, rpc), callbacks: sent.length > 0 ? sent : undefined }
}

export async function* iterate({ rpc }: ManagerClient, object: number): AsyncGenerator<unknown> {
  let page = (await rpc.request({ kind: 'iterate', object })) as IterationPage
  try {
    for (;;) {
      yield* page.items
      if (page.cursor === undefined) return
      page = (await rpc.request({ kind: 'nextPage', cursor: page.cursor })) as IterationPage
    }
  } finally {
    if (page.cursor !== undefined) rpc.notify({ kind: 'endIteration', cursor: page.cursor })
  }
}
