// The word by which threads claim the blocks of a range: one atomic add per block.
//
// word   field   written by          meaning
//   0    NEXT    workers: add 1      the number of the next block; at the number of blocks and above, none is left
//                anybody: STOPPED    no more blocks, because one failed or the caller gave up
import { add, store, type Words } from '../../memory/atomics.js'
import { MAX_BLOCKS } from './blocks.js'

const NEXT = 0
/** Above every block number. Each worker adds 1 to it at most once more. */
const STOPPED = MAX_BLOCKS

export class BlockCounter {
  readonly memory: SharedArrayBuffer
  readonly #words: Words

  constructor(memory: SharedArrayBuffer = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)) {
    this.memory = memory
    this.#words = new Int32Array(memory)
  }

  /** Claim the next number. No other thread gets it. There is no block of that number if none is left. */
  next(): number {
    return add(this.#words, NEXT, 1)
  }

  /** No thread claims another block. */
  stop(): void {
    store(this.#words, NEXT, STOPPED)
  }
}
