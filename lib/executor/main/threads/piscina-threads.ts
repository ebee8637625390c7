// Threads started by piscina, one at a time, when this package asks for one. The only file that knows piscina.
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
    const ofThread = {
      workerData: setup,
      argv: programArguments(),
      ...(env && { env }),
      ...(resourceLimits && { resourceLimits }),
    }
    const ahead = isPiscinaLoaded() ? undefined : bootAhead(ofThread)
    const { Piscina, queueOptionsSymbol } = require('piscina') as typeof import('piscina')
    this.#workerKey = queueOptionsSymbol
    const piscina = insteadOfBooting(
      ahead,
      () =>
        new Piscina({
          filename: fileURLToPath(new URL('./worker-executor-entry.cjs', import.meta.url)),
          minThreads: 1,
          maxThreads: 1,
          idleTimeout: Infinity,
          atomics: 'disabled',
          recordTiming: false,
          ...ofThread,
          taskQueue: this.#queue,
          loadBalancer: (run, threads) => {
            const ids = threads.map(({ id }) => id)
            return threads[this.#choose(this.#workerOf(run), ids)] ?? null
          },
        }),
    )
    piscina.options.minThreads = piscina.options.maxThreads = 0
    // Of threads that piscina takes for idle. Each thread's own listener tells.
    piscina.on('error', () => {})
    return piscina
  }
}

// The first thread is booted ahead of piscina, which takes 17 ms to load, about as long as a thread takes to boot. It starts with
// piscina's own file, and piscina takes it for the one that it boots in its constructor.

interface ThreadAhead {
  file: string
  thread: Worker
}

function isPiscinaLoaded(): boolean {
  return require.resolve('piscina') in require.cache
}

/** @throws no thread can be started */
function bootAhead(options: WorkerOptions): ThreadAhead {
  const { Worker } = require('node:worker_threads') as WorkerThreads
  const file = join(dirname(require.resolve('piscina')), 'worker.js')
  return { file, thread: new Worker(file, { ...options, trackUnmanagedFds: true }) }
}

/** Call what boots one thread, and have it get the thread that has been booted. */
function insteadOfBooting<R>(ahead: ThreadAhead | undefined, call: () => R): R {
  if (!ahead) return call()
  const threads = require('node:worker_threads') as WorkerThreads
  const { Worker } = threads
  let isTaken = false
  threads.Worker = function (file: string, options: WorkerOptions) {
    if (isTaken || file !== ahead.file) return new Worker(file, options)
    isTaken = true
    return ahead.thread
  } as unknown as typeof Worker
  try {
    return call()
  } finally {
    threads.Worker = Worker
    // A version of piscina that boots another file.
    if (!isTaken) void ahead.thread.on('error', () => {}).terminate()
  }
}

type WorkerThreads = { -readonly [K in 'Worker']: typeof Worker }

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
