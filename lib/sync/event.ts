// Event: a flag that threads wait for. After Python's multiprocessing.Event. A monitor (monitor.ts) with this policy:
//
// word     field   meaning
//  POLICY  FLAG    1: set
//
// A waiter released by `set` stays released, even if `clear` follows at once.
import { recognizeCopies } from '../copies.js'
import { fromParts, partsIn } from '../base/parts.js'
import { refuseExcess } from '../base/validate.js'
import { checkTimeout, type WaitOptions } from '../base/wait-options.js'
import { load, peek, poke } from '../memory/atomics.js'
import { makeOwnable, registerShareable } from '../transport/shareable.js'
import { AsyncWaiters } from './async-waiters.js'
import { GRANTED, POLICY, WAITING } from './entry-table.js'
import { EntryWaiter, Monitor } from './monitor.js'
import { block, DONE, type TryResult } from './park.js'

const FLAG = POLICY

class Flag extends Monitor {
  isSet(): boolean {
    return load(this.words, FLAG) === 1
  }

  /** Without the mutex, where it is set. */
  override attempt(waiter: EntryWaiter): TryResult {
    return waiter.index < 0 && this.isSet() ? DONE : super.attempt(waiter)
  }

  override take(): boolean {
    return peek(this.words, FLAG) === 1
  }

  override settle(probe: boolean): void {
    if (!this.any(WAITING | GRANTED)) return
    for (const entry of [...this.waiters(), ...this.entries(GRANTED)])
      if (this.isOrphan(entry, probe)) this.remove(entry)
      else if (this.take() && !this.is(entry, GRANTED)) this.grant(entry)
  }

  set(): void {
    poke(this.words, FLAG, 1)
    this.settle(false)
  }

  clear(): void {
    this.settle(false) // The thread that set it may have died before it granted the waiters.
    poke(this.words, FLAG, 0)
  }
}

/** A flag that threads set, clear and wait for. Shareable. */
export class Event {
  readonly #flag: Flag

  constructor()
  constructor(...args: unknown[]) {
    const [memory] = (partsIn(args[0]) ?? []) as [SharedArrayBuffer?]
    if (!memory) refuseExcess(args, 'new Event()')
    this.#flag = new Flag(memory)
    if (!memory) makeOwnable(this, 'Event', this.#flag.memory)
  }

  isSet(): boolean {
    return this.#flag.isSet()
  }

  /** Set it, and release all waiters. */
  set(): void {
    if (!this.isSet()) this.#flag.exclusively(() => this.#flag.set())
  }

  /** Clear it: from now on `wait` waits again. */
  clear(): void {
    if (this.isSet()) this.#flag.exclusively(() => this.#flag.clear())
  }

  /** Wait until it is set. @returns whether it was: false when the time was over before */
  wait(options?: WaitOptions): Promise<boolean> {
    return new AsyncWaiters().join(new EntryWaiter(this.#flag, false), options)
  }

  /**
   * Block the thread until it is set.
   * @param timeoutMs milliseconds; Infinity waits for ever, 0 does not wait. @default Infinity
   * @returns whether it was set: false when the time was over before
   */
  waitSync(timeoutMs?: number): boolean {
    const limitMs = checkTimeout(timeoutMs, 'timeoutMs')
    return this.isSet() || (limitMs > 0 && block(new EntryWaiter(this.#flag, true), limitMs))
  }
}

const EventOn: new (parts: unknown) => Event = Event

registerShareable('Event', ([, , memory]) => new EventOn(fromParts(memory)))
recognizeCopies(Event, 'Event')
