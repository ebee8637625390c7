// Manager: objects that live in one thread and are used from all, after Python's multiprocessing.managers.
//
//   start() ──> RUNNING ──shutdown(), or its thread dies──> ENDED: every call rejects with ManagerError
//
// The thread, and how it ends, are in manager-thread.ts.
import { inspect } from 'node:util'
import type { Transferable } from 'node:worker_threads'
import { perThread, recognizeCopies } from '../copies.js'
import { ManagerError } from '../errors.js'
import { warnDropped } from '../thread/dropped.js'
import { checkOptions, checkString, refuseExcess } from '../base/validate.js'
import { pack } from '../transport/pack.js'
import { registerShareable } from '../transport/shareable.js'
import { markUnsendable, unsendableMark } from '../transport/unsendable.js'
import { refuseDuringImport } from '../task/import-guard.js'
import type { Definition } from '../task/target.js'
import { definitionOfTask, type ClassTask } from '../task/task.js'
import { currentProcess, refuseTooDeep } from '../process/current-process.js'
import { ManagerThread } from './manager-thread.js'
import { newRemote, rebuildRemote, remoteParts } from './proxy.js'
import type { Remote, RemoteDict, RemoteList, RemoteNamespace } from './proxy-types.js'
import { REMOTE_KIND, type ObjectKind } from './messages.js'

const UNSENDABLE_MANAGER = unsendableMark('send proxies of its objects')

export interface ManagerOptions {
  /** @default `Manager-N`, `Manager-N:M` for managers of the N-th process */
  name?: string | undefined
}

const managers = perThread('managers made', () => ({ made: 0 }))

/** Their threads end once nobody has a proxy of their objects. */
const droppedManagers = new FinalizationRegistry<ManagerThread>((thread) => {
  if (thread.release()) warnDropped('a Manager')
})

let newManager: (name: string) => Manager

/**
 * Objects in a thread of their own: dictionaries, lists, namespaces, and objects of the program's classes. Its methods return
 * proxies, which can be passed to any process or task, and which talk to the manager directly. It does not hold the program open.
 * One that is dropped ends its thread when it and all proxies have been collected, and warns (MANYHANDS_NOT_SHUT_DOWN). After Python's multiprocessing.Manager.
 */
export class Manager {
  static {
    newManager = (name) => new this(name)
  }

  readonly name: string
  readonly #thread: ManagerThread

