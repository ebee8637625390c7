// The host: the objects of a manager, and the calls to them, in the manager's thread. One Session for each port to it.
//
// A call runs at once, unless its object is busy: while it is being made, and while a function that the caller has sent runs on it
// (`update`, `sort`). Calls wait for that.
import { Promise, setImmediate } from '../base/clock.js'
import { ManagerError } from '../errors.js'
import { OwnContext } from '../base/async-context.js'
import { callSafely } from '../base/safe-callback.js'
import { unpack } from '../transport/pack.js'
import { loadTarget, ImportFailure } from '../task/target.js'
import { RETURN_THIS, Rpc } from './rpc.js'
import { argumentsOf } from './callbacks.js'
import { collections, type Collection } from './collections.js'
import { Iterations } from './iterations.js'
import { hostSessions } from './proxy.js'
import { RefCounts, type PortRefs } from './ref-counts.js'
import type { ObjectKind, RpcNotice, RpcRequest } from './messages.js'
import { isThenable } from '../base/brands.js'
import type { MessagePort } from 'node:worker_threads'

interface ManagedObject {
  kind: ObjectKind
  /** `undefined` until it is made, or where that failed. */
  value: object | undefined
  /** Why it could not be made. */
  failure: { reason: unknown } | undefined
  /** Settles when the next call may run; it does not reject. `undefined` where the object is not busy. */
  busy: Promise<unknown> | undefined
  refs: number
}

/** One port, and the thread at its other end. */
interface Session {
  rpc: Rpc
  refs: PortRefs
  iterations: Iterations
}

export class Host {
  readonly #manager: number
  readonly #objects = new Map<number, ManagedObject>()
  readonly #refCounts = new RefCounts(this.#objects)
  readonly #ownSession: Session
  /** In which each call begins. */
  readonly #context = new OwnContext()
  readonly #onUnused: () => void
  #endsWhenUnused = false
  /** Calls that have not settled. */
  #callsPending = 0

  /**
   * @param manager the id of this thread
   * @param ownPort the host's end of the port that proxies in this thread use
   * @param onUnused called when the manager was dropped, and nobody uses its objects
   */
  constructor(manager: number, ownPort: MessagePort, onUnused: () => void) {
    this.#manager = manager
    this.#onUnused = onUnused
    this.#ownSession = this.admit(ownPort)
  }

  /** Serve the thread that has the other end of the port. */
  admit(port: MessagePort): Session {
    const session: Session = {
      rpc: new Rpc(port, {
        onRequest: (request) => this.#countPending(this.#context.run(() => this.#onRequest(session, request))),
        onNotice: (notice) => {
          this.#context.run(() => this.#onNotice(session, notice))
          this.#endIfUnused()
        },
        onClose: () => this.#onClose(session),
      }),
      refs: this.#refCounts.openPort(),
      iterations: new Iterations(),
    }
    const addRef = (object: number) => this.#refCounts.addRef(session.refs, object)
    hostSessions.set(session.rpc, { manager: this.#manager, addRef })
    return session
  }

  async #onClose({ refs, iterations }: Session): Promise<unknown> {
    this.#refCounts.closed(refs)
    iterations.clear()
    this.#endIfUnused()
    return new ManagerError('the thread that gave the callback has ended')
  }

  #countPending(result: unknown): unknown {
    if (!(result instanceof Promise)) return result
    this.#callsPending++
    return result.finally(() => {
      this.#callsPending--
      setImmediate(() => this.#endIfUnused()) // Once it is answered.
    })
  }

  #endIfUnused(): void {
    if (this.#endsWhenUnused && this.#objects.size === 0 && this.#callsPending === 0) this.#onUnused()
  }

  #onNotice(session: Session, notice: RpcNotice): void {
    const { refs, iterations } = session
    switch (notice.kind) {
      case 'create':
        this.#create(refs, notice)
        break
      case 'set':
        // Nobody waits for an answer, and a setter that throws must not end the manager.
        callSafely(`setting the field ${notice.name} of a managed object`, () =>
          this.#inTurn(notice.object, (value) => Reflect.set(value, notice.name, unpack(notice.value))),
        )
        break
      case 'openPort':
        this.#refCounts.addRef(this.admit(notice.port).refs, notice.object)
        break
      case 'hello':
        this.#refCounts.hello(refs, notice.threadId)
        break
      case 'mergeRefs':
        this.#refCounts.mergeRefs(refs, notice.threadId)
        break
      case 'addRef':
        this.#refCounts.addRef(this.#ownSession.refs, notice.object)
        break
      case 'releaseRefs':
        this.#refCounts.release(refs, notice.object, notice.count)
        break
      case 'endWhenUnused':
        this.#endsWhenUnused = true
        break
      case 'endIteration':
        iterations.end(notice.cursor)
        break
      case 'releaseCallback':
        break
      default:
        notice satisfies never
    }
  }

