// parallelFor and parallelReduce: one range, computed by all the workers that come. Each is told once what to do and then claims
// block after block (blocks.ts). Whoever finds none left reports; by then every block belongs to a worker that has begun, so that
// nobody waits for a worker that is busy elsewhere.
import { inspect } from 'node:util'
import { CancelledError } from '../../errors.js'
import { whenAborted } from '../../base/abort-listeners.js'
import { checkSignal } from '../../base/wait-options.js'
import { Blocks, BlockCounter, MOST_BLOCKS, type Plan, type Schedule, type Share } from './blocks.js'
import { checkCount, checkOptions } from '../../base/validate.js'
import type { Future } from '../future.js'
import { isThenable } from '../map/map-chunk.js'

/** From 0 to before a length, or from `start` to before `end`. Integers. */
export type Range = number | { start: number; end: number }

export interface ParallelOptions<A extends unknown[] = any[]> {
  /** What the body gets behind the bounds of its block. Sent once to each worker. @default [] */
  args?: A | undefined
  /**
   * How the range is cut into blocks: `static`, an equal one per worker; `dynamic`, many of the size `grain`; `guided`, large
   * ones first and small ones in the end.
   * @default 'dynamic'
   */
  schedule?: Schedule | undefined
  /** Indices in a block; `static`, `guided`: at least. @default `dynamic`: what gives each worker 64 blocks; otherwise 1 */
  grain?: number | undefined
  /** Aborting it rejects with its reason; blocks that were begun are computed to their end, and no others. */
  signal?: AbortSignal | undefined
}

export interface ReduceOptions<A extends unknown[] = any[], R = any> extends ParallelOptions<A> {
  /** What the first part is combined with, and the result of an empty range. @default none: an empty range is a TypeError */
  initial?: R | undefined
}

const SCHEDULES: readonly unknown[] = ['static', 'dynamic', 'guided'] satisfies Schedule[]

/** Uneven blocks make workers wait for the last one: for a hundredth of the time, if there are so many. */
const BLOCKS_PER_WORKER = 64

/** What each worker of a range is told. */
export interface RangeTask {
  plan: Plan
  /** What the body gets behind the bounds of its block. */
  args: readonly unknown[]
  counter: BlockCounter
  /** Whether what the body returns is wanted. */
  keep: boolean
}

/** @throws TypeError, RangeError */
export function checkParallel(
  range: Range,
  workers: number,
  options: ParallelOptions,
  transfer: readonly unknown[],
): { plan: Plan; args: unknown[]; signal: AbortSignal | undefined } {
  if (transfer.length > 0) throw new TypeError('a range has several workers: nothing can be transferred to all of them')
  const { start, end } = checkRange(range)
  checkOptions(options, 'the options of a range', ['args', 'schedule', 'grain', 'signal', 'initial'])
  const { args = [], schedule = 'dynamic' } = options
  if (!Array.isArray(args)) throw new TypeError(`args must be an array, not ${inspect(args)}`)
  if (!SCHEDULES.includes(schedule))
    throw new TypeError(`schedule must be 'static', 'dynamic' or 'guided', not ${inspect(schedule)}`)
  const usual = schedule === 'dynamic' ? Math.max(Math.ceil((end - start) / (workers * BLOCKS_PER_WORKER)), 1) : 1
  const grain = checkCount(options.grain ?? usual, 'grain')
  if (schedule === 'dynamic' && (end - start) / grain > MOST_BLOCKS)
    throw new RangeError(`grain ${grain} makes more than ${MOST_BLOCKS} blocks of ${end - start} indices`)
  return { plan: { start, end, schedule, grain, workers }, args, signal: checkSignal(options.signal) }
}

function checkRange(range: Range): { start: number; end: number } {
  if (typeof range === 'number') return { start: 0, end: checkBound(range, 'the length of the range', 0) }
  if (typeof range !== 'object' || range === null)
    throw new TypeError(`a range must be a length or { start, end }, not ${inspect(range)}`)
  const start = checkBound(range.start, 'start', -Number.MAX_SAFE_INTEGER)
  const end = checkBound(range.end, 'end', -Number.MAX_SAFE_INTEGER)
  if (end < start) throw new RangeError(`a range must not end before it starts: start ${start}, end ${end}`)
  return { start, end: start + checkBound(end - start, 'end - start', 0) }
}

function checkBound(value: unknown, name: string, least: number): number {
  if (typeof value !== 'number') throw new TypeError(`${name} must be a number, not ${inspect(value)}`)
  if (!Number.isSafeInteger(value) || value < least)
    throw new RangeError(`${name} must be an integer from ${least} to ${Number.MAX_SAFE_INTEGER}, not ${value}`)
  return value
}

/** @throws TypeError */
export function checkCombine(combine: unknown): void {
  if (typeof combine !== 'function') throw new TypeError(`combine must be a function, not ${inspect(combine)}`)
}

/**
 * Have the blocks computed.
 * @param launch asks for one worker more, which computes blocks until none is left
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
    let over = false
    const withdraw = () => {
      for (const future of futures) future.cancel()
    }
    const end = (settle: () => void) => {
      if (over) return
      over = true
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
      // None is left to claim: whoever has not begun need not.
      withdraw()
      onWorkerDone()
    }
    const stopListening = whenAborted(signal, () => fail(signal!.reason))
    for (let wanted = workersLeft; wanted > 0; wanted--) {
      const future = launch(counter)
      futures.push(future)
      future.addDoneCallback(() => {
        // Taken back, by this or by a shutdown: there is one worker less, and the others do its blocks.
        if (future.cancelled()) onWorkerDone()
        else future.result().then(onShare, fail)
      })
    }
  })
}

/**
 * Combine what the blocks gave, from left to right in the order of the range: as a sequential reduce does.
 * @throws TypeError there is nothing to combine; what `combine` throws
 */
export async function combineParts<R>(
  shares: readonly Share[],
  combine: (a: R, b: R) => R | Promise<R>,
  initial: R | undefined,
): Promise<R> {
  const parts: R[] = []
  for (const { numbers, parts: some } of shares)
    for (const [index, number] of numbers.entries()) parts[number] = some[index] as R
  if (initial !== undefined) parts.unshift(initial)
  if (parts.length === 0) throw new TypeError('parallelReduce of an empty range needs an initial value')
  let result = parts[0] as R
  for (let number = 1; number < parts.length; number++) {
    const combined = combine(result, parts[number]!)
    result = isThenable(combined) ? await combined : combined
  }
  return result
}
