// The other kinds of Queue: JoinableQueue, whose messages are tasks that are said to be done, and SimpleQueue. After Python's.
import { partsIn } from '../base/parts.js'
import { checkTimeout, type WaitOptions } from '../base/wait-options.js'
import { AsyncWaiters } from '../sync/async-waiters.js'
import { block } from '../sync/park.js'
import { openStateOf, Queue, registerQueue } from './queue.js'
import { JoinWaiter } from './queue-state.js'

/**
 * A Queue whose messages are tasks: a thread that got one calls `taskDone` when it is done with it, and `join` waits for all.
 * After Python's multiprocessing.JoinableQueue.
 */
export class JoinableQueue<T = unknown> extends Queue<T> {
  readonly #joiners = new AsyncWaiters()

  /**
   * One of the tasks that were got is done.
   * @throws InvalidStateError (ERR_MANYHANDS_INVALID_STATE) called more often than tasks were put; QueueClosedError
   */
  taskDone(): void {
    openStateOf(this).taskDone()
  }

  /**
   * Wait until all tasks that were put are done, without blocking the thread.
   * @returns whether they are; false: not in time
   * @throws QueueClosedError (ERR_MANYHANDS_QUEUE_CLOSED) closed by this thread; TypeError, RangeError bad arguments; the signal's
   * reason
   */
  async join(options?: WaitOptions): Promise<boolean> {
    return this.#joiners.join(this.#newWaiter(false), options)
  }

  /** As `join`, blocking the thread. @param timeoutMs milliseconds; 0 does not wait. @default Infinity */
  joinSync(timeoutMs?: number): boolean {
    return block(this.#newWaiter(true), checkTimeout(timeoutMs, 'timeoutMs'))
  }

  #newWaiter(blocking: boolean): JoinWaiter {
    return new JoinWaiter(openStateOf(this).ring.words, blocking, () => openStateOf(this).isFinished())
  }

  override close(): void {
    super.close()
    this.#joiners.run()
  }
}

/** A Queue without options. After Python's multiprocessing.SimpleQueue. */
export class SimpleQueue<T = unknown> extends Queue<T> {
  constructor(parts?: undefined) {
    super(partsIn(parts) && parts)
  }
}

registerQueue('JoinableQueue', JoinableQueue)
registerQueue('SimpleQueue', SimpleQueue)
