// The options of a call, of a shutdown, and the figures of an executor: what all executors take and give alike.
import { inspect } from 'node:util'
import type { Transferable } from 'node:worker_threads'
import { checkSignal, checkTimeout } from '../base/wait-options.js'
import { checkFlag, checkOptions } from '../base/validate.js'
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
