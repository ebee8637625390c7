// What a map asks of the executor that it runs on.
import type { CallAverages, PlanLimits } from './chunk-plan.js'
import type { NumberSlabs } from './number-slabs.js'
import type { OpenMaps } from './open-maps.js'
import type { ChunkRunner } from './submit-chunk.js'

export interface MapRunner extends ChunkRunner {
  readonly limits: PlanLimits
  /** The maps of the executor that are not done. */
  readonly maps: OpenMaps
  readonly averages: MapAverages
  /** Memory for chunks of numbers, if the workers share it with this thread. */
  readonly slabs: NumberSlabs | undefined
  /** Add the function's name, and where map was called, to an error of the map. */
  explain(error: Error): Error
}

/** What the executor knows of the function's calls, and learns from its maps. */
export interface MapAverages extends CallAverages {
  /** Results of so many calls take so many bytes. */
  recordResults(count: number, bytes: number): void
}

/** Of an executor that measures nothing. */
export const UNMEASURED: MapAverages = { averageMs: undefined, resultBytes: undefined, recordResults() {} }
