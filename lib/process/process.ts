// Process: one worker thread that runs one target, after Python's multiprocessing.Process.
//
//            start()                          thread's JavaScript has stopped
//   INITIAL ─────────> RUNNING ─────────────────────────────────────────────────> ENDED
//                        │  terminate(), kill(): asked to stop, still RUNNING        │ close()
//                        │                                                           v
//                        └── the end is seen by the Worker's 'exit' event,         CLOSED
//                            or in joinSync by the reaper
import { availableParallelism } from 'node:os'
import { inspect } from 'node:util'
import { MessageChannel, type Transferable } from 'node:worker_threads'
import { ProcessError } from '../errors.js'
import { checkTimeout, checkWaitOptions, type WaitOptions } from '../base/wait-options.js'
import { publish } from '../base/diagnostics.js'
import { discarding, pack } from '../transport/shareable.js'
import { explainCloneFailure } from '../transport/clone-error.js'
import { refuseDuringImport } from '../task/import-guard.js'
import { define, type Definition } from '../task/target.js'
import type { Target } from '../task/task.js'
import { newControl, type ProcessMessage } from './control-block.js'
import { currentProcess, refuseTooDeep } from './current-process.js'
import { checkThreadOptions, type ThreadOptions } from '../thread/boot.js'
import { takeThread } from './warm-threads.js'
import { Running, SIGKILL, SIGTERM, type Sentinel } from './child.js'

export interface ProcessOptions<A extends unknown[] = any[]> extends ThreadOptions {
  /** What the process runs. */
  target: Target<A, unknown>
  /** Its arguments. They are cloned, shareable objects excepted. @default [] */
  args?: A | undefined
  /** @default `Process-N`, `Process-N:M` for children of the N-th */
  name?: string | undefined
  /** Whether it ends with the thread that started it, instead of holding it open. @default as in the process that makes it */
  daemon?: boolean | undefined
  /** What of `args` is moved to the process, not cloned. */
  transfer?: readonly Transferable[] | undefined
}

const alive = new Set<Process>()
let childrenMade = 0

/**
 * A worker thread of its own for one target: its own heap, globals and event loop. It shares only what is passed to it.
 * It ends when its target has settled and its event loop has nothing left.
 */
export class Process<A extends unknown[] = any[]> {
  readonly name: string
  readonly daemon: boolean
  readonly #numbers: readonly number[]
  readonly #target: Definition
  readonly #args: unknown[]
  readonly #options: ThreadOptions & { transfer: readonly Transferable[] }
  #running: Running | undefined
  #closed = false

  /** @throws TypeError the target cannot be run by a worker, or an option is of the wrong kind. */
  constructor(options: ProcessOptions<A>) {
    if (typeof options !== 'object' || options === null)
      throw new TypeError(`a Process needs options, { target, … }, not ${String(options)}`)
    const { target, args = [], name, daemon, env, resourceLimits, transfer = [] } = options
    this.#target = define(target)
    if (!Array.isArray(args)) throw new TypeError(`args must be an array, not ${inspect(args)}`)
    if (name !== undefined && typeof name !== 'string')
      throw new TypeError(`name must be a string, not ${inspect(name)}`)
    if (daemon !== undefined && typeof daemon !== 'boolean')
      throw new TypeError(`daemon must be true or false, not ${inspect(daemon)}`)
    if (!Array.isArray(transfer)) throw new TypeError(`transfer must be an array, not ${inspect(transfer)}`)
    for (const [i, item] of transfer.entries())
      if (typeof item !== 'object' || item === null)
        throw new TypeError(`transfer[${i}] must be an ArrayBuffer, a MessagePort or the like, not ${inspect(item)}`)
    checkThreadOptions({ env, resourceLimits })
    const creator = currentProcess()
    this.#args = args
    this.#numbers = [...creator.numbers, ++childrenMade]
    this.name = name ?? `Process-${this.#numbers.join(':')}`
    this.daemon = daemon ?? creator.daemon
    this.#options = { env, resourceLimits, transfer }
  }

