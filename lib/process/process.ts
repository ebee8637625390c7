// Process: one worker thread that runs one target, after Python's multiprocessing.Process.
//
//            start()                the thread's JavaScript has stopped            close()
//   INITIAL ─────────> RUNNING ──────────────────────────────────────────> ENDED ─────────> CLOSED
//                        │ ^
//                        └─┘ terminate(), kill(): asked to stop, still RUNNING
//
// The thread, and how its end becomes known, are in child.ts.
import { availableParallelism } from 'node:os'
import { inspect } from 'node:util'
import type { Transferable } from 'node:worker_threads'
import { perThread, recognizeCopies } from '../copies.js'
import { ProcessError } from '../errors.js'
import { checkFlag, checkOptions, checkString, refuseExcess } from '../base/validate.js'
import { checkTimeout, checkWaitOptions, type WaitOptions } from '../base/wait-options.js'
import { publish } from '../base/diagnostics.js'
import { checkThreadOptions, type ThreadOptions } from '../thread/boot.js'
import { discarding, pack } from '../transport/pack.js'
import { explainCloneFailure } from '../transport/clone-error.js'
import { markUnsendable, unsendableMark } from '../transport/unsendable.js'
import { refuseDuringImport } from '../task/import-guard.js'
import { define, type Definition } from '../task/target.js'
import type { Target } from '../task/task.js'
import { KILLED_EXITCODE, TERMINATED_EXITCODE, type ProcessMessage } from './control-block.js'
import { currentProcess, refuseTooDeep } from './current-process.js'
import { discardThread, takeThread } from './warm-threads.js'
import { Child, type Sentinel } from './child.js'

export interface ProcessOptions<A extends unknown[] = any[]> extends ThreadOptions {
  /** What the process runs. */
  target: Target<A, unknown>
  /** The target's arguments. They are cloned, except for shareable objects. @default [] */
  args?: A | undefined
  /** @default `Process-N`, `Process-N:M` for children of the N-th */
  name?: string | undefined
  /** Whether it ends with the thread that started it, instead of holding it open. @default as in the process that makes it */
  daemon?: boolean | undefined
  /** The parts of `args` that are moved to the process, not cloned. @default [] */
  transfer?: readonly Transferable[] | undefined
}

const UNSENDABLE_PROCESS = unsendableMark('send its name or pid, or an end of a Pipe to talk to it')

const OPTIONS: readonly (keyof ProcessOptions)[] = [
  'target',
  'args',
  'name',
  'daemon',
  'transfer',
  'env',
  'resourceLimits',
]

const runningChildren = perThread('running children', () => new Set<Process>())
const processes = perThread('processes made', () => ({ made: 0 }))

/**
 * A worker thread that runs one target, with a heap, globals and an event loop of its own. It shares only what is passed to it.
 * It ends when its target has settled and its event loop has nothing left. It inherits the environment, the arguments in
 * `process.argv` from index 2 on, and environment data, as they are at its start. What it prints reaches this thread's stdout and
 * stderr whole and in order, with back-pressure beyond a megabyte. After Python's multiprocessing.Process.
 */
export class Process<A extends unknown[] = any[]> {
  readonly name: string
  readonly daemon: boolean
  readonly #numbers: readonly number[]
  readonly #target: Definition
  /** Until it is started. */
  #args: unknown[]
  #options: ThreadOptions & { transfer: readonly Transferable[] }
  #child: Child | undefined
  #closed = false

  /** @throws TypeError unknown option, option of the wrong type, or target that no worker can run */
  constructor(options: ProcessOptions<A>) {
    markUnsendable(this, UNSENDABLE_PROCESS)
    checkOptions(options, 'the options of a Process', OPTIONS)
    const { target, args = [], name, daemon, env, resourceLimits, transfer = [] } = options
    this.#target = define(target)
    if (!Array.isArray(args)) throw new TypeError(`args must be an array, not ${inspect(args)}`)
    if (name !== undefined) checkString(name, 'name')
    if (daemon !== undefined) checkFlag(daemon, 'daemon')
    if (!Array.isArray(transfer)) throw new TypeError(`transfer must be an array, not ${inspect(transfer)}`)
    for (const [i, item] of transfer.entries())
      if (typeof item !== 'object' || item === null)
        throw new TypeError(`transfer[${i}] must be an ArrayBuffer, a MessagePort or the like, not ${inspect(item)}`)
    checkThreadOptions({ env, resourceLimits })
    const creator = currentProcess()
    this.#args = args
    this.#numbers = [...creator.numbers, ++processes.made]
    this.name = name ?? `Process-${this.#numbers.join(':')}`
    this.daemon = daemon ?? creator.daemon
    this.#options = { env, resourceLimits, transfer }
  }

