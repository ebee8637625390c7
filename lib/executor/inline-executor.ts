// InlineExecutor: an executor that runs its tasks in the calling thread, for debugging: breakpoints, profiles and stacks are
// where one looks for them. Arguments and results are neither cloned nor moved, and `submit` returns when the task has returned or
// first awaits. Nobody can stop a task here: a time limit, an abort and a forced cancel settle its future and ask the task to stop,
// which it sees by `currentProcess()`, and may go on.
import { ShutdownError } from '../errors.js'
import { whenAborted } from '../base/abort-listeners.js'
import { fromParts, partsIn } from '../base/parts.js'
import { withTimeout } from '../base/with-timeout.js'
import { refuseDuringImport } from '../task/import-guard.js'
import { checkShutdown, PLAIN_CALL, type Call, type ExecutorStats, type ShutdownOptions } from './call-options.js'
import { BaseExecutor, type Submission } from './executor.js'
import { Future } from './future.js'
import { attempt, type Attempt, type Outcome } from './inline-attempt.js'
import { mapItems, type Chunk, type ChunkResult } from './map/map-chunk.js'
import type { RangeTask } from './range/range.js'
import { computeBlocks, type Share } from './range/run-blocks.js'

/** What all faces of one executor share. */
interface InlineState {
  shutDown: boolean
  /** Tasks that have not ended and were not given up. */
  running: Set<Future>
  /** Called when there are none. */
  onIdle: (() => void)[]
  counts: { completed: number; failed: number; cancelled: number }
}

/** Runs tasks in the calling thread. */
export class InlineExecutor extends BaseExecutor<InlineExecutor> {
  readonly #state: InlineState

  constructor(parts?: undefined) {
    const [state, call] = (partsIn(parts) ?? [newState(), PLAIN_CALL]) as [InlineState, Call]
    super(call)
    this.#state = state
  }

  async shutdown(options: ShutdownOptions = {}): Promise<void> {
    const { wait } = checkShutdown(options)
    const { running, onIdle } = this.#state
    this.#state.shutDown = true
    if (wait && running.size > 0) await new Promise<void>((resolve) => onIdle.push(resolve))
  }

  stats(): ExecutorStats {
    const { counts, running } = this.#state
    const notDone = [...running].filter((future) => !future.done()).length
    return { maxWorkers: 1, workers: 1, queued: 0, running: notDone, workersLost: 0, ...counts }
  }

  protected get capacity(): { workers: number; chunks: number } {
    return { workers: 1, chunks: 1 }
  }

  protected refuse(): void {
    refuseDuringImport('submit work to an executor')
    if (this.#state.shutDown) throw new ShutdownError('the executor was shut down and takes no more work')
  }

  protected runCall({ target, call }: Submission, args: readonly unknown[]): Future {
    return this.#run(() => target(...args), call, call.retries)
  }

  protected runChunk({ target, call }: Submission, chunk: Chunk, settled: boolean): Future<ChunkResult> {
    const { retries } = call
    return this.#run(() => mapItems(target, chunk, { settled, retries }, (thrown) => thrown), call, retries)
  }

  protected override runRange({ target, call }: Submission, { plan, args, counter, keep }: RangeTask): Future<Share> {
    const body = (start: number, end: number) => target(start, end, ...args)
    return this.#run(() => computeBlocks(plan, counter, body, keep), call, 0)
  }

  protected faceWith(call: Call): InlineExecutor {
    return faceOf(this.#state, call)
  }

  /** @param retries how often it is called again that throws or takes too long */
  #run<R>(perform: () => R | Promise<R>, { timeoutMs, signal }: Call, retries: number): Future<R> {
    const { counts } = this.#state
    let latest: Attempt<R> | undefined
    // It cannot be made to end. After its grace, nobody waits for it any more.
    const stop = async (graceMs: number) => {
      latest?.ask()
      if (latest && graceMs > 0) await withTimeout(latest.ended, graceMs).catch(() => {})
      this.#leave(future)
    }
    const future = new Future<R>({ begun: () => true, withdraw: () => false, stop })
    future.addDoneCallback(() => counts[future.cancelled() ? 'cancelled' : future.failed ? 'failed' : 'completed']++)
    if (signal?.aborted) {
      future.setException(signal.reason)
      return future
    }
    if (signal) {
      const onAbort = () => {
        future.setException(signal.reason)
        void stop(0)
      }
      future.addDoneCallback(whenAborted(signal, onAbort))
    }
    const begin = (left: number) => {
      for (; ; left--) {
        latest = attempt(perform, timeoutMs)
        const { outcome } = latest
        if (outcome instanceof Promise) return void settleLater(outcome, left)
        if (!settle(future, outcome, left)) return this.#leave(future)
      }
    }
    const settleLater = async (later: Promise<Outcome<R>>, left: number) => {
      // It may have aborted its own signal.
      if (future.done()) return stop(0)
      this.#state.running.add(future)
      const outcome = await later
      // Late, it may still run.
      latest!.ask()
      if (settle(future, outcome, left)) begin(left - 1)
      else if (!future.cancelled()) this.#leave(future)
    }
    begin(retries)
    return future
  }

  #leave(future: Future): void {
    const { running, onIdle } = this.#state
    running.delete(future)
    if (running.size === 0) for (const idle of onIdle.splice(0)) idle()
  }
}

/** @returns whether it is not settled, but to be tried again */
function settle<R>(future: Future<R>, outcome: Outcome<R>, retriesLeft: number): boolean {
  if (future.done()) return false
  if (outcome.kind === 'returned') future.setResult(outcome.value)
  else if (retriesLeft > 0) return true
  else future.setException(outcome.thrown)
  return false
}

function newState(): InlineState {
  return { shutDown: false, running: new Set(), onIdle: [], counts: { completed: 0, failed: 0, cancelled: 0 } }
}

// Outside of the class: one that names itself inside is renamed by the bundler.
function faceOf(state: InlineState, call: Call): InlineExecutor {
  return new InlineExecutor(fromParts(state, call))
}
