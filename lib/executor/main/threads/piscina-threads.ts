// Threads started by piscina, one at a time, when this package asks for one. The only file that knows piscina.
//
// What of piscina 5.3 must be respected: it starts threads of its own accord in event listeners, where a failure to start one
// would end the program, so `minThreads` and `maxThreads` are 0 except while it is asked for a thread; the thread that it starts
// in its constructor is the only one that can be given its ports before it has booted; `atomics: 'sync'` blocks the event loop
// of idle workers; it forgets a thread before that has exited; and a run that it has queued when the start of a thread fails
// stays queued, so the queue is ours.
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import type { ResourceLimits, Worker } from 'node:worker_threads'
import type { Piscina, TaskQueue } from 'piscina'
import { programArguments } from '../../../thread/boot.js'
import type { WorkerSetup, WorkerStart } from '../../protocol/messages.js'

/** What each thread of an executor is started with. */
export interface ThreadSetup {
  setup: WorkerSetup
  env: NodeJS.ProcessEnv | undefined
  resourceLimits: ResourceLimits | undefined
}

/**
 * Chooses the thread of a worker that waits for one.
 * @param threadIds those that piscina can give a message
 * @returns the index of one of them; -1: none is free
 */
export type ChooseThread<W> = (worker: W, threadIds: readonly number[]) => number

/** @typeParam W a worker that a thread is started for */
export class PiscinaThreads<W extends object> {
  readonly #options: ThreadSetup
  readonly #choose: ChooseThread<W>
  #piscina: Piscina | undefined
  /** Under this symbol piscina shows its queue and its load balancer the worker that a run is for. */
  #workerKey!: symbol
  readonly #queue = new RunQueue()

  constructor(options: ThreadSetup, choose: ChooseThread<W>) {
    this.#options = options
    this.#choose = choose
  }

  /** The threads that have not exited. Of one that is just exiting, the `threadId` is -1. */
  get workers(): readonly Worker[] {
    return this.#piscina?.threads ?? []
  }

  /**
   * Give a worker its ports, in a new thread or in one that has booted and has none.
   * @throws no thread can be started
   */
  start(worker: W, ports: WorkerStart): void {
    const piscina = (this.#piscina ??= this.#open())
    // A symbol is not cloned: it takes the worker to the load balancer, and not to the thread.
    const message = Object.assign(ports, { [this.#workerKey]: worker })
    piscina.options.maxThreads = Infinity
    try {
      // Rejects when the thread ends, whose exit tells, or when piscina is destroyed.
      piscina.run(message, { transferList: [ports.leases, ports.results, ports.output] }).catch(() => {})
    } finally {
      piscina.options.maxThreads = 0
    }
  }

  /** The worker waits no longer for a thread. */
  withdraw(worker: W): void {
    this.#queue.removeWhere((run) => this.#workerOf(run) === worker)
  }

  /** End what threads there are, and let piscina go. */
  destroy(): void {
    void this.#piscina?.destroy()
  }

  #workerOf(run: Run): W {
    return (run as unknown as Record<symbol, W>)[this.#workerKey]!
  }

  #open(): Piscina {
    const { setup, env, resourceLimits } = this.#options
    // Loaded with the first task: piscina takes longer to import than the rest of this package together.
    const { Piscina, queueOptionsSymbol } = createRequire(import.meta.url)('piscina') as typeof import('piscina')
    this.#workerKey = queueOptionsSymbol
    const piscina = new Piscina({
      filename: fileURLToPath(new URL('./worker-executor-entry.cjs', import.meta.url)),
      minThreads: 1,
      maxThreads: 1,
      idleTimeout: Infinity,
      atomics: 'disabled',
      recordTiming: false,
      workerData: setup,
      argv: programArguments(),
      taskQueue: this.#queue,
      loadBalancer: (run, threads) => {
        const ids = threads.map(({ id }) => id)
        return threads[this.#choose(this.#workerOf(run), ids)] ?? null
      },
      ...(env && { env }),
      ...(resourceLimits && { resourceLimits }),
    })
    piscina.options.minThreads = piscina.options.maxThreads = 0
    // Of threads that piscina takes for idle. Each thread's own listener tells.
    piscina.on('error', () => {})
    return piscina
  }
}

type Run = NonNullable<ReturnType<TaskQueue['shift']>>

/** What piscina is to run, first in, first out. */
class RunQueue implements TaskQueue {
  #runs: Run[] = []

  get size(): number {
    return this.#runs.length
  }

  push(run: Run): void {
    this.#runs.push(run)
  }

  shift(): Run | null {
    return this.#runs.shift() ?? null
  }

  remove(run: Run): void {
    this.removeWhere((other) => other === run)
  }

  removeWhere(test: (run: Run) => boolean): void {
    this.#runs = this.#runs.filter((run) => !test(run))
  }
}
