// The test face: what specs reach as '#internals' beside the public face. It is built together with index.ts, so that both
// share their modules, and is not part of the package.
export { performance } from './base/clock.js'
export { checkCount, checkFlag, checkFunction, checkInteger, checkOptions, checkString } from './base/validate.js'
export { FunctionRegistry, FunctionStats, recordSpent, takeBatch } from './executor/main/batch-size.js'
export { PriorityQueue, type Queueable } from './executor/main/priority-queue.js'
export { ByteMeter } from './executor/map/byte-meter.js'
export { ChunkPlan } from './executor/map/chunk-plan.js'
export { NumberSlabs, NUMBERS_PER_SLAB } from './executor/map/number-slabs.js'
export { Room } from './executor/map/input/room.js'
export { MAX_TASKS_PER_LEASE } from './executor/protocol/lease-slots.js'
export { BlockCounter } from './executor/range/block-counter.js'
export { Blocks, type Plan } from './executor/range/blocks.js'
export { computeBlocks } from './executor/range/run-blocks.js'
export { ColumnPacker, unpackColumn } from './transport/column.js'
export {
  areNumbers,
  ColumnBuilder,
  copyNumbers,
  MAX_NUMBERS_PER_CHUNK,
  packNumbers,
} from './transport/number-column.js'
export { decode, encode, keepAll } from './transport/codec/codec.js'
export { MetObjects } from './transport/codec/met-objects.js'
export { Queue } from './queue/queue.js'
export { JoinableQueue } from './queue/queue-kinds.js'
export { decodeFailure, encodeFailure } from './transport/error-codec.js'
export { isDead, markDead } from './thread/liveness.js'
export { pack, unpack } from './transport/pack.js'
export { makeShareable, registerShareable, remember } from './transport/shareable.js'
export { compileSource, describeSource } from './task/function-source.js'
export type { Acquirable } from './sync/acquirable.js'
export { Barrier } from './sync/barrier.js'
export { Condition } from './sync/condition.js'
export { Event } from './sync/event.js'
export { Lock } from './sync/lock.js'
export { RLock } from './sync/rlock.js'
export { AdaptiveSpin } from './sync/adaptive-spin.js'
export { RWLock } from './sync/rwlock.js'
export { Semaphore } from './sync/semaphore.js'
