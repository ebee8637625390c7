// What the threads of a manager say to one another. All of it goes through one port for each thread, in order.
//
//   a thread that has proxies                         the manager's thread
//   request ──> Link ═════════ port ═════════ Link ──> Host.serve          a reply follows
//   notice  ──>                                    ──> Host.hear           nothing follows
//   Callbacks.serve <── Link ═ port ═ Link <── request { kind: 'callback' }
import type { MessagePort } from 'node:worker_threads'
import type { Packed } from '../transport/shareable.js'
import type { Definition } from '../task/target.js'

/** What kind of object a proxy stands for. */
export type ObjectKind = 'dict' | 'list' | 'namespace' | 'object'

/** The arguments of a call. Functions among them are sent as numbers. */
export interface Arguments {
  packed: Packed
  /** Which arguments are functions, and by which numbers the caller knows them. */
  callbacks: readonly (readonly [index: number, callback: number])[] | undefined
}

/** What is answered. `object` is the number of an object: unique in the program. */
export type Request =
  | { kind: 'ping' }
  | { kind: 'apply'; object: number; name: string; args: unknown[] }
  | { kind: 'applyPacked'; object: number; name: string; args: Arguments }
  /** A method of a dict, a list or a namespace that runs a target on what is there. */
  | { kind: 'run'; object: number; name: string; target: Definition; args: Packed }
  | { kind: 'get'; object: number; name: string }
  | { kind: 'iterate'; object: number }
  | { kind: 'advance'; cursor: number }
  | { kind: 'callback'; callback: number; args: Packed }

/** What is not answered. */
export type Notice =
  /** A new object. `target`: the class, where it is one of the user's. */
  | { kind: 'create'; object: number; made: ObjectKind; target: Definition | undefined; args: Packed }
  | { kind: 'set'; object: number; name: string; value: Packed }
  /** A way to the manager for a thread that is going to be handed these objects. It holds them until that thread says hello. */
  | { kind: 'connect'; port: MessagePort; objects: number[] }
  /** The first message on a new way: the thread at its other end. From now on the thread holds what the way has held. */
  | { kind: 'hello'; threadId: number }
  /** The only message on a way that is not needed: the thread has one. It now holds what this one held. */
  | { kind: 'merge'; threadId: number }
  /** The manager itself is about to be handed the object. */
  | { kind: 'lend'; object: number }
  /** The proxy that was received so many times is gone. */
  | { kind: 'release'; object: number; count: number }
  /** An iteration that was left early. */
  | { kind: 'leave'; cursor: number }
  /** The manager does not call it any more. */
  | { kind: 'forget'; callback: number }