  /**
   * Start the thread. Returns at once.
   * @throws ProcessError (ERR_MANYHANDS_PROCESS) started before, or closed; or no thread can be started, with the reason as cause
   * @throws BootstrapError (ERR_MANYHANDS_BOOTSTRAP) a worker is still importing the module that calls it
   * @throws DataCloneError (ERR_MANYHANDS_DATA_CLONE) an argument cannot be sent; nothing was started
   */
  start(): this
  start(...excess: unknown[]): this {
    refuseExcess(excess, 'start()')
    this.#refuseClosed()
    if (this.#child) throw new ProcessError(`${this.name} cannot be started twice`)
    refuseDuringImport(`start ${this.name}`)
    refuseTooDeep(`start ${this.name}`)
    const creator = currentProcess()
    const transfer: Transferable[] = [...this.#options.transfer]
    const args = pack(this.#args, transfer)
    const { thread, changed } = this.#takeThread()
    const message: ProcessMessage = {
      kind: 'start',
      identity: {
        name: this.name,
        numbers: this.#numbers,
        daemon: this.daemon,
        parent: { name: creator.name, pid: creator.pid },
      },
      target: this.#target,
      args,
      changed,
    }
    const { worker } = thread
    try {
      worker.postMessage(message, transfer)
    } catch (failure) {
      discardThread(thread)
      throw explainCloneFailure(failure, this.#args, 'args', transfer)
    }
    const { name, daemon } = this
    this.#child = new Child({
      ...thread,
      name,
      daemon,
      onEnd: () => runningChildren.delete(this),
      onStartPrevented: args.handles ? discarding(args.value) : () => {},
    })
    this.#args = []
    this.#options = { transfer: [] }
    runningChildren.add(this)
    publish('process', () => ({ event: 'started', name, pid: worker.threadId }))
    return this
  }

  #takeThread(): ReturnType<typeof takeThread> {
    try {
      return takeThread(this.#options)
    } catch (reason) {
      throw new ProcessError(`${this.name} could not be started: ${(reason as Error).message}`, { cause: reason })
    }
  }

  /**
   * Wait until the process has ended or the time is over, whichever comes first. Can be called any number of times.
   * @throws ProcessError (ERR_MANYHANDS_PROCESS) not started, or closed
   */
  async join(options?: WaitOptions): Promise<void> {
    const { timeoutMs, signal } = checkWaitOptions(options)
    await this.#started('join()').join(timeoutMs, signal)
  }

  /**
   * Block this thread until the process has ended or the time is over. What the process prints is written meanwhile, and all of it
   * before this returns: a reader of a pipe that is behind is waited for, unless output of this thread's own waits for it already.
   * @param timeoutMs milliseconds; Infinity waits for ever, 0 does not wait. @default Infinity
   * @throws ProcessError (ERR_MANYHANDS_PROCESS) not started, or closed
   */
  joinSync(timeoutMs?: number): void {
    const limitMs = checkTimeout(timeoutMs, 'timeoutMs')
    this.#started('joinSync()').joinSync(limitMs)
  }

  /** Whether it was started and has not ended. @throws ProcessError (ERR_MANYHANDS_PROCESS) closed */
  isAlive(): boolean {
    this.#refuseClosed()
    return this.#child !== undefined && !this.#child.ended
  }

  /**
   * End the process at once, wherever it is, with exit code -15. Stopping a process that has ended changes nothing.
   * @param options `grace` in milliseconds: first ask it to stop (`currentProcess().signal`, `.cancelled`), and end it only
   * when that time is over. @default { grace: 0 }
   * @throws ProcessError (ERR_MANYHANDS_PROCESS) not started, or closed
   */
  terminate(options: { grace?: number | undefined } = {}): void {
    checkOptions(options, 'the options of terminate', ['grace'])
    const graceMs = options.grace === undefined ? 0 : checkTimeout(options.grace, 'grace')
    this.#started('terminate()').stop(TERMINATED_EXITCODE, graceMs)
  }

  /** End the process at once, with exit code -9. @throws ProcessError (ERR_MANYHANDS_PROCESS) not started, or closed; TypeError an argument */
  kill(): void
  kill(...excess: unknown[]): void {
    refuseExcess(excess, 'kill()')
    this.#started('kill()').stop(KILLED_EXITCODE, 0)
  }

  /**
   * Release a process that has ended; using it afterwards is an error. Closing twice is harmless.
   * @throws ProcessError (ERR_MANYHANDS_PROCESS) not started, or still running
   */
  close(): void
  close(...excess: unknown[]): void {
    refuseExcess(excess, 'close()')
    if (this.#closed) return
    if (!this.#started('close()').ended)
      throw new ProcessError(`${this.name} cannot be closed while it runs; join or terminate it first`)
    this.#closed = true
  }

  /** The thread's id; `undefined` before start. @throws ProcessError (ERR_MANYHANDS_PROCESS) closed */
  get pid(): number | undefined {
    this.#refuseClosed()
    return this.#child?.pid
  }

  /**
   * `null` until it has ended; 0 after a normal return, `n` after `process.exit(n)`, 1 after an uncaught error, -15 after
   * `terminate()`, -9 after `kill()`. @throws ProcessError (ERR_MANYHANDS_PROCESS) closed
   */
  get exitcode(): number | null {
    this.#refuseClosed()
    return this.#child?.exitcode ?? null
  }

  /** The uncaught error that ended it; `undefined` if there was none. @throws ProcessError (ERR_MANYHANDS_PROCESS) closed */
  get error(): unknown {
    this.#refuseClosed()
    return this.#child?.error
  }

  /** Becomes ready when the process ends. @throws ProcessError (ERR_MANYHANDS_PROCESS) not started, or closed */
  get sentinel(): Sentinel {
    return this.#started('sentinel').sentinel
  }

  /** Terminate it if it is running, and close it. Does not wait. */
  [Symbol.dispose](): void {
    this.#child?.stop(TERMINATED_EXITCODE, 0)
    this.#closed = true
  }

  /** Wait for its end, and close it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child?.join(Infinity)
    this.#closed = true
  }

  #started(use: string): Child {
    this.#refuseClosed()
    if (!this.#child) throw new ProcessError(`${this.name} was not started; call start() before ${use}`)
    return this.#child
  }

  #refuseClosed(): void {
    if (this.#closed) throw new ProcessError(`${this.name} is closed`)
  }
}

/** The processes that this thread has started and that have not ended. After Python's multiprocessing.active_children. */
export function activeChildren(): Process[] {
  return [...runningChildren]
}

/** How many threads can run at the same time. After Python's multiprocessing.cpu_count. */
export function cpuCount(): number {
  return availableParallelism()
}

recognizeCopies(Process, 'Process')
