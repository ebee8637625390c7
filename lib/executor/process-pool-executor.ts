// ProcessPoolExecutor: runs tasks in a pool of worker threads. It makes a job of each call, chunk and part in a range; the
// scheduler (main/scheduler.ts) gets them to the workers. After Python's concurrent.futures.ProcessPoolExecutor.
import { recognizeCopies } from '../copies.js'
import { ShutdownError } from '../errors.js'
import { fromParts, partsIn } from '../base/parts.js'
import { KILLED_EXITCODE, TERMINATED_EXITCODE } from '../process/control-block.js'
import { refuseTooDeep } from '../process/current-process.js'
import { refuseExcess } from '../base/validate.js'
import { refuseDuringImport } from '../task/import-guard.js'
import type { Definition } from '../task/target.js'
import {
  checkShutdown,
  PLAIN_CALL,
  type Call,
  type Counts,
  type ExecutorStats,
  type ShutdownOptions,
} from './call-options.js'
import { BaseExecutor, type Submission } from './executor.js'
import type { Future } from './future.js'
import type { FunctionStats } from './main/batch-size.js'
import { CallJob } from './main/call-job.js'
import { ChunkJob } from './main/chunk-job.js'
import { copyOf } from './main/death-errors.js'
import { runItems } from './main/item-jobs.js'
import type { FutureJob, JobOptions } from './main/job.js'
import { RangeJob } from './main/range-job.js'
import { countWhenDone } from './map/count-items.js'
import type { PlanLimits } from './map/chunk-plan.js'
import type { Chunk, ChunkResult } from './map/map-chunk.js'
import type { NumberSlabs } from './map/number-slabs.js'
import type { OpenMaps } from './map/open-maps.js'
import { CHUNKS_PER_WORKER, holdPool, openPool, type PoolState, type ProcessPoolOptions } from './pool-options.js'
import type { RangeTask } from './range/range.js'
import type { Share } from './range/run-blocks.js'

/**
 * Runs tasks in a pool of worker threads, which are started as work arrives and end when the executor is shut down. Idle workers do
 * not keep the program alive. One that is dropped ends its workers when it is collected, and warns (MANYHANDS_NOT_SHUT_DOWN).
 * After Python's concurrent.futures.ProcessPoolExecutor.
 */
export class ProcessPoolExecutor extends BaseExecutor<ProcessPoolExecutor> {
  readonly #pool: PoolState
  /** See `holdPool`. */
  readonly #hold: object
  #latestOptions: JobOptions | undefined

  /**
   * Starts no thread yet.
   * @throws TypeError, RangeError
   * @throws DataCloneError (ERR_MANYHANDS_DATA_CLONE) `initargs` cannot be sent to a worker
   */
  constructor(options: ProcessPoolOptions = {}) {
    const [pool, call, hold] = (partsIn(options) ?? [openPool(options), PLAIN_CALL]) as [PoolState, Call, object?]
    super(call)
    this.#pool = pool
    this.#hold = hold ?? holdPool(pool)
  }

  /**
   * Take no more work. What was submitted is still done, unless `cancelFutures`, maps included; then the workers end. A map over an
   * async or endless input ends with ShutdownError (ERR_MANYHANDS_SHUTDOWN) after what was read. Harmless when repeated.
   * @throws TypeError
   * After Python's Executor.shutdown.
   */
  async shutdown(options: ShutdownOptions = {}, ...excess: unknown[]): Promise<void> {
    refuseExcess(excess, 'shutdown(options)')
    const { wait, cancelFutures } = checkShutdown(options)
    const pool = this.#pool
    pool.shutDown = true
    if (cancelFutures) {
      pool.scheduler.endRetries()
      pool.maps.cancelRest()
      for (const job of pool.scheduler.unsettled()) job.cancel()
    }
    pool.maps.finish()
    pool.endIfDone()
    if (wait) await pool.ended
  }

