// Threads of piscina, started one at a time when this package asks for one. The only file that knows piscina.
//
// Piscina takes 17 ms to load, and many programs need one worker. So the first thread is booted without it, and runs piscina's code
// from its start; piscina is loaded with the second thread, and takes the first for the one that it boots as it is opened.
//
// What of piscina 5.3 must be respected: it starts threads of its own accord in event listeners, where a failure to start one
// would end the program, so `minThreads` and `maxThreads` are 0 except while it is asked for a thread; the thread that it starts
// in its constructor is the only one that can be given its ports before it has booted; `atomics: 'sync'` blocks the event loop
// of idle workers; it forgets a thread before that has exited; and a run that it has queued when the start of a thread fails
// stays queued, so the queue is ours.
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ResourceLimits, Worker, WorkerOptions } from 'node:worker_threads'
import type { Piscina, TaskQueue } from 'piscina'
import { programArguments } from '../../../thread/boot.js'
import type { FirstThreadData, WorkerSetup, WorkerStart } from '../../protocol/messages.js'

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
  /** Until piscina has taken it, or it has exited. */
  #firstThread: Worker | undefined
  /** Under this symbol piscina shows its queue and its load balancer the worker that a run is for. */
  #workerKey!: symbol
  readonly #queue = new RunQueue()

  constructor(options: ThreadSetup, choose: ChooseThread<W>) {
    this.#options = options
    this.#choose = choose
  }

  /** The threads that have not exited. Of one that is just exiting, the `threadId` is -1. */
  get workers(): readonly Worker[] {
    const threads = this.#piscina?.threads ?? []
    return this.#firstThread ? [this.#firstThread, ...threads] : threads
  }

  /**
   * Give a worker its ports, in a new thread or in one that has booted and has none.
   * @throws no thread can be started
   */
  start(worker: W, ports: WorkerStart): void {
    if (!this.#piscina && !this.#firstThread) return this.#bootFirst(worker, ports)
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

  /** Boot a thread without piscina. @throws no thread can be started */
  #bootFirst(worker: W, ports: WorkerStart): void {
    const thread = new threads.Worker(ENTRY, {
      ...this.#ofThread({ ...this.#options.setup, first: ports }),
      transferList: [ports.leases, ports.results, ports.output],
    })
    this.#firstThread = thread
    thread.once('exit', () => (this.#firstThread = undefined))
    thread.on('error', () => {}) // Each thread's own listener tells.
    thread.unref() // Its port holds the event loop while it has a lease.
    this.#choose(worker, [thread.threadId])
    thread.postMessage(piscinaWorker()) // Found while the thread boots.
  }

  #open(): Piscina {
    const { Piscina, queueOptionsSymbol } = require('piscina') as typeof import('piscina')
    this.#workerKey = queueOptionsSymbol
    const open = () =>
      new Piscina({
        filename: ENTRY,
        minThreads: 1,
        maxThreads: 1,
        idleTimeout: Infinity,
        atomics: 'disabled',
        recordTiming: false,
        ...this.#ofThread(this.#options.setup),
        taskQueue: this.#queue,
        loadBalancer: (run, threads) => {
          const ids = threads.map(({ id }) => id)
          return threads[this.#choose(this.#workerOf(run), ids)] ?? null
        },
      })
    const piscina = this.#firstThread ? this.#openWith(this.#firstThread, open) : open()
    piscina.options.minThreads = piscina.options.maxThreads = 0
    // Of threads that piscina takes for idle. Each thread's own listener tells.
    piscina.on('error', () => {})
    return piscina
  }

  /** Have piscina take the first thread for the one that it boots as it is opened. A version that boots another file boots its own. */
  #openWith(first: Worker, open: () => Piscina): Piscina {
    const { Worker } = threads
    const isFirst = (file: string) => this.#firstThread === first && file === piscinaWorker()
    const take = () => {
      this.#firstThread = undefined
      return first
    }
    threads.Worker = function (file: string, options: WorkerOptions) {
      return isFirst(file) ? take() : new Worker(file, options)
    } as unknown as typeof Worker
    try {
      return open()
    } finally {
      threads.Worker = Worker
    }
  }

  #ofThread(workerData: WorkerSetup | FirstThreadData): WorkerOptions {
    const { env, resourceLimits } = this.#options
    return { workerData, argv: programArguments(), ...(env && { env }), ...(resourceLimits && { resourceLimits }) }
  }
}

/** What piscina loads in its threads; the first thread starts with it. */
const ENTRY = join(dirname(fileURLToPath(import.meta.url)), 'worker-executor-entry.cjs')

/** Node's own exports: piscina boots threads by the class that is there. */
const threads = require('node:worker_threads') as { Worker: typeof Worker }

/** The file that piscina's threads start with; `undefined` if it is not found, which the second thread tells. */
function piscinaWorker(): string | undefined {
  try {
    return join(dirname(require.resolve('piscina')), 'worker.js')
  } catch {
    return undefined
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