  /**
   * Start the thread. Returns at once.
   * @throws ProcessError started already, or closed; BootstrapError in a module that a worker is importing;
   * DataCloneError an argument cannot be sent (nothing was started).
   */
  start(): this {
    this.#refuseClosed()
    if (this.#running) throw new ProcessError(`${this.name} cannot be started twice`)
    refuseDuringImport(`start ${this.name}`)
    refuseTooDeep(`start ${this.name}`)
    const creator = currentProcess()
    const transfer: Transferable[] = [...this.#options.transfer]
    const args = pack(this.#args, transfer)
    const { worker, env } = takeThread(this.#options)
    const { port1: mailbox, port2 } = new MessageChannel()
    const control = newControl()
    const message: ProcessMessage = {
      kind: 'start',
      identity: {
        name: this.name,
        numbers: this.#numbers,
        daemon: this.daemon,
        parent: { name: creator.name, pid: creator.pid },
      },
      control,
      target: this.#target,
      args,
      mailbox: port2,
      env,
    }
    try {
      worker.postMessage(message, [port2, ...transfer])
    } catch (failure) {
      void worker.terminate()
      mailbox.close()
      throw explainCloneFailure(failure, this.#args, 'args', transfer)
    }
    const { name, daemon } = this
    this.#running = new Running({
      name,
      daemon,
      worker,
      control,
      mailbox,
      onEnd: () => alive.delete(this),
      onForestalled: args.handles ? discarding(args.value) : () => {},
    })
    alive.add(this)
    publish('process', () => ({ event: 'started', name, pid: worker.threadId }))
    return this
  }

  /**
   * Wait until the process has ended or the time is over, whichever comes first. Can be called any number of times.
   * @throws ProcessError not started, or closed.
   */
  async join(options?: WaitOptions): Promise<void> {
    const { timeoutMs, signal } = checkWaitOptions(options)
    const running = this.#started('join')
    await running.waitForEnd(timeoutMs, signal)
  }

  /**
   * Block this thread until the process has ended or the time is over. The process's output and its children's arrive when
   * this thread's event loop turns again.
   * @param timeoutMs milliseconds; Infinity waits for ever, 0 does not wait. @default Infinity
   * @throws ProcessError not started, or closed.
   */
  joinSync(timeoutMs?: number): void {
    const limit = checkTimeout(timeoutMs, 'timeoutMs')
    this.#started('joinSync').waitForEndSync(limit)
  }

  /** Whether it was started and has not ended. @throws ProcessError closed. */
  isAlive(): boolean {
    this.#refuseClosed()
    return this.#running !== undefined && !this.#running.ended
  }

  /**
   * End the process: at once, wherever it is, with exit code -15.
   * @param options with `grace`, ask first (`currentProcess().signal`, `.cancelled`), and end it `grace` milliseconds later
   * @throws ProcessError not started, or closed.
   */
  terminate(options: { grace?: number | undefined } = {}): void {
    if (typeof options !== 'object' || options === null)
      throw new TypeError(`terminate takes { grace: milliseconds }, not ${inspect(options)}`)
    const grace = options.grace === undefined ? 0 : checkTimeout(options.grace, 'grace')
    this.#started('terminate').stop(SIGTERM, grace)
  }

  /** End the process at once, with exit code -9. @throws ProcessError not started, or closed. */
  kill(): void {
    this.#started('kill').stop(SIGKILL, 0)
  }

  /** Give up the object of a process that has ended; from then on its use is an error. Closing twice is harmless. @throws ProcessError not started, or still running. */
  close(): void {
    if (this.#closed) return
    if (!this.#started('close').ended)
      throw new ProcessError(`${this.name} cannot be closed while it runs; join or terminate it first`)
    this.#closed = true
  }

  /** The thread's id; `undefined` before start. @throws ProcessError closed. */
  get pid(): number | undefined {
    this.#refuseClosed()
    return this.#running?.pid
  }

  /**
   * `null` until it has ended; 0 after a normal return, `n` after `process.exit(n)`, 1 after an uncaught error, -15 after
   * `terminate()`, -9 after `kill()`. @throws ProcessError closed.
   */
  get exitcode(): number | null {
    this.#refuseClosed()
    return this.#running?.exitcode ?? null
  }

  /** The uncaught error that ended it; `undefined` where there was none. @throws ProcessError closed. */
  get error(): unknown {
    this.#refuseClosed()
    return this.#running?.error
  }

  /** Becomes ready when the process ends. @throws ProcessError not started, or closed. */
  get sentinel(): Sentinel {
    return this.#started('sentinel').sentinel
  }

  /** Terminate it if it runs, and close it, without waiting. */
  [Symbol.dispose](): void {
    this.#running?.stop(SIGTERM, 0)
    this.#closed = true
  }

  /** Wait for its end, and close it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#running?.waitForEnd(Infinity)
    this.#closed = true
  }

  #started(use: string): Running {
    this.#refuseClosed()
    if (!this.#running) throw new ProcessError(`${use}: ${this.name} was not started`)
    return this.#running
  }

  #refuseClosed(): void {
    if (this.#closed) throw new ProcessError(`${this.name} is closed`)
  }
}

/** The processes that this thread started and that have not ended. */
export function activeChildren(): Process[] {
  return [...alive]
}

/** How many threads can run at the same time. */
export function cpuCount(): number {
  return availableParallelism()
}
