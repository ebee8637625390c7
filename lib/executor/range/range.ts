// parallelFor and parallelReduce: one range, computed by all workers that are or become free. Each worker is sent one task, and
// claims block after block (run-blocks.ts). A worker that finds no block left reports. By then every block belongs to a worker
// that has begun, so tasks that still wait for a busy worker are withdrawn.
import { inspect } from 'node:util'
import { Promise } from '../../base/clock.js'
import { CancelledError } from '../../errors.js'
import { whenAborted } from '../../base/abort-listeners.js'
import { isThenable } from '../../base/brands.js'
import { checkCount, checkFunction, checkInteger, checkOptions } from '../../base/validate.js'
import { checkSignal } from '../../base/wait-options.js'
import type { Future } from '../future.js'
import { refuseGenerator } from '../../task/target.js'
import { BlockCounter } from './block-counter.js'
import { Blocks, MAX_BLOCKS, type Plan, type Schedule } from './blocks.js'
import type { Share } from './run-blocks.js'

/** The integers from 0 to a length, or from `start` to `end`. The length and `end` are not included. */
export type Range = number | { start: number; end: number }

/** Options of `parallelFor`. */
export interface ParallelOptions<A extends unknown[] = any[]> {
  /** Arguments of the body, behind the bounds of its block. Sent once to each worker. @default [] */
  args?: A | undefined
  /**
   * How the range is cut into blocks: `static`, one of equal size per worker; `dynamic`, many of the size `grain`; `guided`,
   * large ones first and small ones at the end.
   * @default 'dynamic'
   */
  schedule?: Schedule | undefined
  /** Indices per block; `static`, `guided`: at least. @default `dynamic`: what gives each worker 64 blocks; otherwise 1 */
  grain?: number | undefined
  /** Aborting it rejects with its reason. Blocks that were begun are computed to their end; no others are begun. */
  signal?: AbortSignal | undefined
}

/** Options of `parallelReduce`. */
export interface ReduceOptions<A extends unknown[] = any[], R = any> extends ParallelOptions<A> {
  /** What the first part is combined with, and the result of an empty range. @default none: an empty range is a TypeError */
  initial?: R | undefined
}

const SCHEDULES: readonly unknown[] = ['static', 'dynamic', 'guided'] satisfies Schedule[]

/** Dynamic blocks per worker by default. Waiting for the last block then takes a hundredth of the time. */
const BLOCKS_PER_WORKER = 64

/** What each worker of a range is sent. */
export interface RangeTask {
  plan: Plan
  /** Arguments of the body, behind the bounds of its block. */
  args: readonly unknown[]
  counter: BlockCounter
  /** Whether what the body returns is wanted. */
  keep: boolean
}

/**
 * Check what `parallelFor` or, with `keep`, `parallelReduce` is called with.
 * @param workers how many there are at most. @param transfer as of the call's options, where it must be empty
 * @throws TypeError, RangeError
 */
export function checkParallel(
  range: Range,
  options: ParallelOptions,
  { workers, transfer, keep }: { workers: number; transfer: readonly unknown[]; keep: boolean },
): { plan: Plan; args: unknown[]; signal: AbortSignal | undefined } {
  if (transfer.length > 0)
    throw new TypeError('a range goes to several workers: nothing can be transferred to all of them')
  const { start, end } = checkRange(range)
  if (keep) checkOptions(options, 'the options of parallelReduce', ['args', 'schedule', 'grain', 'signal', 'initial'])
  else checkOptions(options, 'the options of parallelFor', ['args', 'schedule', 'grain', 'signal'])
  const { args = [], schedule = 'dynamic' } = options
  if (!Array.isArray(args)) throw new TypeError(`args must be an array, not ${inspect(args)}`)
  if (!SCHEDULES.includes(schedule))
    throw new TypeError(`schedule must be 'static', 'dynamic' or 'guided', not ${inspect(schedule)}`)
  const { grain = defaultGrain(schedule, end - start, workers) } = options
  checkCount(grain, 'grain')
  if (schedule === 'dynamic' && (end - start) / grain > MAX_BLOCKS)
    throw new RangeError(`grain ${grain} makes more than ${MAX_BLOCKS} blocks of ${end - start} indices`)
  return { plan: { start, end, schedule, grain, workers }, args, signal: checkSignal(options.signal) }
}

