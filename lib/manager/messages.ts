// The messages between a manager's thread and the threads that have proxies. Each of those threads has one port to the manager,
// and all its messages go through that port, in order.
//
//   a thread that has proxies                          the manager's thread
//   RpcRequest ──> Rpc ═════════ port ═════════ Rpc ──> Host.#onRequest       a reply follows
//   RpcNotice  ──>                                  ──> Host.#onNotice        nothing follows
//   callBack <── Rpc ══════ port ══════ Rpc <── RpcRequest 'callback'         a reply follows
import type { MessagePort } from 'node:worker_threads'
import type { Packed } from '../transport/pack.js'
import type { Definition } from '../task/target.js'

/** The kind of shareable that proxies are. */
export const REMOTE_KIND = 'Remote'

/** What kind of object a proxy stands for. */
export type ObjectKind = 'dict' | 'list' | 'namespace' | 'object'

/** The arguments of a call. Functions among them are sent as numbers. */
export interface CallArguments {
  packed: Packed
  /** Which arguments are functions, and by which numbers the caller knows them. */
  callbacks: readonly (readonly [index: number, callback: number])[] | undefined
}

/** Items of an iteration that travel together. */
export interface IterationPage {
  items: unknown[]
  /** By which the next page is asked for; `undefined` at the end. */
  cursor: number | undefined
}

/** A message that is answered. `object` is the id of an object, unique in the program. */
export type RpcRequest =
  | { kind: 'ping' }
  | { kind: 'apply'; object: number; name: string; args: unknown[] }
  | { kind: 'applyPacked'; object: number; name: string; args: CallArguments }
  /** Call a method of a dict, a list or a namespace with a function that runs in the manager. */
  | { kind: 'applyFunction'; object: number; name: string; target: Definition; args: Packed }
  | { kind: 'get'; object: number; name: string }
  /** Begin an iteration. It and `nextPage` are answered with an IterationPage. */
  | { kind: 'iterate'; object: number }
  | { kind: 'nextPage'; cursor: number }
  /** From the manager: call a function that it was given. */
  | { kind: 'callback'; callback: number; args: Packed }

/** A message that is not answered. */
export type RpcNotice =
  /** Make an object. `target`: its class, where it is one of the program's. */
  | { kind: 'create'; object: number; made: ObjectKind; target: Definition | undefined; args: Packed }
  | { kind: 'set'; object: number; name: string; value: Packed }
  /** A port for a thread that is about to receive a proxy of the object. The port holds a reference to it. */
  | { kind: 'openPort'; port: MessagePort; object: number }
  /** The first message on a port that a thread has adopted. */
  | { kind: 'hello'; threadId: number }
  /** The only message on a port that its thread does not need: the references that it holds go to the thread's own port. */
  | { kind: 'mergeRefs'; threadId: number }
  /** The manager's own thread is about to receive a proxy of the object. */
  | { kind: 'addRef'; object: number }
  /** A proxy that was received `count` times has been collected. */
  | { kind: 'releaseRefs'; object: number; count: number }
  /** The Manager was dropped: the thread ends when there is no reference to any object. */
  | { kind: 'endWhenUnused' }
  /** The caller left an iteration early. */
  | { kind: 'endIteration'; cursor: number }
  /** From the manager: it will not call the function again. */
  | { kind: 'releaseCallback'; callback: number }
