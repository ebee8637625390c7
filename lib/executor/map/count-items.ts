// How the items of a chunk count in an executor's statistics.
import { DataCloneError } from '../../errors.js'
import type { Counts } from '../call-options.js'
import type { Future } from '../future.js'
import { itemsRun, type ChunkResult } from './map-chunk.js'

/**
 * Count the items of a chunk once it is done; those that are submitted again count then.
 * @param size how many items it has. @param settled whether it goes on after a failure
 */
export function countWhenDone(counts: Counts, future: Future<ChunkResult>, size: number, settled: boolean): void {
  future.whenDone(() => {
    if (future.cancelled()) counts.cancelled += size
    else if (future.failed) counts.failed += isSentApart(future.thrown, size) ? 0 : size
    else {
      const { failures } = future.value!
      const run = itemsRun(future.value!)
      counts.completed += run - failures.length
      counts.failed += failures.length
      if (!settled && failures.length > 0) counts.cancelled += size - run
    }
  })
}

/** Whether a chunk failed because one of its items cannot be sent: each is submitted by itself then, and it fails alone. */
export function isSentApart(thrown: unknown, size: number): boolean {
  return thrown instanceof DataCloneError && !thrown.path.startsWith('result') && size > 1
}

/** What was thrown in place of results of a chunk that is done. */
export function failuresOf(future: Future<ChunkResult>, size: number): unknown[] {
  if (future.failed) return isSentApart(future.thrown, size) ? [] : [future.thrown]
  return future.value?.failures.map(([, thrown]) => thrown) ?? []
}
