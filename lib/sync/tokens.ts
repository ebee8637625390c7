// Tokens: holds of a monitor's object (permits, reads) that threads take and give back without the mutex, by one compareExchange
// each. A token is a word of its own, on a cache line of its own, that names its owner, like a lock word:
//
//      UNUSED ──lent, in the name of its first owner──> LENT|owner ──give back──> LENT ──take──> LENT|another owner
//         ^                                                 │                      │
//         └──entered in the table── LENT|CALLED_IN(|owner) <┴──────called in───────┘
//
// - Only the owner of the mutex lends and calls in. Between the two, LENT words change by compareExchange only.
// - `callIn` closes each token, which no thread can then take or give back, and enters it in the table: as free, or as a hold of its
//   owner. After that the policy sees the whole object in the table, and the mutex protects it.
// - A death needs no record: the word keeps the name of the dead owner, as that of a Lock does, and `callIn` enters it as any other. A
//   thread that dies while it calls in leaves some tokens closed. They stay closed until the next thread that needs one takes the
//   mutex and calls them in.
// - The log may write a token that is lent only in the name of the thread that commits. Not: a free one. Another thread may have
//   taken it when the log is written again. One with the name of a dead thread stays as it is until it is called in.
//
// Invariant: while a token is open (not CALLED_IN), no waiter sleeps that its return would have to wake. Nobody waits, or a waiter was
// woken and has yet to try. So a policy calls in all tokens before it lets a waiter sleep or go, and lends none while one sleeps.
import { compareExchange, or, peek, type Words } from '../memory/atomics.js'
import { spinWhile } from './adaptive-spin.js'
import { FIRST_TOKEN, MAX_TOKENS, TOKEN_WORDS } from './entry-table.js'
import { ME, OWNER_MASK } from './lock-word.js'
import { EntryWaiter, Monitor } from './monitor.js'
import { DONE, type TryResult } from './park.js'

const LENT = 2 ** 28
const CALLED_IN = 2 ** 29
/** A token that this thread has. */
const MINE: number = LENT | ME

export abstract class Lender extends Monitor {
  /** The tokens do not move when the table grows. */
  readonly #words: Words = this.words
  #end = FIRST_TOKEN
  /** The token that this thread had last. */
  #last = FIRST_TOKEN

  /** @param count how many there are, the same for all threads */
  protected useTokens(count: number): void {
    const used = Math.min(Math.max(count, 1), MAX_TOKENS)
    this.#end = FIRST_TOKEN + used * TOKEN_WORDS
    this.#last = FIRST_TOKEN + (ME % used) * TOKEN_WORDS
  }

  /** The pairs for `commit` that enter a token in the table. @param owner 0: it is free */
  protected abstract entered(owner: number): number[]

  /** Take a token that is free, without the mutex. */
  takeToken(): boolean {
    return compareExchange(this.#words, this.#last, LENT, MINE) === LENT || this.#move(LENT, MINE)
  }

  /** Give back a token of this thread, without the mutex. @returns whether it had one */
  giveTokenBack(): boolean {
    return compareExchange(this.#words, this.#last, MINE, LENT) === MINE || this.#move(MINE, LENT)
  }

  #move(from: number, to: number): boolean {
    const words = this.#words
    for (let token = FIRST_TOKEN; token < this.#end; token += TOKEN_WORDS)
      if (peek(words, token) === from && compareExchange(words, token, from, to) === from) {
        this.#last = token
        return true
      }
    return false
  }

  /** Wait a moment for the token that this thread had last. @returns whether it has a token */
  awaitToken(): boolean {
    const word = peek(this.#words, this.#last)
    if (word <= LENT || word >= CALLED_IN || word === MINE) return false
    spinWhile(this.#words, this.#last, word)
    return this.takeToken()
  }

  // With the mutex held.

  /** The pairs for `commit` that lend this thread a token, which it then has. None are left: []. */
  protected lend(): number[] {
    const words = this.#words
    let token = this.#last
    for (let next = FIRST_TOKEN; peek(words, token) !== 0; next += TOKEN_WORDS) {
      if (next === this.#end) return []
      token = next
    }
    this.#last = token
    return [token, MINE]
  }

  /** Enter all tokens in the table. */
  protected callIn(): void {
    const words = this.#words
    for (let token = FIRST_TOKEN; token < this.#end; token += TOKEN_WORDS)
      if (peek(words, token) !== 0) this.commit(token, 0, ...this.entered(or(words, token, CALLED_IN) & OWNER_MASK))
  }
}

/** Waits for a token, or for what the policy grants. For threads that await: one that blocks looks for a token before it waits. */
export class TokenWaiter extends EntryWaiter {
  readonly #lender: Lender

  constructor(lender: Lender, kind = 0) {
    super(lender, false, kind)
    this.#lender = lender
  }

  override attempt(): TryResult {
    return this.index < 0 && this.#lender.takeToken() ? DONE : super.attempt()
  }
}
