// The memory of a monitor: a mutex, the policy's words, a log, and a table of the threads that wait for something or hold it.
//
// word            field        meaning
//  0-1            MUTEX        lock word; held for a few lines at a time, never while waiting, never while calling foreign code
//  2              ENTRIES      how many entries were ever in use: where a search through them ends
//  3              LAST_TICKET  the ticket that was given out last
//  4              LOGGED       length of the log that is to be written, in words; 0: none
//  5..13          POLICY       the policy's own
//  16..31         LOG          pairs: index of a word, its new value
//  32 + 32 * t    TOKEN        a hold that is taken and given back without the mutex (tokens.ts): 16 words, 128 bytes apart
//  FIRST_ENTRY + 4 * i:
//              +0 STATUS       entry i: state and owner (thread id + 1); 0: unused. Its waiter sleeps on it
//              +1 TICKET       its place in the order of arrival
//              +2 KIND         what it waits for or holds; the policy's own
//              +3 COUNT        the policy's own
//
// The mutex is held wherever this is read or written; only tokens, sleeping and waking need no mutex.
//
// A thread that dies with the mutex hands it over. Changes that belong together are logged first (`commit`), and the thread that
// inherits the mutex writes what the log says, again. So a change is made whole or not at all, wherever the kill lands, between two
// plain stores too.
import { peek, poke, type Words } from '../memory/atomics.js'
import { isDead, probeDead } from '../thread/liveness.js'
import { LOCK_WORDS, ME, OWNER_MASK } from './lock-word.js'

const ENTRIES = LOCK_WORDS
const LAST_TICKET = 3
const LOGGED = 4
/** The first of the policy's own words. */
export const POLICY = 5
const LOG = 16
export const FIRST_TOKEN = 32
export const TOKEN_WORDS = 32
export const MAX_TOKENS = 16
const FIRST_ENTRY: number = FIRST_TOKEN + MAX_TOKENS * TOKEN_WORDS
const ENTRY_WORDS = 4
const TICKET = 1
export const ENTRY_KIND = 2
export const ENTRY_COUNT = 3

// States of an entry, beside its owner in STATUS.
export const WAITING: number = 2 ** 28
export const GRANTED: number = 2 ** 29
export const HOLDING: number = 2 ** 30

const FIRST_ENTRIES = 16
const MAX_ENTRIES = 2 ** 16

const bytesFor = (entries: number) => (FIRST_ENTRY + entries * ENTRY_WORDS) * Int32Array.BYTES_PER_ELEMENT

/** An entry is named by the index of its first word. */
export class EntryTable {
  /** Growable. The views have a fixed length, which is fast; a new one is made when the memory has grown. */
  readonly memory: SharedArrayBuffer
  words: Words

  constructor(memory?: SharedArrayBuffer) {
    this.memory = memory ?? new SharedArrayBuffer(bytesFor(FIRST_ENTRIES), { maxByteLength: bytesFor(MAX_ENTRIES) })
    this.words = this.#view()
  }

  // The log.

  /** This thread has just taken the mutex: see all entries, and make the change that a dead thread logged. */
  protected catchUp(): void {
    // Not after the log: a change to an entry that this thread does not see yet would be lost.
    if (this.outgrown()) this.words = this.#view()
    if (peek(this.words, LOGGED) > 0) this.#replay()
  }

  /** Whether there are entries that this thread does not see yet. */
  protected outgrown(): boolean {
    return this.#end() > this.words.length
  }

  /** Make several changes as one: `[index, value, index, value, …]`, eight pairs at most. */
  commit(...pairs: number[]): void {
    const { words } = this
    for (let i = 0; i < pairs.length; i++) poke(words, LOG + i, pairs[i]!)
    poke(words, LOGGED, pairs.length)
    this.#replay()
  }

