// The worker threads of one executor: a piscina pool, and what an executor needs to know that piscina does not tell: which
// thread died of what, and whether it ever came up. What of piscina 5.3 must be respected: `minThreads` of 0 lets queued tasks
// hang after a crash; `atomics: 'sync'` blocks the event loop of idle workers; `close()` kills busy ones; whatever its task
// function throws or returns must be cloneable, or the worker dies of it.
import { createRequire } from 'node:module'
import { inspect } from 'node:util'
import { fileURLToPath } from 'node:url'
import {
  receiveMessageOnPort,
  type MessagePort,
  type ResourceLimits,
  type Transferable,
  type Worker,
} from 'node:worker_threads'
import type { Piscina } from 'piscina'
import { LONGEST_TIMER_MS } from '../memory/deadline.js'
import type { Packed } from '../memory/handles.js'
import type { Identity } from '../process/control.js'
import type { Definition } from '../task/target.js'
import type { SlotMemory } from './claims.js'
import type { Hello, Lease, LeaseEnd, Outcome, WorkerMessage } from './lease.js'
import type { KnownFunction } from './pace.js'

/** What each worker of an executor is told as it boots. */
export interface WorkerSetup {
  slots: SlotMemory
  creator: Pick<Identity, 'numbers' | 'parent'>
  initializer: { target: Definition; args: Packed } | undefined
  /** After so many tasks the worker retires. */
  maxTasks: number
}

export interface ThreadsOptions {
  setup: WorkerSetup
  maxWorkers: number
  idleTimeout: number
  env: NodeJS.ProcessEnv | undefined
  resourceLimits: ResourceLimits | undefined
  /** An outcome that a worker has posted. */
  onOutcome: (slot: number, task: number, outcome: Outcome) => void
  /** A thread ended before it was ready for its first task: the next would, too. */
  onBootFailure: (ending: Ending) => void
}

/** A lease on its way to whichever worker is free. */
export interface Letter {
  lease: Lease
  transfer: readonly Transferable[]
  /** The functions that its tasks call. The worker is told of those that are new to it. */
  functions: Iterable<KnownFunction>
  /** Called as a thread is chosen, before the lease is posted to it. */
  onTaken: (threadId: number) => void
  /** The thread that was chosen. */
  taker?: number
}

/** Why a lease's run failed. */
export class RunFailure {
  /** Whether its message could not be made. */
  readonly unsent: boolean
  readonly reason: unknown
  constructor(unsent: boolean, reason: unknown) {
    this.unsent = unsent
    this.reason = reason
  }
}

export interface Ending {
  exitcode: number
  /** The uncaught error, where there was one. */
  reason: unknown
}

export class Threads {
  readonly #options: ThreadsOptions
  readonly #known = new Set<Worker>()
  readonly #ready = new Set<number>()
  /** Ended by piscina: idle for too long, or with the whole pool. */
  readonly #destroyed = new Set<number>()
  /** How threads that were ended on purpose shall appear to have exited. */
  readonly #stopped = new Map<number, number>()
  readonly #exits = new Map<number, Promise<Ending>>()
  /** Those of which an uncaught error or an exit was heard, for as long as their exits are known. */
  readonly #dying = new Set<number>()
  /** The threads' own ports, by which they tell outcomes. */
  readonly #ports = new Map<number, MessagePort>()
  /** The functions that each thread is known to have been told of, by number. */
  readonly #told = new Map<number, Set<number>>()
  #pool: Piscina | undefined
  #ended: Promise<void> | undefined
  /** Under which piscina shows its balancer something of what is run. */
  #letterKey!: symbol

  constructor(options: ThreadsOptions) {
    this.#options = options
  }

  /** How many threads there are. */
  get size(): number {
    return this.#pool?.threads.length ?? 0
  }

