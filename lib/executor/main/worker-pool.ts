// The worker threads of one executor: a piscina pool, which starts them, hands them their lines (hands.ts) and replaces those
// that end. Here is what piscina does not tell: which thread died of what, and whether it ever came up.
//
// What of piscina 5.3 must be respected: `minThreads` of 0 lets queued tasks hang after a crash; `atomics: 'sync'` blocks the
// event loop of idle workers; `close()` kills busy ones; it takes threads for idle that work at what it knows nothing of, so
// that its `idleTimeout` cannot be used; and it starts a thread for a queued task only as that is queued, or as another ends one.
import { createRequire } from 'node:module'
import { inspect } from 'node:util'
import { fileURLToPath } from 'node:url'
import type { ResourceLimits, Worker } from 'node:worker_threads'
import type { Piscina } from 'piscina'
import { MAX_TIMER_MS } from '../../base/wait-options.js'
import type { Packed } from '../../transport/shareable.js'
import { systemTimeout } from '../../base/timer.js'
import type { Identity } from '../../process/control-block.js'
import type { Definition } from '../../task/target.js'
import type { SlotMemory } from '../protocol/lease-slots.js'
import { WorkerHandle, newLine, ThreadEnded, type Ending, type Errand } from './worker-handle.js'
import type { TaskResult } from '../protocol/messages.js'

/** What each worker of an executor is told as it boots. */
export interface WorkerSetup {
  slots: SlotMemory
  creator: Pick<Identity, 'numbers' | 'parent'>
  initializer: { target: Definition; args: Packed } | undefined
  /** After so many tasks the worker retires. */
  maxTasks: number
}

export interface WorkerPoolOptions {
  setup: WorkerSetup
  maxWorkers: number
  idleTimeout: number
  env: NodeJS.ProcessEnv | undefined
  resourceLimits: ResourceLimits | undefined
  /** An outcome that a worker has posted. */
  onOutcome: (slot: number, task: number, outcome: TaskResult) => void
  /** The next outcome of the thread cannot be read here. */
  onUnreadable: (threadId: number, failure: unknown) => void
  /** A thread ended before it was ready for its first task: the next would, too. */
  onBootFailure: (ending: Ending) => void
}

interface Thread {
  readonly id: number
  readonly worker: Worker
  hand: WorkerHandle | undefined
  /** Has said that it could run a task. */
  ready: boolean
  /** An uncaught error was heard, or it was ended here: it takes no more. */
  dying: boolean
  /** Was ended here, on purpose. */
  expected: boolean
  /** How it shall appear to have exited, where that is not how it has. */
  exitcode: number | undefined
  /** The uncaught error of which it dies. */
  reason: unknown
  exited: Promise<void>
}

export class WorkerPool {
  readonly #options: WorkerPoolOptions
  /** Those that have not exited, by thread id. */
  readonly #threads = new Map<number, Thread>()
  readonly #hands = new Set<WorkerHandle>()
  /** Hands without an errand, the one that has rested longest first. The last is the next to work: others may retire. */
  #resting: WorkerHandle[] = []
  /** Errands for which every hand is busy, or dying. */
  #waiting: Errand[] = []
  #retiring: NodeJS.Timeout | undefined
  #pool: Piscina | undefined
  /** Under which piscina shows its balancer something of what is run. */
  #handKey!: symbol
  #ended: Promise<void> | undefined

  constructor(options: WorkerPoolOptions) {
    this.#options = options
  }

  /** How many threads there are. */
  get size(): number {
    return this.#pool?.threads.length ?? 0
  }

  /** How many hands could be given a lease now, without a thread being started. */
  get idle(): number {
    return this.#resting.filter((hand) => this.#mayWork(hand)).length
  }

