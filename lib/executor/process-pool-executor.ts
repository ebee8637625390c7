// ProcessPoolExecutor: futures for tasks that run in a pool of worker threads, after Python's concurrent.futures.
import { BrokenProcessPool, ShutdownError } from '../errors.js'
import { fromParts, partsIn } from '../base/parts.js'
import { refuseTooDeep } from '../process/current-process.js'
import { refuseDuringImport } from '../task/import-guard.js'
import type { Definition } from '../task/target.js'
import { checkShutdown, PLAIN_CALL, type Call, type ExecutorStats, type ShutdownOptions } from './call-options.js'
import { BaseExecutor, type Submission } from './executor.js'
import type { Future } from './future.js'
import type { FunctionStats } from './main/batch-size.js'
import { CallJob } from './main/call-job.js'
import { ChunkJob } from './main/chunk-job.js'
import type { FutureJob, JobOptions } from './main/job.js'
import { RangeJob } from './main/range-job.js'
import type { Chunk, ChunkResult } from './map/map-chunk.js'
import { openPool, type PoolState, type ProcessPoolOptions } from './pool-options.js'
import type { RangeTask } from './range/range.js'
import type { Share } from './range/run-blocks.js'

const SIGTERM = 15
const SIGKILL = 9

/** Chunks in flight per worker by default: one that runs, and one that is there when it ends. */
const CHUNKS_PER_WORKER = 2

/** Runs tasks in a pool of worker threads. */
export class ProcessPoolExecutor extends BaseExecutor<ProcessPoolExecutor> {
  readonly #pool: PoolState
  #latest: JobOptions | undefined

  /** @throws TypeError, RangeError an option is not what it must be; DataCloneError `initargs` cannot be sent to a worker. */
  constructor(options: ProcessPoolOptions = {}) {
    const [pool, call] = (partsIn(options) ?? [openPool(options), PLAIN_CALL]) as [PoolState, Call]
    super(call)
    this.#pool = pool
  }

  /**
   * Take no more work. What was submitted is still done, unless `cancelFutures`. Then the workers end.
   * Shutting down twice is harmless.
   */
  async shutdown(options: ShutdownOptions = {}): Promise<void> {
    const { wait, cancelFutures } = checkShutdown(options)
    const pool = this.#pool
    pool.shutDown = true
    if (cancelFutures) for (const job of pool.scheduler.waiting()) job.cancel()
    if (pool.scheduler.idle) pool.end()
    if (wait) await pool.ended
  }

  /** Shut down and end all workers at once. What they run fails with WorkerDiedError, exit code -15; what waits is cancelled. */
  terminateWorkers(): Promise<void> {
    return this.#endWorkers(-SIGTERM)
  }

  /** As `terminateWorkers`, with exit code -9. */
  killWorkers(): Promise<void> {
    return this.#endWorkers(-SIGKILL)
  }

  stats(): ExecutorStats {
    const { scheduler, maxWorkers, counts } = this.#pool
    // First: it takes in what is finished, which counts.
    const working = scheduler.stats()
    return { maxWorkers, ...counts, ...working }
  }

  async #endWorkers(exitcode: number): Promise<void> {
    const ended = this.shutdown({ cancelFutures: true })
    this.#pool.scheduler.terminate(exitcode)
    await ended
  }

  protected get capacity(): { workers: number; chunks: number } {
    const { maxWorkers } = this.#pool
    return { workers: maxWorkers, chunks: maxWorkers * CHUNKS_PER_WORKER }
  }

  protected refuse(): void {
    const { scheduler, shutDown } = this.#pool
    refuseDuringImport('submit work to an executor')
    refuseTooDeep('submit work to an executor')
    const { broken } = scheduler
    if (broken) throw new BrokenProcessPool(broken.message, { cause: broken.cause })
    if (shutDown) throw new ShutdownError('the executor was shut down and takes no more work')
  }

  protected runCall(submission: Submission, args: readonly unknown[]): Future {
    return this.#start(new CallJob(this.#known(submission), args, this.#optionsFor(submission)))
  }

  protected runChunk(submission: Submission, chunk: Chunk, settled: boolean): Future<ChunkResult> {
    return this.#start(new ChunkJob(this.#known(submission), chunk, settled, this.#optionsFor(submission)))
  }

  protected override runRange(submission: Submission, task: RangeTask): Future<Share> {
    return this.#start(new RangeJob(this.#known(submission), task, this.#optionsFor(submission)))
  }

  protected override averageMs(definition: Definition): number | undefined {
    return this.#pool.scheduler.known(definition).averageMs
  }

  protected faceWith(call: Call): ProcessPoolExecutor {
    return faceOf(this.#pool, call)
  }

  #known({ definition }: Submission): FunctionStats {
    return this.#pool.scheduler.known(definition)
  }

  /** Shared by all submissions of a burst. */
  #optionsFor({ call, callSite }: Submission): JobOptions {
    if (this.#latest?.callSite === callSite) return this.#latest
    const { scheduler, counts, batch } = this.#pool
    return (this.#latest = { scheduler, counts, batch, call, callSite })
  }

  #start<R>(job: FutureJob<R>): Future<R> {
    // An aborted signal has settled it already.
    if (!job.future.done()) this.#pool.scheduler.add(job)
    return job.future
  }
}

// Outside of the class: one that names itself inside is renamed by the bundler.
function faceOf(pool: PoolState, call: Call): ProcessPoolExecutor {
  return new ProcessPoolExecutor(fromParts(pool, call))
}
