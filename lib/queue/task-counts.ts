// The tasks of a JoinableQueue: how many are done, and which thread has how many that are not. A thread that ends with tasks has
// lost them; a joiner finds that, says so, and writes them off.
//
// word          field        meaning
//  0            TASKS_LOGGED length of the log that is to be written, in words; 0: none
//  1            LOG_HEAD     the log counts if HEAD of the ring has this value: see `prepare`
//  2            FINISHED     tasks done or written off, mod 2^32
//  3            LOST         those of them that were written off
//  4            LOSERS       the threads that lost them
//  5            LAST_LOSER   the last of those, thread id + 1
//  6            HOLDERS      how many entries were ever in use
//  8..23        TASK_LOG     pairs: index of a word, its new value
//  24 + 2 * i   OWNER        entry i: a thread, id + 1
//  25 + 2 * i   COUNT        tasks that it got, and that are not done; 0: the entry is unused
//
// All of it is read and written with READ_LOCK of the ring held. Invariant, then: the tasks that were read and are not finished are at
// most the sum of all COUNTs. What the living do not have of them is lost.
import { peek, poke, type Words } from '../memory/atomics.js'
import { ME } from '../sync/lock-word.js'
import { isDead, probeDead } from '../thread/liveness.js'

const TASKS_LOGGED = 0
const LOG_HEAD = 1
const FINISHED = 2
const LOST = 3
const LOSERS = 4
const LAST_LOSER = 5
const HOLDERS = 6
const TASK_LOG = 8
const FIRST_HOLDER = 24
const HOLDER_WORDS = 2
const COUNT = 1

const FIRST_HOLDERS = 16
const MAX_HOLDERS = 2 ** 16

const taskBytesFor = (entries: number) => (FIRST_HOLDER + entries * HOLDER_WORDS) * Int32Array.BYTES_PER_ELEMENT

/** The tasks that were written off so far. */
export interface Losses {
  tasks: number
  threads: number
  /** The thread id of the last of those. */
  lastPid: number
}

export function newTaskMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(taskBytesFor(FIRST_HOLDERS), { maxByteLength: taskBytesFor(MAX_HOLDERS) })
}

export class TaskCounts {
  readonly #memory: SharedArrayBuffer
  #words: Words
  /** This thread's entry, when it had one last. */
  #own = FIRST_HOLDER

  constructor(memory: SharedArrayBuffer) {
    this.#memory = memory
    this.#words = this.#view()
  }

