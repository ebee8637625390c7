// The scheduler: which job goes to which worker, and when; and what becomes of jobs whose worker dies. It knows jobs and leases,
// and neither futures nor users' functions.
//
//   queue (by priority, FIFO) ──a worker is free──> lease, sent to that worker ──> results, or the worker's death
//     ^                                                 │
//     └── not begun: taken back from behind a slow task, to be stopped, or because the worker died
import type { Transferable } from 'node:worker_threads'
import { queueMicrotask } from '../../base/clock.js'
import type { BrokenProcessPool } from '../../errors.js'
import { decodeFailure } from '../../transport/error-codec.js'
import { TERMINATED_EXITCODE } from '../../process/control-block.js'
import type { Definition } from '../../task/target.js'
import { onBlocked } from '../../thread/while-blocked.js'
import type { ExecutorStats } from '../call-options.js'
import { LeaseSlots, newSlotMemory } from '../protocol/lease-slots.js'
import type { LeaseEnd, WorkerSetup } from '../protocol/messages.js'
import { FunctionRegistry, recordSpent, takeBatch, type FunctionStats } from './batch-size.js'
import { bootFailure, brokenPool, copyOf, explainUnsent, timedOut, workerDied } from './death-errors.js'
import type { Job } from './job.js'
import { Lease, settleJob } from './lease.js'
import { LeasesOut } from './leases-out.js'
import { packLease } from './pack-lease.js'
import { PriorityQueue } from './priority-queue.js'
import type { ThreadExit } from './threads/pool-thread.js'
import type { WorkerHandle } from './threads/worker-handle.js'
import { slotCount, WorkerPool, type WorkerPoolOptions } from './threads/worker-pool.js'
import { startTimeLimit, stopTask, watchUnwanted } from './time-limit.js'
import { Watchdog, type Look } from './watchdog.js'

export type SchedulerOptions = Omit<WorkerPoolOptions, 'setup'> & { setup: Omit<WorkerSetup, 'slots'> }
export type SchedulerStats = Pick<ExecutorStats, 'workers' | 'queued' | 'running' | 'workersLost'>

export class Scheduler {
  readonly #pool: WorkerPool
  readonly #slots: LeaseSlots
  readonly #maxWorkers: number
  readonly #maxTasks: number
  readonly #functions = new FunctionRegistry()
  readonly #queue = new PriorityQueue<Job>()
  readonly #leases = new LeasesOut()
  readonly #watchdog = new Watchdog(() => this.#look())
  readonly #onIdle: () => void
  /** Removes the hook that works while this thread is blocked. Set while leases are out. */
  #offBlocked: (() => void) | undefined
  #broken: BrokenProcessPool | undefined
  #retriesEnded = false
  #workersLost = 0

