// The manager's side: the objects, who holds them, and what is done to them. One Session for each thread that has a way here.
import { ManagerError } from '../errors.js'
import { pack, unpack } from '../transport/shareable.js'
import { loadTarget, ImportFailure } from '../task/target.js'
import { ITSELF, Link } from './rpc.js'
import { builtIns, type BuiltIn } from './collections.js'
import { holders, type Batch } from './proxy.js'
import type { Arguments, Notice, ObjectKind, Request } from './messages.js'
import type { MessagePort, Transferable } from 'node:worker_threads'

/** An object and what is to be known of it. */
interface Entry {
  kind: ObjectKind
  value: object | undefined
  /** Why there is no object. */
  failure: { reason: unknown } | undefined
  /** What has to be done before the next call. */
  busy: Promise<unknown> | undefined
  /** By how many proxies it is held, in all threads together. */
  holds: number
}

/** What one thread holds and iterates over. */
interface Session {
  link: Link
  holds: Map<number, number>
  cursors: Map<number, Iterator<unknown> | AsyncIterator<unknown>>
  threadId: number | undefined
  /** What it holds is going to be held by another. */
  merging: boolean
}

/** So many items travel together when a proxy is iterated over. */
const BATCH = 256

export class Host {
  readonly #manager: number
  readonly #entries = new Map<number, Entry>()
  /** Of the threads that have said hello. */
  readonly #threads = new Map<number, Session>()
  /** Of threads that have ended. */
  readonly #ended = new Set<number>()
  /** What threads hold whose hello has yet to come. */
  readonly #early = new Map<number, Session[]>()
  readonly #own: Session
  #lastCursor = 0

  /** @param manager the id of this thread @param own where the proxies in this thread have their port */
  constructor(manager: number, own: MessagePort) {
    this.#manager = manager
    this.#own = this.admit(own)
  }

  /** How many objects there are. */
  get size(): number {
    return this.#entries.size
  }

  /** Serve whoever has the other end of the port. */
  admit(port: MessagePort, objects: readonly number[] = []): Session {
    const session: Session = {
      link: new Link(port, {
        serve: (request) => this.#serve(session, request),
        hear: (notice) => this.#hear(session, notice),
        onClose: () => this.#leave(session),
      }),
      holds: new Map(),
      cursors: new Map(),
      threadId: undefined,
      merging: false,
    }
    holders.set(session.link, { manager: this.#manager, hold: (object) => this.#hold(session, object) })
    for (const object of objects) this.#hold(session, object)
    return session
  }

  async #leave(session: Session): Promise<unknown> {
    if (!session.merging) for (const [object, count] of session.holds) this.#release(session, object, count)
    session.cursors.clear()
    if (session.threadId !== undefined && this.#threads.delete(session.threadId)) this.#ended.add(session.threadId)
    return new ManagerError('the thread that gave the callback has ended')
  }

  #hold(session: Session, object: number, count = 1): void {
    const entry = this.#entries.get(object)
    if (!entry) return
    entry.holds += count
    session.holds.set(object, (session.holds.get(object) ?? 0) + count)
  }

  #release(session: Session, object: number, count: number): void {
    const left = (session.holds.get(object) ?? 0) - count
    if (left > 0) session.holds.set(object, left)
    else session.holds.delete(object)
    const entry = this.#entries.get(object)
    if (entry && (entry.holds -= count) <= 0) this.#entries.delete(object)
  }

