// Runs small programs on the shipped locks under every interleaving of their threads, with a kill possible at every step.
//
// A step of a thread is one atomic operation and the plain code up to the next. The code is real and cannot be copied in the middle of
// a run. So each thread is turned into an automaton as it goes: a node is where the thread stands, its op what it does next, its
// children where each result leads. A new node is found by running the program from the start with the results on the way to it.
// Where a waiter begins a try, all that it knows is in its fields: there equal nodes become one.
//
// A state is the shared memory, the nodes, the sleepers of each word in their order, the killed threads, and those known to be dead.
// - wait: sleepers queue in the order of arrival. notify wakes the first. A thread killed in its sleep still takes a wake-up, as real
//   ones do, until it is reaped.
// - kill: before any atomic operation, in a sleep, and before any plain store. Reap: any time later; from then on a probe finds it dead.
// - A thread that comes to its end is dead as well, from any moment after it on: from the first probe that finds it so.
// - A slice of a sleep ends by itself only where the caller gave a time, or after a thread was reaped or ended while it held something:
//   without that, no thread may depend on it.
// - What an OwnerDiedError says must be true: the thread that it names has ended, and held something as it ended. A thread holds from
//   the beginning of its step 'acquire', 'try' or 'get task' until its 'release' or 'done', if the memory says so.
// - The time is over, or not, whenever it is asked for.
// - A port belongs to the thread whose number is its side. It takes messages posted before its owner died or the other side closed. When
//   no more can come, it is closed by the first read that finds it empty.
import type { Bundle, Classes, Controller, PortUse } from './bundle.js'

/** What the program of a simulated thread does besides using locks. */
export interface Thread {
  id: number
  /** Use a lock once. The name tells what it comes to hold: see above. @returns what `use` returns, or the code of the error that it throws */
  step(name: string, use: () => unknown): unknown
  /** Be in a critical section, as `role`, for a moment that others can see. */
  inside(role?: string): void
  /** Shared data of the program, to be used under a lock. */
  read(word: number): number
  write(word: number, value: number): void
  /** State what must hold. */
  expect(good: boolean, what: string): void
}

export interface Scenario<T extends object> {
  name: string
  make(classes: Classes): T
  /** One program per thread. */
  programs: ((shared: T, thread: Thread, classes: Classes) => void)[]
  /** How many of the threads may be killed. @default 0 */
  kills?: number
  /** Which threads may be killed. @default all */
  victims?: number[]
  /** Whether they are killed only in their sleep. */
  onlyAsleep?: boolean
  /** Whether threads in these roles may be inside at the same time. @default never */
  together?(role: string, other: string): boolean
  /** How many may be inside at the same time. @default all that may be together */
  room?: number
  /** What must hold in the end, given the results of each thread's steps, `undefined` for a killed thread. */
  end?(results: (unknown[] | undefined)[]): boolean
  /** Whether the memory must be as at first when all have ended and none was killed. @default true */
  leavesNoTrace?: boolean
  /** Whether the objects remember more than the results of the steps: then equal results of different histories differ. @default false */
  remembers?: boolean
}

export interface Exploration {
  states: number
  violation: string | undefined
}

type Op =
  | {
      kind: 'load' | 'add' | 'or' | 'exchange' | 'store' | 'cas' | 'wait' | 'notify' | 'peek' | 'poke'
      at: number
      a: number
      b: number
    }
  | { kind: 'dead'; at: number }
  /** An OwnerDiedError named a thread. */
  | { kind: 'blame'; at: number }
  /** A mutex, where that is taken for granted. */
  | { kind: 'enter'; at: number; report: boolean }
  | { kind: 'exit'; at: number }
  | { kind: 'now' }
  | { kind: PortUse; at: number; side: number; message: number }
  | { kind: 'inside'; role: string }
  | { kind: 'outside' }
  | { kind: 'point' }
  | { kind: 'fail'; what: string }
  | { kind: 'done'; results: unknown[] }

type Result = number | string | boolean | undefined

interface Node {
  id: number
  op: Op
  /** Whether the waiter that tries was given a time. */
  timed: boolean
  /** Whether the thread has, or may have, what it takes in its steps. */
  holds: boolean
  parent: Node | undefined
  /** The result that led here from the parent. */
  result: Result
  children: Map<Result, Node>
}

