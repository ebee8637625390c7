// What the queues have in common, apart from their public faces: the ring, its event counts, and the waiters at them.
//
// word      field     meaning
//   0-95, 97, 98, 224  the ring's
//  96         MAXSIZE   as many messages there may be; 0: any number
//  99         MAXBYTES  as long a message may be
// 128-130     GETTERS   event count: notified when a message was put, or the queue shut down
// 160-162     PUTTERS   event count: notified when a message was got, or the queue shut down
// 192         FINISHED  tasks done, mod 2^32: only a JoinableQueue's
// 193-195     JOINERS   event count: notified when the last task is done
import { InvalidStateError, QueueShutDown } from '../errors.js'
import { load, peek, poke, store, waitOn } from '../memory/atomics.js'
import { registerThread } from '../thread/liveness.js'
import { decode } from '../transport/codec/codec.js'
import { EventCountWaiter, wakeOne, wakeAll } from '../sync/event-count.js'
import { HEAD, MOVED, RATHER_NOT, Ring, SHUT_DOWN, TAIL, type RingResult } from './ring.js'
import type { Frame } from '../transport/codec/frame.js'

const MAXSIZE = 96
const MAXBYTES = 99
const GETTERS = 128
const PUTTERS = 160
const FINISHED = 192
const JOINERS = 193

const NAP_MS = 0.1
const MOST_NAPS = 200
/** Nobody reads just now. */
const MOST_IDLE_NAPS = 20

export class QueueCore {
  readonly ring: Ring
  readonly maxsize: number
  readonly maxBytes: number
  /** One waiter of each kind, lest V8 drops what it has compiled for them: see lib/base/keep-shape.ts. */
  readonly examples: readonly object[]

  constructor(maxsize: number, maxBytes: number, memory?: SharedArrayBuffer) {
    this.ring = new Ring(maxBytes, memory)
    const { words } = this.ring
    if (!memory) {
      poke(words, MAXSIZE, maxsize)
      poke(words, MAXBYTES, maxBytes)
    }
    this.maxsize = words[MAXSIZE]!
    this.maxBytes = words[MAXBYTES]!
    this.examples = [new GetWaiter(this, true, () => true), new PutWaiter(this, true, () => true)]
    registerThread()
  }

  /** Write a frame, if there is room. @throws QueueShutDown */
  write(frame: Frame): boolean {
    return this.#written(this.ring.write(frame, this.maxsize))
  }

  #written(outcome: RingResult): boolean {
    if (outcome === MOVED) {
      wakeOne(this.ring.words, GETTERS)
      return true
    }
    if (outcome === SHUT_DOWN) throw shutDown('put')
    return false
  }

  /**
   * As `write`, by a thread that may be blocked for a moment: new memory costs more than that, as long as somebody reads.
   * Touching it for the first time takes ten times as long as copying into what was used before.
   */
  writeCalmly(frame: Frame): boolean {
    const { ring } = this
    const { words } = ring
    for (let naps = 0, idle = 0; naps < MOST_NAPS && idle < MOST_IDLE_NAPS; naps++) {
      const outcome = ring.write(frame, this.maxsize, false)
      if (outcome !== RATHER_NOT) return this.#written(outcome)
      const head = load(words, HEAD)
      waitOn(words, HEAD, head, NAP_MS)
      idle = load(words, HEAD) === head ? idle + 1 : 0
    }
    return this.write(frame)
  }

  /** Read a message: it is in `ring` then, for `value`. Whether there was one. @throws QueueShutDown */
  read(): boolean {
    const { ring } = this
    const outcome = ring.read()
    if (outcome === MOVED) {
      wakeOne(ring.words, PUTTERS)
      return true
    }
    if (outcome === SHUT_DOWN) throw shutDown('get')
    return false
  }

  /** The message that was read. @throws DataCloneError it cannot be read in this thread */
  value(): unknown {
    const { tag, length, inbox, large } = this.ring
    return decode(tag, length, inbox, large)
  }

  /** Write as many of the frames from `from` on as there is room for: how many. @throws QueueShutDown none was written */
  writeMany(frames: readonly Frame[], from: number): number {
    const { ring } = this
    let written = 0
    const outcome = ring.writeMany(frames, from, this.maxsize, () => written++)
    if (written > 0) wakeAll(ring.words, GETTERS)
    else if (outcome === SHUT_DOWN) throw shutDown('put')
    return written
  }

  /** Read up to `max` messages that are there. @throws QueueShutDown; DataCloneError the oldest cannot be read in this thread */
  readMany(max: number): unknown[] {
    const { ring } = this
    const values: unknown[] = []
    let failure: unknown
    const outcome = ring.readMany(max, () => {
      if (failure !== undefined) return false
      try {
        values.push(this.value())
      } catch (reason) {
        if (values.length > 0) return false // The next call meets it again, as the oldest.
        failure = reason
      }
      return true
    })
    if (outcome === MOVED) wakeAll(ring.words, PUTTERS)
    if (outcome === SHUT_DOWN) throw shutDown('get')
    if (failure !== undefined) throw failure
    return values
  }

  /** How many messages there are. */
  size(): number {
    return this.ring.inspect((unread) => unread)
  }

  isEmpty(): boolean {
    const { words } = this.ring
    return load(words, HEAD) === load(words, TAIL)
  }

  shutDown(immediate: boolean): void {
    const { ring } = this
    ring.shut(immediate)
    wakeAll(ring.words, GETTERS)
    wakeAll(ring.words, PUTTERS)
    wakeAll(ring.words, JOINERS)
  }

  /** @throws InvalidStateError */
  taskDone(): void {
    const { ring } = this
    ring.inspect((_, written) => {
      const finished = peek(ring.words, FINISHED)
      if (written === finished) throw new InvalidStateError(`taskDone() for none of the ${written} tasks that were put`)
      store(ring.words, FINISHED, (finished + 1) | 0)
    })
    wakeAll(ring.words, JOINERS)
  }

  /** Whether every task that was put is done. */
  isFinished(): boolean {
    const { ring } = this
    return ring.inspect((_, written) => written === peek(ring.words, FINISHED))
  }
}

const shutDown = (what: string) => new QueueShutDown(`${what} of a queue that is shut down`)

/** Waits for a message. */
export class GetWaiter extends EventCountWaiter {
  readonly #core: QueueCore
  readonly #take: () => boolean
  constructor(core: QueueCore, blocking: boolean, take: () => boolean) {
    super(core.ring.words, GETTERS, TAIL, blocking)
    this.#core = core
    this.#take = take
  }
  override look(): boolean {
    return this.#take()
  }
  override passOn(): void {
    if (!this.#core.isEmpty()) wakeOne(this.words, GETTERS)
  }
}

/** Waits for room. */
export class PutWaiter extends EventCountWaiter {
  readonly #put: () => boolean
  constructor(core: QueueCore, blocking: boolean, put: () => boolean) {
    super(core.ring.words, PUTTERS, HEAD, blocking)
    this.#put = put
  }
  override look(): boolean {
    return this.#put()
  }
  override passOn(): void {
    wakeOne(this.words, PUTTERS)
  }
}

/** Waits for all tasks to be done. */
export class JoinWaiter extends EventCountWaiter {
  readonly #isFinished: () => boolean
  constructor(core: QueueCore, blocking: boolean, isFinished: () => boolean) {
    super(core.ring.words, JOINERS, FINISHED, blocking)
    this.#isFinished = isFinished
  }
  override look(): boolean {
    return this.#isFinished()
  }
  override passOn(): void {}
}