  /** All that one session holds goes to another. */
  #move(from: Session, to: Session): void {
    for (const [object, count] of from.holds) to.holds.set(object, (to.holds.get(object) ?? 0) + count)
    from.holds.clear()
  }

  #hear(session: Session, notice: Notice): void {
    switch (notice.kind) {
      case 'create':
        this.#create(session, notice)
        break
      case 'set':
        void this.#inTurn(notice.object, (value) => Reflect.set(value, notice.name, unpack(notice.value)))
        break
      case 'connect':
        this.admit(notice.port, notice.objects)
        break
      case 'hello':
        session.threadId = notice.threadId
        this.#threads.set(notice.threadId, session)
        for (const early of this.#early.get(notice.threadId) ?? []) this.#move(early, session)
        this.#early.delete(notice.threadId)
        break
      case 'merge': {
        const { threadId } = notice
        const other = this.#threads.get(threadId)
        // If it has ended: this way closes, and what it holds is given back.
        if (other) this.#move(session, other)
        else if (!this.#ended.has(threadId)) {
          // Its hello was sent before this, on another port, which need not be heard first.
          session.merging = true
          this.#early.set(threadId, [...(this.#early.get(threadId) ?? []), session])
        }
        break
      }
      case 'lend': {
        this.#hold(this.#own, notice.object)
        break
      }
      case 'release':
        this.#release(session, notice.object, notice.count)
        break
      case 'leave':
        void session.cursors.get(notice.cursor)?.return?.()
        session.cursors.delete(notice.cursor)
        break
      case 'forget':
        break
      default:
        notice satisfies never
    }
  }

  #create(session: Session, { object, made, target, args }: Notice & { kind: 'create' }): void {
    const entry: Entry = { kind: made, value: undefined, failure: undefined, busy: undefined, holds: 0 }
    this.#entries.set(object, entry)
    this.#hold(session, object)
    const make = (construct: (...args: unknown[]) => object) => {
      try {
        entry.value = construct(...(unpack(args) as unknown[]))
      } catch (reason) {
        entry.failure = { reason }
      }
    }
    if (made !== 'object') return make(builtIns[made].make)
    const load = async () => {
      try {
        const loaded = (await loadTarget(target!)) as new (...args: unknown[]) => object
        make((...given) => new loaded(...given))
      } catch (thrown) {
        entry.failure = { reason: thrown instanceof ImportFailure ? thrown.reason : thrown }
      }
    }
    this.#occupy(entry, load())
  }

  /** Let nobody in before this has settled. It does not reject. */
  #occupy(entry: Entry, busy: Promise<unknown>): void {
    const mine = busy.finally(() => {
      if (entry.busy === mine) entry.busy = undefined
    })
    entry.busy = mine
  }

  /** Do something to an object when it is its turn: at once, unless the object is occupied. */
  #inTurn<T>(object: number, action: (value: object, entry: Entry) => T): T | Promise<Awaited<T>> {
    const entry = this.#entries.get(object)
    if (!entry) throw new ManagerError(`the manager has no object ${object}; it was given up`)
    if (entry.busy) return this.#afterwards(entry, action)
    if (entry.failure) throw entry.failure.reason
    return action(entry.value!, entry)
  }

  async #afterwards<T>(entry: Entry, action: (value: object, entry: Entry) => T): Promise<Awaited<T>> {
    while (entry.busy) await entry.busy
    if (entry.failure) throw entry.failure.reason
    return await action(entry.value!, entry)
  }

  #serve(session: Session, request: Request): unknown {
    switch (request.kind) {
      case 'ping':
        return this.size
      case 'apply':
        return this.#answer(
          session,
          this.#inTurn(request.object, (value, entry) => apply(value, entry, request.name, request.args)),
        )
      case 'applyPacked': {
        const args = this.#argumentsOf(session, request.args)
        return this.#answer(
          session,
          this.#inTurn(request.object, (value, entry) => apply(value, entry, request.name, args)),
        )
      }
      case 'get':
        return this.#answer(
          session,
          this.#inTurn(request.object, (value, entry) => read(value, entry, request.name)),
        )
      case 'run':
        return this.#run(request)
      case 'iterate':
        return this.#answer(
          session,
          this.#inTurn(request.object, (value) => this.#advance(session, ++this.#lastCursor, iteratorOf(value))),
        )
      case 'advance': {
        const iterator = session.cursors.get(request.cursor)
        if (!iterator) throw new ManagerError('the iteration was left')
        return this.#answer(session, this.#advance(session, request.cursor, iterator))
      }
      case 'callback':
        throw new ManagerError('a manager has no callbacks of its own')
      default:
        return request satisfies never
    }
  }

  /** What is there already is answered as it is now. */
  #answer(session: Session, value: unknown): unknown {
    return value instanceof Promise ? value : session.link.answer(value)
  }

  /** Run a function of the caller's on the object, with nothing in between. */
  #run({ object, name, target, args }: Request & { kind: 'run' }): Promise<unknown> {
    const given = unpack(args) as unknown[]
    const entry = this.#entries.get(object)
    if (!entry) throw new ManagerError(`the manager has no object ${object}; it was given up`)
    const before = entry.busy
    const result = (async () => {
      const fn = await loadTarget(target).catch((thrown: unknown) => {
        throw thrown instanceof ImportFailure ? thrown.reason : thrown
      })
      await before
      if (entry.failure) throw entry.failure.reason
      const method = entry.kind === 'object' ? undefined : builtIns[entry.kind].running[name]
      if (method) return await method(entry.value as never, fn, ...given)
      return await apply(entry.value!, entry, name, [fn, ...given])
    })()
    this.#occupy(
      entry,
      result.catch(() => {}),
    )
    return result
  }

  #argumentsOf(session: Session, { packed, callbacks = [] }: Arguments): unknown[] {
    const args = unpack(packed) as unknown[]
    for (const [index, number] of callbacks) args[index] = callbackOf(session.link, number)
    return args
  }

  #advance(
    session: Session,
    cursor: number,
    iterator: Iterator<unknown> | AsyncIterator<unknown>,
  ): Batch | Promise<Batch> {
    const items: unknown[] = []
    const batchOf = (done: boolean): Batch => {
      if (done) session.cursors.delete(cursor)
      else session.cursors.set(cursor, iterator)
      return { items, cursor: done ? undefined : cursor }
    }
    const pull = (): Batch | Promise<Batch> => {
      while (items.length < BATCH) {
        const next = iterator.next()
        if (next instanceof Promise) return waitFor(next)
        if (next.done) return batchOf(true)
        items.push(next.value)
      }
      return batchOf(false)
    }
    const waitFor = async (next: Promise<IteratorResult<unknown>>): Promise<Batch> => {
      const { done, value } = await next
      if (done) return batchOf(true)
      items.push(value)
      return pull()
    }
    return pull()
  }
}

