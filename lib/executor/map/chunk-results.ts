// The results of chunks: of one that was mapped in two parts, of one that failed as a whole, and as the consumer of a map gets them.
import { inspect, types } from 'node:util'
import type { Chunk, ChunkResult } from './map-chunk.js'
import type { ResultBatch } from './results.js'

/** The items of a chunk from this index on. */
export function chunkFrom(chunk: Chunk, index: number): Chunk {
  return { ...chunk, items: chunk.items.slice(index * chunk.arity), slab: undefined }
}

/** The results of a chunk that was mapped in two parts, the second from item `at` on. */
export function joinResults(first: ChunkResult, second: ChunkResult, at: number): ChunkResult {
  const values = Array.from({ length: at }, (_, index) => first.values[index])
  const failures = second.failures.map(([index, thrown]) => [at + index, thrown] as const)
  return { values: [...values, ...second.values], failures: [...first.failures, ...failures] }
}

export function failedChunk(count: number, settled: boolean, thrown: unknown): ChunkResult {
  if (!settled) return { values: [], failures: [[0, thrown]] }
  const values = Array.from({ length: count }, () => undefined)
  return { values, failures: values.map((_, index) => [index, thrown] as const) }
}

/** Of a map whose results must be numbers: the first that is none fails. @param start the index of the chunk's first item */
export function numbersUntilOther(result: ChunkResult, start: number, explain: (error: Error) => Error): ChunkResult {
  const { values, failures } = result
  if (types.isFloat64Array(values)) return result
  const until = failures[0]?.[0] ?? values.length
  const at = values.findIndex((value) => typeof value !== 'number')
  if (at < 0 || at >= until) return result
  const what = `the result of item ${start + at} is ${inspect(values[at])}, and with output: 'float64' it must be a number`
  return { values: values.slice(0, at), failures: [[at, explain(new TypeError(what))]] }
}

export function settledBatch({ values, failures }: ChunkResult, bytes: number): ResultBatch {
  const entries: unknown[] = Array.from(values, (value) => ({ status: 'fulfilled', value }))
  for (const [index, reason] of failures) entries[index] = { status: 'rejected', reason }
  return { values: entries, bytes }
}

export function batchUntilFailure({ values, failures: [failure] }: ChunkResult, bytes: number): ResultBatch {
  return failure ? { values: values.slice(0, failure[0]), bytes, failure: { thrown: failure[1] } } : { values, bytes }
}