  #replay(): void {
    const { words } = this
    const end = LOG + peek(words, LOGGED)
    for (let i = LOG; i < end; i += 2) poke(words, peek(words, i), peek(words, i + 1))
    poke(words, LOGGED, 0)
  }

  // The table.

  /** Make an entry. Its status is written last: until then it is unused. @throws RangeError the table is full */
  add(state: number, owner: number, kind: number, count: number): number {
    const entry = this.#prepare(kind, count)
    poke(this.words, entry, state | owner)
    return entry
  }

  remove(entry: number): void {
    poke(this.words, entry, 0)
  }

  is(entry: number, state: number): boolean {
    return (peek(this.words, entry) & state) !== 0
  }

  ownerOf(entry: number): number {
    return peek(this.words, entry) & OWNER_MASK
  }

  /** Whether the entry's owner is dead. @param probe ask the system */
  isOrphan(entry: number, probe: boolean): boolean {
    const owner = this.ownerOf(entry)
    return owner !== ME && (probe ? probeDead(owner - 1) : isDead(owner - 1))
  }

  /** Whether any entry is in one of the states. */
  any(states: number): boolean {
    for (let entry = FIRST_ENTRY, end = this.#end(); entry < end; entry += ENTRY_WORDS)
      if (this.is(entry, states)) return true
    return false
  }

  /** The entries in a state. */
  entries(state: number): number[] {
    const found: number[] = []
    for (let entry = FIRST_ENTRY, end = this.#end(); entry < end; entry += ENTRY_WORDS)
      if (this.is(entry, state)) found.push(entry)
    return found
  }

  /** The waiters, oldest first. */
  waiters(): number[] {
    const { words } = this
    return this.entries(WAITING).toSorted((a, b) => (peek(words, a + TICKET) - peek(words, b + TICKET)) | 0)
  }

  /** The waiter that has waited longest; -1: nobody waits. @param but without this entry */
  firstWaiter(but = -1): number {
    const { words } = this
    let first = -1
    for (let entry = FIRST_ENTRY, end = this.#end(); entry < end; entry += ENTRY_WORDS)
      if (
        entry !== but &&
        this.is(entry, WAITING) &&
        (first < 0 || ((peek(words, entry + TICKET) - peek(words, first + TICKET)) | 0) < 0)
      )
        first = entry
    return first
  }

  /** How many times a thread holds it: the COUNT of its HOLDING entry. */
  held(owner: number): number {
    const entry = this.#holding(owner)
    return entry < 0 ? 0 : peek(this.words, entry + ENTRY_COUNT)
  }

  /** The pairs for `commit` that make a thread hold it once more or once less. A thread that holds nothing has no entry. */
  charge(owner: number, change: 1 | -1): number[] {
    const entry = this.#holding(owner)
    if (entry < 0) return [this.#prepare(0, 1), HOLDING | owner]
    const count = peek(this.words, entry + ENTRY_COUNT) + change
    return count === 0 ? [entry, 0] : [entry + ENTRY_COUNT, count]
  }

  /** The owner's HOLDING entry; -1: it has none. */
  #holding(owner: number): number {
    for (let entry = FIRST_ENTRY, end = this.#end(); entry < end; entry += ENTRY_WORDS)
      if (peek(this.words, entry) === (HOLDING | owner)) return entry
    return -1
  }

  #prepare(kind: number, count: number): number {
    const entry = this.#unused()
    const { words } = this
    const ticket = (peek(words, LAST_TICKET) + 1) | 0
    poke(words, LAST_TICKET, ticket)
    poke(words, entry + TICKET, ticket)
    poke(words, entry + ENTRY_KIND, kind)
    poke(words, entry + ENTRY_COUNT, count)
    return entry
  }

  #unused(): number {
    const end = this.#end()
    for (let entry = FIRST_ENTRY; entry < end; entry += ENTRY_WORDS) if (peek(this.words, entry) === 0) return entry
    const used = peek(this.words, ENTRIES)
    if (end === this.words.length) {
      if (used === MAX_ENTRIES)
        throw new RangeError(
          `a synchronization object has room for ${MAX_ENTRIES} waiters and holders; all of it is taken`,
        )
      this.memory.grow(bytesFor(2 * used))
      this.words = this.#view()
    }
    poke(this.words, ENTRIES, used + 1)
    return end
  }

  #end(): number {
    return FIRST_ENTRY + peek(this.words, ENTRIES) * ENTRY_WORDS
  }

  #view(): Words {
    return new Int32Array(this.memory, 0, this.memory.byteLength / Int32Array.BYTES_PER_ELEMENT)
  }
}