function iteratorOf(value: object): Iterator<unknown> | AsyncIterator<unknown> {
  const { [Symbol.asyncIterator]: asyncly, [Symbol.iterator]: plainly } = value as AsyncIterable<unknown> &
    Iterable<unknown>
  const make = asyncly ?? plainly
  if (typeof make !== 'function') throw new TypeError('the object cannot be iterated over')
  return make.call(value)
}

/** What belongs to every object, and is nobody's to reach. */
function refuse(name: string): void {
  if (name === 'constructor' || name === '__proto__' || (Object.hasOwn(Object.prototype, name) && name !== 'toString'))
    throw new TypeError(`${name} cannot be reached through a proxy`)
}

function apply(value: object, { kind }: Entry, name: string, args: unknown[]): unknown {
  const builtIn: BuiltIn | undefined = kind === 'object' ? undefined : builtIns[kind]
  const own = builtIn?.methods[name]
  let result: unknown
  if (own) result = own(value as never, ...args)
  else {
    refuse(name)
    const method = (value as Record<string, unknown>)[name]
    if (typeof method !== 'function') throw new TypeError(`${name} is not a method of the ${kind}`)
    result = method.apply(value, args)
  }
  return result === value ? ITSELF : result
}

function read(value: object, { kind }: Entry, name: string): unknown {
  refuse(name)
  const field = (value as Record<string, unknown>)[name]
  if (typeof field === 'function') throw new TypeError(`${name} is a method of the ${kind}: call it`)
  return field === value ? ITSELF : field
}

const forgotten = new FinalizationRegistry<{ link: Link; number: number }>(({ link, number }) =>
  link.tell({ kind: 'forget', callback: number }),
)

function callbackOf(link: Link, number: number): Function {
  const callback = (...args: unknown[]): Promise<unknown> => {
    const transfer: Transferable[] = []
    return link.request({ kind: 'callback', callback: number, args: pack(args, transfer, link) }, transfer, {
      described: args,
    })
  }
  forgotten.register(callback, { link, number })
  return callback
}