function defaultGrain(schedule: Schedule, length: number, workers: number): number {
  return schedule === 'dynamic' ? Math.max(Math.ceil(length / (workers * BLOCKS_PER_WORKER)), 1) : 1
}

function checkRange(range: Range): { start: number; end: number } {
  if (typeof range === 'number') return { start: 0, end: checkBound(range, 'the length of a range', 0) }
  if (typeof range !== 'object' || range === null)
    throw new TypeError(`a range must be a length or { start, end }, not ${inspect(range)}`)
  checkOptions(range, 'the bounds of a range', ['start', 'end'])
  const start = checkBound(range.start, 'start')
  const end = checkBound(range.end, 'end')
  if (end < start) throw new RangeError(`a range must not end before it starts: start ${start}, end ${end}`)
  checkBound(end - start, 'end - start')
  return { start, end }
}

function checkBound(value: unknown, name: string, min: number = Number.MIN_SAFE_INTEGER): number {
  return checkInteger(value, name, min, Number.MAX_SAFE_INTEGER)
}

/** @throws TypeError */
export function checkCombine(combine: unknown): void {
  checkFunction(combine, 'combine')
  refuseGenerator(combine as Function)
}

/**
 * Have the blocks of a plan computed.
 * @param launch submits the task of one more worker, which computes blocks until none is left
 * @returns what the workers did, in any order
 * @throws what the first block that failed threw; WorkerDiedError; the signal's reason
 */
export function runParallel(
  plan: Plan,
  signal: AbortSignal | undefined,
  launch: (counter: BlockCounter) => Future<Share>,
): Promise<Share[]> {
  const { count } = new Blocks(plan)
  if (signal?.aborted) return Promise.reject(signal.reason)
  if (count === 0) return Promise.resolve([])
  return new Promise((resolve, reject) => {
    const counter = new BlockCounter()
    const futures: Future<Share>[] = []
    const shares: Share[] = []
    let blocksLeft = count
    let workersLeft = Math.min(plan.workers, count)
    let settled = false
    const withdraw = () => {
      for (const future of futures) future.cancel()
    }
    const end = (settle: () => void) => {
      if (settled) return
      settled = true
      stopListening()
      counter.stop()
      withdraw()
      settle()
    }
    const fail = (thrown: unknown) => end(() => reject(thrown))
    const onWorkerDone = () => {
      workersLeft--
      if (blocksLeft === 0) end(() => resolve(shares))
      else if (workersLeft === 0) fail(new CancelledError(`${blocksLeft} of ${count} blocks were cancelled`))
    }
    const onShare = (share: Share) => {
      shares.push(share)
      blocksLeft -= share.count
      // No block is left to claim: tasks that have not begun need not.
      withdraw()
      onWorkerDone()
    }
    const stopListening = whenAborted(signal, () => fail(signal!.reason))
    for (let wanted = workersLeft; wanted > 0; wanted--) {
      const future = launch(counter)
      futures.push(future)
      future.whenDone(() => {
        // Withdrawn, here or by a shutdown: there is one worker less, and the others compute its blocks.
        if (future.cancelled()) onWorkerDone()
        else future.result().then(onShare, fail)
      })
    }
  })
}

/**
 * Combine what the body returned for the blocks, from left to right in the order of the range, as a sequential reduce does.
 * @throws TypeError there is nothing to combine; what `combine` throws
 */
export async function combineParts<R>(
  shares: readonly Share[],
  combine: (a: R, b: R) => R | Promise<R>,
  initial: R | undefined,
): Promise<R> {
  const parts: R[] = []
  for (const share of shares)
    for (const [index, number] of share.numbers.entries()) parts[number] = share.parts[index] as R
  if (initial !== undefined) parts.unshift(initial)
  if (parts.length === 0) throw new TypeError('parallelReduce of an empty range needs an initial value')
  let result = parts[0] as R
  for (let number = 1; number < parts.length; number++) {
    const combined = combine(result, parts[number]!)
    result = isThenable(combined) ? await combined : combined
  }
  return result
}
