// The worker threads of one executor: a piscina pool, and what an executor needs to know that piscina does not tell: which
// thread died of what, and whether it ever came up. What of piscina 5.3 must be respected: `minThreads` of 0 lets queued tasks
// hang after a crash; `atomics: 'sync'` blocks the event loop of idle workers; `close()` kills busy ones; whatever its task
// function throws or returns must be cloneable, or the worker dies of it.
import { createRequire } from 'node:module'
import { inspect } from 'node:util'
import { fileURLToPath } from 'node:url'
import { receiveMessageOnPort, type ResourceLimits, type Worker } from 'node:worker_threads'
import type { Piscina } from 'piscina'
import { LONGEST_TIMER_MS } from '../memory/deadline.js'
import type { Packed } from '../memory/handles.js'
import type { Identity } from '../process/control.js'
import type { Definition } from '../task/target.js'
import type { SlotMemory } from './claims.js'
import type { Hello, LeaseEnd, Outcome, WorkerMessage } from './lease.js'
import { Errand, RunFailure, Shifts, type Letter, type Shift } from './shifts.js'

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
  /** The threads' own ports. */
  readonly #ports = new Map<number, Pick<Hello, 'outcomes' | 'leases'>>()
  readonly #shifts = new Shifts((threadId) => this.#endShift(threadId))
  /** The functions that each thread is known to have been told of, by number. */
  readonly #told = new Map<number, Set<number>>()
  #pool: Piscina | undefined
  #ended: Promise<void> | undefined
  /** Under which piscina shows its balancer something of what is run. */
  #errandKey!: symbol
  /** Errands in piscina's queue, until a thread is up or has ended its shift. */
  #waiting = 0

  constructor(options: ThreadsOptions) {
    this.#options = options
  }

  /** How many threads there are. */
  get size(): number {
    return this.#pool?.threads.length ?? 0
  }

  /** Have a thread take the lease. @throws RunFailure */
  run(letter: Letter): Promise<LeaseEnd> {
    const errand = new Errand(letter)
    const shift = this.#shifts.wake((threadId) => this.#lives(threadId) && !this.#stopped.has(threadId))
    if (shift) this.#give(shift, errand)
    else if (!this.#shifts.follow(errand)) void this.#beginShift(errand)
    return errand.ended
  }

  #give(shift: Shift, errand: Errand): void {
    const { lease, transfer } = errand.letter
    this.#address(errand, shift.threadId)
    try {
      this.#ports.get(shift.threadId)!.leases.postMessage(lease, transfer)
      shift.errand = errand
    } catch (reason) {
      this.#shifts.rest(shift)
      errand.fail(new RunFailure(true, reason))
    }
  }

  async #beginShift(errand: Errand): Promise<void> {
    try {
      if (!this.#pool) {
        this.#pool = this.#open()
        this.#meetNewThreads()
      }
    } catch (reason) {
      this.#options.onBootFailure({ exitcode: 1, reason })
      return errand.fail(new RunFailure(false, reason))
    }
    const { lease, transfer } = errand.letter
    this.#waiting++
    try {
      // A symbol is not cloned: it takes the errand to the balancer, not to the worker.
      const addressed = Object.assign(lease, { [this.#errandKey]: errand })
      const over = this.#pool.run(addressed, { transferList: transfer as never })
      if (!errand.shift) this.#meetNewThreads()
      await over
    } catch (reason) {
      this.#onShiftFailure(errand, reason)
    }
    const { shift } = errand
    if (!shift) return void this.#waiting--
    this.#shifts.end(shift)
    if (shift.next) void this.#beginShift(shift.next)
  }

  #onShiftFailure(first: Errand, reason: unknown): void {
    const { shift } = first
    if (!shift) return first.fail(new RunFailure(false, reason))
    // A thread that lives has not begun: its first lease could not be sent.
    if (this.#lives(shift.threadId)) return first.fail(new RunFailure(true, reason))
    if (shift.errand) shift.errand.fail(new RunFailure(false, reason))
    else void this.#tellOfIdleDeath(shift.threadId)
  }

  async #tellOfIdleDeath(threadId: number): Promise<void> {
    const { reason } = await this.exitOf(threadId)
    if (reason !== undefined) this.#onIdleError(reason)
  }

  /** An error outside of any task, in a timer that a task left behind, say. The thread is replaced. */
  #onIdleError(thrown: unknown): void {
    if (!this.#ended) process.stderr.write(`An idle worker died:\n${inspect(thrown)}\n`)
  }

  #endShift(threadId: number): void {
    this.#ports.get(threadId)?.leases.postMessage(null)
  }

  #onLeaseEnd(threadId: number, end: LeaseEnd): void {
    const shift = this.#shifts.of(threadId)
    const errand = shift?.errand
    if (!errand) return // It ended its thread's life, and that was told before.
    shift.errand = undefined
    // Not as it is posted: if that fails, the next lease may be posted before anybody hears of it.
    for (const [number] of errand.letter.lease.news) this.#told.get(threadId)?.add(number)
    if (this.#waiting > 0) this.#endShift(threadId)
    else this.#shifts.rest(shift)
    errand.end(end)
  }

  /** Choose the thread for the first lease of a shift. */
  #choose(errand: Errand, workers: readonly { id: number; currentUsage: number }[]): number {
    const chosen = workers.findIndex(({ id, currentUsage }) => currentUsage === 0 && !this.#stopped.has(id))
    if (chosen < 0) return chosen
    const { id } = workers[chosen]!
    if (!this.#exits.has(id)) this.#meetNewThreads()
    this.#waiting--
    errand.shift = this.#shifts.begin(id, errand)
    this.#address(errand, id)
    return chosen
  }

  /** Tell the thread of the functions that it does not know. */
  #address(errand: Errand, threadId: number): void {
    const { lease, functions, onTaken } = errand.letter
    let told = this.#told.get(threadId)
    if (!told) this.#told.set(threadId, (told = new Set()))
    for (const { number, definition } of functions) if (!told.has(number)) lease.news.push([number, definition])
    onTaken(threadId)
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
    this.#errandKey = queueOptionsSymbol
    const pool = new Piscina({
      filename: fileURLToPath(new URL('./worker-pool-entry.cjs', import.meta.url)),
      minThreads: 1,
      maxThreads: maxWorkers,
      idleTimeout: idleTimeout > LONGEST_TIMER_MS ? Infinity : idleTimeout,
      atomics: 'disabled',
      recordTiming: false,
      workerData: setup,
      loadBalancer: (task, workers) => {
        const chosen = this.#choose((task as unknown as Record<symbol, Errand>)[this.#errandKey]!, workers)
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
    pool.on('error', (thrown: unknown) => this.#onIdleError(thrown))
    return pool
  }

  #greet({ threadId, outcomes, leases }: Hello): void {
    this.#ports.set(threadId, { outcomes, leases })
    leases.on('message', (end: LeaseEnd) => this.#onLeaseEnd(threadId, end))
    // What keeps the program is piscina's own port, for as long as a shift lasts.
    leases.unref()
  }

  /** Take in what a thread has posted. Nobody listens to its port: what was posted before a lease ended is there when its end is. */
  hear(threadId: number): void {
    const outcomes = this.#ports.get(threadId)?.outcomes
    if (!outcomes) return
    for (let received; (received = receiveMessageOnPort(outcomes));) {
      const message = received.message as WorkerMessage
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
        const ports = this.#ports.get(threadId)
        ports?.outcomes.close()
        ports?.leases.close()
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
