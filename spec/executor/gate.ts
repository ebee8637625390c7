// What specs share with the tasks that they run: a count of those that have begun, and a gate behind which they wait.
import { until } from '../harness.js'

const BEGUN = 0
const OPEN = 1

export class Gate {
  readonly words: Int32Array<SharedArrayBuffer> = new Int32Array(new SharedArrayBuffer(8))

  /** How many tasks have come to the gate. */
  get count(): number {
    return Atomics.load(this.words, BEGUN)
  }

  /** Wait until so many tasks have come. */
  async begun(count = 1): Promise<void> {
    await until(() => this.count >= count)
  }

  close(): void {
    Atomics.store(this.words, OPEN, 0)
  }

  open(): void {
    Atomics.store(this.words, OPEN, 1)
    Atomics.notify(this.words, OPEN)
  }
}

/** A task: come to the gate, block there until it opens, and return the value. */
export function passGate<T>(words: Int32Array, value: T): T {
  Atomics.add(words, 0, 1)
  Atomics.wait(words, 1, 0)
  return value
}

/** Threads that this program starts from now on, as they start and end. */
export class ThreadWatch {
  started = 0
  ended = 0
  readonly #onWorker = (worker: NodeJS.EventEmitter): void => {
    this.started++
    worker.once('exit', () => this.ended++)
  }

  constructor() {
    process.on('worker', this.#onWorker)
  }

  get alive(): number {
    return this.started - this.ended
  }

  stop(): void {
    process.off('worker', this.#onWorker)
  }
}
