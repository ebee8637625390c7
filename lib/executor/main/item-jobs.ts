// A chunk of a map whose items may be run again. Each is a call of its own, so that the results of those that have returned
// outlive the worker, and nothing that has returned is run a second time.
import { Promise } from '../../base/clock.js'
import { CancelledError } from '../../errors.js'
import { Future } from '../future.js'
import type { Chunk, ChunkResult } from '../map/map-chunk.js'

/**
 * Have the items of a chunk run, each as a call.
 * @param settled whether to go on after a failure. If not, what comes after it is cancelled, unless it runs
 * @param submit submits a call
 */
export function runItems(
  { items, arity, spread }: Chunk,
  settled: boolean,
  submit: (args: readonly unknown[]) => Future,
): Future<ChunkResult> {
  const count = items.length / arity
  const values: unknown[] = Array.from({ length: count }, () => undefined)
  const failures: [index: number, thrown: unknown][] = []
  const calls: Future[] = []
  let left = count
  const cancelFrom = (index: number) => {
    for (const call of calls.slice(index)) call.cancel()
  }
  const future = new Future<ChunkResult>({
    begun: () => calls.some((call) => call.running() || (call.done() && !call.cancelled())),
    withdraw() {
      cancelFrom(0)
      return calls.every((call) => call.cancelled())
    },
    stop: async (grace) => void (await Promise.all(calls.map((call) => call.cancel({ force: true, grace })))),
  })
  const onDone = (index: number, call: Future) => {
    if (call.cancelled()) failures.push([index, new CancelledError('the item was cancelled')])
    else if (call.failed) failures.push([index, call.thrown])
    else values[index] = call.value
    if (call.failed && !settled) cancelFrom(index + 1)
    if (--left > 0 || future.done()) return
    failures.sort(([a], [b]) => a - b)
    future.setResult({ values, failures })
  }
  for (let index = 0; index < count; index++) {
    const at = index * arity
    calls.push(submit(spread ? (items[index] as unknown[]) : Array.from(items.slice(at, at + arity))))
  }
  for (const [index, call] of calls.entries()) call.whenDone(() => onDone(index, call))
  return future
}
