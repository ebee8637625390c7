// The shipped code of lib/sync, Queue and Pipe, bundled so that an explorer controls it: every access to shared memory, the time,
// the deaths and the ports go through a controller. Spins are left out, and rings and tables are small; not so for a machine
// (machine.ts), which sees them in full size. Nothing else is replaced. A mutant is the shipped code with one change.
import { build, type Plugin } from 'esbuild'
import { readFile } from 'node:fs/promises'
import { sep } from 'node:path'
import type { LeaseSlots } from '../../lib/executor/protocol/lease-slots.js'
import type * as Public from '../../lib/index.js'
import type * as Internals from '../../lib/internals.js'

/** What the code of a simulated thread calls in place of the real thing. */
export interface Controller {
  threadId: number
  load(words: Int32Array, index: number): number
  store(words: Int32Array, index: number, value: number): number
  add(words: Int32Array, index: number, value: number): number
  or(words: Int32Array, index: number, value: number): number
  exchange(words: Int32Array, index: number, value: number): number
  compareExchange(words: Int32Array, index: number, expected: number, value: number): number
  peek(words: Int32Array, index: number): number
  poke(words: Int32Array, index: number, value: number): void
  waitOn(words: Int32Array, index: number, seen: number): string
  notify(words: Int32Array, index: number, count: number): number
  isDead(threadId: number): boolean
  now(): number
  /** Use the port of a side, as one step. @returns of 'receive' the message, `undefined` for none; of 'gone' whether it is closed */
  port(use: PortUse, words: Int32Array, side: number, message?: number): number | boolean | undefined
  /**
   * Take a mutex, where that is taken for granted. With `report`, one whose owner is dead is not taken.
   * @param at its index. @default 0
   * @returns whether it was taken
   */
  enter(words: Int32Array, at?: number, report?: boolean): boolean
  exit(words: Int32Array, at?: number): void
  /** A waiter begins a try. All that it knows from before is in its fields. */
  point<W extends object>(waiter: W): W
  /** A waiter is about to sleep. Its fields say so as well. */
  asleep<W extends object>(waiter: W): W
  /** Look at a word so many times, or until it changes: where spins are in the bundle. */
  spin?(words: Int32Array, index: number, seen: number, looks: number): void
  /** For async functions, where they are explored (turns.ts). */
  whenChanged?(words: Int32Array, index: number, seen: number, callback: () => void): void
  setTimeout?(callback: () => void, ms: number): unknown
  clearTimeout?(timer: unknown): void
}

export type PortUse = 'post' | 'receive' | 'gone' | 'shut'

/** One change of the shipped code: `from`, which must occur exactly once in the file, becomes `to`. */
export interface Mutant {
  name: string
  file: string
  from: string
  to: string
}

export type Classes = Pick<
  typeof Internals,
  'Barrier' | 'Condition' | 'Event' | 'JoinableQueue' | 'Lock' | 'Queue' | 'RLock' | 'RWLock' | 'Semaphore'
> &
  Pick<typeof Public, 'Pipe'> & {
    /**
     * Acquire a lock as an async function does, asleep on the word for those. A real one is driven by an event loop, which cannot be
     * explored; this does the same on the shared words.
     */
    awaitLock(lock: object): boolean
    /** `putMany` and `getMany`, likewise. */
    putMany(queue: object, values: number[]): void
    getMany(queue: object, max: number): number[]
    /** An end leaves the thread that made it. */
    leave(end: object): void
    /** The slots of an executor with one worker, as something that threads can share. */
    SharedSlots: new () => { readonly slots: LeaseSlots }
  }

export interface Bundle {
  /** For `loadBundle`, in another thread. */
  readonly text: string
  /** The classes as a simulated thread of its own has them. */
  load(controller: Controller): Classes & { rebuild<T extends object>(object: T): T }
}