const RUNS = 0
const SLEEPS = 1
const KILLED = 2
const REAPED = 3
const ENDED = 4
/** It has ended, and another thread knows. */
const SEEN = 5

interface State {
  memory: Int32Array
  nodes: (Node | undefined)[]
  status: number[]
  /** Sleepers in the order of their coming: thread, word, thread, word, … */
  sleepers: number[]
  kills: number
  /** Which threads held something as they ended. */
  heirs: boolean[]
  /** The role in which each thread is inside. */
  inside: (string | undefined)[]
}

const STOP = Symbol('stop')
/** The steps by which a thread comes to hold something, and those after which it does not, given their results. */
const TAKES = new Set(['acquire', 'try', 'recover', 'get task', 'get tasks'])
const ENDS_HOLD: Record<string, (result: unknown) => boolean> = {
  acquire: (result) => result !== true,
  try: (result) => result !== true,
  recover: (result) => result !== undefined,
  wait: (result) => result === 'OWNER_DIED',
  release: (result) => result === undefined,
  'get task': (result) => typeof result !== 'number',
  'get tasks': (result) => !Array.isArray(result),
  done: (result) => result === undefined,
}
/** What programs read and write. */
const DATA = new Int32Array(4)
/** Whether no other thread can see it: it is done together with the operation before it. */
const plain = (op: Op) => op.kind === 'peek' || op.kind === 'poke' || op.kind === 'point' || op.kind === 'exit'

/** One simulated thread: its automaton, and the controller that its code runs under. */
class Simulated {
  readonly #program: (thread: Thread) => void
  readonly #points = new Map<string, Node>()
  readonly start: Node
  // Of the run that is going on:
  #script: Result[] = []
  #position = 0
  #last: Node | undefined
  #lastResult: Result
  #stopped = false
  #results: unknown[] = []
  #timed = false
  #holds = false
  #prefixes = new WeakMap<object, string>()
  /** `block` was called with a time, which the next waiter has. */
  #timesNext = false
  #timedWaiters = new WeakSet<object>()
  #since: Result[] = []
  #base = ''
  /** `undefined`: before all begins. */
  #state: State | undefined
  #onPoke: (() => void) | undefined
  #nextId = 1

