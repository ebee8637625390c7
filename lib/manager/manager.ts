// Manager: objects that live in one thread and are used from all, after Python's multiprocessing.managers.
//
//   start() ──> RUNNING ──shutdown(), or its thread dies──> ENDED: every call rejects with ManagerError
import { inspect } from 'node:util'
import { MessageChannel, type Transferable, type Worker } from 'node:worker_threads'
import { ManagerError } from '../errors.js'
import { publish } from '../base/diagnostics.js'
import { pack } from '../transport/shareable.js'
import { refuseDuringImport } from '../task/import-guard.js'
import type { Definition } from '../task/target.js'
import { definitionOfTask, type ClassTask } from '../task/task.js'
import type { Identity } from '../process/control-block.js'
import { currentProcess, refuseTooDeep } from '../process/current-process.js'
import { bootThread } from '../thread/boot.js'
import { connect, type Connection } from './client.js'
import { newRemote } from './proxy.js'
import type { Remote, RemoteDict, RemoteList, RemoteNamespace } from './proxy-types.js'
import type { ObjectKind } from './messages.js'

export interface ManagerOptions {
  /** @default `Manager-N` */
  name?: string | undefined
}

let managersMade = 0

/**
 * Objects in a thread of their own: dictionaries, lists, namespaces, and objects of the program's classes. Its methods give proxies,
 * which can be passed to any process or task, and talk to the manager directly. It does not hold the program open.
 */
export class Manager {
  readonly name: string
  readonly #worker: Worker
  readonly #connection: Connection
  readonly #exit: Promise<ManagerError>
  #shutDown = false
  #ended = false