const REPLACED: Record<string, string> = {
  'lib/memory/atomics.ts': `
    export const { load, store, add, or, exchange, compareExchange, peek, poke, waitOn } = controller
    export const notifyOne = (words, index) => controller.notify(words, index, 1)
    export const notifyAll = (words, index) => controller.notify(words, index, Infinity)
    export const whenChanged = controller.whenChanged`,
  'lib/copies.ts': `
    export const MAJOR = '0'
    export const VERSION = '0'
    export const perThread = (_, initial) => initial()
    export const recognizeCopies = () => {}`,
  'lib/base/clock.ts': `
    export const performance = { now: () => controller.now() }
    export const setTimeout = (callback, ms) => controller.setTimeout(callback, ms)
    export const clearTimeout = (timer) => controller.clearTimeout(timer)
    export const { Promise } = globalThis
    export const hrtime = undefined`,
  'lib/base/loop-turn.ts': `
    export const turnIfDue = () => {}
    export const afterTurn = (value) => value
    export const settledAfterTurn = afterTurn`,
  'lib/thread/liveness.ts': `
    export const isDead = controller.isDead
    export const probeDead = controller.isDead
    export const probeDue = () => true
    export const registerThread = () => {}`,
  'lib/thread/while-blocked.ts': `
    export const runLongWaitHooks = () => {}
    export const runBlockedHooks = () => false`,
  // A spin is a hint: nothing may rely on it.
  'lib/sync/adaptive-spin.ts': `
    export const spinWhile = () => {}
    export const changesSoon = () => false
    export class AdaptiveSpin {
      spin() {
        return false
      }
    }`,
  // No barrier that is explored has an action.
  'lib/task/load-sync.ts': 'export const loadTargetSync = undefined',
  'lib/task/target.ts': 'export const define = undefined, loadTarget = undefined',
  // Every call makes a new object: what a try that was broken off has left in one must not be seen by the next.
  'lib/transport/shareable.ts': `
    export const kinds = new Map()
    export const registerShareable = (kind, make, { onSend } = {}) => kinds.set(kind, { make, onSend })
    export const makeShareable = (object, ...handle) => { object.handle = handle }
    export const makeOwnable = makeShareable
    export const isShareable = () => false
    export const leave = (object) => kinds.get(object.handle[0]).onSend(object)`,
  'lib/transport/pack.ts': `
    import { portFrom } from 'node:worker_threads'
    import { kinds } from './shareable.ts'
    export const discard = () => {}
    export const pack = (value) => ({ value })
    export const unpack = ({ value }) => value
    const partOf = (part) => Array.isArray(part) ? [...part] : part?.handle?.[0] === 'Port' ? portFrom(part) : part
    export const attach = ({ handle: [kind, ...parts] }) =>
      Object.assign(kinds.get(kind).make([kind, 0, ...parts.map(partOf)]), { handle: [kind, ...parts] })`,
}

// Ports whose messages are numbers, in memory that the controller sees.
const THREADS = `
  export const { threadId } = controller
  export class MessagePort {
    constructor(memory, side) {
      this.handle = ['Port', memory, side]
      this.words = new Int32Array(memory)
      this.side = side
    }
    on() {}
    once() {}
    postMessage(message, transfer) {
      if (!transfer) return controller.port('post', this.words, this.side, message)
      const [port] = transfer
      if (controller.port('gone', port.words, port.side)) throw new Error('cannot be transferred')
      return message.value
    }
    close() {
      controller.port('shut', this.words, this.side)
    }
  }
  export class MessageChannel {
    constructor() {
      const memory = new SharedArrayBuffer(64)
      this.port1 = new MessagePort(memory, 0)
      this.port2 = new MessagePort(memory, 1)
    }
  }
  export const portFrom = ({ handle: [, memory, side] }) => new MessagePort(memory, side)
  export const receiveMessageOnPort = ({ words, side }) => {
    const message = controller.port('receive', words, side)
    return message === undefined ? undefined : { message }
  }`