  constructor(
    id: number,
    bundle: Bundle,
    rebuild: (classes: ReturnType<Bundle['load']>) => object,
    offset: (words: Int32Array) => number,
    program: (shared: object, thread: Thread, classes: Classes) => void,
    remembers: boolean,
  ) {
    const op =
      (kind: 'load' | 'add' | 'or' | 'exchange' | 'store' | 'cas' | 'wait' | 'notify' | 'peek' | 'poke') =>
      (words: Int32Array, index: number, a = 0, b = 0) =>
        this.#do({ kind, at: offset(words) + index, a, b })
    const controller: Controller = {
      threadId: id,
      load: op('load') as Controller['load'],
      store: op('store') as Controller['store'],
      add: op('add') as Controller['add'],
      or: op('or') as Controller['or'],
      exchange: op('exchange') as Controller['exchange'],
      compareExchange: op('cas') as Controller['compareExchange'],
      peek: op('peek') as Controller['peek'],
      poke: op('poke'),
      waitOn: op('wait') as unknown as Controller['waitOn'],
      notify: op('notify') as Controller['notify'],
      isDead: (threadId) => this.#do({ kind: 'dead', at: threadId }) === true,
      enter: (words, at = 0, report = false) => this.#do({ kind: 'enter', at: offset(words) + at, report }) !== false,
      exit: (words, at = 0) => void this.#do({ kind: 'exit', at: offset(words) + at }),
      now: () => {
        if (this.#timed) return this.#do({ kind: 'now' }) as number
        this.#timesNext = true
        return 0
      },
      port: (kind, words, side, message = 0) =>
        this.#do({ kind, at: offset(words) + side * PORT_WORDS, side, message }) as number | boolean | undefined,
      point: (waiter) => {
        let prefix = this.#prefixes.get(waiter)
        if (prefix === undefined) {
          this.#prefixes.set(waiter, (prefix = `${this.#base}(${this.#since.join()})`))
          if (this.#timesNext) this.#timedWaiters.add(waiter)
          this.#timesNext = false
        }
        this.#timed = this.#timedWaiters.has(waiter)
        this.#point(`${prefix}${fieldsOf(waiter)}`)
        return waiter
      },
      asleep: (waiter) => {
        this.#timed = this.#timedWaiters.has(waiter)
        this.#point(`asleep ${this.#prefixes.get(waiter)}${fieldsOf(waiter)}`)
        return waiter
      },
    }
    const classes = bundle.load(controller)
    const way = () => (remembers ? `${this.#base}(${this.#since.join()})` : '')
    const thread: Thread = {
      id,
      step: (name, use) => {
        this.#timed = false
        // A waiter may serve one operation after the other, and knows nothing of those before.
        this.#prefixes = new WeakMap()
        this.#timedWaiters = new WeakSet()
        this.#point(`${name} ${JSON.stringify(this.#results)}${way()}`)
        let result: unknown
        if (TAKES.has(name)) this.#holds = true
        try {
          result = use()
        } catch (thrown) {
          if (thrown === STOP) throw thrown
          const { code, pid } = thrown as { code?: string; pid?: number }
          if (code === undefined) throw thrown
          result = code.replace('ERR_MANYHANDS_', '')
          if (result === 'OWNER_DIED') this.#do({ kind: 'blame', at: pid! })
        }
        if (name in ENDS_HOLD && ENDS_HOLD[name]!(result)) this.#holds = false
        this.#results.push(result ?? null)
        this.#timed = false
        this.#point(`after ${name} ${JSON.stringify(this.#results)}${way()}`)
        return result
      },
      inside: (role = '') => {
        this.#do({ kind: 'inside', role })
        this.#do({ kind: 'outside' })
      },
      read: (word) => this.#do({ kind: 'peek', at: offset(DATA) + word, a: 0, b: 0 }) as number,
      write: (word, value) => void this.#do({ kind: 'poke', at: offset(DATA) + word, a: value, b: 0 }),
      expect: (good, what) => {
        if (!good) this.#do({ kind: 'fail', what })
      },
    }
    this.#program = () => program(rebuild(classes), thread, classes)
    this.start = this.#run([], undefined, undefined, undefined)
  }

  /** The first node whose operation others can see. */
  begin(state: State): Node {
    const { start } = this
    return plain(start.op) ? this.advance(start, this.#doPlain(start.op, state, undefined), state, undefined) : start
  }

  /** The node after this one's operation had this result, and after the plain code that follows. @param onPoke before each plain store */
  advance(from: Node, result: Result, state: State, onPoke: (() => void) | undefined): Node {
    for (let node = from; ;) {
      const next = node.children.get(result)
      if (!next) {
        node = this.#run(scriptOf(node, result), node, state, onPoke)
      } else node = next
      if (!plain(node.op)) return node
      result = this.#doPlain(node.op, state, onPoke)
    }
  }

  #doPlain(op: Op, { memory }: State, onPoke: (() => void) | undefined): Result {
    switch (op.kind) {
      case 'peek':
        return memory[op.at]!
      case 'poke':
        if (memory[op.at] !== op.a) onPoke?.()
        memory[op.at] = op.a
        return undefined
      case 'exit':
        onPoke?.()
        memory[op.at] = 0
        return undefined
      default:
        return undefined
    }
  }

  /** Run the program with these results, and go on from there until an operation that others can see. */
  #run(script: Result[], last: Node | undefined, state: State | undefined, onPoke: (() => void) | undefined): Node {
    this.#script = script
    this.#position = 0
    this.#last = last
    this.#lastResult = script.at(-1)
    this.#stopped = false
    this.#results = []
    this.#timed = false
    this.#holds = false
    this.#prefixes = new WeakMap()
    this.#timesNext = false
    this.#since = []
    this.#base = ''
    this.#state = state
    this.#onPoke = onPoke
    try {
      this.#program(undefined as never)
      this.#do({ kind: 'done', results: this.#results })
    } catch (thrown) {
      if (thrown !== STOP) {
        if (this.#stopped) return this.#last!
        this.#stopped = false
        try {
          this.#do({ kind: 'fail', what: `threw ${String((thrown as Error).stack)}` })
        } catch {}
      }
    }
    return this.#last!
  }

  #do(op: Op): Result {
    if (this.#stopped) throw STOP
    if (this.#position < this.#script.length) {
      const result = this.#script[this.#position++]
      this.#since.push(result)
      return result
    }
    this.#extend(op)
    if (!plain(op) || !this.#state) return this.#stop()
    const result = this.#doPlain(op, this.#state, this.#onPoke)
    this.#lastResult = result
    this.#since.push(result)
    return result
  }

  #point(key: string): void {
    if (this.#stopped) throw STOP
    let id = this.#points.get(key)
    if (this.#position < this.#script.length) this.#position++
    else if (id) {
      // Been here: go on from there.
      this.#last?.children.set(this.#lastResult, id)
      this.#last = id
      this.#stop()
    } else {
      id = this.#extend({ kind: 'point' })
      this.#points.set(key, id)
      this.#lastResult = undefined
    }
    this.#base = String(id!.id)
    this.#since = []
  }

  #extend(op: Op): Node {
    const node: Node = {
      id: this.#nextId++,
      op,
      timed: this.#timed,
      holds: this.#holds,
      parent: this.#last,
      result: this.#lastResult,
      children: new Map(),
    }
    this.#last?.children.set(this.#lastResult, node)
    return (this.#last = node)
  }

  #stop(): never {
    this.#stopped = true
    throw STOP
  }
}

function scriptOf(node: Node, result: Result): Result[] {
  const script = [result]
  for (let at = node; at.parent; at = at.parent) script.push(at.result)
  return script.toReversed()
}

function fieldsOf(waiter: object): string {
  return Object.entries(waiter)
    .map(([name, value]) => (typeof value === 'object' ? '' : `${name}=${String(value)}`))
    .join()
}

/** Explore all states. */
export function explore<T extends object>(bundle: Bundle, scenario: Scenario<T>, limit = 3_000_000): Exploration {
  return new Explorer(bundle, scenario as unknown as Scenario<object>, limit).run()
}

class Explorer {
  readonly #scenario: Scenario<object>
  readonly #threads: Simulated[]
  readonly #first: State
  readonly #limit: number
  readonly #objects: [kind: string, start: number][]
  readonly #indices = new Map<number, number>()
  readonly #parents: number[] = []
  readonly #labels: string[] = []
  readonly #successors: number[][] = []
  readonly #good: number[] = []
  #queue: State[] = []
  #violation: string | undefined

  constructor(bundle: Bundle, scenario: Scenario<object>, limit: number) {
    this.#scenario = scenario
    this.#limit = limit
    const direct = directController()
    const made = scenario.make(bundle.load(direct))
    const offsets = new Map<ArrayBufferLike, number>()
    let size = 0
    const offset = (words: Int32Array) => {
      let at = offsets.get(words.buffer)
      if (at === undefined) {
        offsets.set(words.buffer, (at = size))
        size += words.length
      }
      return at
    }
    for (const buffer of buffersOf(made)) offset(new Int32Array(buffer))
    offset(DATA)
    const memory = new Int32Array(size)
    for (const buffer of buffersOf(made)) memory.set(new Int32Array(buffer), offsets.get(buffer))
    this.#objects = objectsIn(made).map(([kind, buffer]) => [kind, offsets.get(buffer)!])
    this.#threads = scenario.programs.map(
      (program, id) =>
        new Simulated(id, bundle, (classes) => rebuildAll(classes, made), offset, program, scenario.remembers ?? false),
    )
    this.#first = {
      memory,
      nodes: this.#threads.map(({ start }) => start),
      status: this.#threads.map(() => RUNS),
      sleepers: [],
      kills: scenario.kills ?? 0,
      heirs: this.#threads.map(() => false),
      inside: this.#threads.map(() => undefined),
    }
  }

  run(): Exploration {
    const first = copy(this.#first)
    for (const [t, thread] of this.#threads.entries()) first.nodes[t] = thread.begin(first)
    this.#meet(first, -1, () => 'start')
    for (let at = 0; at < this.#queue.length && !this.#violation; at++) {
      const state = this.#queue[at]!
      this.#queue[at] = undefined as never
      this.#expand(state, at)
      if (this.#queue.length > this.#limit) throw new Error(`${this.#scenario.name}: more than ${this.#limit} states`)
    }
    if (!this.#violation) this.#findHang()
    return { states: this.#parents.length, violation: this.#violation }
  }

  /** Note a state, and where it came from. */
  #meet(state: State, from: number, label: () => string): void {
    const key = hash(state, this.#objects)
    let index = this.#indices.get(key)
    if (index === undefined) {
      index = this.#parents.length
      this.#indices.set(key, index)
      this.#parents.push(from)
      this.#labels.push(label())
      this.#successors.push([])
      this.#queue.push(state)
    }
    if (from >= 0) this.#successors[from]!.push(index)
  }

  #expand(state: State, at: number): void {
    const { status } = state
    if (status.every((s) => s === ENDED || s === SEEN || s === REAPED)) {
      this.#good.push(at)
      this.#checkEnd(state, at)
      return
    }
    const slicesEnd = status.some((s, t) => s === REAPED || (isGone(s) && state.heirs[t]))
    for (const [t, s] of status.entries()) {
      const node = state.nodes[t]
      if (s === RUNS) this.#step(state, t, at)
      if (s === SLEEPS && (slicesEnd || node!.timed)) this.#wakeUp(state, t, 'timed-out', at)
      if (
        ((s === RUNS && !this.#scenario.onlyAsleep) || s === SLEEPS) &&
        state.kills > 0 &&
        (this.#scenario.victims?.includes(t) ?? true)
      ) {
        const next = copy(state)
        this.#kill(next, t)
        this.#meet(next, at, () => `${t} killed`)
      }
      if (s === KILLED) {
        const next = copy(state)
        next.status[t] = REAPED
        next.sleepers = without(next.sleepers, t)
        this.#meet(next, at, () => `${t} reaped`)
      }
    }
  }

  #wakeUp(state: State, t: number, result: string, at: number): void {
    const next = copy(state)
    next.sleepers = without(next.sleepers, t)
    next.status[t] = RUNS
    this.#advance(next, t, result, at)
  }

  /** The thread does what its node says. */
  #step(state: State, t: number, at: number): void {
    const { op } = state.nodes[t]!
    const next = copy(state)
    const { memory } = next
    switch (op.kind) {
      case 'load':
        return this.#advance(next, t, memory[op.at], at)
      case 'store':
        memory[op.at] = op.a
        return this.#advance(next, t, op.a, at)
      case 'add': {
        const before = memory[op.at]!
        memory[op.at] = before + op.a
        return this.#advance(next, t, before, at)
      }
      case 'or': {
        const before = memory[op.at]!
        memory[op.at] = before | op.a
        return this.#advance(next, t, before, at)
      }
      case 'exchange': {
        const before = memory[op.at]!
        memory[op.at] = op.a
        return this.#advance(next, t, before, at)
      }
      case 'cas': {
        const before = memory[op.at]!
        if (before === op.a) memory[op.at] = op.b
        return this.#advance(next, t, before, at)
      }
      case 'wait':
        if (memory[op.at] !== op.a) return this.#advance(next, t, 'not-equal', at)
        next.status[t] = SLEEPS
        next.sleepers.push(t, op.at)
        return this.#meet(next, at, () => `${t} sleeps on ${op.at}`)
      case 'notify': {
        let woken = 0
        const wake: number[] = []
        for (let i = 0; i < state.sleepers.length && woken < op.a; i += 2) {
          if (state.sleepers[i + 1] !== op.at) continue
          woken++
          wake.push(state.sleepers[i]!)
        }
        for (const sleeper of wake) {
          next.sleepers = without(next.sleepers, sleeper)
          if (next.status[sleeper] !== SLEEPS) continue
          next.status[sleeper] = RUNS
          next.nodes[sleeper] = this.#threads[sleeper]!.advance(next.nodes[sleeper]!, 'ok', next, undefined)
        }
        return this.#advance(next, t, woken, at)
      }
      case 'dead':
        if (state.status[op.at] === ENDED) {
          this.#advance(copy(state), t, false, at)
          next.status[op.at] = SEEN
        }
        return this.#advance(next, t, isGone(next.status[op.at]!) && next.status[op.at] !== ENDED, at)
      case 'blame':
        if (!isGone(state.status[op.at]!)) this.#violate(at, `${op.at} is said to have ended, and runs`)
        else if (!state.heirs[op.at])
          this.#violate(at, `${op.at} is said to have ended holding it, and had released it`)
        return this.#advance(next, t, undefined, at)
      case 'enter': {
        const owner = memory[op.at]!
        if (owner !== 0 && !isGone(state.status[owner - 1]!)) return
        if (owner !== 0 && op.report) return this.#advance(next, t, false, at)
        memory[op.at] = t + 1
        return this.#advance(next, t, undefined, at)
      }
      case 'now':
        this.#advance(copy(state), t, 0, at)
        return this.#advance(next, t, 1e9, at)
      case 'post': {
        const there = otherPort(op)
        if (memory[op.at + CLOSED] === 0) memory[there + LETTERS + memory[there + COUNT]!++] = op.message
        return this.#advance(next, t, undefined, at)
      }
      case 'receive': {
        const first = op.at + LETTERS
        const letter = memory[op.at + CLOSED] === 0 && memory[op.at + COUNT]! > 0 ? memory[first] : undefined
        if (letter !== undefined) {
          memory[op.at + COUNT]!--
          memory.copyWithin(first, first + 1, op.at + PORT_WORDS)
          memory[op.at + PORT_WORDS - 1] = 0
        } else if (memory[otherPort(op) + CLOSED] !== 0 || state.status[1 - op.side] === REAPED)
          memory[op.at + CLOSED] = 1
        return this.#advance(next, t, letter, at)
      }
      case 'gone':
        return this.#advance(next, t, memory[op.at + CLOSED] !== 0, at)
      case 'shut':
        memory[op.at + CLOSED] = 1
        return this.#advance(next, t, undefined, at)
      case 'inside': {
        const { together = () => false, room = Infinity } = this.#scenario
        next.inside[t] = op.role
        if (next.inside.filter((role) => role !== undefined).length > room)
          this.#violate(at, `${t} is inside, and has no room there`)
        for (const [other, role] of state.inside.entries())
          if (role !== undefined && !together(op.role, role)) this.#violate(at, `${t} is inside together with ${other}`)
        return this.#advance(next, t, undefined, at)
      }
      case 'outside':
        next.inside[t] = undefined
        return this.#advance(next, t, undefined, at)
      case 'fail':
        return this.#violate(at, `thread ${t}: ${op.what}`)
      case 'done':
        next.status[t] = ENDED
        next.heirs[t] = this.#holdsAtEnd(state, t)
        return this.#meet(next, at, () => `${t} ends`)
      default:
        throw new Error(`not an operation that others see: ${op.kind}`)
    }
  }

  #advance(next: State, t: number, result: Result, at: number): void {
    const { kills } = next
    const { victims } = this.#scenario
    const op = next.nodes[t]!.op
    const label = () =>
      `${t} ${op.kind} ${'at' in op ? op.at : ''} ${'a' in op ? `${op.a} ${op.b}` : ''} = ${String(result)}`
    const onPoke = () => {
      const killed = copy(next)
      this.#kill(killed, t)
      this.#meet(killed, at, () => `${label()}, then killed before a plain store`)
    }
    const mayDie = kills > 0 && !this.#scenario.onlyAsleep && (victims?.includes(t) ?? true)
    next.nodes[t] = this.#threads[t]!.advance(next.nodes[t]!, result, next, mayDie ? onPoke : undefined)
    this.#meet(next, at, label)
  }

  #kill(state: State, t: number): void {
    state.heirs[t] = this.#holdsAtEnd(state, t)
    state.status[t] = KILLED
    state.nodes[t] = undefined
    state.inside[t] = undefined
    state.kills--
  }

  /** Whether a thread that ends now has something by its steps, and by the memory of the objects. */
  #holdsAtEnd({ nodes, memory }: State, t: number): boolean {
    return nodes[t]!.holds && this.#objects.some(([kind, start]) => isHolder(kind, memory.subarray(start), t + 1))
  }

  #checkEnd(state: State, at: number): void {
    const results = state.nodes.map((node) => (node?.op.kind === 'done' ? node.op.results : undefined))
    const { end, leavesNoTrace = true } = this.#scenario
    if (end && !end(results)) this.#violate(at, `ended with ${JSON.stringify(results)}`)
    if (!leavesNoTrace || state.status.includes(REAPED)) return
    for (const [kind, start] of this.#objects) {
      const [before, after] = [this.#first.memory, state.memory].map((memory) => stateOf(kind, memory.subarray(start)))
      if (before !== after) this.#violate(at, `left a trace: ${before} became ${after}`)
    }
  }

  /** Every state must be able to come to the end. */
  #findHang(): void {
    const before: number[][] = this.#parents.map(() => [])
    for (const [from, successors] of this.#successors.entries()) for (const to of successors) before[to]!.push(from)
    const reaches = new Uint8Array(before.length)
    const stack = [...this.#good]
    for (const good of stack) reaches[good] = 1
    for (let at; (at = stack.pop()) !== undefined;) {
      for (const from of before[at]!) {
        if (reaches[from]) continue
        reaches[from] = 1
        stack.push(from)
      }
    }
    const stuck = reaches.indexOf(0)
    if (stuck >= 0) this.#violate(stuck, 'somebody hangs')
  }

  #violate(at: number, what: string): void {
    if (this.#violation) return
    const path: string[] = []
    for (let index = at; index >= 0; index = this.#parents[index]!) path.push(this.#labels[index]!)
    this.#violation = `${what}\n  ${path.toReversed().join('\n  ')}`
  }
}

// A port's words: whether it is closed, how many messages it holds, and those.
const CLOSED = 0
const COUNT = 1
const LETTERS = 2
const PORT_WORDS = 8

const otherPort = ({ at, side }: { at: number; side: number }) => at + (side === 0 ? PORT_WORDS : -PORT_WORDS)

/** What matters of an object's memory when no thread uses it: not the tickets, and not what the log once said. */
function stateOf(kind: string, words: Int32Array): string {
  if (kind === 'Lock') return String(words[0])
  if (kind === 'RLock') return `${words[0]} ${words[2]}`
  const used: number[] = []
  for (let i = 0; i < words[2]!; i++) {
    const entry = FIRST_ENTRY + 4 * i
    if (words[entry] !== 0) used.push(words[entry]!)
  }
  const own = kind === 'Barrier' ? [words[5], words[7], words[9]] : [...words.subarray(5, 14)]
  for (const token of words.subarray(FIRST_TOKEN, FIRST_ENTRY))
    if (token !== LENT) used.push(...(token === 0 ? [] : [token]))
    else if (kind === 'Semaphore') own[0]!++ // It is free.
  return `mutex ${words[0]}, log ${words[4]}, state ${own.join()}, entries ${used.join()}`
}

/** A thread that probes may find it dead, now or later. */
const isGone = (status: number) => status === ENDED || status === SEEN || status === REAPED

/** How many tasks of a JoinableQueue a thread has, by its second memory. */
function tasksOf(words: Int32Array, owner: number): number {
  for (let i = 0; i < words[6]!; i++) if (words[24 + 2 * i] === owner) return words[25 + 2 * i]!
  return 0
}

/** Whether the memory of an object says that a thread has it. One that died over a log has what the log says: perhaps. */
function isHolder(kind: string, words: Int32Array, owner: number): boolean {
  if (kind === 'Memory') return words[0]! > 0 || tasksOf(words, owner) > 0
  if (NO_MONITOR.has(kind)) return (words[0]! & OWNER) === owner
  if (words[4]! > 0) return true
  const has = (state: number) => {
    for (let i = 0; i < words[2]!; i++) {
      const status = words[FIRST_ENTRY + 4 * i]!
      if ((status & state) !== 0 && (status & OWNER) === owner) return true
    }
    return false
  }
  // What was granted and not yet got is not held.
  if (kind === 'RWLock') return words[5] === owner && !has(2 ** 29)
  return has(2 ** 30) || words.subarray(FIRST_TOKEN, FIRST_ENTRY).some((token) => (token & OWNER) === owner)
}

function without(sleepers: number[], t: number): number[] {
  const rest: number[] = []
  for (let i = 0; i < sleepers.length; i += 2) if (sleepers[i] !== t) rest.push(sleepers[i]!, sleepers[i + 1]!)
  return rest
}

function copy(state: State): State {
  return {
    memory: state.memory.slice(),
    nodes: [...state.nodes],
    status: [...state.status],
    sleepers: [...state.sleepers],
    kills: state.kills,
    heirs: [...state.heirs],
    inside: [...state.inside],
  }
}

/** The bits of a word that name its owner. */
const OWNER = 2 ** 28 - 1

// A monitor's memory, with as many tokens as are explored (bundle.ts). See lib/sync/entry-table.ts.
const FIRST_TOKEN = 32
const FIRST_ENTRY = FIRST_TOKEN + 2
const LENT = 2 ** 28

/** Kinds whose memory is not that of a monitor. */
const NO_MONITOR = new Set(['Lock', 'RLock', 'Queue', 'JoinableQueue', 'Memory', 'LeaseSlots', 'Connection', 'Port'])

let scratch = new Int32Array(0)

/**
 * 53 bits: among a million states, two are taken for one with a probability of 1 to 10,000. Words that no thread will read again are
 * left out: the log that was written, the fields of unused entries, and of tickets all but their order.
 */
function hash(state: State, objects: [kind: string, start: number][]): number {
  let a = 0x9e3779b9
  let b = 0x85ebca6b
  const mix = (value: number) => {
    a = Math.imul(a ^ value, 0x01000193) ^ (a >>> 15)
    b = Math.imul((b ^ value) + 0x7f4a7c15, 0x5bd1e995) ^ (b >>> 13)
  }
  const memory = scratch.length === state.memory.length ? scratch : (scratch = state.memory.slice())
  memory.set(state.memory)
  for (const [kind, start] of objects) if (!NO_MONITOR.has(kind)) tidy(memory.subarray(start))
  for (let i = 0; i < memory.length; i++) {
    if (memory[i] === 0) continue
    mix(i)
    mix(memory[i]!)
  }
  for (const [t, node] of state.nodes.entries()) {
    mix(node?.id ?? -1)
    mix(state.status[t]! + (state.inside[t] === undefined ? 0 : 8) + (state.heirs[t] ? 16 : 0))
  }
  mix(state.kills)
  for (const value of state.sleepers) mix(value + 1)
  return (a & 0x1fffff) * 2 ** 32 + (b >>> 0)
}

function tidy(words: Int32Array): void {
  words[3] = 0
  if (words[4] === 0) words.fill(0, 16, 32)
  const end = FIRST_ENTRY + 4 * words[2]!
  let ordered = 0
  for (let entry = FIRST_ENTRY; entry < end; entry += 4) {
    if (words[entry] === 0) words.fill(0, entry + 1, entry + 4)
    else if (words[entry]! >= 2 ** 30) words[entry + 1] = 0
    else ordered++
  }
  // The tickets of the few that wait become 1, 2, 3 … below zero, so that they are not taken for ones yet to be replaced.
  for (let rank = 1; rank <= ordered; rank++) {
    let least = 0
    for (let entry = FIRST_ENTRY; entry < end; entry += 4)
      if (words[entry + 1]! > 0 && (least === 0 || words[entry + 1]! < words[least + 1]!)) least = entry
    words[least + 1] = -rank
  }
}

/** For a thread that makes objects, alone. */
export function directController(): Controller {
  const unused = (): never => {
    throw new Error('not while it is made')
  }
  return {
    threadId: 0,
    load: (words, index) => words[index]!,
    store: (words, index, value) => (words[index] = value),
    add: unused,
    or: unused,
    exchange: unused,
    compareExchange: (words, index, expected, value) => {
      const before = words[index]!
      if (before === expected) words[index] = value
      return before
    },
    peek: (words, index) => words[index]!,
    poke: (words, index, value) => {
      words[index] = value
    },
    waitOn: unused,
    notify: unused,
    isDead: unused,
    enter: () => true,
    exit: () => {},
    now: unused,
    port: () => false,
    point: unused,
    asleep: unused,
  }
}

type Made = { handle?: [kind: string, ...parts: unknown[]] }

/** The same objects as another thread has them: of one object, or of an object of objects, each rebuilt at its first use. */
function rebuildAll(classes: ReturnType<Bundle['load']>, made: object): object {
  if ((made as Made).handle) return classes.rebuild(made)
  const all = {}
  for (const [name, one] of Object.entries(made)) {
    let rebuilt: object | undefined
    Object.defineProperty(all, name, { get: () => (rebuilt ??= rebuildAll(classes, one as object)) })
  }
  return all
}

function objectsIn(made: object): [kind: string, buffer: SharedArrayBuffer][] {
  const { handle } = made as Made
  if (!handle) return Object.values(made).flatMap((one) => objectsIn(one as object))
  const [kind, buffer, ...others] = handle
  const more = others.filter((part): part is SharedArrayBuffer => part instanceof SharedArrayBuffer)
  const inner = others.filter((part): part is object => typeof part === 'object' && part !== null && 'handle' in part)
  return [
    [kind, buffer as SharedArrayBuffer],
    ...more.map((memory): [string, SharedArrayBuffer] => ['Memory', memory]),
    ...inner.flatMap(objectsIn),
  ]
}

function buffersOf(made: object): SharedArrayBuffer[] {
  return objectsIn(made).map(([, buffer]) => buffer)
}
