// The worker threads of one executor, in a piscina pool: piscina starts them, gives each its ports (worker-handle.ts), and
// replaces those that exit. Here is what piscina does not tell: which thread died of what, and whether it ever came up.
//
// What of piscina 5.3 must be respected: `minThreads` of 0 lets queued tasks hang after a crash; `atomics: 'sync'` blocks the
// event loop of idle workers; `close()` kills busy ones; it forgets a thread before that has exited; and it considers
// starting a thread at two moments only: when a task is queued, and when one ends.
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import type { ResourceLimits, Worker } from 'node:worker_threads'
import type { Piscina } from 'piscina'
import { performance, Promise, queueMicrotask } from '../../../base/clock.js'
import { thrownText } from '../../../base/thrown-text.js'
import type { LeaseEnd, WorkerSetup } from '../../protocol/messages.js'
import { programArguments } from '../../../thread/boot.js'
import { IdleWorkers } from './idle-workers.js'
import { setDying, type PoolThread, type ThreadExit } from './pool-thread.js'
import { newPorts, WorkerHandle } from './worker-handle.js'

export interface WorkerPoolOptions {
  setup: WorkerSetup
  maxWorkers: number
  idleTimeout: number
  env: NodeJS.ProcessEnv | undefined
  resourceLimits: ResourceLimits | undefined
}

/** What a pool tells its scheduler. */
export interface WorkerPoolEvents {
  onLeaseEnd(worker: WorkerHandle, end: LeaseEnd): void
  /** The worker has ended and runs nothing more. `exit`: how; `undefined`: it never had a thread. */
  onWorkerEnd(worker: WorkerHandle, exit: ThreadExit | undefined): void
  /** Another worker can be started in its place. */
  onSlotFree(): void
  /** A thread ended before it was ready for its first task: the next one would, too. */
  onBootFailure(exit: ThreadExit): void
}

export class WorkerPool {
  readonly #options: WorkerPoolOptions
  readonly #events: WorkerPoolEvents
  /** The threads that have not exited, by thread id. */
  readonly #threads = new Map<number, PoolThread>()
  readonly #workersBySlot: (WorkerHandle | undefined)[]
  readonly #idle: IdleWorkers
  #piscina: Piscina | undefined
  /** Under this symbol piscina shows its load balancer the handle that a run is for. */
  #handleKey!: symbol
  #ended: Promise<void> | undefined

  constructor(options: WorkerPoolOptions, events: WorkerPoolEvents) {
    this.#options = options
    this.#events = events
    this.#workersBySlot = Array.from({ length: options.maxWorkers }, () => undefined)
    this.#idle = new IdleWorkers(options.idleTimeout, (worker) => this.#retire(worker))
  }

  /** How many threads there are. */
  get size(): number {
    return this.#piscina?.threads.length ?? 0
  }

  /** How many workers can be given a lease now, without a thread being started. */
  get idleCount(): number {
    return this.#idle.size
  }

  /** Whether a lease can be given to a worker, or to a new one. */
  get canTakeMore(): boolean {
    return this.idleCount > 0 || this.#workersBySlot.includes(undefined)
  }

  takeIdle(): WorkerHandle | undefined {
    return this.#ended ? undefined : this.#idle.take()
  }

  /** The worker has no lease any more. */
  release(worker: WorkerHandle): void {
    if (!worker.isDying) this.#idle.add(worker)
  }

