// InlineExecutor: an executor that runs its tasks in the calling thread, for debugging: breakpoints, profiles and stacks are
// where one looks for them. Arguments and results are neither cloned nor moved, and `submit` returns when the task has returned or
// first awaits. Nobody can stop a task here: a time limit, an abort and a forced cancel settle its future and ask the task to stop,
// which it sees by `currentProcess()`, and may go on.
import { ShutdownError } from '../errors.js'
import { whenAborted } from '../base/abort-listeners.js'
import { withTimeout } from '../base/with-timeout.js'
import { define, refuseDuringImport } from '../task/target.js'
import type { Target } from '../task/task.js'
import { attempt, type Attempt, type Outcome } from './inline-attempt.js'
import { computeBlocks, type Share } from './range/blocks.js'
import {
  checkShutdown,
  extendCall,
  PLAIN_CALL,
  type Call,
  type CallOptions,
  type Executor,
  type ExecutorStats,
  type MapArguments,
  type SettledArguments,
  type SettledOptions,
  type ShutdownOptions,
} from './executor.js'
import { Future } from './future.js'
import type { Input } from './map/inputs.js'
import { Mapping } from './map/map.js'
import { splitMapArguments, type MapOptions, type MapResult } from './map/map-options.js'
import { mapItems } from './map/map-chunk.js'
import {
  checkCombine,
  checkParallel,
  combineParts,
  runParallel,
  type ParallelOptions,
  type Range,
  type ReduceOptions,
} from './range/range.js'

interface Shared {
  shutDown: boolean
  /** Tasks that have not ended and were not given up. */
  running: Set<Future>
  /** Who waits until there are none. */
  onIdle: (() => void)[]
  counts: { completed: number; failed: number; cancelled: number }
}

/** Runs tasks in the calling thread. */
export class InlineExecutor implements Executor {
  readonly #shared: Shared
  readonly #call: Call

  constructor()
  /** @internal */
  constructor(face: { shared: Shared; call: Call })
  constructor(face?: { shared: Shared; call: Call }) {
    this.#shared = face?.shared ?? {
      shutDown: false,
      running: new Set(),
      onIdle: [],
      counts: { completed: 0, failed: 0, cancelled: 0 },
    }
    this.#call = face?.call ?? PLAIN_CALL
  }

  submit<A extends unknown[], R>(target: Target<A, R>, ...args: NoInfer<A>): Future<Awaited<R>> {
    define(target)
    return this.#run(() => target(...args) as Awaited<R> | Promise<Awaited<R>>, this.#call.retries)
  }

  map<T, R>(
    target: Target<[T], R>,
    iterable: Input<T>,
    options: SettledOptions,
  ): MapResult<PromiseSettledResult<Awaited<R>>>
  map<T, R>(target: Target<[T], R>, iterable: Input<T>, options?: MapOptions): MapResult<Awaited<R>>
  map<T, U, R>(
    target: Target<[T, U], R>,
    a: Input<T>,
    b: Input<U>,
    options: SettledOptions,
  ): MapResult<PromiseSettledResult<Awaited<R>>>
  map<T, U, R>(target: Target<[T, U], R>, a: Input<T>, b: Input<U>, options?: MapOptions): MapResult<Awaited<R>>
  map<A extends unknown[], R>(
    target: Target<A, R>,
    ...inputs: SettledArguments<A>
  ): MapResult<PromiseSettledResult<Awaited<R>>>
  map<A extends unknown[], R>(target: Target<A, R>, ...inputs: MapArguments<A>): MapResult<Awaited<R>>
  map(target: Target, ...iterablesAndOptions: unknown[]): MapResult<any> {
    define(target)
    const { inputs, options } = splitMapArguments(iterablesAndOptions)
    this.#refuse()
    const { retries } = this.#call
    return new Mapping(inputs, options, {
      busy: 1,
      itemMs: () => undefined,
      submit: (chunk, settled, onDone, onFailed) => {
        const future = this.#run(() => mapItems(target, chunk, { settled, retries }, (thrown) => thrown), retries)
        future.result().then(onDone, onFailed)
        return () => future.cancel()
      },
    })
  }

  async parallelFor<A extends unknown[]>(
    range: Range,
    body: Target<[start: number, end: number, ...args: A], unknown>,
    options: ParallelOptions<NoInfer<A>> = {},
  ): Promise<void> {
    await this.#compute(range, body, options, false)
  }

  async parallelReduce<R, A extends unknown[]>(
    range: Range,
    body: Target<[start: number, end: number, ...args: A], R>,
    combine: (a: Awaited<R>, b: Awaited<R>) => Awaited<R> | Promise<Awaited<R>>,
    options: ReduceOptions<NoInfer<A>, Awaited<R>> = {},
  ): Promise<Awaited<R>> {
    checkCombine(combine)
    return combineParts(await this.#compute(range, body, options, true), combine, options.initial)
  }

  with(options: CallOptions): InlineExecutor {
    return faceOf(this.#shared, extendCall(this.#call, options))
  }

  async shutdown(options: ShutdownOptions = {}): Promise<void> {
    const { wait } = checkShutdown(options)
    const { running, onIdle } = this.#shared
    this.#shared.shutDown = true
    if (wait && running.size > 0) await new Promise<void>((resolve) => onIdle.push(resolve))
  }

  stats(): ExecutorStats {
    const { counts, running } = this.#shared
    const notDone = [...running].filter((future) => !future.done()).length
    return { maxWorkers: 1, workers: 1, queued: 0, running: notDone, workersLost: 0, ...counts }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.shutdown()
  }

  async #compute(range: Range, body: Target, options: ParallelOptions, keep: boolean): Promise<Share[]> {
    define(body)
    const order = checkParallel(range, 1, options, this.#call.transfer)
    this.#refuse()
    const call = (start: number, end: number) => body(start, end, ...order.args)
    return runParallel(order, (claims) => this.#run(() => computeBlocks(order.plan, claims, call, keep), 0))
  }

  #refuse(): void {
    refuseDuringImport('submit work to an executor')
    if (this.#shared.shutDown) throw new ShutdownError('the executor was shut down and takes no more work')
  }

  /** @param retries how often it is called again that throws or takes too long */
  #run<R>(perform: () => R | Promise<R>, retries: number): Future<R> {
    this.#refuse()
    const { counts } = this.#shared
    const { timeoutMs, signal } = this.#call
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
      this.#shared.running.add(future)
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
    const { running, onIdle } = this.#shared
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

// Outside of the class: one that names itself inside is renamed by the bundler.
function faceOf(shared: Shared, call: Call): InlineExecutor {
  return new InlineExecutor({ shared, call })
}