  #create(refs: PortRefs, { object, made, target, args }: RpcNotice & { kind: 'create' }): void {
    const entry: ManagedObject = { kind: made, value: undefined, failure: undefined, busy: undefined, refs: 0 }
    this.#objects.set(object, entry)
    this.#refCounts.addRef(refs, object)
    const make = (construct: (...args: unknown[]) => object) => {
      try {
        entry.value = construct(...(unpack(args) as unknown[]))
      } catch (reason) {
        entry.failure = { reason }
      }
    }
    if (made !== 'object') return make(collections[made].make)
    const load = async () => {
      try {
        const loaded = (await loadTarget(target!)) as new (...args: unknown[]) => object
        this.#context.run(() => make((...given) => new loaded(...given)))
      } catch (thrown) {
        entry.failure = { reason: reasonOf(thrown) }
      }
    }
    occupy(entry, load())
  }

  #find(object: number): ManagedObject {
    const entry = this.#objects.get(object)
    if (!entry) throw new ManagerError(`the manager has no object ${object}; it was freed`)
    return entry
  }

  /** Use an object when it is its turn: at once, unless it is busy. */
  #inTurn<T>(object: number, use: (value: object, entry: ManagedObject) => T): T | Promise<Awaited<T>> {
    const entry = this.#find(object)
    if (entry.busy) return this.#whenNotBusy(entry, use)
    if (entry.failure) throw entry.failure.reason
    return use(entry.value!, entry)
  }

  async #whenNotBusy<T>(entry: ManagedObject, use: (value: object, entry: ManagedObject) => T): Promise<Awaited<T>> {
    while (entry.busy) await entry.busy
    if (entry.failure) throw entry.failure.reason
    // Entered anew: until the thread has used an async context, what awaits has none.
    return await this.#context.run(() => use(entry.value!, entry))
  }

  #onRequest(session: Session, request: RpcRequest): unknown {
    const { rpc, iterations } = session
    switch (request.kind) {
      case 'ping':
        return undefined
      case 'apply':
        return replyTo(
          rpc,
          this.#inTurn(request.object, (value, { kind }) => apply(value, kind, request.name, request.args)),
        )
      case 'applyPacked': {
        const args = argumentsOf(rpc, request.args)
        return replyTo(
          rpc,
          this.#inTurn(request.object, (value, { kind }) => apply(value, kind, request.name, args)),
        )
      }
      case 'applyFunction':
        return this.#applyFunction(request)
      case 'get':
        return replyTo(
          rpc,
          this.#inTurn(request.object, (value, { kind }) => read(value, kind, request.name)),
        )
      case 'iterate':
        return replyTo(
          rpc,
          this.#inTurn(request.object, (value) => iterations.begin(value)),
        )
      case 'nextPage':
        return replyTo(rpc, iterations.next(request.cursor))
      case 'callback':
        throw new ManagerError('a manager has no callbacks of its own')
      default:
        return request satisfies never
    }
  }

  /** Call a method with a function that runs here. The object is busy until the method has settled. */
  #applyFunction({ object, name, target, args }: RpcRequest & { kind: 'applyFunction' }): Promise<unknown> {
    const given = unpack(args) as unknown[]
    const entry = this.#find(object)
    const before = entry.busy
    const result = (async () => {
      const fn = await loadTarget(target).catch((thrown: unknown) => {
        throw reasonOf(thrown)
      })
      await before
      if (entry.failure) throw entry.failure.reason
      const method = entry.kind === 'object' ? undefined : collections[entry.kind].methodsWithFunction[name]
      return await this.#context.run(() =>
        method
          ? method(entry.value as never, fn, ...(given as never[]))
          : apply(entry.value!, entry.kind, name, [fn, ...given]),
      )
    })()
    occupy(
      entry,
      result.catch(() => {}),
    )
    return result
  }
}

function reasonOf(thrown: unknown): unknown {
  return thrown instanceof ImportFailure ? thrown.reason : thrown
}

/** Keep calls waiting until the promise has settled. It does not reject. */
function occupy(entry: ManagedObject, promise: Promise<unknown>): void {
  const busy = promise.finally(() => {
    if (entry.busy === busy) entry.busy = undefined
  })
  entry.busy = busy
}

/** A result that is there already is replied as it is now: later calls may change the object. */
function replyTo(rpc: Rpc, result: unknown): unknown {
  return isThenable(result) ? Promise.resolve(result) : rpc.replyNow(result)
}

/** Names that are on every object, and that no proxy may reach. */
function refuseInherited(name: string): void {
  if (name === 'constructor' || name === '__proto__' || (Object.hasOwn(Object.prototype, name) && name !== 'toString'))
    throw new TypeError(`${name} cannot be reached through a proxy`)
}

function apply(value: object, kind: ObjectKind, name: string, args: unknown[]): unknown {
  const collection: Collection | undefined = kind === 'object' ? undefined : collections[kind]
  const replacement = collection?.methods[name]
  let result: unknown
  if (replacement) result = replacement(value as never, ...(args as never[]))
  else {
    refuseInherited(name)
    const method = (value as Record<string, unknown>)[name]
    if (typeof method !== 'function') throw new TypeError(`${name} is not a method of the ${kind}`)
    result = method.apply(value, args)
  }
  return result === value ? RETURN_THIS : result
}

function read(value: object, kind: ObjectKind, name: string): unknown {
  refuseInherited(name)
  const field = (value as Record<string, unknown>)[name]
  if (typeof field === 'function') throw new TypeError(`${name} is a method of the ${kind}: call it`)
  return field === value ? RETURN_THIS : field
}