  /** Have a thread take the lease. @throws RunFailure */
  async run(letter: Letter): Promise<LeaseEnd> {
    try {
      if (!this.#pool) {
        this.#pool = this.#open()
        this.#meetNewThreads()
      }
    } catch (reason) {
      this.#options.onBootFailure({ exitcode: 1, reason })
      throw new RunFailure(false, reason)
    }
    const { lease, transfer } = letter
    // A symbol is not cloned: it takes the letter to the balancer, not to the worker.
    const addressed = Object.assign(lease, { [this.#letterKey]: letter })
    try {
      const end = this.#pool.run(addressed, { transferList: transfer as never })
      if (letter.taker === undefined) this.#meetNewThreads()
      const ended = (await end) as LeaseEnd
      // Not as it is posted: if that fails, the next lease may be posted before anybody hears of it.
      for (const [number] of lease.news) this.#told.get(letter.taker!)?.add(number)
      return ended
    } catch (reason) {
      const { taker } = letter
      throw new RunFailure(taker !== undefined && this.#lives(taker), reason)
    }
  }

  #lives(threadId: number): boolean {
    return this.#exits.has(threadId) && !this.#dying.has(threadId) && !this.#destroyed.has(threadId)
  }

  /** How many threads are ready and have no lease. */
  idle(busy: ReadonlySet<number | undefined>): number {
    let idle = 0
    for (const threadId of this.#ports.keys()) if (!busy.has(threadId) && !this.#stopped.has(threadId)) idle++
    return idle
  }

  /** Choose the thread for a lease, and tell it of the functions that it does not know. */
  #address(letter: Letter, workers: readonly { id: number; currentUsage: number }[]): number {
    const chosen = workers.findIndex(({ id, currentUsage }) => currentUsage === 0 && !this.#stopped.has(id))
    if (chosen < 0) return chosen
    const { id } = workers[chosen]!
    if (!this.#exits.has(id)) this.#meetNewThreads()
    let told = this.#told.get(id)
    if (!told) this.#told.set(id, (told = new Set()))
    for (const { number, definition } of letter.functions) {
      if (!told.has(number)) letter.lease.news.push([number, definition])
    }
    letter.taker = id
    letter.onTaken(id)
    return chosen
  }

  /** End a thread. @param exitcode how it shall appear to have exited */
  terminate(threadId: number, exitcode: number): void {
    for (const worker of this.#pool?.threads ?? []) if (worker.threadId === threadId) this.#stop(worker, exitcode)
  }

  /** End all threads. Resolves when they have ended. @param exitcode how they shall appear to have exited */
  terminateAll(exitcode: number): Promise<void> {
    for (const worker of this.#pool?.threads ?? []) this.#stop(worker, exitcode)
    // Not only that: what piscina keeps for threads that still boot would wait for them for ever.
    return this.destroy()
  }

  #stop(worker: Worker, exitcode: number): void {
    this.#stopped.set(worker.threadId, exitcode)
    void worker.terminate()
  }

  /** How a thread ended whose run failed, once it has ended. */
  exitOf(threadId: number): Promise<Ending> {
    return this.#exits.get(threadId) ?? Promise.resolve({ exitcode: 1, reason: undefined })
  }

  /** End all threads. Resolves when they have ended. */
  destroy(): Promise<void> {
    return (this.#ended ??= this.#end())
  }

  async #end(): Promise<void> {
    const pool = this.#pool
    if (!pool) return
    // Piscina forgets threads before they have exited, and replaces those that exit when it is not looking.
    do {
      this.#meetNewThreads()
      // Its promise is of no use: it misses the end of a thread in whose 'exit' event it was called.
      void pool.destroy()
      await Promise.all(this.#exits.values())
    } while (pool.threads.length > 0)
  }

  #open(): Piscina {
    const { setup, maxWorkers, idleTimeout, env, resourceLimits } = this.#options
    // Loaded with the first task: piscina takes longer to import than the rest of this package together.
    const { Piscina, queueOptionsSymbol } = createRequire(import.meta.url)('piscina') as typeof import('piscina')
    this.#letterKey = queueOptionsSymbol
    const pool = new Piscina({
      filename: fileURLToPath(new URL('./worker-pool-entry.cjs', import.meta.url)),
      minThreads: 1,
      maxThreads: maxWorkers,
      idleTimeout: idleTimeout > LONGEST_TIMER_MS ? Infinity : idleTimeout,
      atomics: 'disabled',
      recordTiming: false,
      workerData: setup,
      loadBalancer: (task, workers) => {
        const chosen = this.#address((task as unknown as Record<symbol, Letter>)[this.#letterKey]!, workers)
        return chosen < 0 ? null : workers[chosen]!
      },
      ...(env && { env }),
      ...(resourceLimits && { resourceLimits }),
    })
    pool.on('message', (message: Hello | null | undefined) => {
      // Anything else was posted by a task, for purposes of its own.
      if (message?.kind === 'manyhands:hello') this.#greet(message)
    })
    pool.on('workerDestroy', ({ id }: { id: number }) => this.#destroyed.add(id))
    // An error outside of any task, in a timer that a task left behind, say. The thread is replaced.
    pool.on('error', (thrown: unknown) => {
      if (!this.#ended) process.stderr.write(`An idle worker died:\n${inspect(thrown)}\n`)
    })
    return pool
  }

  #greet({ threadId, port }: Hello): void {
    this.#ports.set(threadId, port)
  }

  /** Resolves when the port of a thread is known that has answered already; `undefined` if it is. */
  greeting(threadId: number): Promise<void> | undefined {
    return this.#ports.has(threadId) ? undefined : this.#untilGreeted(threadId)
  }

  async #untilGreeted(threadId: number): Promise<void> {
    // It was posted before the answer, by another port.
    while (!this.#ports.has(threadId) && this.#exits.has(threadId))
      await new Promise((resolve) => setImmediate(resolve))
  }

  /** Take in what a thread has posted. Nobody listens to its port: what was posted before a lease ended is there when its end is. */
  hear(threadId: number): void {
    const port = this.#ports.get(threadId)
    if (!port) return
    for (let letter; (letter = receiveMessageOnPort(port));) {
      const message = letter.message as WorkerMessage
      if (message.kind === 'ready') this.#ready.add(threadId)
      else this.#options.onOutcome(message.slot, message.task, message.outcome)
    }
  }

  #meetNewThreads(): void {
    for (const worker of this.#pool!.threads) if (!this.#known.has(worker)) this.#meet(worker)
  }

  #meet(worker: Worker): void {
    const { threadId } = worker
    let reason: unknown
    this.#known.add(worker)
    // Before piscina's own listeners, which count the worker as destroyed.
    const onBootFailure = (ending: Ending) => {
      this.hear(threadId)
      const expected = this.#ready.has(threadId) || this.#destroyed.has(threadId) || this.#stopped.has(threadId)
      if (!expected) this.#options.onBootFailure(ending)
    }
    worker.prependOnceListener('error', (thrown: unknown) => {
      reason = thrown
      this.#dying.add(threadId)
      onBootFailure({ exitcode: 1, reason })
    })
    const exit = new Promise<Ending>((resolve) => {
      worker.prependOnceListener('exit', (code) => {
        const ending = { exitcode: this.#stopped.get(threadId) ?? code, reason }
        this.#dying.add(threadId)
        onBootFailure(ending)
        this.#ports.get(threadId)?.close()
        resolve(ending)
        this.#known.delete(worker)
        for (const known of [this.#ready, this.#destroyed, this.#stopped, this.#ports, this.#told])
          known.delete(threadId)
        // By then the run that failed has asked for it, and piscina has replaced the thread.
        setImmediate(() => {
          this.#exits.delete(threadId)
          this.#dying.delete(threadId)
          this.#meetNewThreads()
        })
      })
    })
    this.#exits.set(threadId, exit)
  }
}
