// What all kinds of queues share: the ring, and the policy around it: how many messages there may be, which waiters are woken by
// what, and how tasks are counted. The words are in queue-layout.ts.
import { InvalidStateError } from '../errors.js'
import { keepShape } from '../base/keep-shape.js'
import { load, waitOn, type Words } from '../memory/atomics.js'
import { viewedBytes, bytesWithRoom, copyBytes } from '../memory/byte-view.js'
import { probeDue, registerThread } from '../thread/liveness.js'
import { decode, decodeBytes, encode, isBytesFrame } from '../transport/codec/codec.js'
import type { Frame } from '../transport/codec/frame.js'
import { EventCountWaiter, wakeAll, wakeOne } from './event-count.js'
import { lostError, notBytesError, shutDownError, tooManyDone } from './queue-errors.js'
import { GETTERS, HEAD, JOINERS, MAX_BYTES, MAXSIZE, PUTTERS, TAIL } from './queue-layout.js'
import { FRAME_LEFT, FRAME_MOVED, SHUT_DOWN, WOULD_GROW, type RingResult } from './ring-result.js'
import { Ring } from './ring.js'
import { TaskCounts, type Losses } from './task-counts.js'

const GROWTH_WAIT_MS = 0.1
const MAX_GROWTH_WAITS = 200
/** After so many waits in which nothing was read, nobody reads just now. */
const MAX_IDLE_GROWTH_WAITS = 20

export class QueueState {
  readonly ring: Ring
  readonly maxsize: number
  readonly maxBytes: number
  readonly #tasks: TaskCounts | undefined
  /** The losses that this thread was told of, or that came before it had the queue. */
  #known: Losses | undefined

  /** @param tasks memory of `newTaskMemory`, for a queue whose messages are tasks */
  constructor(memory: SharedArrayBuffer, tasks?: SharedArrayBuffer) {
    this.#tasks = tasks && new TaskCounts(tasks)
    this.#known = this.#tasks?.losses
    this.ring = new Ring(memory, this.#tasks)
    const { words } = this.ring
    this.maxsize = words[MAXSIZE]!
    this.maxBytes = words[MAX_BYTES]!
    registerThread()
  }

  /** As `encode` of the codec. @throws as that; RangeError the message takes more than `maxBytes` */
  encode(value: unknown, root?: string): Frame {
    const frame = encode(value, root)
    if (frame.length <= this.maxBytes) return frame
    throw new RangeError(`${root ?? 'the message'} is ${frame.length} bytes, limit ${this.maxBytes} (maxBytes)`)
  }

  /** Write a frame, if there is room. @throws QueueShutDown */
  write(frame: Frame): boolean {
    return this.#isWritten(this.ring.write(frame, this.maxsize))
  }

  /**
   * As `write`, for a thread that may be blocked: rather than let a large ring grow, wait for the readers as long as they make
   * progress. Touching new memory for the first time takes ten times as long as copying into memory that was used before.
   */
  writeAvoidingGrowth(frame: Frame): boolean {
    const { ring } = this
    const { words } = ring
    for (let waits = 0, idle = 0; waits < MAX_GROWTH_WAITS && idle < MAX_IDLE_GROWTH_WAITS; waits++) {
      const result = ring.write(frame, this.maxsize, true)
      if (result !== WOULD_GROW) return this.#isWritten(result)
      const head = load(words, HEAD)
      waitOn(words, HEAD, head, GROWTH_WAIT_MS)
      idle = load(words, HEAD) === head ? idle + 1 : 0
    }
    return this.write(frame)
  }

  #isWritten(result: RingResult): boolean {
    if (result === FRAME_MOVED) {
      wakeOne(this.ring.words, GETTERS)
      return true
    }
    if (result === SHUT_DOWN) throw shutDownError('put')
    return false
  }

  /** Read a message, if there is one: `value` gives it. @throws QueueShutDown */
  read(): boolean {
    const { ring } = this
    const result = ring.read()
    if (result === FRAME_MOVED) {
      wakeOne(ring.words, PUTTERS)
      return true
    }
    if (result === SHUT_DOWN) throw shutDownError('get')
    return false
  }

  /** The message that was read. @throws DataCloneError it cannot be read in this thread */
  value(): unknown {
    const { tag, length, inbox, large } = this.ring.frame
    return decode(tag, length, inbox, large)
  }

  /**
   * Read a message of bytes, if there is one, to the start of a view. @returns its length; -1: there is no message
   * @param use the method that reads, for errors
   * @throws QueueShutDown; TypeError it is not bytes, or as `bytesWithRoom`, and it stays
   */
  readInto(view: unknown, use: string): number {
    const { ring } = this
    const { frame, words } = ring
    const target = viewedBytes(view, use) // Not: with the lock held. A getter of a derived class may do anything.
    let other: Uint8Array | undefined
    const result = ring.readWith(() => {
      const isPlain = isBytesFrame(frame.tag)
      if (!isPlain) other = this.#bytesInOtherForm()
      const length = isPlain ? frame.length : (other?.length ?? Infinity)
      if (length > target.length) return false
      if (other) copyBytes(other, target, 0)
      else frame.copyTo(target)
      return true
    })
    const { tag, length } = frame
    switch (result) {
      case FRAME_MOVED:
        wakeOne(words, PUTTERS)
        return other?.length ?? length
      case FRAME_LEFT:
        wakeOne(words, GETTERS) // This thread may have been woken alone, for a message that is another's.
        if (isBytesFrame(tag) || other) bytesWithRoom(target, other?.length ?? length, use)
        throw notBytesError(use, () => this.value())
      case SHUT_DOWN:
        throw shutDownError('get')
      default:
        return -1
    }
  }

