// What a new queue is asked to hold, and its memory.
import { checkInteger, checkOptions } from '../base/validate.js'
import { poke } from '../memory/atomics.js'
import { MAX_BYTES, MAX_PAYLOAD_BYTES, MAXSIZE, SEGMENTS } from './queue-layout.js'
import { newRingMemory } from './ring-segments.js'

const DEFAULT_MAX_BYTES = 2 ** 28
/** Maximum number of messages, also of one call. */
export const MAX_COUNT: number = 2 ** 31 - 1

export interface QueueOptions {
  /**
   * Maximum bytes of all unread messages together, and so of one: then `put` waits. One always fits. A message counts as it is
   * stored, rounded up to 8 bytes; its header of 8 bytes does not, but short messages may fill the memory before they come to
   * `maxBytes`. The queue takes up to four times as much memory: it doubles as it grows, and keeps its smaller parts. Memory is
   * allocated when it is needed, and kept.
   * @default 268435456 (256 MiB). At most 536870912 (512 MiB).
   */
  maxBytes?: number | undefined
}

/** Memory of a new queue. @param maxsize maximum number of messages; 0: no maximum @throws TypeError, RangeError */
export function newQueueMemory(maxsize: number, options: QueueOptions): SharedArrayBuffer {
  checkInteger(maxsize, 'maxsize', 0, MAX_COUNT)
  checkOptions(options, 'the options of Queue', ['maxBytes'])
  const { maxBytes = DEFAULT_MAX_BYTES } = options
  const memory = newRingMemory(checkInteger(maxBytes, 'maxBytes', 1, MAX_PAYLOAD_BYTES))
  const words = new Int32Array(memory, 0, SEGMENTS)
  poke(words, MAXSIZE, maxsize)
  poke(words, MAX_BYTES, maxBytes)
  return memory
}