  /** Start a worker. It can be given a lease at once. @returns undefined: there are as many as there may be, or none can start */
  start(): WorkerHandle | undefined {
    const slot = this.#workersBySlot.indexOf(undefined)
    if (slot < 0 || this.#ended) return undefined
    const { here, there } = newPorts(slot)
    const worker: WorkerHandle = new WorkerHandle(
      slot,
      here,
      (end) => this.#events.onLeaseEnd(worker, end),
      // Its port holds the event loop no longer, and the thread's exit is still to be told.
      () => this.#threadOf(worker)?.worker.ref(),
    )
    this.#workersBySlot[slot] = worker
    try {
      this.#piscina ??= this.#open()
      // A symbol is not cloned: it takes the handle to the load balancer, and not to the thread.
      const message = Object.assign(there, { [this.#handleKey]: worker })
      const placed = this.#piscina.run(message, { transferList: [there.leases, there.results, there.output] })
      placed.catch(() => {
        if (worker.threadId !== undefined) return // That thread's exit tells.
        // Ports that were moved with a lease lie in these. Unless these are closed, their peers would wait for ever.
        there.leases.close()
        there.results.close()
        there.output.close()
        this.#dismiss(worker)
      })
      this.#meetNewThreads()
    } catch (reason) {
      // Not even a thread can be started.
      this.#events.onBootFailure({ exitcode: 1, reason })
      this.#dismiss(worker)
      return undefined
    }
    return worker
  }

  /** Look for the ends of leases. For a thread that blocks. */
  poll(): void {
    for (const worker of this.#workersBySlot) worker?.pollLeaseEnd()
  }

  /** End the thread of a slot. @param exitcode the exit code to report */
  terminate(slot: number, exitcode: number): void {
    const thread = this.#threadOf(this.#workersBySlot[slot])
    if (thread) this.#stop(thread, exitcode)
  }

  /** End all threads. Resolves when they have exited. @param exitcode the exit code to report */
  terminateAll(exitcode: number): Promise<void> {
    if (this.#piscina) this.#meetNewThreads()
    for (const thread of this.#threads.values()) this.#stop(thread, exitcode)
    // Piscina would let what it has queued wait for threads that still boot for ever.
    return this.destroy()
  }

  /** End all threads. Resolves when they have exited. */
  destroy(): Promise<void> {
    return (this.#ended ??= this.#end())
  }

  /** Report an error outside of any task: in a timer that a task left behind, say. The thread is replaced. */
  reportIdleDeath({ reason }: ThreadExit): void {
    if (reason !== undefined && !this.#ended) process.stderr.write(`An idle worker died:\n${thrownText(reason)}\n`)
  }

  #open(): Piscina {
    const { setup, maxWorkers, env, resourceLimits } = this.#options
    // Loaded with the first task: piscina takes longer to import than the rest of this package together.
    const { Piscina, queueOptionsSymbol } = createRequire(import.meta.url)('piscina') as typeof import('piscina')
    this.#handleKey = queueOptionsSymbol
    const piscina = new Piscina({
      filename: fileURLToPath(new URL('./worker-executor-entry.cjs', import.meta.url)),
      minThreads: 1,
      maxThreads: maxWorkers,
      idleTimeout: Infinity,
      atomics: 'disabled',
      recordTiming: false,
      workerData: setup,
      argv: programArguments(),
      loadBalancer: (run, threads) => {
        const worker = (run as unknown as Record<symbol, WorkerHandle>)[this.#handleKey]!
        return threads[this.#place(worker, threads)] ?? null
      },
      ...(env && { env }),
      ...(resourceLimits && { resourceLimits }),
    })
    // Of threads that piscina takes for idle. Each thread's own listener tells.
    piscina.on('error', () => {})
    return piscina
  }

  /** Choose the thread of a new worker. @returns its index; -1: none is free */
  #place(worker: WorkerHandle, threads: readonly { id: number }[]): number {
    this.#meetNewThreads()
    const index = threads.findIndex(({ id }) => {
      const thread = this.#threads.get(id)
      return thread && !thread.handle && !thread.isDying
    })
    if (index < 0) return index
    const { id } = threads[index]!
    this.#threads.get(id)!.handle = worker
    worker.threadId = id
    worker.idleSinceMs = performance.now()
    this.#idle.watch()
    return index
  }

  #meetNewThreads(): void {
    for (const worker of this.#piscina!.threads)
      // -1: the thread is just exiting.
      if (worker.threadId >= 0 && !this.#threads.has(worker.threadId)) this.#meet(worker)
  }

  /** Listen to a thread, ahead of piscina's own listeners, which replace it. */
  #meet(worker: Worker): void {
    const { threadId } = worker // It is gone from the Worker when the thread has exited.
    const thread: PoolThread = {
      worker,
      handle: undefined,
      isDying: false,
      isExpected: false,
      exitcode: undefined,
      reason: undefined,
      exited: new Promise((resolve) => {
        worker.prependOnceListener('exit', (code) => {
          this.#threads.delete(threadId)
          this.#onExit(thread, { exitcode: thread.exitcode ?? code, reason: thread.reason })
          resolve()
        })
      }),
    }
    worker.prependOnceListener('error', (reason: unknown) => {
      setDying(thread)
      thread.reason = reason
      this.#checkBoot(thread, { exitcode: 1, reason })
    })
    this.#threads.set(threadId, thread)
  }

  #onExit(thread: PoolThread, exit: ThreadExit): void {
    setDying(thread)
    this.#checkBoot(thread, exit)
    if (thread.handle) this.#dismiss(thread.handle, exit)
  }

  #checkBoot(thread: PoolThread, exit: ThreadExit): void {
    thread.handle?.receiveResults()
    if (!thread.handle?.isReady && !thread.isExpected) this.#events.onBootFailure(exit)
  }

  #dismiss(worker: WorkerHandle, exit?: ThreadExit): void {
    worker.close()
    this.#idle.delete(worker)
    // In a microtask: not within the submission that has failed, and not before piscina knows of the exit, since it would not
    // start another thread until then.
    queueMicrotask(() => {
      this.#events.onWorkerEnd(worker, exit)
      this.#workersBySlot[worker.slot] = undefined
      this.#events.onSlotFree()
    })
  }

  #threadOf(worker: WorkerHandle | undefined): PoolThread | undefined {
    return worker?.threadId === undefined ? undefined : this.#threads.get(worker.threadId)
  }

  /** Retire an idle worker, but keep at least one. @returns whether the worker was retired */
  #retire(worker: WorkerHandle): boolean {
    const thread = this.#threadOf(worker) // None: the worker still waits for it.
    const staying = [...this.#threads.values()].filter(({ handle, isDying }) => handle && !isDying).length
    if (!thread || thread.isDying || staying <= 1) return false
    this.#stop(thread)
    return true
  }

  #stop(thread: PoolThread, exitcode?: number): void {
    if (thread.isExpected) return // Each call of Worker.terminate() adds a listener.
    setDying(thread, true)
    thread.exitcode = exitcode
    void thread.worker.terminate()
  }

  async #end(): Promise<void> {
    const piscina = this.#piscina
    if (!piscina) return
    // Piscina forgets threads before they have exited, and replaces those that exit when it is not looking.
    do {
      this.#meetNewThreads()
      const threads = [...this.#threads.values()]
      for (const thread of threads) setDying(thread, true)
      // Its promise is of no use: it misses the exit of a thread in whose 'exit' event it was called.
      void piscina.destroy()
      await Promise.all(threads.map(({ exited }) => exited))
    } while (piscina.threads.length > 0)
  }
}
