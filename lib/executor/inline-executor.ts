// InlineExecutor: runs its tasks in the calling thread, for debugging: breakpoints, profiles and stacks are where one looks for them.
// Arguments and results are neither cloned nor moved, and `submit` returns when the task has returned or first awaits. A task cannot
// be stopped here: a time limit, an abort and a forced cancel settle its future and ask it to stop, which it sees through
// `currentProcess()`, and it may go on.
import { inspect } from 'node:util'
import { isThenable } from '../base/brands.js'
import { recognizeCopies } from '../copies.js'
import { Promise } from '../base/clock.js'
import { ShutdownError } from '../errors.js'
import { whenAborted } from '../base/abort-listeners.js'
import { fromParts, partsIn } from '../base/parts.js'
import { bindContext, OwnContext } from '../base/async-context.js'
import { withTimeout } from '../base/with-timeout.js'
import { refuseGenerator } from '../task/target.js'
import { refuseExcess } from '../base/validate.js'
import { refuseDuringImport } from '../task/import-guard.js'
import {
  checkShutdown,
  PLAIN_CALL,
  type Call,
  type Counts,
  type ExecutorStats,
  type ShutdownOptions,
} from './call-options.js'
import { BaseExecutor, type Submission } from './executor.js'
import { Future } from './future.js'
import { attempt, type Attempt, type AttemptResult } from './inline-attempt.js'
import { countWhenDone, failuresOf } from './map/count-items.js'
import type { PlanLimits } from './map/chunk-plan.js'
import { mapItems, type Chunk, type ChunkResult } from './map/map-chunk.js'
import { OpenMaps } from './map/open-maps.js'
import { explainWith, tellEnd, tellStart } from './task-events.js'
import type { RangeTask } from './range/range.js'
import { computeBlocks, type Share } from './range/run-blocks.js'

/** What all faces of one executor (`with`) share. */
interface InlineState {
  shutDown: boolean
  /** Tasks that await something, and were not abandoned. */
  running: Set<Future>
  /** Maps that are not done. */
  maps: OpenMaps
  /** Called when `running` and `maps` are empty. */
  onIdle: (() => void)[]
  /** Nothing is run again. */
  retriesEnded: boolean
  counts: Counts
}

/**
 * Runs tasks in the calling thread, for debugging. Async tasks run concurrently, as promises do; `shutdown` waits for them.
 * A task that runs too long, is aborted or is cancelled by force is asked to stop (`currentProcess().signal`), and may go on.
 */
export class InlineExecutor extends BaseExecutor<InlineExecutor> {
  readonly #state: InlineState

  /** @throws TypeError it has no options */
  constructor(parts?: undefined) {
    const [state, call] = (partsIn(parts) ?? [newState(parts), PLAIN_CALL]) as [InlineState, Call]
    super(call)
    this.#state = state
  }

  /**
   * Take no more work. What was submitted is still done, maps included. Every task has begun: `cancelFutures` concerns maps, whose
   * rest is not read, and `retries`. Harmless when repeated.
   * @throws TypeError
   * After Python's Executor.shutdown.
   */
  async shutdown(options: ShutdownOptions = {}, ...excess: unknown[]): Promise<void> {
    refuseExcess(excess, 'shutdown(options)')
    const { wait, cancelFutures } = checkShutdown(options)
    const state = this.#state
    state.shutDown = true
    if (cancelFutures) {
      state.retriesEnded = true
      state.maps.cancelRest()
    }
    state.maps.finish()
    if (wait && !isIdle(state)) await new Promise<void>((resolve) => state.onIdle.push(resolve))
  }

  stats(...excess: unknown[]): ExecutorStats {
    refuseExcess(excess, 'stats()')
    const { counts, running } = this.#state
    const notDone = [...running].filter((future) => !future.done()).length
    return { maxWorkers: 1, workers: 1, queued: 0, running: notDone, workersLost: 0, ...counts }
  }

  protected get capacity(): PlanLimits {
    return { workers: 1, chunksInFlight: 1, itemsPerChunk: Infinity }
  }

  protected get counts(): Counts {
    return this.#state.counts
  }

  protected get maps(): OpenMaps {
    return this.#state.maps
  }

