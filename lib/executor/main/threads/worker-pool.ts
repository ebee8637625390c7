// The worker threads of one executor: how many there are, which slot and which ports each has (worker-handle.ts), how each came up
// and what it died of. Threads are started when there is work for them, and not to replace those that have ended.
//
//   start ──> waits for a thread ──> has one, which boots ──> up ──> ready ──> exits      the slot is free
//                │                       │                    └── exits before it is ready: the executor is broken
//                └───────────────────────┴── no thread can be started, or it exits before it is up: the worker is
//                                            dismissed; the executor is broken if there is no other thread
import type { Worker } from 'node:worker_threads'
import { performance, Promise, queueMicrotask } from '../../../base/clock.js'
import { thrownText } from '../../../base/thrown-text.js'
import type { LeaseEnd, WorkerStart } from '../../protocol/messages.js'
import { IdleWorkers } from './idle-workers.js'
import { PiscinaThreads, type ThreadSetup } from './piscina-threads.js'
import { PoolThread, type ThreadExit } from './pool-thread.js'
import { newPorts, WorkerHandle } from './worker-handle.js'

/** After a failure to start one more thread, for this long no other is tried while there are any. */
const RETRY_GROWTH_MS = 1000

/** Threads that are stuck in a native call and whose slots are taken: with more of them, no thread is started in their place. */
const MIN_SPARE_SLOTS = 16

export interface WorkerPoolOptions extends ThreadSetup {
  maxWorkers: number
  idleTimeout: number
}

/** What a pool tells its scheduler. */
export interface WorkerPoolEvents {
  onLeaseEnd(worker: WorkerHandle, end: LeaseEnd): void
  /** The worker has ended and runs nothing more. `exit`: how; `undefined`: it never had a thread. */
  onWorkerEnd(worker: WorkerHandle, exit: ThreadExit | undefined): void
  /** Another worker can be started in its place. */
  onSlotFree(): void
  /** A thread ended before it was ready for its first task: the next one would, too. */
  onBootFailure(exit: ThreadExit): void
}

/** How many slots the workers of an executor need: one each, and some for threads that are stuck. */
export function slotCount(maxWorkers: number): number {
  return maxWorkers + Math.max(maxWorkers, MIN_SPARE_SLOTS)
}

export class WorkerPool {
  readonly #events: WorkerPoolEvents
  readonly #maxWorkers: number
  /** The threads that have not exited, by thread id. */
  readonly #threads = new Map<number, PoolThread>()
  readonly #workersBySlot: (WorkerHandle | undefined)[]
  /** Workers that are not gone. */
  #workerCount = 0
  /** The workers that wait for a thread, and the ports that it will get. */
  readonly #waiting = new Map<WorkerHandle, WorkerStart>()
  readonly #idle: IdleWorkers
  readonly #source: PiscinaThreads<WorkerHandle>
  #growAgainMs = 0
  #growthWarned = false
  #ended: Promise<void> | undefined

  constructor({ maxWorkers, idleTimeout, ...setup }: WorkerPoolOptions, events: WorkerPoolEvents) {
    this.#events = events
    this.#maxWorkers = maxWorkers
    this.#workersBySlot = Array.from({ length: slotCount(maxWorkers) }, () => undefined)
    this.#idle = new IdleWorkers(idleTimeout, (worker) => this.#retire(worker))
    this.#source = new PiscinaThreads(setup, (worker, threadIds) => this.#place(worker, threadIds))
  }