  #bytesInOtherForm(): Uint8Array | undefined {
    const { frame } = this.ring
    frame.copy()
    try {
      return decodeBytes(frame.tag, frame.length, frame.inbox, frame.large)
    } catch {
      return undefined // It cannot be read in this thread: `get` tells why.
    }
  }

  /** Write the frames from `from` on that there is room for. Returns their number. @throws QueueShutDown none was written */
  writeMany(frames: readonly Frame[], from: number): number {
    const { ring } = this
    let written = 0
    const result = ring.writeMany(frames, from, this.maxsize, () => written++)
    if (written > 0) wakeAll(ring.words, GETTERS)
    else if (result === SHUT_DOWN) throw shutDownError('put')
    return written
  }

  /** Read up to `max` messages that are there. @throws QueueShutDown; DataCloneError the oldest cannot be read in this thread */
  readMany(max: number): unknown[] {
    const { ring } = this
    const values: unknown[] = []
    let failure: unknown
    const result = ring.readMany(max, () => {
      if (failure !== undefined) return false
      try {
        values.push(this.value())
      } catch (reason) {
        if (values.length > 0) return false // The next call finds it again, as the oldest.
        failure = reason
      }
      return true
    })
    if (result === FRAME_MOVED) wakeAll(ring.words, PUTTERS)
    if (result === SHUT_DOWN) throw shutDownError('get')
    if (failure !== undefined) throw failure
    return values
  }

  /** The number of unread messages. */
  size(): number {
    return this.ring.inspect((unread) => unread)
  }

  isEmpty(): boolean {
    return isEmpty(this.ring.words)
  }

  /** @param immediate whether unread messages are discarded */
  shutDown(immediate: boolean): void {
    const { ring } = this
    ring.shutDown(immediate)
    wakeAll(ring.words, GETTERS)
    wakeAll(ring.words, PUTTERS)
    wakeAll(ring.words, JOINERS)
  }

  /** @throws InvalidStateError */
  taskDone(): void {
    const { ring } = this
    const tasks = this.#tasks!
    ring.inspect((_, written, head) => {
      if (written === tasks.finished) throw new InvalidStateError(tooManyDone(written, tasks.losses.tasks))
      tasks.finishOne(head)
    })
    wakeAll(ring.words, JOINERS)
  }

  /** The losses that a joiner is not told of. */
  get knownLosses(): Losses {
    return this.#known!
  }

  /**
   * Whether every task that was put is done.
   * @param known the losses that the joiner knew of when it came
   * @param probing ask the system who is dead
   * @throws OwnerDiedError there are others
   */
  isFinished(known: Losses, probing: boolean): boolean {
    const { ring } = this
    const tasks = this.#tasks!
    if (probing && probeDue(this)) tasks.probe()
    let wroteOff = false
    let losses = known
    const finished = ring.inspect((unread, written, head) => {
      wroteOff = tasks.writeOff(head, (written - unread) | 0)
      losses = tasks.losses
      return written === tasks.finished
    })
    if (wroteOff) wakeAll(ring.words, JOINERS)
    if (losses.tasks === known.tasks) return finished
    this.#known = losses
    throw lostError(losses, losses.tasks - known.tasks, losses.threads - known.threads)
  }
}

const isEmpty = (words: Words) => load(words, HEAD) === load(words, TAIL)

/** Waits for a message. */
export class GetWaiter extends EventCountWaiter {
  readonly #get: () => boolean

  /** @param get whether it got one */
  constructor(words: Words, blocking: boolean, get: () => boolean) {
    super(words, GETTERS, TAIL, blocking)
    this.#get = get
  }
  override look(): boolean {
    return this.#get()
  }
  override passOn(): void {
    if (!isEmpty(this.words)) wakeOne(this.words, GETTERS)
  }
}

/** Waits for room. */
export class PutWaiter extends EventCountWaiter {
  readonly #put: () => boolean

  /** @param put whether all was put */
  constructor(words: Words, blocking: boolean, put: () => boolean) {
    super(words, PUTTERS, HEAD, blocking)
    this.#put = put
  }
  override look(): boolean {
    return this.#put()
  }
  override passOn(): void {
    wakeOne(this.words, PUTTERS)
  }
}

/** Waits until all tasks are done. */
export class JoinWaiter extends EventCountWaiter {
  readonly #isFinished: (probing: boolean) => boolean

  /** @param probing whether the first look asks who is dead */
  constructor(words: Words, blocking: boolean, probing: boolean, isFinished: (probing: boolean) => boolean) {
    super(words, JOINERS, TAIL, blocking)
    this.spun = true // A task takes longer than a spin.
    this.probing = probing
    this.#isFinished = isFinished
  }
  override look(): boolean {
    return this.#isFinished(this.probing)
  }
  override passOn(): void {}
}

const noQueueWords: Words = new Int32Array(new SharedArrayBuffer(0))
keepShape(new GetWaiter(noQueueWords, true, () => true))
keepShape(new PutWaiter(noQueueWords, true, () => true))
