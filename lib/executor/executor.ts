// What all executors have in common: their interface, and the options of a call. After Python's concurrent.futures.Executor.
import { inspect } from 'node:util'
import type { Transferable } from 'node:worker_threads'
import { checkSignal, checkTimeout } from '../base/wait-options.js'
import type { Target } from '../task/task.js'
import { checkFlag, checkOptions } from '../base/validate.js'
import type { Future } from './future.js'
import type { Input } from './map/inputs.js'
import type { MapOptions, MapResult } from './map/map-options.js'
import type { ParallelOptions, Range, ReduceOptions } from './range/range.js'
import { checkTransfer } from '../transport/transfer-list.js'

/** Options of what is submitted through `with`. */
export interface CallOptions {
  /**
   * Milliseconds from the task's beginning (importing its module included) after which it is stopped: TimeoutError. Of a map, each
   * item is a task or, with `chunksize`, each chunk. @default Infinity
   */
  timeout?: number | undefined
  /** Aborting it fails the task with the signal's reason, and stops it if it runs. */
  signal?: AbortSignal | undefined
  /** The greater goes first; among equals, the first come first. @default 0 */
  priority?: number | undefined
  /** What of the arguments is moved, not cloned: `ArrayBuffer`s, `MessagePort`s, streams. It can be moved once. @default [] */
  transfer?: readonly Transferable[] | undefined
  /**
   * How often a task is run again that threw, took too long, or died with its worker. Not together with `transfer`: what was moved
   * is gone after the first time. @default 0: nothing runs twice
   */
  retries?: number | undefined
}

export interface ShutdownOptions {
  /** Whether the promise waits for all work to be done and all workers to have ended. @default true */
  wait?: boolean | undefined
  /** Cancel what has not begun. @default false */
  cancelFutures?: boolean | undefined
}

export interface ExecutorStats {
  /** Workers that exist at this moment. */
  workers: number
  maxWorkers: number
  /** Tasks that wait for a worker. */
  queued: number
  /** Tasks that a worker has begun. */
  running: number
  /** Tasks that returned. */
  completed: number
  /** Tasks that threw, or whose worker died. */
  failed: number
  cancelled: number
  /** Workers that died, or were stopped, while they had a task. */
  workersLost: number
}

/** An entry of a `map` with `settled: true`. */
export type SettledOptions = MapOptions & { settled: true }

/** An iterable per parameter of the target, and the options. */
export type MapArguments<A extends unknown[]> = [...iterables: { [K in keyof A]: Input<A[K]> }, options?: MapOptions]

/** The same, with `settled: true` among the options. */
export type SettledArguments<A extends unknown[]> = [
  ...iterables: { [K in keyof A]: Input<A[K]> },
  options: SettledOptions,
]

/** Runs tasks somewhere, and gives futures for their results. */
export interface Executor extends AsyncDisposable {
  /** Have the target run with these arguments. @throws ShutdownError; BrokenProcessPool; TypeError the target cannot be sent */
  submit<A extends unknown[], R>(target: Target<A, R>, ...args: NoInfer<A>): Future<Awaited<R>>
  /** Run the target once for each item; with several iterables, for each tuple until the shortest ends. Begins at once. */
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
  /**
   * Compute a range, block by block, in all workers that are or become free. Made for shared memory: the body writes its part
   * of a shared `Array`. Rejects with what the first block that fails throws (the others stop after their present blocks),
   * or with the signal's reason.
   * @param range a length, or `{ start, end }`: integers, `end` not included
   * @param body called as `body(start, end, ...args)`, once for each block of the range
   * @throws TypeError, RangeError, ShutdownError, BrokenProcessPool before any block; DataCloneError; WorkerDiedError
   * After OpenMP's `parallel for`.
   */
  parallelFor<A extends unknown[]>(
    range: Range,
    body: Target<[start: number, end: number, ...args: A], unknown>,
    options?: ParallelOptions<NoInfer<A>>,
  ): Promise<void>
  /**
   * Compute a range as `parallelFor` does, and combine what the body returns for its blocks.
   *
   * `combine` runs in this thread, from left to right in the order of the range: it must be associative, and need not be
   * commutative. Which blocks there are follows from the range, `schedule`, `grain` and `maxWorkers` alone, and not from who
   * computes what when: sums of floats are the same each time.
   * @param combine called as `combine(a, b)`; a promise that it returns is awaited
   * @throws TypeError the range is empty and there is no `initial`; and as `parallelFor`
   */
  parallelReduce<R, A extends unknown[]>(
    range: Range,
    body: Target<[start: number, end: number, ...args: A], R>,
    combine: (a: Awaited<R>, b: Awaited<R>) => Awaited<R> | Promise<Awaited<R>>,
    options?: ReduceOptions<NoInfer<A>, Awaited<R>>,
  ): Promise<Awaited<R>>
  /** The same executor, with these options on what is submitted through it. */
  with(options: CallOptions): Executor
  /** Take no more work. */
  shutdown(options?: ShutdownOptions): Promise<void>
  stats(): ExecutorStats
}

/** @throws TypeError */
export function checkShutdown(options: ShutdownOptions): { wait: boolean; cancelFutures: boolean } {
  checkOptions(options, 'the options of shutdown', ['wait', 'cancelFutures'])
  const { wait = true, cancelFutures = false } = options
  return { wait: checkFlag(wait, 'wait'), cancelFutures: checkFlag(cancelFutures, 'cancelFutures') }
}

/** The options of a call, checked and complete. */
export interface Call {
  timeoutMs: number
  signal: AbortSignal | undefined
  priority: number
  transfer: readonly Transferable[]
  retries: number
}

/** A call without options. */
export const PLAIN_CALL: Call = { timeoutMs: Infinity, signal: undefined, priority: 0, transfer: [], retries: 0 }

/**
 * What `with` adds to the options of a call: the shorter time limit counts, each of the signals aborts, and the others replace.
 * @throws TypeError, RangeError
 */
export function extendCall(call: Call, options: CallOptions): Call {
  checkOptions(options, 'the options of with', ['timeout', 'signal', 'priority', 'transfer', 'retries'])
  const { timeout, priority = call.priority, transfer = call.transfer, retries = call.retries } = options
  if (!Array.isArray(transfer)) throw new TypeError(`transfer must be an array, not ${inspect(transfer)}`)
  if (options.transfer) checkTransfer(transfer)
  if (typeof priority !== 'number') throw new TypeError(`priority must be a number, not ${inspect(priority)}`)
  if (Number.isNaN(priority)) throw new RangeError('priority must be a number, not NaN')
  if (typeof retries !== 'number') throw new TypeError(`retries must be a number, not ${inspect(retries)}`)
  if (!(Number.isInteger(retries) || retries === Infinity) || retries < 0)
    throw new RangeError(`retries must be an integer of 0 or more, or Infinity, not ${retries}`)
  if (retries > 0 && transfer.length > 0)
    throw new TypeError('retries and transfer exclude each other: what was moved is gone after the first time')
  const signals = [call.signal, checkSignal(options.signal)].filter((signal) => signal !== undefined)
  return {
    timeoutMs: Math.min(call.timeoutMs, checkTimeout(timeout)),
    signal: signals.length > 1 ? AbortSignal.any(signals) : signals[0],
    priority,
    transfer,
    retries,
  }
}