// How far it has come is in the waiter's fields: they are all that a try may know from before.
const MANY = `
  import { encode, keep } from './lib/transport/codec/codec.ts'
  import { GetWaiter, PutWaiter } from './lib/queue/queue-state.ts'
  import { openStateOf } from './lib/queue/queue.ts'
  export const putMany = (queue, values) => {
    const state = openStateOf(queue)
    const frames = values.map((value) => keep(encode(value)))
    const write = () => (waiter.put += state.writeMany(frames, waiter.put)) === frames.length
    const waiter = new PutWaiter(state.ring.words, false, write)
    waiter.put = 0
    block(waiter, Infinity)
  }
  export const getMany = (queue, max) => {
    const state = openStateOf(queue)
    let values
    block(new GetWaiter(state.ring.words, false, () => (values = state.readMany(max)).length > 0), Infinity)
    return values
  }`

const SHARED_SLOTS = `
  import { newSlotMemory, LeaseSlots } from './lib/executor/protocol/lease-slots.ts'
  import { makeShareable, registerShareable } from './lib/transport/shareable.ts'
  export class SharedSlots {
    constructor({ words, numbers } = newSlotMemory(1)) {
      this.slots = new LeaseSlots({ words, numbers })
      makeShareable(this, 'LeaseSlots', words, numbers)
    }
  }
  registerShareable('LeaseSlots', ([, , words, numbers]) => new SharedSlots({ words, numbers }))`

const TAKE =
  "if (!tryAcquire(this.words, 0, 'handOver')) block(new LockWaiter(this.words, 0, true, 'handOver'), Infinity)"
const TAKE_END =
  "if (compareExchange(words, at, 0, ME) !== 0) block(new LockWaiter(words, at, true, 'handOver'), Infinity)"
const GIVE_BACK = 'release(this.words, 0)'
const LOCK_TAKE = 'return compareExchange(this.words, 0, 0, ME) === 0 || this.acquireSlowly(timeoutMs)'
const LOCK_GIVE_BACK = 'if (!this.free()) throw'

const SPINS: [from: string, to: string][] = [
  ['availableParallelism() > 1 ? 100 : 0', '100'],
  [
    'for (let looks = LOOKS; looks > 0 && peek(words, index) === seen; looks--);',
    'controller.spin(words, index, seen, LOOKS)',
  ],
  [
    'for (let rounds = ROUNDS; rounds > 0 && peek(words, index) === before; rounds--) spinWhile(words, index, before)',
    'controller.spin(words, index, before, ROUNDS * LOOKS)',
  ],
]

export type Mutex = 'real' | 'granted' | 'lock granted'

/**
 * Bundle the shipped code, or a mutant of it.
 * @param mutex 'granted': a monitor's mutex just works, as the exploration of the lock word shows, and is taken over from a dead owner. A
 * section of a monitor is then one step, and three threads have few enough states. 'lock granted': a Condition's Lock just works as
 * well, and reports a dead owner.
 * @param fullSize with spins, and with rings and tables as large as they are shipped. @default false
 */