  /** @param onIdle called when nothing is queued or out any more */
  constructor(options: SchedulerOptions, onIdle: () => void) {
    const { maxWorkers } = options
    const slots = newSlotMemory(slotCount(maxWorkers))
    this.#slots = new LeaseSlots(slots)
    this.#maxWorkers = maxWorkers
    this.#maxTasks = options.setup.maxTasks
    this.#onIdle = onIdle
    this.#pool = new WorkerPool(
      { ...options, setup: { ...options.setup, slots } },
      {
        onLeaseEnd: (worker, end) => this.#onLeaseEnd(worker, end),
        onWorkerEnd: (worker, exit) => this.#onWorkerEnd(worker, exit),
        onSlotFree: () => this.#goOn(),
        onBootFailure: (exit) => this.#break('a worker thread ended before it was ready', bootFailure(exit)),
      },
    )
  }

  get broken(): BrokenProcessPool | undefined {
    return this.#broken
  }

  get retriesEnded(): boolean {
    return this.#retriesEnded
  }

  /** Run nothing again. */
  endRetries(): void {
    this.#retriesEnded = true
  }

  /** Whether every job is done. Leases without one may still be out: their workers are blocked by what a task has left behind. */
  get idle(): boolean {
    return this.#queue.size === 0 && this.#leases.areDone
  }

  /** What this executor knows of a function. */
  known(definition: Definition): FunctionStats {
    return this.#functions.of(definition)
  }

  add(job: Job): void {
    if (this.#broken) return this.#fail(job, copyOf(this.#broken)) // A retry that was on its way.
    const worker = this.#queue.size === 0 ? this.#pool.takeIdle() : undefined
    if (worker) return this.#send(worker, [job])
    this.#queue.push(job)
    this.#dispatch()
  }

  /** Take a job back before a worker calls its task. @returns whether that succeeded */
  withdraw(job: Job): boolean {
    const lease = job.lease as Lease | undefined
    if (job.over) return false
    if (lease && job.index < lease.claimed) job.over = lease.refuse(job.index)
    else {
      if (lease) this.#takeBack(lease)
      job.over = this.#queue.delete(job)
    }
    this.#goOn()
    if (lease) watchUnwanted(lease, () => this.#queue.size > 0, () => this.#endUnbegun(lease)) // prettier-ignore
    return job.over
  }

  /** Stop a job that may have begun. Its result is dropped. Resolves when it no longer runs. */
  async stop(job: Job, graceMs: number): Promise<void> {
    const lease = job.lease as Lease | undefined
    if (!lease) return
    job.over = true
    if (lease.imports(job.index)) this.#endUnbegun(lease)
    else this.#stopRunning(lease, job, graceMs)
    await lease.over
  }

  /** All jobs that are neither settled nor withdrawn. */
  unsettled(): Job[] {
    return [...this.#leases.unsettledJobs(), ...this.#queue]
  }

  /** End every worker now. Running jobs fail with WorkerDiedError and this exit code. The caller has emptied the queue and adds nothing. */
  terminate(exitcode: number): void {
    this.#retriesEnded = true
    void this.#pool.destroy(exitcode)
  }

  /** Have the workers end by themselves. Resolves when their threads are gone. */
  end(): Promise<void> {
    return this.#pool.end()
  }

  stats(): SchedulerStats {
    const counts = this.#leases.count()
    for (const { size, isRetry } of this.#queue) counts[isRetry ? 'running' : 'queued'] += isRetry ? 1 : size
    return { workers: this.#pool.size, ...counts, workersLost: this.#workersLost }
  }

  #dispatch(): void {
    while (!this.#broken && this.#queue.size > 0) {
      const worker = this.#pool.takeIdle() ?? this.#startWorker()
      if (!worker) return
      this.#send(worker, takeBatch(this.#queue, this.#maxWorkers))
    }
  }

  /** Start a worker, unless enough others are about to be free. */
  #startWorker(): WorkerHandle | undefined {
    return this.#pool.canStart && this.#queue.size > this.#leases.endingCount ? this.#pool.start() : undefined
  }

  #send(worker: WorkerHandle, jobs: Job[]): void {
    const lease = new Lease(this.#slots, worker, jobs)
    worker.lease = lease // At once: packing may call getters, which may submit.
    this.#leases.add(lease)
    const transfer: Transferable[] = []
    try {
      const body = packLease(jobs, transfer, worker.tasksLeft ?? this.#maxTasks)
      lease.movesValues = transfer.length > 0
      worker.send(jobs, body, transfer)
    } catch (reason) {
      this.#onUnsent(lease, reason, transfer)
      return this.#end(worker, lease)
    }
    if (jobs[0]!.timeoutMs !== Infinity) startTimeLimit(this.#slots, lease, () => this.#onTimeUp(lease))
    this.#watchdog.wake()
    // While this thread blocks, perhaps for what its own tasks are to do, workers that are free begin the next ones.
    this.#offBlocked ??= onBlocked(() => {
      this.#pool.poll()
      this.#look()
    })
  }

  #onLeaseEnd(worker: WorkerHandle, end: LeaseEnd): void {
    const lease = worker.lease!
    if (end.kind === 'unread') this.#onUnsent(lease, decodeFailure(end.failure), [])
    else if (end.kind === 'broken') this.#break(end.what, decodeFailure(end.failure))
    else {
      recordSpent(lease.jobs, end.spent)
      this.#takeBack(lease) // A worker that retires leaves tasks unclaimed.
    }
    this.#end(worker, lease)
    this.#goOn()
  }

  /** The message of a lease could not be made, or not be read. Its jobs are sent again one by one, so that only the culprit fails. */
  #onUnsent(lease: Lease, reason: unknown, transfer: Transferable[]): void {
    const unsent = lease.takeBack()
    const [job] = lease.jobs
    if (lease.jobs.length > 1) {
      for (const each of unsent) each.alone = true
      return this.#putBack(unsent)
    }
    const error = explainUnsent(job!, reason, transfer)
    // Not within the submission that fails. A getter of its arguments may have cancelled it, and shut down.
    queueMicrotask(() => {
      this.#fail(job!, error)
      this.#goOn()
    })
  }

  #onWorkerEnd(worker: WorkerHandle, exit: ThreadExit | undefined): void {
    const { lease, threadId } = worker
    if (!lease) return exit && this.#pool.reportIdleDeath(worker, exit)
    const unbegun = lease.takeBack()
    lease.settleFinished()
    const died = (when: string) => workerDied(threadId, exit, when)
    if (lease.failRunning(() => died('while it ran this task'))) this.#workersLost++
    else if (exit && !lease.movesValues) this.#pool.reportIdleDeath(worker, exit)
    if (!lease.movesValues) this.#putBack(unbegun)
    else for (const job of unbegun) this.#fail(job, died('before it began this task, whose arguments were moved to it'))
    this.#end(worker, lease)
  }

  /** A lease is over, and its worker free or dead. */
  #end(worker: WorkerHandle, lease: Lease): void {
    worker.lease = undefined
    this.#leases.delete(lease)
    lease.finish()
    this.#pool.release(worker)
    if (this.#leases.size > 0) return
    this.#offBlocked?.()
    this.#offBlocked = undefined
  }

  /** Something has changed: workers may be free, jobs may wait, or all may be done. */
  #goOn(): void {
    this.#dispatch()
    if (this.#queue.size === 0 && this.#leases.size > 0 && this.#pool.idleCount > 0) this.#redistribute()
    if (this.idle) this.#onIdle()
  }

  /** Idle workers get what others have not begun. */
  #redistribute(): void {
    for (const lease of this.#leases) if (lease.canBeSplit) this.#takeBack(lease)
    this.#dispatch()
  }

  #takeBack(lease: Lease): void {
    if (lease.open > 0) this.#putBack(lease.takeBack())
  }

  #putBack(jobs: readonly Job[]): void {
    if (!this.#broken) this.#queue.putBack(jobs.filter(({ over }) => !over))
  }

  #look(): Look {
    const found = this.#leases.look(this.#pool, (lease) => this.#takeBack(lease))
    this.#goOn()
    return found
  }

  #fail(job: Job, error: Error): void {
    if (job.over) return
    job.over = true
    settleJob(job, { kind: 'failed', error })
  }

  #onTimeUp(lease: Lease): void {
    const job = lease.jobs[0]!
    lease.settleFinished() // This thread may have been busy while the task finished.
    if (job.over) return
    job.over = true
    const error = timedOut(job.timeoutMs, lease.claimed > 0)
    if (lease.claimed > 0) this.#stopRunning(lease, job, job.graceMs)
    else this.#endUnbegun(lease)
    job.settle({ kind: 'failed', error })
  }

  /** What keeps the worker from its task may never end: its initializer, an import, or what an earlier task has left behind. */
  #endUnbegun(lease: Lease): void {
    this.#takeBack(lease)
    this.#pool.terminate(lease.holder.slot, TERMINATED_EXITCODE)
  }

  /** Stop what the job's worker runs for it. Its neighbours that have not begun go to others. */
  #stopRunning(lease: Lease, job: Job, graceMs: number): void {
    this.#takeBack(lease)
    this.#dispatch()
    stopTask(this.#slots, lease, job.index, graceMs, (slot) => this.#pool.terminate(slot, TERMINATED_EXITCODE))
  }

  #break(what: string, cause: unknown): void {
    if (this.#broken) return
    this.#broken = brokenPool(what, cause)
    const failing = this.unsettled()
    for (const job of failing) this.#queue.delete(job)
    for (const job of failing) this.#fail(job, copyOf(this.#broken))
    void this.#pool.destroy()
    this.#goOn()
  }
}
