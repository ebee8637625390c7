// A receive or a poll that waits at one end of a Pipe, by blocking the thread or by awaiting.
import { keepShape } from '../base/keep-shape.js'
import { load, type Words } from '../memory/atomics.js'
import { AdaptiveSpin } from '../sync/adaptive-spin.js'
import { DONE, WAIT, type TryResult, type Waiter } from '../sync/park.js'
import { NO_MESSAGE, type PipeEnd } from './pipe-end.js'

export class ReceiveWaiter implements Waiter {
  readonly words: Words
  readonly index: number
  readonly adaptiveSpin: AdaptiveSpin
  /** The method that waits, for errors. */
  readonly use: string
  readonly timeoutMs: number
  seen = 0
  probing: boolean
  /** What a receive took. */
  message: unknown = NO_MESSAGE
  readonly #look: (waiter: ReceiveWaiter) => boolean

  /**
   * @param probing whether the first attempt already asks whether the other end is dead
   * @param look whether there is something; a receive sets `message` to what it takes
   */
  constructor(
    { words, index }: Pick<PipeEnd, 'words' | 'index'>,
    adaptiveSpin: AdaptiveSpin,
    use: string,
    timeoutMs: number,
    probing: boolean,
    look: (waiter: ReceiveWaiter) => boolean,
  ) {
    this.words = words
    this.index = index
    this.adaptiveSpin = adaptiveSpin
    this.use = use
    this.timeoutMs = timeoutMs
    this.probing = probing
    this.#look = look
  }

  attempt(): TryResult {
    this.seen = load(this.words, this.index) // Before looking: see pipe-end.ts.
    return this.#look(this) ? DONE : WAIT
  }

  giveUp(): boolean {
    return false
  }
}

const noEnd = { words: new Int32Array(new SharedArrayBuffer(0)), index: 0 }
keepShape(new ReceiveWaiter(noEnd, new AdaptiveSpin(), '', Infinity, false, () => true))