  /**
   * Shut down, and end all workers at once. Tasks that run fail with WorkerDiedError (ERR_MANYHANDS_WORKER_DIED), exit code -15;
   * tasks that wait are cancelled. After Python's ProcessPoolExecutor.terminate_workers.
   */
  async terminateWorkers(...excess: unknown[]): Promise<void> {
    refuseExcess(excess, 'terminateWorkers()')
    return this.#endWorkers(TERMINATED_EXITCODE)
  }

  /** As `terminateWorkers`, with exit code -9. After Python's ProcessPoolExecutor.kill_workers. */
  async killWorkers(...excess: unknown[]): Promise<void> {
    refuseExcess(excess, 'killWorkers()')
    return this.#endWorkers(KILLED_EXITCODE)
  }

  stats(...excess: unknown[]): ExecutorStats {
    refuseExcess(excess, 'stats()')
    const { scheduler, maxWorkers, counts } = this.#pool
    // Before the counts are read: it settles finished tasks, which changes them.
    const schedulerStats = scheduler.stats()
    return { maxWorkers, ...counts, ...schedulerStats }
  }

  async #endWorkers(exitcode: number): Promise<void> {
    const ended = this.shutdown({ cancelFutures: true })
    this.#pool.scheduler.terminate(exitcode)
    await ended
  }

  protected get capacity(): PlanLimits {
    const { maxWorkers, maxTasks } = this.#pool
    return { workers: maxWorkers, chunksInFlight: maxWorkers * CHUNKS_PER_WORKER, itemsPerChunk: maxTasks }
  }

  protected get counts(): Counts {
    return this.#pool.counts
  }

  protected get maps(): OpenMaps {
    return this.#pool.maps
  }

  protected override get slabs(): NumberSlabs {
    return this.#pool.slabs
  }

  protected checkOpen(): void {
    refuseDuringImport('submit work to an executor')
    refuseTooDeep('submit work to an executor')
    this.checkUsable()
    if (this.#pool.shutDown) throw new ShutdownError('the executor was shut down and takes no more work')
  }

  protected override checkUsable(): void {
    const { broken } = this.#pool.scheduler
    if (broken) throw copyOf(broken)
  }

  protected runCall(submission: Submission, args: readonly unknown[]): Future {
    return this.#start(new CallJob(args, this.#optionsFor(submission)))
  }

  protected runChunk(submission: Submission, chunk: Chunk, settled: boolean): Future<ChunkResult> {
    const options = this.#optionsFor(submission)
    // Calls that may be run again are jobs of their own: a worker's death takes along no result of the others.
    if (submission.call.retries > 0) return runItems(chunk, settled, (args) => this.#start(new CallJob(args, options)))
    const job = new ChunkJob(chunk, settled, options)
    countWhenDone(options.counts, job.future, job.size, settled)
    return this.#start(job)
  }

  protected override runRange(submission: Submission, task: RangeTask): Future<Share> {
    return this.#start(new RangeJob(task, this.#optionsFor(submission)))
  }

  protected override averagesOf(definition: Definition): FunctionStats {
    return this.#pool.scheduler.known(definition)
  }

  protected faceWith(call: Call, isHeld: boolean): ProcessPoolExecutor {
    return newPoolFace(this.#pool, call, isHeld ? this.#hold : {})
  }

  /** One object for all submissions of a burst. */
  #optionsFor({ definition, call, callSite }: Submission): JobOptions {
    if (this.#latestOptions?.callSite === callSite) return this.#latestOptions
    const { scheduler, counts, batch } = this.#pool
    const fn = scheduler.known(definition)
    return (this.#latestOptions = { scheduler, fn, counts, batch, call, callSite })
  }

  #start<R>(job: FutureJob<R>): Future<R> {
    // Done already if its signal has aborted.
    if (!job.future.done()) this.#pool.scheduler.add(job)
    return job.future
  }
}

// Outside the class: the bundler renames a class that names itself.
function newPoolFace(pool: PoolState, call: Call, hold: object): ProcessPoolExecutor {
  return new ProcessPoolExecutor(fromParts(pool, call, hold))
}

recognizeCopies(ProcessPoolExecutor, 'ProcessPoolExecutor')
