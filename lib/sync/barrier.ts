// Barrier: a number of parties wait for one another, and go on together. After Python's multiprocessing.Barrier. A monitor
// (monitor.ts) with this policy:
//
// word     field        meaning
//  POLICY  PARTIES      how many go on together
//  +1      GENERATION   number of the present party; its change releases all waiters of earlier ones
//  +2      BROKEN       1: nobody may wait, until reset
//  +3      BROKEN_PARTY the generation that was broken last, not released
//  +4      RUNNER       the thread that runs the action for the full party (thread id + 1); 0: none does
// A waiter's KIND is its generation. Its COUNT is the index that it gets, or LOCKED_OUT: the party was full, it must try again.
//
//   GENERATION g, n waiting ──the last arrives; its action───> g + 1: those of g return their index
//                           ──one gives up, dies, aborts─────> g + 1, BROKEN_PARTY g: those of g get BrokenBarrierError
//
// One store decides for all: no part of a party goes on while the rest is left behind, wherever its last member dies.
import { isThenable } from '../base/brands.js'
import { recognizeCopies } from '../copies.js'
import { fromParts, partsIn } from '../base/parts.js'
import { checkInteger, checkOptions } from '../base/validate.js'
import { checkTimeout, checkWaitOptions, type WaitOptions } from '../base/wait-options.js'
import { BrokenBarrierError } from '../errors.js'
import { load, peek, poke } from '../memory/atomics.js'
import { loadTargetSync } from '../task/load-sync.js'
import { define, loadTarget, type Definition } from '../task/target.js'
import type { Target } from '../task/task.js'
import { probeDue } from '../thread/liveness.js'
import { makeOwnable, registerShareable } from '../transport/shareable.js'
import { runAwaiting, untilDone } from './async-waiters.js'
import { ENTRY_COUNT, ENTRY_KIND, GRANTED, POLICY, WAITING } from './entry-table.js'
import { ME } from './lock-word.js'
import { EntryWaiter, Monitor } from './monitor.js'
import { AGAIN, DONE, perform, runBlocking, type Operation, type TryResult } from './park.js'

const PARTIES = POLICY
const GENERATION = POLICY + 1
const BROKEN = POLICY + 2
const BROKEN_PARTY = POLICY + 3
const RUNNER = POLICY + 4

/** A COUNT: the waiter's party was broken. */
const FAILED = -1
const LOCKED_OUT = -2

const MAX_PARTIES = 2 ** 16

class Party extends Monitor {
  readonly #hasAction: boolean

  constructor(hasAction: boolean, memory?: SharedArrayBuffer) {
    super(memory)
    this.#hasAction = hasAction
  }

  override take(waiter: PartyWaiter): boolean {
    const { words } = this
    this.settle(false)
    if (peek(words, BROKEN) === 1) throw new BrokenBarrierError('the barrier is broken')
    waiter.kind = peek(words, GENERATION)
    waiter.count = this.present()
    if (peek(words, RUNNER) !== 0) {
      waiter.kind++
      waiter.count = LOCKED_OUT
      return false
    }
    if (waiter.count < peek(words, PARTIES) - 1) return false
    if (probeDue(this)) {
      this.settle(true)
      if (peek(words, BROKEN) === 1) throw new BrokenBarrierError('a party died while it waited')
    }
    waiter.result = waiter.count
    if (this.#hasAction) {
      // Its entry waits like the others, so that its death would be seen.
      this.wait(waiter)
      poke(words, RUNNER, ME)
      waiter.runs = true
    } else {
      poke(words, GENERATION, waiter.kind + 1)
      this.settle(false)
    }
    return true
  }

