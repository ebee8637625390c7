// Runs async functions that wait, on the shipped code, in every order of their event loops' turns. A turn is one step here: its own
// thread cannot interrupt it, and interleavings within it are explored by explorer.ts, which drives the same waiters. What is explored
// here lies between a waiter and its promise: which waiter tries again and when, which gives up, and for which a wake-up was meant.
//
// An event is the next turn of a program, the delivery of a wake-up to the thread that it was sent to, the end of a time limit, or a
// kill. Each order is run from the start: states live in closures and promises, and cannot be compared.
// - A word may change, by another thread within the turn, just before it is waited on. Once in each order.
// - A wake-up goes to the thread that has waited longest for it, which may be dead when it is delivered.
// - A poll's tick comes only when nothing else can happen, and only after a kill: without a death no waiter may need it.
// - In the end every program must have ended, and no word may be waited on for a waiter that has left.
import type { Bundle, Classes, Controller } from './bundle.js'

export interface Turns {
  /** Wait for this program's next turn. */
  turn(): Promise<void>
  /** Be in a critical section. */
  enter(): void
  leave(): void
}

export type Program<T extends object> = (shared: T, turns: Turns, classes: Classes) => Promise<unknown>

export interface Play<T extends object> {
  name: string
  make(classes: Classes): T
  /** The programs of each thread. */
  threads: Program<T>[][]
  /** The thread that may be killed. */
  victim?: number
  /** What must hold in the end, given the result of each program, `undefined` for those of a killed thread. */
  end?(results: unknown[]): boolean
}

export interface Gone {
  orders: number
  violation: string | undefined
}

/** Timers of at least this length are time limits, which may end at any moment. Shorter ones are the poll's. */
export const LIMIT_MS = 10_000

/** After a death, this many ticks must be enough. */
const MAX_TICKS = 8

interface Sleeper {
  thread: number
  buffer: ArrayBufferLike
  index: number
  woken: boolean
  callback: () => void
}

interface Timer {
  thread: number
  callback: () => void
  isLimit: boolean
}

interface Event {
  label: string
  happen(): void
}

/** Run all orders. */
export async function goThrough<T extends object>(bundle: Bundle, play: Play<T>, limit = 100_000): Promise<Gone> {
  const way: { choice: number; of: number }[] = []
  for (let orders = 1; orders <= limit; orders++) {
    let depth = 0
    const choose = (of: number) => {
      if (depth === way.length) way.push({ choice: 0, of })
      return way[depth++]!.choice
    }
    const violation = await new Stage(bundle, play as unknown as Play<object>, choose).run()
    if (violation) return { orders, violation }
    while (way.length > 0 && way.at(-1)!.choice + 1 === way.at(-1)!.of) way.pop()
    if (way.length === 0) return { orders, violation: undefined }
    way.at(-1)!.choice++
  }
  throw new Error(`${play.name}: more than ${limit} orders`)
}

/** One order. */
class Stage {
  readonly #play: Play<object>
  readonly #loaded: ReturnType<Bundle['load']>[]
  readonly #made: object
  #sleepers: Sleeper[] = []
  #timers: Timer[] = []
  /** The next turns of programs, by their places. */
  readonly #turns = new Map<number, { thread: number; go: () => void }>()
  readonly #results: unknown[] = []
  readonly #open = new Set<number>()
  #killed: number | undefined
  #inside: number | undefined
  readonly #labels: string[] = []
  #violation: string | undefined
  readonly #choose: (of: number) => number
  #mayHaveChanged = true