  get finished(): number {
    return peek(this.#words, FINISHED)
  }

  get losses(): Losses {
    const words = this.#words
    return { tasks: peek(words, LOST), threads: peek(words, LOSERS), lastPid: peek(words, LAST_LOSER) - 1 }
  }

  /** Finish what a dead thread logged. To be called before anything else, with READ_LOCK just taken. @param head HEAD */
  catchUp(head: number): void {
    if (this.#end() > this.#words.length) this.#words = this.#view()
    if (peek(this.#words, TASKS_LOGGED) === 0) return
    if (peek(this.#words, LOG_HEAD) === head) this.replay()
    else poke(this.#words, TASKS_LOGGED, 0) // It died before it took them.
  }

  /**
   * This thread is about to take tasks. The store of HEAD takes them and makes the log count, so that a death lies before both or
   * after both; `replay` then writes the log.
   * @param before HEAD  @param head its next value  @throws RangeError too many threads have tasks
   */
  prepare(before: number, head: number, count: number): void {
    this.catchUp(before)
    const entry = this.#entryOfMe()
    const had = peek(this.#words, entry) === ME ? peek(this.#words, entry + COUNT) : 0
    this.#logTwo(head, entry, ME, entry + COUNT, had + count)
  }

  /** Write what the log says. */
  replay(): void {
    const words = this.#words
    const end = TASK_LOG + peek(words, TASKS_LOGGED)
    for (let i = TASK_LOG; i < end; i += 2) poke(words, peek(words, i), peek(words, i + 1))
    poke(words, TASKS_LOGGED, 0)
  }

  #log(head: number, pairs: readonly number[]): void {
    const words = this.#words
    for (let i = 0; i < pairs.length; i++) poke(words, TASK_LOG + i, pairs[i]!)
    poke(words, LOG_HEAD, head)
    poke(words, TASKS_LOGGED, pairs.length)
  }

  /** As `#log`, for two words, without an array. */
  #logTwo(head: number, index: number, value: number, otherIndex: number, otherValue: number): void {
    const words = this.#words
    poke(words, TASK_LOG, index)
    poke(words, TASK_LOG + 1, value)
    poke(words, TASK_LOG + 2, otherIndex)
    poke(words, TASK_LOG + 3, otherValue)
    poke(words, LOG_HEAD, head)
    poke(words, TASKS_LOGGED, 4)
  }

  /** A task is done: one of this thread's, or, if it has none, one of another's, a living one's first. */
  finishOne(head: number): void {
    const words = this.#words
    const finished = (this.finished + 1) | 0
    const entry = this.#isOwn(this.#own) ? this.#own : this.#entryToFinish()
    if (entry === undefined) poke(words, FINISHED, finished)
    else {
      this.#logTwo(head, FINISHED, finished, entry + COUNT, peek(words, entry + COUNT) - 1)
      this.replay()
    }
  }

  #entryToFinish(): number | undefined {
    const having = this.#having()
    const isLiving = (entry: number) => !isDead(peek(this.#words, entry) - 1)
    return having.find((entry) => this.#isOwn(entry)) ?? having.find(isLiving) ?? having[0]
  }

  #isOwn(entry: number): boolean {
    return peek(this.#words, entry) === ME && peek(this.#words, entry + COUNT) > 0
  }

  /** Write off what dead threads had. @param read tasks that were read, mod 2^32 @returns whether there was any */
  writeOff(head: number, read: number): boolean {
    const words = this.#words
    const dead: number[] = []
    let missing = (read - this.finished) | 0
    for (const entry of this.#having()) {
      const owner = peek(words, entry)
      if (owner !== ME && isDead(owner - 1)) dead.push(entry)
      else missing -= peek(words, entry + COUNT)
    }
    const { tasks } = this.losses
    for (const entry of dead) {
      // Fewer than it had, if others called taskDone before there was a task of theirs.
      const lost = Math.max(Math.min(peek(words, entry + COUNT), missing), 0)
      missing -= lost
      this.#log(head, [entry + COUNT, 0, ...(lost > 0 ? this.#lossOf(lost, peek(words, entry)) : [])])
      this.replay()
    }
    return this.losses.tasks !== tasks
  }

  #lossOf(lost: number, owner: number): number[] {
    const { tasks, threads } = this.losses
    return [FINISHED, (this.finished + lost) | 0, LOST, tasks + lost, LOSERS, threads + 1, LAST_LOSER, owner]
  }

  /** Ask the system about the threads that have tasks: `writeOff` finds the dead. Needs no lock. */
  probe(): void {
    for (const entry of this.#having()) {
      const owner = peek(this.#words, entry)
      if (owner !== ME) probeDead(owner - 1)
    }
  }

  /** The entries of threads that have tasks. */
  #having(): number[] {
    const words = this.#words
    const found: number[] = []
    for (let entry = FIRST_HOLDER, end = Math.min(this.#end(), words.length); entry < end; entry += HOLDER_WORDS)
      if (peek(words, entry + COUNT) > 0) found.push(entry)
    return found
  }

  #entryOfMe(): number {
    if (peek(this.#words, this.#own) === ME) return this.#own
    let unused = -1
    for (let entry = FIRST_HOLDER, end = this.#end(); entry < end; entry += HOLDER_WORDS) {
      if (peek(this.#words, entry) === ME) return (this.#own = entry)
      if (unused < 0 && peek(this.#words, entry + COUNT) === 0) unused = entry
    }
    return (this.#own = unused < 0 ? this.#newEntry() : unused)
  }

  #newEntry(): number {
    const entry = this.#end()
    const used = peek(this.#words, HOLDERS)
    if (entry === this.#words.length) {
      if (used === MAX_HOLDERS)
        throw new RangeError(`a JoinableQueue has room for ${MAX_HOLDERS} threads that have tasks; all of it is taken`)
      this.#memory.grow(taskBytesFor(2 * used))
      this.#words = this.#view()
    }
    poke(this.#words, HOLDERS, used + 1)
    return entry
  }

  #end(): number {
    return FIRST_HOLDER + peek(this.#words, HOLDERS) * HOLDER_WORDS
  }

  #view(): Words {
    return new Int32Array(this.#memory, 0, this.#memory.byteLength / Int32Array.BYTES_PER_ELEMENT)
  }
}
