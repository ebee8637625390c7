// Having one chunk of a map run to its end: what a worker that died, or retired, has left is submitted again, and if the chunk
// cannot be sent, its items are submitted one by one.
import { Promise } from '../../base/clock.js'
import type { Future } from '../future.js'
import { chunkFrom, failedChunk, joinResults } from './chunk-results.js'
import { isSentApart } from './count-items.js'
import type { Chunk, ChunkResult } from './map-chunk.js'

/** What runs chunks. */
export interface ChunkRunner {
  /**
   * Have a worker map a chunk. The future fails if the chunk could not be sent, its worker died, or it was cancelled.
   * @throws BrokenProcessPool
   */
  submit(chunk: Chunk, settled: boolean): Future<ChunkResult>
}

/** A chunk that was submitted, perhaps in parts. */
export interface SubmittedChunk {
  /** Whether parts that have not begun are to be run. */
  isWanted: boolean
  /** Cancels the part that was submitted last, unless it has begun. */
  cancel: () => void
}

/**
 * Have a chunk mapped.
 * @param settled whether to go on after a failure
 * @param onDone called in every case, with the failure as a result if need be
 */
export function submitChunk(
  runner: ChunkRunner,
  chunk: Chunk,
  settled: boolean,
  submitted: SubmittedChunk,
  onDone: (result: ChunkResult) => void,
): void {
  const count = chunk.items.length / chunk.arity
  const onFailed = (thrown: unknown) => {
    if (isSentApart(thrown, count)) void submitEach(runner, chunk, settled, submitted, onDone)
    else onDone(failedChunk(count, settled, thrown))
  }
  const onSettled = (result: ChunkResult) => {
    const { begun = count, failures } = result
    if (begun === count || (!settled && failures.length > 0)) return onDone(result)
    const onRest = (rest: ChunkResult) => onDone(joinResults(result, rest, begun))
    submitChunk(runner, chunkFrom(chunk, begun), settled, submitted, onRest)
  }
  try {
    const future = runner.submit(chunk, settled)
    submitted.cancel = () => future.cancel()
    if (!submitted.isWanted) future.cancel()
    future.result().then(onSettled, onFailed)
  } catch (thrown) {
    // The executor broke after map was called.
    onDone(failedChunk(count, settled, thrown))
  }
}

/** Submit the items of a chunk one by one, because one of them cannot be sent: it fails alone. */
async function submitEach(
  runner: ChunkRunner,
  { items, arity, spread }: Chunk,
  settled: boolean,
  submitted: SubmittedChunk,
  onDone: (result: ChunkResult) => void,
): Promise<void> {
  const values: unknown[] = []
  const failures: [number, unknown][] = []
  for (let at = 0; at < items.length; at += arity) {
    const one = { items: items.slice(at, at + arity), arity, spread }
    const result = await new Promise<ChunkResult>((resolve) => submitChunk(runner, one, settled, submitted, resolve))
    for (const [, thrown] of result.failures) failures.push([values.length, thrown])
    if (!settled && failures.length > 0) break
    values.push(result.values[0])
  }
  onDone({ values, failures })
}
