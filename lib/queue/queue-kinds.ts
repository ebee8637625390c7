// The other kinds of Queue: JoinableQueue, whose messages are tasks that are said to be done, and SimpleQueue. After Python's.
import { recognizeCopies } from '../copies.js'
import { partsIn } from '../base/parts.js'
import { refuseExcess } from '../base/validate.js'
import { checkTimeout, checkWaitOptions, type WaitOptions } from '../base/wait-options.js'
import { AsyncWaiters } from '../sync/async-waiters.js'
import { block } from '../sync/park.js'
import { registerQueue } from './queue-registry.js'
import { openStateOf, Queue } from './queue.js'
import { JoinWaiter } from './queue-state.js'
import { newTaskMemory } from './task-counts.js'

/**
 * A Queue whose messages are tasks: a thread that got one calls `taskDone` when it is done with it, and `join` waits for all. A thread
 * that ends, in any way, with tasks that it got and that are not done has lost them: `join` throws OwnerDiedError. After Python's
 * multiprocessing.JoinableQueue.
 */
export class JoinableQueue<T = unknown> extends Queue<T> {
  readonly #joiners = new AsyncWaiters()

  /**
   * One of the tasks that were got is done: one that this thread got, or, if it has none, one of another thread. So a thread may pass
   * a task on, if it lives until that is done.
   * @throws InvalidStateError (ERR_MANYHANDS_INVALID_STATE) called more often than tasks were put; QueueClosedError
   */
  taskDone(): void {
    openStateOf(this).taskDone()
  }

  /**
   * Wait until all tasks that were put are done, without blocking the thread.
   * @returns whether they are; false: not in time
   * @throws OwnerDiedError (ERR_MANYHANDS_OWNER_DIED) a thread ended with tasks that it got and that are not done: the message says how
   * many, `pid` names the thread. They are written off: the next `join` waits for the others only. Each thread that joins is told of
   * a loss once, and all that wait just then are; QueueClosedError (ERR_MANYHANDS_QUEUE_CLOSED) closed by this thread; TypeError, RangeError bad arguments; the signal's
   * reason
   */
  async join(options?: WaitOptions): Promise<boolean> {
    return this.#joiners.join(this.#newWaiter(false, checkWaitOptions(options).timeoutMs), options)
  }

  /** As `join`, blocking the thread. @param timeoutMs milliseconds; 0 does not wait. @default Infinity */
  joinSync(timeoutMs?: number): boolean {
    const limitMs = checkTimeout(timeoutMs, 'timeoutMs')
    return block(this.#newWaiter(true, limitMs), limitMs)
  }

  #newWaiter(blocking: boolean, timeoutMs: number): JoinWaiter {
    const { ring, knownLosses } = openStateOf(this)
    // A waiter probes after a slice; a call that does not wait has to probe now.
    return new JoinWaiter(ring.words, blocking, timeoutMs <= 0, (probing) =>
      openStateOf(this).isFinished(knownLosses, probing),
    )
  }

  override close(): void {
    super.close()
    this.#joiners.run()
  }
}

/** A Queue without options. After Python's multiprocessing.SimpleQueue. */
export class SimpleQueue<T = unknown> extends Queue<T> {
  constructor()
  constructor(...args: any[]) {
    const isReceived = partsIn(args[0]) !== undefined
    if (!isReceived) refuseExcess(args, 'new SimpleQueue()')
    super(isReceived ? args[0] : undefined)
  }
}

registerQueue('JoinableQueue', JoinableQueue, () => newTaskMemory())
registerQueue('SimpleQueue', SimpleQueue)
recognizeCopies(JoinableQueue, 'JoinableQueue')
recognizeCopies(SimpleQueue, 'SimpleQueue')