  private constructor(name: string) {
    markUnsendable(this, UNSENDABLE_MANAGER)
    const { name: parentName, pid, numbers } = currentProcess()
    this.name = name
    this.#thread = new ManagerThread({
      name,
      numbers: [...numbers, managers.made],
      daemon: true,
      parent: { name: parentName, pid },
    })
    const thread = this.#thread
    droppedManagers.register(this, thread, thread)
    void thread.exit.then(() => droppedManagers.unregister(thread)) // The registry would keep it until the manager is collected.
  }

  /**
   * Start a manager: boot its thread.
   * @throws TypeError unknown option, or a name that is not a string
   * @throws BootstrapError (ERR_MANYHANDS_BOOTSTRAP) a worker is still importing the module that calls it
   * @throws ManagerError (ERR_MANYHANDS_MANAGER) the thread could not be started, or died while it booted
   */
  static async start(options: ManagerOptions = {}): Promise<Manager> {
    checkOptions(options, 'the options of Manager.start', ['name'])
    const { name } = options
    if (name !== undefined) checkString(name, 'name')
    refuseDuringImport('start a manager')
    refuseTooDeep('start a manager')
    managers.made++
    // Not: new Manager. A class that names itself inside is renamed by the bundler.
    const manager = newManager(name ?? `Manager-${[...currentProcess().numbers, managers.made].join(':')}`)
    await manager.#thread.client.rpc.request({ kind: 'ping' })
    return manager
  }

  /**
   * A dictionary.
   * @param init a Map, entries, or an object. @default empty
   * @throws TypeError, DataCloneError (ERR_MANYHANDS_DATA_CLONE), ManagerError (ERR_MANYHANDS_MANAGER)
   */
  dict<K = any, V = any>(init?: Iterable<readonly [K, V]>): RemoteDict<K, V>
  dict<K = string, V = any>(init: { readonly [key: string]: V }): RemoteDict<K, V>
  dict(init?: object): RemoteDict<any, any> {
    if (init !== undefined && (typeof init !== 'object' || init === null))
      throw new TypeError(`init must be a Map, entries or an object, not ${inspect(init)}`)
    const entries =
      init === undefined ? [] : Symbol.iterator in init ? [...(init as Iterable<unknown>)] : Object.entries(init)
    for (const [i, entry] of entries.entries())
      if (!Array.isArray(entry)) throw new TypeError(`init[${i}] must be an entry, [key, value], not ${inspect(entry)}`)
    return this.#make('dict', undefined, [entries]) as RemoteDict<any, any>
  }

  /**
   * A list.
   * @param init its items. @default empty
   * @throws TypeError, DataCloneError (ERR_MANYHANDS_DATA_CLONE), ManagerError (ERR_MANYHANDS_MANAGER)
   */
  list<T = any>(init: Iterable<T> = []): RemoteList<T> {
    if (typeof init !== 'string' && (typeof init !== 'object' || init === null || !(Symbol.iterator in init)))
      throw new TypeError(`init must be iterable, not ${inspect(init)}`)
    return this.#make('list', undefined, [[...init]]) as RemoteList<T>
  }

  /**
   * An object with fields.
   * @param init its initial fields. @default none
   * @throws TypeError, DataCloneError (ERR_MANYHANDS_DATA_CLONE), ManagerError (ERR_MANYHANDS_MANAGER)
   */
  namespace<T extends object = any>(init?: T): RemoteNamespace<T> {
    if (init !== undefined && (typeof init !== 'object' || init === null))
      throw new TypeError(`init must be an object, not ${inspect(init)}`)
    return this.#make('namespace', undefined, [{ ...init }]) as RemoteNamespace<T>
  }

  /**
   * An object of a class. If the class cannot be imported, or its constructor throws, every call of the proxy rejects with that
   * error.
   * @param classTask `task(import.meta.url, Class)`, or a class of `tasksFrom`
   * @throws TypeError not such a class
   * @throws DataCloneError (ERR_MANYHANDS_DATA_CLONE), ManagerError (ERR_MANYHANDS_MANAGER)
   */
  create<A extends unknown[], T>(classTask: ClassTask<A, T>, ...args: NoInfer<A>): Remote<T> {
    const definition = typeof classTask === 'function' ? definitionOfTask(classTask) : undefined
    if (!definition)
      throw new TypeError(
        `classTask must be a class that the manager can import, task(import.meta.url, class Name { … }), not ${inspect(classTask)}`,
      )
    return this.#make('object', definition, args) as Remote<T>
  }

  /**
   * End the manager and its objects. All calls, pending ones included, reject with ManagerError. Shutting down twice is harmless.
   */
  shutdown(): Promise<void>
  async shutdown(...excess: unknown[]): Promise<void> {
    refuseExcess(excess, 'shutdown()')
    await this.#thread.shutdown()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.shutdown()
  }

  #make(made: ObjectKind, target: Definition | undefined, args: unknown[]): object {
    const { client, isShutDown, hasEnded } = this.#thread
    const { rpc, manager } = client
    if (isShutDown || hasEnded || rpc.closed)
      throw new ManagerError(`${this.name} ${isShutDown ? 'was shut down' : 'has ended'}: it makes no more objects`)
    const { remote, id } = newRemote(manager, this.name, made)
    const transfer: Transferable[] = []
    const packed = pack(args, transfer, rpc)
    const given = made === 'object' ? { value: args, root: 'args' } : { value: args[0], root: 'init' }
    rpc.notify({ kind: 'create', object: id, made, target, args: packed }, transfer, given)
    return remote
  }
}

// Not beside the proxies: those are loaded with the first that is made or received.
registerShareable(REMOTE_KIND, (handle, here) => rebuildRemote(handle, here), {
  onSend: (remote, to) => remoteParts(remote, to),
})
recognizeCopies(Manager, 'Manager')