  override settle(probe: boolean): void {
    const { words } = this
    for (const entry of this.waiters()) {
      if (!this.isOrphan(entry, probe)) continue
      if (this.#isPresent(entry)) this.break()
      this.remove(entry)
    }
    for (const entry of this.entries(GRANTED)) if (this.isOrphan(entry, probe)) this.remove(entry)
    const generation = peek(words, GENERATION)
    for (const entry of this.waiters()) {
      const kind = peek(words, entry + ENTRY_KIND)
      if (this.#isPresent(entry) || kind === generation + 1) continue
      if (kind === peek(words, BROKEN_PARTY) && peek(words, entry + ENTRY_COUNT) !== LOCKED_OUT)
        this.grant(entry, entry + ENTRY_COUNT, FAILED)
      else this.grant(entry)
    }
  }

  override finish(waiter: EntryWaiter): TryResult {
    const count = peek(this.words, waiter.index + ENTRY_COUNT)
    this.remove(waiter.index)
    if (count === FAILED) throw new BrokenBarrierError('the barrier was broken while this party waited')
    waiter.result = count
    if (count !== LOCKED_OUT) return DONE
    waiter.index = -1
    return AGAIN
  }

  override abandon(waiter: EntryWaiter): void {
    if (this.#isPresent(waiter.index)) this.break()
  }

  /** The action was run for the full party. @param succeeded it has not thrown */
  finishAction(waiter: EntryWaiter, succeeded: boolean): void {
    const { words } = this
    const intact = this.#isPresent(waiter.index)
    if (intact && succeeded) this.commit(GENERATION, waiter.kind + 1, RUNNER, 0, waiter.index, 0)
    else {
      if (intact) this.break()
      poke(words, waiter.index, 0)
    }
    this.settle(false)
    if (!intact && succeeded) throw new BrokenBarrierError('the barrier was broken while its action ran')
  }

  /** Break the party that waits now, and refuse all waiters from now on. */
  break(): void {
    this.#breakParty(1)
  }

  /** Break the party that waits now, if there is one, and let the next begin. */
  reset(): void {
    this.settle(false)
    this.#breakParty(0)
    this.settle(false)
  }

  #breakParty(broken: number): void {
    const generation = peek(this.words, GENERATION)
    this.commit(BROKEN, broken, BROKEN_PARTY, generation, GENERATION, generation + 1, RUNNER, 0)
  }

  /** How many of the present party wait. */
  present(): number {
    return this.waiters().filter((entry) => this.#isPresent(entry)).length
  }

  #isPresent(entry: number): boolean {
    const { words } = this
    return (
      this.is(entry, WAITING) &&
      peek(words, entry + ENTRY_KIND) === peek(words, GENERATION) &&
      peek(words, entry + ENTRY_COUNT) !== LOCKED_OUT
    )
  }
}

class PartyWaiter extends EntryWaiter {
  /** It arrived last, and runs the action. */
  runs = false
}

export interface BarrierOptions {
  /**
   * A target that one of the parties runs when all have arrived, before any goes on. If it throws, the barrier is broken, and that
   * party gets what it threw. @default none
   */
  action?: (() => unknown) | undefined
  /** Milliseconds that a `wait` without a time of its own waits. @default Infinity */
  timeout?: number | undefined
}

/** Lets a number of parties, across threads, wait for one another. Shareable. */
export class Barrier {
  readonly #party: Party
  readonly #action: Definition | undefined
  readonly #timeoutMs: number

  /** @param parties how many go on together. @throws RangeError fewer than one */
  constructor(parties: number, options: BarrierOptions = {}) {
    const parts = partsIn(parties) as [SharedArrayBuffer, number, Definition | undefined] | undefined
    if (parts) {
      const [memory, timeoutMs, action] = parts
      this.#timeoutMs = timeoutMs
      this.#action = action
      this.#party = new Party(action !== undefined, memory)
      return
    }
    checkInteger(parties, 'parties', 1, MAX_PARTIES)
    checkOptions(options, 'the options of a Barrier', ['action', 'timeout'])
    this.#timeoutMs = checkTimeout(options.timeout)
    this.#action = options.action === undefined ? undefined : define(options.action as Target)
    this.#party = new Party(this.#action !== undefined)
    poke(this.#party.words, PARTIES, parties)
    poke(this.#party.words, BROKEN_PARTY, -1)
    makeOwnable(this, 'Barrier', this.#party.memory, this.#timeoutMs, this.#action)
  }

  /**
   * Wait until all parties wait.
   * @param options @default the barrier's `timeout`
   * @returns 0 to parties - 1, another for each party
   * @throws BrokenBarrierError (ERR_MANYHANDS_BROKEN_BARRIER) it was aborted or reset, the time of a party was over, a party
   * died, or the action threw in another; what the action threw, in the party that ran it
   */
  async wait(options: WaitOptions = this.#timeoutMs): Promise<number> {
    const { timeoutMs, signal } = checkWaitOptions(options)
    const isTimed = typeof options === 'number' || options.timeout !== undefined
    return await runAwaiting(this.#meet(false, isTimed ? timeoutMs : this.#timeoutMs, signal))
  }

  /** As `wait`, blocking the thread. @param timeoutMs milliseconds. @default the barrier's `timeout` */
  waitSync(timeoutMs: number = this.#timeoutMs): number {
    return runBlocking(this.#meet(true, checkTimeout(timeoutMs, 'timeoutMs')))
  }

  *#meet(blocking: boolean, timeoutMs: number, signal?: AbortSignal): Operation<number> {
    const waiter = new PartyWaiter(this.#party, blocking)
    if (!(yield* untilDone(waiter, timeoutMs, signal)))
      throw new BrokenBarrierError(`not all parties arrived within ${Math.max(timeoutMs, 0)} ms`)
    if (waiter.runs) yield* this.#runAction(waiter, this.#action!)
    return waiter.result
  }

  *#runAction(waiter: EntryWaiter, action: Definition): Operation<void> {
    let thrown: { reason: unknown } | undefined
    try {
      yield* perform({
        block: () => {
          if (isThenable(loadTargetSync(action)()))
            throw new TypeError('the action of a barrier returned a promise, for which waitSync cannot wait')
        },
        wait: async () => void (await (await loadTarget(action))()),
      })
    } catch (reason) {
      thrown = { reason }
    }
    this.#party.exclusively(() => this.#party.finishAction(waiter, !thrown))
    if (thrown) throw thrown.reason
  }

  /** Break it: all waiters, and all that come until `reset`, get BrokenBarrierError. */
  abort(): void {
    this.#party.exclusively(() => {
      this.#party.break()
      this.#party.settle(false)
    })
  }

  /** Make it whole again. Present waiters get BrokenBarrierError. */
  reset(): void {
    this.#party.exclusively(() => this.#party.reset())
  }

  /** How many go on together. */
  get parties(): number {
    return load(this.#party.words, PARTIES)
  }

  /** How many wait now. */
  get nWaiting(): number {
    return this.#party.exclusively(() => this.#party.present())
  }

  /** Whether it is broken, and nobody may wait until `reset`. */
  get broken(): boolean {
    return this.#party.exclusively(() => {
      this.#party.settle(probeDue(this.#party))
      return load(this.#party.words, BROKEN) === 1
    })
  }
}

registerShareable('Barrier', ([, , memory, timeoutMs, action]) => new Barrier(fromParts(memory, timeoutMs, action)))
recognizeCopies(Barrier, 'Barrier')
