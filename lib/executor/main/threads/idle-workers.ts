// The workers of an executor that have nothing to do, and the idle time-out. Piscina's own cannot be used: it counts a worker as
// idle while it runs our leases.
import { performance, setTimeout } from '../../../base/clock.js'
import { MAX_TIMER_MS } from '../../../base/timer.js'
import type { WorkerHandle } from './worker-handle.js'

export class IdleWorkers {
  /** In the order in which they became idle. */
  #workers: WorkerHandle[] = []
  readonly #timeoutMs: number
  readonly #retire: (worker: WorkerHandle) => boolean
  #timer: NodeJS.Timeout | undefined

  /**
   * @param timeoutMs after which an idle worker is retired
   * @param retire retires a worker, unless it must stay. @returns whether it did
   */
  constructor(timeoutMs: number, retire: (worker: WorkerHandle) => boolean) {
    this.#timeoutMs = timeoutMs
    this.#retire = retire
  }

  get size(): number {
    let count = 0
    for (const { isDying } of this.#workers) if (!isDying) count++
    return count
  }

  add(worker: WorkerHandle): void {
    worker.idleSinceMs = performance.now()
    this.#workers.push(worker)
    this.watch()
  }

  /** Take the worker that has been idle shortest: the others may retire. */
  take(): WorkerHandle | undefined {
    for (let worker; (worker = this.#workers.pop());) if (!worker.isDying) return worker
    return undefined
  }

  delete(worker: WorkerHandle): void {
    this.#workers = this.#workers.filter((other) => other !== worker)
  }

  /** Start the timer for the worker that has been idle longest. */
  watch(): void {
    const [first] = this.#workers
    if (this.#timeoutMs === Infinity || this.#timer || !first) return
    const leftMs = Math.max(Math.ceil(first.idleSinceMs + this.#timeoutMs - performance.now()), 1)
    this.#timer = setTimeout(() => this.#onTimer(), Math.min(leftMs, MAX_TIMER_MS)).unref()
  }

  #onTimer(): void {
    this.#timer = undefined
    const dueMs = performance.now() - this.#timeoutMs
    const staying = this.#workers.filter((worker) => worker.idleSinceMs > dueMs || !this.#retire(worker))
    this.#workers = staying
    // Not for one that is due and had to stay: it would be looked at without end.
    if (staying.some(({ idleSinceMs }) => idleSinceMs > dueMs)) this.watch()
  }
}
