// What a ProcessPoolExecutor is made of, loaded with the first one: the pool of workers, and the jobs that it runs.
export { openPool, holdPool } from './pool-options.js'
export { CallJob } from './main/call-job.js'
export { ChunkJob } from './main/chunk-job.js'
export { copyOf } from './main/death-errors.js'
export { runItems } from './main/item-jobs.js'
export { RangeJob } from './main/range-job.js'
