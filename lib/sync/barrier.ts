// Barrier: a number of parties wait for one another, and go on together. After Python's multiprocessing.Barrier. A monitor
// (monitor.ts) with this policy:
//
// word     field        meaning
//  POLICY  PARTIES      how many go on together
//  +1      GENERATION   which party this is; its change lets all go that belong to an earlier one
//  +2      BROKEN       1: nobody may wait, until reset
//  +3      BROKEN_PARTY the generation that was broken last, not released
//  +4      RUNNER       who runs the action for the full party (thread id + 1); 0: nobody does
// A waiter's KIND is the generation it belongs to, its COUNT the index that it gets; DOOR: the party is full, it must try again.
//
//   GENERATION g, n waiting ──the last comes; its action──> g + 1: those of g return their index
//                           ──one gives up, dies, aborts──> g + 1, BROKEN_PARTY g: those of g get BrokenBarrierError
//
// One store decides for all: no part of a party goes on while the rest is left behind, wherever the last one dies.
import { inspect } from 'node:util'
import { BrokenBarrierError } from '../errors.js'
import { load, peek, poke } from '../memory/atomics.js'
import { checkTimeout, checkWaitOptions, type WaitOptions } from '../base/wait-options.js'
import { loadTargetSync } from '../task/load-sync.js'
import { define, loadTarget, type Definition } from '../task/target.js'
import type { Target } from '../task/task.js'
import { makeOwnable, registerShareable } from '../transport/shareable.js'
import { probeDue } from '../thread/liveness.js'
import { ME } from './lock-word.js'
import { ENTRY_COUNT, ENTRY_KIND, GRANTED, POLICY, WAITING } from './entry-table.js'
import { EntryWaiter, Monitor } from './monitor.js'
import { AsyncWaiters } from './async-waiters.js'
import { block, DONE, AGAIN, type TryResult } from './park.js'

const PARTIES = POLICY
const GENERATION = POLICY + 1
const BROKEN = POLICY + 2
const BROKEN_PARTY = POLICY + 3
const RUNNER = POLICY + 4