  protected checkOpen(): void {
    refuseDuringImport('submit work to an executor')
    if (this.#state.shutDown) throw new ShutdownError('the executor was shut down and takes no more work')
  }

  protected runCall(submission: Submission, args: readonly unknown[]): Future {
    const { counts } = this.#state
    const future = this.#run(submission, () => bindContext(submission.target)(...args))
    future.whenDone(() => counts[future.cancelled() ? 'cancelled' : future.failed ? 'failed' : 'completed']++)
    return future
  }

  protected runChunk(submission: Submission, chunk: Chunk, settled: boolean): Future<ChunkResult> {
    const state = this.#state
    const { target, call } = submission
    const items = chunk.items.length / chunk.arity
    const calls = {
      settled,
      get retries() {
        return state.retriesEnded ? 0 : call.retries
      },
    }
    const map = () => mapItems(target, chunk, calls, (thrown) => thrown, new OwnContext())
    const future = this.#run(submission, map, { items }, (mapped) => failuresOf(mapped, items))
    countWhenDone(state.counts, future, items, settled)
    return future
  }

  protected override runRange(submission: Submission, { plan, args, counter, keep }: RangeTask): Future<Share> {
    const compute = () => {
      const context = new OwnContext()
      const body = (start: number, end: number) => context.run(() => submission.target(start, end, ...args))
      return computeBlocks(plan, counter, body, keep)
    }
    return this.#run(submission, compute, { retries: 0 })
  }

  protected faceWith(call: Call): InlineExecutor {
    return newInlineFace(this.#state, call)
  }

  /**
   * @param retries how many attempts may follow one that throws or takes too long
   * @param thrownIn what was thrown, by each item that failed
   */
  #run<R>(
    submission: Submission,
    perform: () => R | Promise<R>,
    { items = 1, retries = submission.call.retries }: { items?: number; retries?: number } = {},
    thrownIn = (future: Future<R>): unknown[] => (future.failed ? [future.thrown] : []),
  ): Future<R> {
    const { timeoutMs, signal } = submission.call
    let latest: Attempt<R> | undefined
    const stop = async (graceMs: number) => {
      latest?.askToStop()
      if (latest && graceMs > 0) await withTimeout(latest.ended, graceMs).catch(() => {})
      this.#abandon(future)
    }
    const onDone = () => tellEnd(submission, future, items, () => thrownIn(future))
    const future: Future<R> = new Future<R>({ begun: () => true, withdraw: () => false, stop, onDone })
    if (signal?.aborted) {
      future.setException(signal.reason)
      return future
    }
    if (signal) {
      const onAbort = () => {
        future.setException(signal.reason)
        void stop(0)
      }
      future.whenDone(whenAborted(signal, onAbort))
    }
    const checked = () => {
      refuseGenerator(submission.target)
      return perform()
    }
    const begin = (retriesLeft: number) => {
      for (; ; retriesLeft--) {
        tellStart(submission, items)
        latest = attempt(checked, timeoutMs, (error) => explainWith(submission, error, true))
        const { result } = latest
        if (isThenable(result)) return void settleLater(result, retriesLeft)
        if (settle(future, result, this.#state.retriesEnded ? 0 : retriesLeft)) return this.#abandon(future)
      }
    }
    const settleLater = async (later: Promise<AttemptResult<R>>, retriesLeft: number) => {
      // Done already if the task has aborted its own signal.
      if (future.done()) return stop(0)
      this.#state.running.add(future)
      const result = await later
      // The task still runs if its time is over.
      latest!.askToStop()
      if (!settle(future, result, this.#state.retriesEnded ? 0 : retriesLeft)) begin(retriesLeft - 1)
      else if (!future.cancelled()) this.#abandon(future)
    }
    begin(retries)
    return future
  }

  /** Wait for the task no longer: it has ended, or cannot be made to end. */
  #abandon(future: Future): void {
    this.#state.running.delete(future)
    tellIdle(this.#state)
  }
}

/** @returns false if the task is to be attempted again */
function settle<R>(future: Future<R>, result: AttemptResult<R>, retriesLeft: number): boolean {
  if (future.done()) return true
  if (result.kind === 'returned') future.setResult(result.value)
  else if (retriesLeft > 0) return false
  else future.setException(result.thrown)
  return true
}

function newState(options: unknown): InlineState {
  if (options !== undefined) throw new TypeError(`an InlineExecutor has no options, not ${inspect(options)}`)
  const state: InlineState = {
    shutDown: false,
    running: new Set(),
    maps: new OpenMaps(() => tellIdle(state)),
    onIdle: [],
    retriesEnded: false,
    counts: { completed: 0, failed: 0, cancelled: 0 },
  }
  return state
}

function isIdle({ running, maps }: InlineState): boolean {
  return running.size === 0 && maps.isEmpty
}

function tellIdle(state: InlineState): void {
  if (isIdle(state)) for (const callback of state.onIdle.splice(0)) callback()
}

// Outside the class: the bundler renames a class that names itself.
function newInlineFace(state: InlineState, call: Call): InlineExecutor {
  return new InlineExecutor(fromParts(state, call))
}

recognizeCopies(InlineExecutor, 'InlineExecutor')