export async function bundle({
  mutant,
  mutex = 'real',
  fullSize = false,
}: { mutant?: Mutant; mutex?: Mutex; fullSize?: boolean } = {}): Promise<Bundle> {
  let mutated = false
  const plugin: Plugin = {
    name: 'explore',
    setup({ onLoad, onResolve }) {
      onResolve({ filter: /^node:worker_threads$/ }, ({ path }) => ({ path, namespace: 'stub' }))
      onLoad({ filter: /.*/, namespace: 'stub' }, () => ({ contents: THREADS }))
      onLoad({ filter: /\.ts$/ }, async ({ path }) => {
        const file = path.slice(process.cwd().length + 1).replaceAll(sep, '/')
        const isSpins = fullSize && file === 'lib/sync/adaptive-spin.ts'
        if (REPLACED[file] && !isSpins) return { contents: REPLACED[file], loader: 'js' }
        let contents = await readFile(path, 'utf8')
        if (mutant?.file === file) {
          contents = replaceOnce(contents, mutant.from, mutant.to)
          mutated = true
        }
        if (isSpins) for (const [from, to] of SPINS) contents = replaceOnce(contents, from, to)
        if (fullSize) return { contents, loader: 'ts' }
        if (file === 'lib/sync/lock.ts' && mutex === 'lock granted') {
          contents = replaceOnce(
            contents,
            LOCK_TAKE,
            'while (!controller.enter(this.words, 0, true)) this.refuseAbandoned(true); return true',
          )
          contents = replaceOnce(contents, LOCK_GIVE_BACK, 'controller.exit(this.words); if (false) throw')
        }
        // So small that it is full with the first number, and that all of it is in the states.
        if (file === 'lib/queue/ring-segments.ts')
          contents = replaceOnce(
            contents,
            'const MAX_FIRST_SEGMENT_BYTES = 2 ** 16',
            'const MAX_FIRST_SEGMENT_BYTES = 2 ** 4',
          )
        if (file === 'lib/queue/ring.ts' && mutex !== 'real')
          contents = replaceOnce(contents, TAKE_END, 'controller.enter(words, at)').replaceAll(
            /release\(words, (\w+)\)/g,
            'controller.exit(words, $1)',
          )
        // So few that threads share them, and that all of them are in the states.
        if (file === 'lib/sync/entry-table.ts') {
          contents = replaceOnce(contents, 'const TOKEN_WORDS = 32', 'const TOKEN_WORDS = 1')
          contents = replaceOnce(contents, 'const MAX_TOKENS = 16', 'const MAX_TOKENS = 2')
        }
        if (file === 'lib/sync/monitor.ts' && mutex !== 'real') {
          contents = replaceOnce(contents, TAKE, 'controller.enter(this.words)')
          contents = replaceOnce(contents, GIVE_BACK, 'controller.exit(this.words)')
        }
        if (file === 'lib/sync/park.ts')
          contents = contents
            .replaceAll('waiter.attempt()', 'controller.point(waiter).attempt()')
            .replaceAll('waitOn(waiter.words', 'waitOn(controller.asleep(waiter).words')
        return { contents, loader: 'ts' }
      })
    },
  }
  const { outputFiles } = await build({
    stdin: {
      contents: ['barrier', 'condition', 'event', 'lock', 'rlock', 'rwlock', 'semaphore']
        .map((name) => `export * from './lib/sync/${name}.ts'`)
        .concat(
          `export { Queue } from './lib/queue/queue.ts'`,
          `export { JoinableQueue } from './lib/queue/queue-kinds.ts'`,
          `export { Pipe } from './lib/pipe/pipe.ts'`,
          `export { leave } from './lib/transport/shareable.ts'`,
          `export { attach as rebuild } from './lib/transport/pack.ts'`,
          `import { LockWaiter } from './lib/sync/lock-word.ts'`,
          `import { block } from './lib/sync/park.ts'`,
          `export const awaitLock = ({ handle: [, memory, onOwnerDeath] }) =>
            block(new LockWaiter(new Int32Array(memory), 0, false, onOwnerDeath), Infinity)`,
          MANY,
          SHARED_SLOTS,
        )
        .join('\n'),
      resolveDir: process.cwd(),
    },
    bundle: true,
    write: false,
    format: 'cjs',
    platform: 'node',
    target: 'node20',
    plugins: [plugin],
  })
  if (mutant && !mutated) throw new Error(`${mutant.file} was not bundled`)
  const { text } = outputFiles[0]!
  return { text, load: loadBundle(text) }
}

/** `load` of the bundle with this text. */
export function loadBundle(text: string): Bundle['load'] {
  // oxlint-disable-next-line typescript/no-implied-eval -- each simulated thread needs a copy of its own of the bundle
  const code = new Function('controller', 'require', 'module', text)
  return (controller) => {
    const module = { exports: {} }
    code(controller, process.getBuiltinModule, module)
    return module.exports as ReturnType<Bundle['load']>
  }
}

function replaceOnce(text: string, from: string, to: string): string {
  if (text.split(from).length !== 2) throw new Error(`must occur exactly once: ${from}`)
  return text.replace(from, () => to)
}
