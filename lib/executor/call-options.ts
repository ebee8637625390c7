// The options of a call and of a shutdown, checked; and the figures that an executor gives. The same for all executors.
import { inspect } from 'node:util'
import type { Transferable } from 'node:worker_threads'
import { checkFlag, checkInteger, checkOptions } from '../base/validate.js'
import { checkSignal, checkTimeout } from '../base/wait-options.js'
import { checkTransfer } from '../transport/transfer-list.js'

/** Options of what is submitted through `with`. */
export interface CallOptions {
  /**
   * Milliseconds from the task's start after which it is stopped, with TimeoutError. Importing its module counts. An initializer that
   * takes longer than that fails it, too. In a map, each
   * item is a task or, with `chunksize`, each chunk. @default Infinity
   */
  timeout?: number | undefined
  /**
   * Milliseconds that a running task gets to stop by itself when its time is over or its signal aborts: it is asked to
   * (`currentProcess().signal`, `.cancelled`), and its worker is ended if it still runs then. Its future is settled at once. @default 0
   */
  grace?: number | undefined
  /** Aborting it fails the task with the signal's reason, and stops it if it runs. */
  signal?: AbortSignal | undefined
  /** Tasks of greater priority go first; among equals, in the order of submission. @default 0 */
  priority?: number | undefined
  /**
   * Parts of the arguments that are moved instead of cloned: `ArrayBuffer`s, `MessagePort`s, streams. Each can be moved once.
   * @default []
   */
  transfer?: readonly Transferable[] | undefined
  /**
   * How often a task is run again after it threw, took too long, or died with its worker. Between its attempts it counts as
   * running. In a map, each item is a task: what has returned is not run again. Excludes `transfer`: what was moved is gone after
   * the first attempt. @default 0: nothing runs twice
   */
  retries?: number | undefined
}

/** Options of `shutdown`. */
export interface ShutdownOptions {
  /** Whether the promise waits until all work is done and all workers have ended. @default true */
  wait?: boolean | undefined
  /**
   * Cancel what has not begun, and run nothing again (`retries`). Maps end with CancelledError after what has begun.
   * @default false
   */
  cancelFutures?: boolean | undefined
}

/**
 * Figures of an executor at one moment. Tasks are counted over its whole life: each call of `submit`, each item of a map, each
 * range. While a range is computed, each worker's part in it counts as one that is queued or runs.
 */
export interface ExecutorStats {
  /** Workers that exist now. */
  workers: number
  /** The executor's limit of them. */
  maxWorkers: number
  /** Tasks that wait for a worker now. Of a map: the items that were read. */
  queued: number
  /** Tasks that a worker runs now, or that wait for their next attempt. Items of a chunk that are done count when their chunk is. */
  running: number
  /** Tasks that returned. */
  completed: number
  /** Tasks that threw, took too long, were aborted, could not be sent, or whose worker died. */
  failed: number
  /** Tasks that were cancelled, and items behind a failure of their map that had not begun. */
  cancelled: number
  /** Workers that died, or were stopped, while they ran a task. */
  workersLost: number
}

/** Tasks of an executor that are done. */
export type Counts = Pick<ExecutorStats, 'completed' | 'failed' | 'cancelled'>

/** @throws TypeError */
export function checkShutdown(options: ShutdownOptions): { wait: boolean; cancelFutures: boolean } {
  checkOptions(options, 'the options of shutdown', ['wait', 'cancelFutures'])
  const { wait = true, cancelFutures = false } = options
  return { wait: checkFlag(wait, 'wait'), cancelFutures: checkFlag(cancelFutures, 'cancelFutures') }
}

/** The options of a call, checked and complete. */
export interface Call {
  timeoutMs: number
  graceMs: number
  signal: AbortSignal | undefined
  priority: number
  transfer: readonly Transferable[]
  retries: number
}

/** A call without options. */
export const PLAIN_CALL: Call = {
  timeoutMs: Infinity,
  graceMs: 0,
  signal: undefined,
  priority: 0,
  transfer: [],
  retries: 0,
}

/**
 * Add the options of `with` to those of a call. The shorter time limit counts, each of the signals aborts, and the other options
 * replace.
 * @throws TypeError, RangeError
 */
export function extendCall(call: Call, options: CallOptions): Call {
  checkOptions(options, 'the options of with', ['timeout', 'grace', 'signal', 'priority', 'transfer', 'retries'])
  const { priority = call.priority, transfer = call.transfer, retries = call.retries } = options
  if (!Array.isArray(transfer)) throw new TypeError(`transfer must be an array, not ${inspect(transfer)}`)
  if (options.transfer) checkTransfer(transfer)
  if (retries !== Infinity) checkInteger(retries, 'retries')
  if (retries > 0 && transfer.length > 0)
    throw new TypeError('retries and transfer exclude each other: what was moved is gone after the first attempt')
  const signals = [call.signal, checkSignal(options.signal)].filter((signal) => signal !== undefined)
  return {
    timeoutMs: Math.min(call.timeoutMs, checkTimeout(options.timeout)),
    graceMs: options.grace === undefined ? call.graceMs : checkTimeout(options.grace, 'grace'),
    signal: signals.length > 1 ? AbortSignal.any(signals) : signals[0],
    priority: checkPriority(priority),
    transfer,
    retries,
  }
}

function checkPriority(priority: unknown): number {
  if (typeof priority !== 'number') throw new TypeError(`priority must be a number, not ${inspect(priority)}`)
  if (Number.isNaN(priority)) throw new RangeError('priority must be a number, not NaN')
  return priority
}