const FAILED = -1
const DOOR = -2

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
      waiter.count = DOOR
      return false
    }
    if (waiter.count < peek(words, PARTIES) - 1) return false
    if (probeDue(this)) {
      this.settle(true)
      if (peek(words, BROKEN) === 1) throw new BrokenBarrierError('a party died while it waited')
    }
    waiter.result = waiter.count
    if (this.#hasAction) {
      // It shows as one that waits, so that its death would be seen.
      this.wait(waiter)
      poke(words, RUNNER, ME)
      waiter.runs = true
    } else {
      poke(words, GENERATION, waiter.kind + 1)
      this.settle(false)
    }
    return true
  }

  override settle(find: boolean): void {
    const { words } = this
    for (const entry of this.waiters()) {
      if (!this.isOrphan(entry, find)) continue
      if (this.#isPresent(entry)) this.break()
      this.remove(entry)
    }
    for (const entry of this.entries(GRANTED)) if (this.isOrphan(entry, find)) this.remove(entry)
    const generation = peek(words, GENERATION)
    for (const entry of this.waiters()) {
      const kind = peek(words, entry + ENTRY_KIND)
      if (this.#isPresent(entry) || kind === generation + 1) continue
      if (kind === peek(words, BROKEN_PARTY) && peek(words, entry + ENTRY_COUNT) !== DOOR)
        this.grant(entry, entry + ENTRY_COUNT, FAILED)
      else this.grant(entry)
    }
  }

  override finish(waiter: EntryWaiter): TryResult {
    const count = peek(this.words, waiter.index + ENTRY_COUNT)
    this.remove(waiter.index)
    if (count === FAILED) throw new BrokenBarrierError('the barrier was broken while this party waited')
    waiter.result = count
    if (count !== DOOR) return DONE
    waiter.index = -1
    return AGAIN
  }

  override abandon(waiter: EntryWaiter): void {
    if (this.#isPresent(waiter.index)) this.break()
  }

  /** The action has been run for the full party. @param good whether it went well */
  finishAction(waiter: EntryWaiter, good: boolean): void {
    const { words } = this
    const intact = this.#isPresent(waiter.index)
    if (intact && good) this.commit(GENERATION, waiter.kind + 1, RUNNER, 0, waiter.index, 0)
    else {
      if (intact) this.break()
      poke(words, waiter.index, 0)
    }
    this.settle(false)
    if (!intact && good) throw new BrokenBarrierError('the barrier was broken while its action ran')
  }

  /** Break the party that waits now, and let nobody wait any more. */
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

  /** How many of the party are there. */
  present(): number {
    return this.waiters().filter((entry) => this.#isPresent(entry)).length
  }

  #isPresent(entry: number): boolean {
    const { words } = this
    return (
      this.is(entry, WAITING) &&
      peek(words, entry + ENTRY_KIND) === peek(words, GENERATION) &&
      peek(words, entry + ENTRY_COUNT) !== DOOR
    )
  }
}

class PartyWaiter extends EntryWaiter {
  /** It was the last to come, and runs the action. */
  runs = false
}

export interface BarrierOptions {
  /** A target that one of the parties runs when all are there, before any goes on. If it throws, the barrier is broken, and that party gets what it threw. @default none */
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
  constructor(parties: number, options?: BarrierOptions)
  /** @internal */
  constructor(parties: number, options?: BarrierOptions, memory?: SharedArrayBuffer, action?: Definition)
  constructor(parties: number, options: BarrierOptions = {}, memory?: SharedArrayBuffer, action?: Definition) {
    if (typeof parties !== 'number') throw new TypeError(`parties must be a number, not ${inspect(parties)}`)
    if (!Number.isInteger(parties) || parties < 1 || parties > 2 ** 16)
      throw new RangeError(`parties must be an integer from 1 to ${2 ** 16}, not ${parties}`)
    if (typeof options !== 'object' || options === null)
      throw new TypeError(`barrier options must be an object, not ${inspect(options)}`)
    this.#timeoutMs = checkTimeout(options.timeout)
    this.#action = options.action === undefined ? action : define(options.action as Target)
    this.#party = new Party(this.#action !== undefined, memory)
    if (memory) return
    poke(this.#party.words, PARTIES, parties)
    poke(this.#party.words, BROKEN_PARTY, -1)
    makeOwnable(this, 'Barrier', this.#party.memory, parties, this.#timeoutMs, this.#action)
  }

  /**
   * Wait until all parties wait.
   * @returns 0 to parties - 1, another for each party
   * @throws BrokenBarrierError (ERR_MANYHANDS_BROKEN_BARRIER) it was aborted or reset, the time of a party was over, a party
   * died, or the action threw in another; what the action threw, in the party that ran it
   */
  async wait(options: WaitOptions = this.#timeoutMs): Promise<number> {
    const { timeoutMs = this.#timeoutMs, signal } = this.#checked(options)
    const waiter = new PartyWaiter(this.#party, false)
    if (!(await new AsyncWaiters().join(waiter, { timeout: timeoutMs, signal }))) throw late(timeoutMs)
    if (waiter.runs) {
      let thrown: { reason: unknown } | undefined
      try {
        const action = await loadTarget(this.#action!)
        await action()
      } catch (reason) {
        thrown = { reason }
      }
      this.#finishAction(waiter, thrown)
    }
    return waiter.result
  }

  /** As `wait`, blocking the thread. @param timeoutMs milliseconds. @default the barrier's `timeout` */
  waitSync(timeoutMs: number = this.#timeoutMs): number {
    const limitMs = checkTimeout(timeoutMs, 'timeoutMs')
    const waiter = new PartyWaiter(this.#party, true)
    if (!block(waiter, limitMs)) throw late(limitMs)
    if (waiter.runs) {
      let thrown: { reason: unknown } | undefined
      try {
        if (loadTargetSync(this.#action!)() instanceof Promise)
          throw new TypeError('the action of a barrier returned a promise, for which waitSync cannot wait')
      } catch (reason) {
        thrown = { reason }
      }
      this.#finishAction(waiter, thrown)
    }
    return waiter.result
  }

  #checked(options: WaitOptions): { timeoutMs?: number | undefined; signal?: AbortSignal } {
    const checked = checkWaitOptions(options)
    const given = typeof options === 'number' || options.timeout !== undefined
    return given ? checked : { ...checked, timeoutMs: undefined }
  }

  #finishAction(waiter: EntryWaiter, thrown: { reason: unknown } | undefined): void {
    this.#party.exclusively(() => this.#party.finishAction(waiter, !thrown))
    if (thrown) throw thrown.reason
  }

  /** Break it: all who wait, and who come until `reset`, get BrokenBarrierError. */
  abort(): void {
    this.#party.exclusively(() => {
      this.#party.break()
      this.#party.settle(false)
    })
  }

  /** Make it whole again. Who waits now gets BrokenBarrierError. */
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

  get broken(): boolean {
    return this.#party.exclusively(() => {
      this.#party.settle(probeDue(this.#party))
      return load(this.#party.words, BROKEN) === 1
    })
  }
}

function late(timeoutMs: number): BrokenBarrierError {
  return new BrokenBarrierError(`not all parties came within ${Math.max(timeoutMs, 0)} ms`)
}

registerShareable('Barrier', ([, , memory, parties, timeout, action]) => {
  return new Barrier(
    parties as number,
    { timeout: timeout as number },
    memory as SharedArrayBuffer,
    action as Definition,
  )
})