  /** How many threads there are, stuck ones aside. */
  get size(): number {
    let count = 0
    for (const { isStuck } of this.#threads.values()) if (!isStuck) count++
    return count
  }

  /** How many workers can be given a lease now, without a thread being started. */
  get idleCount(): number {
    return this.#idle.size
  }

  /** Whether a lease can be given to a worker, or to a new one. */
  get canTakeMore(): boolean {
    return this.idleCount > 0 || this.canStart
  }

  takeIdle(): WorkerHandle | undefined {
    return this.#ended ? undefined : this.#idle.take()
  }

  /** The worker has no lease any more. */
  release(worker: WorkerHandle): void {
    if (!worker.isDying) this.#idle.add(worker)
  }

  /** Start a worker. It can be given a lease at once. @returns undefined: there are as many as there may be, or none can start */
  start(): WorkerHandle | undefined {
    if (!this.canStart) return undefined
    const slot = this.#workersBySlot.indexOf(undefined)
    if (slot < 0) return undefined
    const { here, there } = newPorts(slot)
    const worker: WorkerHandle = new WorkerHandle(
      slot,
      here,
      (end) => this.#onLeaseEnd(worker, end),
      // Its port holds the event loop no longer, and the thread's exit is still to be told.
      () => this.#threadOf(worker)?.worker.ref(),
    )
    this.#workersBySlot[slot] = worker
    this.#workerCount++
    this.#waiting.set(worker, there)
    try {
      this.#source.start(worker, there)
      this.#meetNewThreads()
      return worker
    } catch (reason) {
      this.#onStartFailure({ exitcode: 1, reason })
      this.#dismiss(worker)
      return undefined
    }
  }

  /** Look for the ends of leases. For a thread that blocks. */
  poll(): void {
    for (const worker of this.#workersBySlot) worker?.pollLeaseEnd()
  }

  /** End the thread of a slot. @param exitcode the exit code to report */
  terminate(slot: number, exitcode: number): void {
    this.#threadOf(this.#workersBySlot[slot])?.terminate(exitcode)
  }

  /** Have all workers end by themselves, once they have nothing to do. Resolves when they are gone. */
  end(): Promise<void> {
    return (this.#ended ??= this.#endAll((thread) => thread.askToEnd()))
  }

  /** End all threads at once. Resolves when they are gone. @param exitcode the exit code to report */
  destroy(exitcode?: number): Promise<void> {
    const terminate = (thread: PoolThread) => thread.terminate(exitcode)
    for (const thread of this.#threads.values()) terminate(thread)
    return (this.#ended ??= this.#endAll(terminate))
  }

  /** Report an error outside of any task: in a timer that a task left behind, say. */
  reportIdleDeath(worker: WorkerHandle, { reason }: ThreadExit): void {
    if (reason !== undefined && worker.isReady && !this.#ended)
      process.stderr.write(`An idle worker died:\n${thrownText(reason)}\n`)
  }

  /** Whether one more worker can be started. */
  get canStart(): boolean {
    if (this.#ended || this.#workerCount >= this.#maxWorkers) return false
    return performance.now() >= this.#growAgainMs || !this.#hasOthers()
  }

  #onLeaseEnd(worker: WorkerHandle, end: LeaseEnd): void {
    if (end.kind === 'ended' && end.retires) this.#threadOf(worker)?.awaitEnd()
    this.#events.onLeaseEnd(worker, end)
  }

  /** Choose the thread of a worker that waits for one. @returns its index; -1: none is free */
  #place(worker: WorkerHandle, threadIds: readonly number[]): number {
    this.#meetNewThreads()
    const index = threadIds.findIndex((id) => {
      const thread = this.#threads.get(id)
      return thread && !thread.handle && !thread.isDying
    })
    if (index < 0) return index
    const thread = this.#threads.get(threadIds[index]!)!
    thread.handle = worker
    this.#waiting.delete(worker)
    worker.threadId = thread.id
    worker.idleSinceMs = performance.now()
    this.#idle.watch()
    return index
  }

  #meetNewThreads(): void {
    for (const worker of this.#source.workers)
      // -1: the thread is just exiting.
      if (worker.threadId >= 0 && !this.#threads.has(worker.threadId)) this.#meet(worker)
  }

  #meet(worker: Worker): void {
    const thread = new PoolThread(worker, {
      onError: (_, exit) => this.#checkBoot(thread, exit),
      onGone: (_, exit) => this.#onGone(thread, exit),
      onLateExit: () => this.#onLateExit(thread),
    })
    this.#threads.set(thread.id, thread)
  }

  #onGone(thread: PoolThread, exit: ThreadExit): void {
    const { handle } = thread
    this.#checkBoot(thread, exit)
    if (thread.endsCleanly && exit.reason !== undefined) {
      process.stderr.write(`PoolWorker-${thread.id}:\n${thrownText(exit.reason)}\n`)
      exit = { ...exit, reason: undefined } // It has been told.
    }
    if (!thread.isStuck) this.#threads.delete(thread.id)
    if (handle) this.#dismiss(handle, exit, thread.isStuck)
  }

  #onLateExit(thread: PoolThread): void {
    this.#threads.delete(thread.id)
    if (!thread.handle) return
    this.#workersBySlot[thread.handle.slot] = undefined
    this.#events.onSlotFree()
  }

  /** The thread has thrown, or is gone. */
  #checkBoot(thread: PoolThread, exit: ThreadExit): void {
    const { handle } = thread
    handle?.receiveResults()
    if (thread.isExpected || handle?.isReady || thread.hasFailed) return
    thread.hasFailed = true
    if (handle?.isUp) return this.#events.onBootFailure(exit)
    this.#onStartFailure(exit, thread)
    // There is one worker more than there are threads for them.
    if (!handle && this.#waiting.size > 0) this.#dismiss([...this.#waiting.keys()].at(-1)!)
  }

  /** No thread could be started, or it has failed before it came up. While there are others, work is done by them. */
  #onStartFailure(exit: ThreadExit, failed?: PoolThread): void {
    if (!this.#hasOthers(failed)) return this.#events.onBootFailure(exit)
    this.#growAgainMs = performance.now() + RETRY_GROWTH_MS
    if (this.#growthWarned) return
    this.#growthWarned = true
    const reason = exit.reason === undefined ? `it exited with code ${exit.exitcode}` : thrownText(exit.reason)
    const message = `an executor goes on with fewer workers: one more thread could not be started`
    process.emitWarning(message, { code: 'MANYHANDS_WORKER_NOT_STARTED', detail: reason })
  }

  /** Whether there is a thread but this one that has not exited and is not stuck. */
  #hasOthers(but?: PoolThread): boolean {
    for (const thread of this.#threads.values()) if (thread !== but && !thread.isStuck) return true
    return false
  }

  /** @param keepsSlot the slot's words may still be written */
  #dismiss(worker: WorkerHandle, exit?: ThreadExit, keepsSlot = false): void {
    const ports = this.#waiting.get(worker)
    if (ports) {
      this.#waiting.delete(worker)
      this.#source.withdraw(worker)
      // Ports that were moved with a lease lie in these. Unless these are closed, their peers would wait for ever.
      ports.leases.close()
      ports.results.close()
      ports.output.close()
    }
    worker.close()
    this.#idle.delete(worker)
    // In a microtask: not within the submission that has failed.
    queueMicrotask(() => {
      this.#events.onWorkerEnd(worker, exit)
      this.#workerCount--
      if (!keepsSlot) this.#workersBySlot[worker.slot] = undefined
      this.#events.onSlotFree()
    })
  }

  #threadOf(worker: WorkerHandle | undefined): PoolThread | undefined {
    return worker?.threadId === undefined ? undefined : this.#threads.get(worker.threadId)
  }

  /** Retire an idle worker, but keep at least one. @returns whether the worker was retired */
  #retire(worker: WorkerHandle): boolean {
    const thread = this.#threadOf(worker) // None: the worker still waits for it.
    const staying = [...this.#threads.values()].filter(({ handle, isDying }) => handle && !isDying).length
    if (!thread || thread.isDying || staying <= 1) return false
    thread.askToEnd()
    return true
  }

  async #endAll(end: (thread: PoolThread) => void): Promise<void> {
    const threads = [...this.#threads.values()]
    for (const thread of threads) end(thread)
    for (const worker of this.#waiting.keys()) this.#dismiss(worker)
    await Promise.all(threads.map(({ gone }) => gone))
    this.#source.destroy()
  }
}
