// The process that this thread is: the main program, a Process, a manager, or a worker of an executor.
import { AsyncLocalStorage } from 'node:async_hooks'
import { isMainThread, threadId } from 'node:worker_threads'
import { perThread } from '../copies.js'
import { Promise } from '../base/clock.js'
import { BootstrapError, CancelledError, ProcessError } from '../errors.js'
import { isDead } from '../thread/liveness.js'
import { load, notifyAll, whenChanged, type Words } from '../memory/atomics.js'
import { markUnsendable, unsendableMark } from '../transport/unsendable.js'
import type { Identity } from './control-block.js'

const UNSENDABLE_IDENTITY = unsendableMark('send its name or pid')

/** A word that becomes nonzero to ask this thread to stop: a process's for its whole life, a worker's for one task. */
interface Cancellation {
  words: Words
  index: number
  over: boolean
  controller?: AbortController
}

/** A task of an InlineExecutor: this thread runs it, and asks it to stop by a signal. */
interface InlineTask {
  asked: AbortSignal
  /** `currentProcess().signal` within the task. */
  signal?: AbortSignal
}

interface Current {
  process: CurrentProcess
  parent: ParentProcess | null
  /** Made with the first such task: it makes every promise of the thread a little slower. */
  inlineTasks?: AsyncLocalStorage<InlineTask>
}

/** Call a function. In it, and in all that it awaits, `currentProcess()` is cancelled with this signal, too. */
export function runAsked<R>(asked: AbortSignal, fn: () => R): R {
  current.inlineTasks ??= new AsyncLocalStorage()
  return current.inlineTasks.run({ asked }, fn)
}

function newUnusedCancellation(): Cancellation {
  return { words: new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)), index: 0, over: false }
}

/** The process that `currentProcess()` returns: the one in which it is called. */
export class CurrentProcess {
  readonly name: string
  readonly daemon: boolean
  /** The thread's id; 0 in the main program. */
  readonly pid: number = threadId
  /** Always `null`: the process is running. */
  readonly exitcode: null = null
  /** @internal Numbers of the process and its ancestors. */
  readonly numbers: readonly number[]
  #cancellation: Cancellation | undefined

  constructor({ name, daemon, numbers }: Pick<Identity, 'name' | 'daemon' | 'numbers'>) {
    markUnsendable(this, UNSENDABLE_IDENTITY)
    this.name = name
    this.daemon = daemon
    this.numbers = numbers
  }

  /** @internal Watch another word from now on. */
  watchCancellation(words: Words, index: number): void {
    this.#cancellation = { words, index, over: false }
  }

  /** @internal The next task begins. If the last one used the signal, the next gets a new one. */
  renewCancellation(): void {
    const watched = this.#cancellation
    if (!watched?.controller) return
    this.forgetCancellation()
    this.watchCancellation(watched.words, watched.index)
  }

  /** @internal Stop watching the word. */
  forgetCancellation(): void {
    const watched = this.#cancellation
    this.#cancellation = undefined
    if (!watched?.controller) return
    // Without a notification the pending waitAsync would stay for ever.
    watched.over = true
    notifyAll(watched.words, watched.index)
  }

  /** Whether this process (in an executor: this task) was asked to stop. Cheap enough for tight loops. */
  get cancelled(): boolean {
    if (current.inlineTasks?.getStore()?.asked.aborted) return true
    const watched = this.#cancellation
    return watched !== undefined && load(watched.words, watched.index) !== 0
  }

  /** Aborted, with a CancelledError, when this process (in an executor: this task) is asked to stop. */
  get signal(): AbortSignal {
    const task = current.inlineTasks?.getStore()
    if (!task) return this.#ownSignal
    return (task.signal ??= this.#cancellation ? AbortSignal.any([task.asked, this.#ownSignal]) : task.asked)
  }

  get #ownSignal(): AbortSignal {
    const watched: Cancellation = (this.#cancellation ??= newUnusedCancellation())
    if (!watched.controller) {
      const controller = (watched.controller = new AbortController())
      const abort = () => {
        if (!watched.over) controller.abort(new CancelledError(`${this.name} was asked to stop`))
      }
      whenChanged(watched.words, watched.index, 0, abort)
    }
    return watched.controller.signal
  }

  /** Always true. */
  isAlive(): boolean {
    return true
  }

  /** @throws ProcessError (ERR_MANYHANDS_PROCESS) always: a process cannot wait for its own end. */
  join(): Promise<never> {
    return Promise.reject(this.#cannot('join itself'))
  }

  /** @throws ProcessError (ERR_MANYHANDS_PROCESS) always: a process cannot wait for its own end. */
  joinSync(): never {
    throw this.#cannot('join itself')
  }

  /** @throws ProcessError (ERR_MANYHANDS_PROCESS) always: it is running. */
  start(): never {
    throw this.#cannot('be started twice')
  }

  #cannot(what: string): ProcessError {
    return new ProcessError(`${this.name} cannot ${what}`)
  }
}

/** The process that `parentProcess()` returns: the one that started this one. */
export class ParentProcess {
  readonly name: string
  /** The thread's id; 0 for the main program. */
  readonly pid: number

  constructor({ name, pid }: Identity['parent']) {
    markUnsendable(this, UNSENDABLE_IDENTITY)
    this.name = name
    this.pid = pid
  }

  /** Whether the end of its thread has not been seen yet. */
  isAlive(): boolean {
    return !isDead(this.pid)
  }
}

const current = perThread('current process', (): Current => ({
  process: new CurrentProcess({
    name: isMainThread ? 'MainProcess' : `Thread-${threadId}`,
    daemon: false,
    numbers: [],
  }),
  parent: null,
}))

/**
 * The process in which this is called. The main program is `MainProcess`, with `pid` 0.
 * After Python's multiprocessing.current_process.
 */
export function currentProcess(): CurrentProcess {
  return current.process
}

/** The process that started this one; `null` in the main program. After Python's multiprocessing.parent_process. */
export function parentProcess(): ParentProcess | null {
  return current.parent
}

/**
 * Maximum depth of processes that start one another. No program needs more; one whose main part lacks the isMainThread guard,
 * and runs on after its import, would nest without end.
 */
const MAX_PROCESS_DEPTH = 16

/** @throws BootstrapError (ERR_MANYHANDS_BOOTSTRAP) */
export function refuseTooDeep(what: string): void {
  if (current.process.numbers.length >= MAX_PROCESS_DEPTH)
    throw new BootstrapError(
      `cannot ${what}: processes that start one another may be ${MAX_PROCESS_DEPTH} deep;` +
        ' if the module starts itself over and over, put its main part inside if (isMainThread) { … }',
    )
}

/** Make this thread the process of that identity. Called once, by the entry of a thread that this package started. */
export function becomeProcess(identity: Identity): CurrentProcess {
  current.process = new CurrentProcess(identity)
  current.parent = new ParentProcess(identity.parent)
  return current.process
}