  private constructor(name: string) {
    const { port1, port2 } = new MessageChannel()
    const { name: parentName, pid, numbers } = currentProcess()
    const identity: Identity = {
      name,
      numbers: [...numbers, managersMade],
      daemon: true,
      parent: { name: parentName, pid },
    }
    this.name = name
    this.#worker = bootThread('manager', {
      workerData: { identity, port: port2 },
      transferList: [port2],
    })
    this.#exit = this.#watch()
    this.#connection = connect(this.#worker.threadId, name, port1, () => {
      // Its end is near: what it died of is told by the worker's events.
      if (!this.#ended) this.#worker.ref()
      return this.#exit
    })
    this.#worker.unref()
    publish('process', () => ({ event: 'started', name, pid: this.#connection.manager }))
  }

  /**
   * Start a manager: its thread.
   * @throws TypeError a name that is no string; BootstrapError in a module that a worker is importing; ManagerError it did not start.
   */
  static async start(options: ManagerOptions = {}): Promise<Manager> {
    if (typeof options !== 'object' || options === null)
      throw new TypeError(`Manager.start takes { name }, not ${inspect(options)}`)
    const { name } = options
    if (name !== undefined && typeof name !== 'string')
      throw new TypeError(`name must be a string, not ${inspect(name)}`)
    refuseDuringImport('start a manager')
    refuseTooDeep('start a manager')
    managersMade++
    return await startNamed(name ?? `Manager-${[...currentProcess().numbers, managersMade].join(':')}`)
  }

  /** @internal */
  static async startNamed(name: string): Promise<Manager> {
    const manager = new this(name)
    await manager.#connection.link.request({ kind: 'ping' })
    return manager
  }

  /** A dictionary. @param init a Map, its entries, or an object @throws TypeError, DataCloneError, ManagerError */
  dict<K = any, V = any>(init?: Iterable<readonly [K, V]>): RemoteDict<K, V>
  dict<K = string, V = any>(init: { readonly [key: string]: V }): RemoteDict<K, V>
  dict(init?: object): RemoteDict<any, any> {
    if (init !== undefined && (typeof init !== 'object' || init === null))
      throw new TypeError(`a dict is made of a Map, of entries or of an object, not of ${inspect(init)}`)
    const entries =
      init === undefined ? [] : Symbol.iterator in init ? [...(init as Iterable<unknown>)] : Object.entries(init)
    for (const [i, entry] of entries.entries())
      if (!Array.isArray(entry)) throw new TypeError(`init[${i}] must be an entry, [key, value], not ${inspect(entry)}`)
    return this.#make('dict', undefined, [entries]) as RemoteDict<any, any>
  }

  /** A list. @param init its items @throws TypeError, DataCloneError, ManagerError */
  list<T = any>(init: Iterable<T> = []): RemoteList<T> {
    if (typeof init !== 'string' && (typeof init !== 'object' || init === null || !(Symbol.iterator in init)))
      throw new TypeError(`a list is made of an iterable, not of ${inspect(init)}`)
    return this.#make('list', undefined, [[...init]]) as RemoteList<T>
  }

  /** An object with fields. @param init its first fields @throws TypeError, DataCloneError, ManagerError */
  namespace<T extends object = any>(init?: T): RemoteNamespace<T> {
    if (init !== undefined && (typeof init !== 'object' || init === null))
      throw new TypeError(`a namespace is made of an object, not of ${inspect(init)}`)
    return this.#make('namespace', undefined, [{ ...init }]) as RemoteNamespace<T>
  }

  /**
   * An object of a class. If the class cannot be imported, or its constructor throws, every call of the proxy rejects with that.
   * @param classTask `task(import.meta.url, Class)`, or a class of `tasksFrom`
   * @throws TypeError not such a class; DataCloneError, ManagerError
   */
  create<A extends unknown[], T>(classTask: ClassTask<A, T>, ...args: NoInfer<A>): Remote<T> {
    const definition = typeof classTask === 'function' ? definitionOfTask(classTask) : undefined
    if (!definition)
      throw new TypeError(
        `create needs a class that the manager can import: task(import.meta.url, class Name { … }), not ${inspect(classTask)}`,
      )
    return this.#make('object', definition, args) as Remote<T>
  }

  /** End the manager and what it owns. All calls, the pending ones too, reject with ManagerError. Shutting down twice is harmless. */
  async shutdown(): Promise<void> {
    if (!this.#shutDown && !this.#ended) {
      this.#worker.ref()
      void this.#worker.terminate()
    }
    this.#shutDown = true
    await this.#exit
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.shutdown()
  }

  #make(made: ObjectKind, target: Definition | undefined, args: unknown[]): object {
    const { link, manager } = this.#connection
    if (this.#shutDown || this.#ended || link.closed)
      throw new ManagerError(
        `${this.name} ${this.#shutDown ? 'was shut down' : 'has ended'} and makes nothing any more`,
      )
    const { remote, id } = newRemote(manager, this.name, made)
    const transfer: Transferable[] = []
    const packed = pack(args, transfer, link)
    const [described, root] = made === 'object' ? [args, 'args'] : [args[0], 'init']
    link.send({ kind: 'create', object: id, made, target, args: packed }, transfer, described, root)
    return remote
  }

  #watch(): Promise<ManagerError> {
    let cause: unknown
    const worker = this.#worker
    worker.on('error', (thrown: unknown) => {
      if (cause === undefined) process.stderr.write(`Manager ${this.name}:\n${inspect(thrown)}\n`)
      cause ??= thrown
    })
    return new Promise((resolve) => {
      worker.once('exit', (code) => {
        this.#ended = true
        const { name } = this
        publish('process', () => ({ event: 'ended', name, pid: this.#connection.manager, exitcode: code }))
        const how = this.#shutDown ? 'was shut down' : `died with exit code ${code}`
        const reason = new ManagerError(`${this.name} ${how}`, { ...(cause !== undefined && { cause }) })
        void reason.stack // Made only when it is read, of the objects whose methods were called, which it keeps until then.
        resolve(reason)
      })
    })
  }
}

// Outside of the class: one that names itself inside is renamed by the bundler.
function startNamed(name: string): Promise<Manager> {
  return Manager.startNamed(name)
}