  /** Have a thread do it. */
  run(errand: Errand): void {
    if (this.#ended) return errand.onFailure(new ThreadEnded())
    this.#waiting.push(errand)
    this.#serve()
  }

  /** Look which errands are done: this thread is blocked, and its event loop does not tell. */
  look(): void {
    for (const hand of this.#hands) hand.look()
  }

  #serve(): void {
    while (this.#waiting.length > 0) {
      const hand = this.#free() ?? this.#hire()
      if (!hand) return
      hand.give(this.#waiting.shift()!)
    }
  }

  #free(): WorkerHandle | undefined {
    for (let hand; (hand = this.#resting.pop());) if (this.#mayWork(hand)) return hand
    return undefined
  }

  #mayWork({ threadId }: WorkerHandle): boolean {
    return threadId === undefined || this.#threads.get(threadId)?.dying === false
  }

  /** Have piscina give a hand a thread. @returns undefined: there are as many as there may be */
  #hire(): WorkerHandle | undefined {
    if (this.#hands.size >= this.#options.maxWorkers) return undefined
    const { here, there } = newLine()
    const hand = new WorkerHandle(here, () => this.#onFree(hand))
    this.#hands.add(hand)
    try {
      this.#pool ??= this.#open()
      // A symbol is not cloned: it takes the hand to the balancer, not to the worker.
      const message = Object.assign(there, { [this.#handKey]: hand })
      const placed = this.#pool.run(message, { transferList: [there.leases, there.outcomes] })
      placed.catch(() => {
        if (hand.threadId !== undefined) return // That thread tells.
        // What was moved with its lease is in there, and would never be missed.
        there.leases.close()
        there.outcomes.close()
        this.#dismiss(hand)
      })
      this.#meetNewThreads()
    } catch (reason) {
      // A thread cannot even be started.
      this.#options.onBootFailure({ exitcode: 1, reason })
      this.#dismiss(hand)
      return undefined
    }
    return hand
  }

  /** Choose the thread of a new hand. */
  #choose(hand: WorkerHandle, workers: readonly { id: number }[]): number {
    this.#meetNewThreads()
    const chosen = workers.findIndex(({ id }) => {
      const thread = this.#threads.get(id)
      return thread && !thread.hand && !thread.dying
    })
    if (chosen < 0) return chosen
    const { id } = workers[chosen]!
    this.#threads.get(id)!.hand = hand
    hand.place(id)
    this.#watchIdle()
    return chosen
  }

  #onFree(hand: WorkerHandle): void {
    if (!this.#mayWork(hand)) return
    hand.restsSinceMs = performance.now()
    this.#resting.push(hand)
    this.#serve()
    this.#watchIdle()
  }

  /** @returns whether an errand failed of that */
  #dismiss(hand: WorkerHandle, ending?: Ending): boolean {
    const failed = hand.end(ending)
    this.#hands.delete(hand)
    this.#resting = this.#resting.filter((other) => other !== hand)
    // Once piscina knows of it, too: until then it would start no thread.
    queueMicrotask(() => !this.#ended && this.#serve())
    return failed
  }

  #watchIdle(): void {
    const { idleTimeout } = this.#options
    const [idlest] = this.#resting
    if (idleTimeout === Infinity || this.#retiring || !idlest) return
    const leftMs = idlest.restsSinceMs + idleTimeout - performance.now()
    const retire = () => this.#retireIdle()
    this.#retiring = systemTimeout(retire, Math.min(Math.max(Math.ceil(leftMs), 1), MAX_TIMER_MS)).unref()
  }

  #retireIdle(): void {
    this.#retiring = undefined
    const restedBefore = performance.now() - this.#options.idleTimeout
    let staying = [...this.#threads.values()].filter(({ hand, dying }) => hand && !dying).length
    this.#resting = this.#resting.filter((hand) => {
      const thread = this.#threads.get(hand.threadId!) // None: it still waits for it.
      if (!thread || thread.dying || hand.restsSinceMs > restedBefore || staying <= 1) return true
      this.#stop(thread)
      staying--
      return false
    })
    if (staying > 1) this.#watchIdle()
  }

  /** End a thread. @param exitcode how it shall appear to have exited */
  terminate(threadId: number, exitcode: number): void {
    const thread = this.#threads.get(threadId)
    if (thread) this.#stop(thread, exitcode)
  }

  /** End all threads. Resolves when they have ended. @param exitcode how they shall appear to have exited */
  terminateAll(exitcode: number): Promise<void> {
    if (this.#pool) this.#meetNewThreads()
    for (const thread of this.#threads.values()) this.#stop(thread, exitcode)
    // Not only that: what piscina keeps for threads that still boot would wait for them for ever.
    return this.destroy()
  }

  #stop(thread: Thread, exitcode?: number): void {
    if (thread.expected) return // Each call of Worker.terminate() adds a listener.
    thread.expected = thread.dying = true
    thread.exitcode = exitcode
    void thread.worker.terminate()
  }

  /** End all threads. Resolves when they have ended. */
  destroy(): Promise<void> {
    return (this.#ended ??= this.#end())
  }

  async #end(): Promise<void> {
    for (const errand of this.#waiting.splice(0)) errand.onFailure(new ThreadEnded())
    const pool = this.#pool
    if (!pool) return
    // Piscina forgets threads before they have exited, and replaces those that exit when it is not looking.
    do {
      this.#meetNewThreads()
      const threads = [...this.#threads.values()]
      for (const thread of threads) thread.expected = thread.dying = true
      // Its promise is of no use: it misses the end of a thread in whose 'exit' event it was called.
      void pool.destroy()
      await Promise.all(threads.map(({ exited }) => exited))
    } while (pool.threads.length > 0)
  }

  /** Take in what a thread has posted. */
  hear(threadId: number): void {
    const thread = this.#threads.get(threadId)
    thread?.hand?.hear(
      (message) => {
        if (message.kind === 'ready') thread.ready = true
        else this.#options.onOutcome(message.slot, message.task, message.outcome)
      },
      (failure) => this.#options.onUnreadable(threadId, failure),
    )
  }

  /** Tell of an error outside of any task: in a timer that a task left behind, say. The thread is replaced. */
  tellOfIdleDeath({ reason }: Ending): void {
    if (reason !== undefined && !this.#ended) process.stderr.write(`An idle worker died:\n${inspect(reason)}\n`)
  }

  #open(): Piscina {
    const { setup, maxWorkers, env, resourceLimits } = this.#options
    // Loaded with the first task: piscina takes longer to import than the rest of this package together.
    const { Piscina, queueOptionsSymbol } = createRequire(import.meta.url)('piscina') as typeof import('piscina')
    this.#handKey = queueOptionsSymbol
    const pool = new Piscina({
      filename: fileURLToPath(new URL('./worker-executor-entry.cjs', import.meta.url)),
      minThreads: 1,
      maxThreads: maxWorkers,
      idleTimeout: Infinity,
      atomics: 'disabled',
      recordTiming: false,
      workerData: setup,
      loadBalancer: (task, workers) => {
        const chosen = this.#choose((task as unknown as Record<symbol, WorkerHandle>)[this.#handKey]!, workers)
        return chosen < 0 ? null : workers[chosen]!
      },
      ...(env && { env }),
      ...(resourceLimits && { resourceLimits }),
    })
    // Of threads that it takes for idle. Each of them tells us itself.
    pool.on('error', () => {})
    return pool
  }

  #meetNewThreads(): void {
    for (const worker of this.#pool!.threads)
      // Of one that is just exiting, it is -1.
      if (worker.threadId >= 0 && !this.#threads.has(worker.threadId)) this.#meet(worker)
  }

  #meet(worker: Worker): void {
    const id = worker.threadId
    const thread: Thread = {
      id,
      worker,
      hand: undefined,
      ready: false,
      dying: false,
      expected: false,
      exitcode: undefined,
      reason: undefined,
      // Before piscina's own listeners, which replace the thread.
      exited: new Promise((resolve) => {
        worker.prependOnceListener('exit', (code) => {
          this.#onExit(thread, { exitcode: thread.exitcode ?? code, reason: thread.reason })
          resolve()
        })
      }),
    }
    worker.prependOnceListener('error', (reason: unknown) => {
      thread.dying = true
      thread.reason = reason
      this.#checkBoot(thread, { exitcode: 1, reason })
    })
    this.#threads.set(id, thread)
  }

  #onExit(thread: Thread, ending: Ending): void {
    const { id, hand } = thread
    thread.dying = true
    this.#checkBoot(thread, ending)
    this.#threads.delete(id)
    // Not before the hand is dismissed: the end of its last lease may be there, and not be heard yet.
    const failed = hand !== undefined && this.#dismiss(hand, ending)
    if (!failed && thread.ready) this.tellOfIdleDeath(ending)
  }

  #checkBoot(thread: Thread, ending: Ending): void {
    this.hear(thread.id)
    if (!thread.ready && !thread.expected) this.#options.onBootFailure(ending)
  }
}