  constructor(bundle: Bundle, play: Play<object>, choose: (of: number) => number) {
    this.#play = play
    this.#choose = choose
    this.#loaded = play.threads.map((_, thread) => bundle.load(this.#controller(thread)))
    this.#made = play.make(this.#loaded[0]!)
    let place = 0
    for (const [thread, programs] of play.threads.entries()) {
      const classes = this.#loaded[thread]!
      const shared = classes.rebuild(this.#made)
      for (const program of programs) this.#begin(place++, thread, program, shared, classes)
    }
  }

  #begin(place: number, thread: number, program: Program<object>, shared: object, classes: Classes): void {
    const turns: Turns = {
      turn: () => new Promise((go) => this.#turns.set(place, { thread, go })),
      enter: () => {
        if (this.#inside !== undefined) this.#violate(`${place} is inside together with ${this.#inside}`)
        this.#inside = place
      },
      leave: () => (this.#inside = undefined),
    }
    this.#open.add(place)
    const end = (result: unknown) => {
      this.#results[place] = result
      this.#open.delete(place)
    }
    program(shared, turns, classes).then(end, (thrown: Error & { code?: string }) => {
      if (thrown.code === undefined) this.#violate(`${place} threw ${thrown.stack}`)
      end(thrown.code?.replace('ERR_MANYHANDS_', ''))
    })
  }

  async run(): Promise<string | undefined> {
    let ticks = 0
    for (;;) {
      // Promises settle one another: all of them within the turn.
      await new Promise(setImmediate)
      if (this.#violation) return this.#violation
      const events = this.#events()
      if (events.length > 0) {
        const { label, happen } = events[this.#choose(events.length)]!
        this.#labels.push(label)
        happen()
        continue
      }
      const ticking = this.#timers.filter(({ isLimit }) => !isLimit)
      if (this.#open.size === 0 || this.#killed === undefined || ticking.length === 0 || ticks++ === MAX_TICKS) break
      this.#labels.push('tick')
      for (const timer of ticking) this.#fire(timer)
    }
    this.#checkEnd()
    return this.#violation
  }

  #events(): Event[] {
    const events: Event[] = []
    for (const [place, { go }] of this.#turns)
      events.push({
        label: `${place} goes on`,
        happen: () => {
          this.#turns.delete(place)
          go()
        },
      })
    for (const sleeper of this.#sleepers)
      if (sleeper.woken)
        events.push({
          label: `${sleeper.thread} is woken`,
          happen: () => {
            this.#sleepers = this.#sleepers.filter((other) => other !== sleeper)
            sleeper.callback()
          },
        })
    if (this.#open.size === 0) return events
    for (const timer of this.#timers)
      if (timer.isLimit) events.push({ label: `${timer.thread} is late`, happen: () => this.#fire(timer) })
    const { victim } = this.#play
    if (victim !== undefined && this.#killed === undefined && this.#placesOf(victim).some((at) => this.#open.has(at)))
      events.push({ label: `${victim} dies`, happen: () => this.#kill(victim) })
    return events
  }

  #placesOf(thread: number): number[] {
    const first = this.#play.threads.slice(0, thread).flat().length
    return this.#play.threads[thread]!.map((_, i) => first + i)
  }

  #fire(timer: Timer): void {
    this.#timers = this.#timers.filter((other) => other !== timer)
    timer.callback()
  }

  #kill(victim: number): void {
    this.#killed = victim
    this.#sleepers = this.#sleepers.filter(({ thread }) => thread !== victim)
    this.#timers = this.#timers.filter(({ thread }) => thread !== victim)
    for (const place of this.#placesOf(victim)) {
      this.#turns.delete(place)
      this.#open.delete(place)
      this.#results[place] = undefined
      if (this.#inside === place) this.#inside = undefined
    }
  }

  #checkEnd(): void {
    const { end } = this.#play
    if (this.#open.size > 0) this.#violate(`${[...this.#open].join()} hang`)
    else if (end && !end(this.#results)) this.#violate(`ended with ${JSON.stringify(this.#results)}`)
    if (this.#sleepers.length > 0) this.#violate('a word is waited on for a waiter that has left')
    if (this.#timers.some(({ isLimit }) => isLimit)) this.#violate('a timer was left behind')
  }

  #violate(what: string): void {
    this.#violation ??= `${what}\n  ${this.#labels.join('\n  ')}`
  }

  #controller(thread: number): Controller {
    const never = (): never => {
      throw new Error('nobody blocks here')
    }
    return {
      threadId: thread,
      load: (words, index) => Atomics.load(words, index),
      store: (words, index, value) => Atomics.store(words, index, value),
      add: (words, index, value) => Atomics.add(words, index, value),
      or: (words, index, value) => Atomics.or(words, index, value),
      exchange: (words, index, value) => Atomics.exchange(words, index, value),
      compareExchange: (words, index, expected, value) => Atomics.compareExchange(words, index, expected, value),
      peek: (words, index) => words[index]!,
      poke: (words, index, value) => {
        words[index] = value
      },
      waitOn: never,
      notify: ({ buffer }, index, count) => this.#notify(buffer, index, count),
      isDead: (id) => id === this.#killed,
      now: () => 0,
      port: never,
      enter: never,
      exit: never,
      point: (waiter) => waiter,
      asleep: (waiter) => waiter,
      whenChanged: (words, index, seen, callback) => {
        if (Atomics.load(words, index) !== seen) callback()
        else if (this.#mayHaveChanged && this.#choose(2) === 1) {
          this.#mayHaveChanged = false
          this.#labels.push(`${thread} finds that it has changed`)
          callback()
        } else this.#sleepers.push({ thread, buffer: words.buffer, index, woken: false, callback })
      },
      setTimeout: (callback, ms) => {
        const timer = { thread, callback, isLimit: ms >= LIMIT_MS }
        this.#timers.push(timer)
        return timer
      },
      clearTimeout: (timer) => {
        this.#timers = this.#timers.filter((other) => other !== timer)
      },
    }
  }

  #notify(buffer: ArrayBufferLike, index: number, count: number): number {
    let woken = 0
    for (const sleeper of this.#sleepers) {
      if (woken === count) break
      if (sleeper.woken || sleeper.buffer !== buffer || sleeper.index !== index) continue
      sleeper.woken = true
      woken++
    }
    return woken
  }
}
