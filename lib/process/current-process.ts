// The process that this thread is: the main program, a Process, or a worker of an executor.
import { AsyncLocalStorage } from 'node:async_hooks'
import { isMainThread, threadId } from 'node:worker_threads'
import { BootstrapError, CancelledError, ProcessError } from '../errors.js'
import { isDead } from '../thread/liveness.js'
import { load, notifyAll, whenChanged, type Words } from '../memory/atomics.js'
import type { Identity } from './control-block.js'

/** The word that asks this thread to stop what it does: a process's for its whole life, a worker's for one task. */
interface Cancellation {
  words: Words
  index: number
  over: boolean
  controller?: AbortController
}

/** A task that this thread runs for itself: it is asked to stop by a signal of its own. */
interface TaskHere {
  asked: AbortSignal
  /** What `currentProcess().signal` is within it. */
  signal?: AbortSignal
}

/** Made with the first such task: following them costs every promise of the thread a little. */
let tasksHere: AsyncLocalStorage<TaskHere> | undefined

/** @internal Call a function from within which, and all that it awaits, `currentProcess()` tells of this signal, too. */
export function runAsked<R>(asked: AbortSignal, fn: () => R): R {
  tasksHere ??= new AsyncLocalStorage()
  return tasksHere.run({ asked }, fn)
}

function neverAsked(): Cancellation {
  return { words: new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)), index: 0, over: false }
}

/** The process in which it is called, as `currentProcess()` gives it. */
export class CurrentProcess {
  readonly name: string
  readonly daemon: boolean
  /** The thread's id: 0 in the main program. */
  readonly pid: number = threadId
  /** `null`: it runs. */
  readonly exitcode: null = null
  /** @internal Numbers of the process and its ancestors. */
  readonly numbers: readonly number[]
  #cancellation: Cancellation | undefined

  constructor({ name, daemon, numbers }: Pick<Identity, 'name' | 'daemon' | 'numbers'>) {
    this.name = name
    this.daemon = daemon
    this.numbers = numbers
  }

  /** @internal Watch another word from now on. */
  watchCancellation(words: Words, index: number): void {
    this.#cancellation = { words, index, over: false }
  }

  /** @internal The next task begins: a signal that the last one has looked at is not its. */
  renewCancellation(): void {
    const watched = this.#cancellation
    if (!watched?.controller) return
    this.forgetCancellation()
    this.watchCancellation(watched.words, watched.index)
  }

  /** @internal What it watched asks for nothing any more. */
  forgetCancellation(): void {
    const watched = this.#cancellation
    this.#cancellation = undefined
    if (!watched?.controller) return
    // A waiter that nobody notifies would stay for ever.
    watched.over = true
    notifyAll(watched.words, watched.index)
  }

  /** Whether this process (in an executor: this task) was asked to stop. Cheap: made for tight loops. */
  get cancelled(): boolean {
    if (tasksHere?.getStore()?.asked.aborted) return true
    const watched = this.#cancellation
    return watched !== undefined && load(watched.words, watched.index) !== 0
  }

  /** Aborted, with a CancelledError, when this process (in an executor: this task) is asked to stop. */
  get signal(): AbortSignal {
    const here = tasksHere?.getStore()
    if (!here) return this.#ownSignal
    return (here.signal ??= this.#cancellation ? AbortSignal.any([here.asked, this.#ownSignal]) : here.asked)
  }

  get #ownSignal(): AbortSignal {
    const watched: Cancellation = (this.#cancellation ??= neverAsked())
    if (!watched.controller) {
      const controller = (watched.controller = new AbortController())
      const abort = () => {
        if (!watched.over) controller.abort(new CancelledError(`${this.name} was asked to stop`))
      }
      whenChanged(watched.words, watched.index, 0, abort)
    }
    return watched.controller.signal
  }

  isAlive(): boolean {
    return true
  }

  /** @throws ProcessError always: a process cannot wait for its own end. */
  join(): Promise<never> {
    return Promise.reject(this.#cannot('join itself'))
  }

  /** @throws ProcessError always: a process cannot wait for its own end. */
  joinSync(): never {
    throw this.#cannot('join itself')
  }

  /** @throws ProcessError always: it runs already. */
  start(): never {
    throw this.#cannot('be started twice')
  }

  #cannot(what: string): ProcessError {
    return new ProcessError(`${this.name} cannot ${what}`)
  }
}

/** The process that started this one, as `parentProcess()` gives it. */
export class ParentProcess {
  readonly name: string
  readonly pid: number
  constructor({ name, pid }: Identity['parent']) {
    this.name = name
    this.pid = pid
  }
  isAlive(): boolean {
    return !isDead(this.pid)
  }
}

let current = new CurrentProcess({
  name: isMainThread ? 'MainProcess' : `Thread-${threadId}`,
  daemon: false,
  numbers: [],
})
let parent: ParentProcess | null = null

/** The process in which this is called. The main program is `MainProcess`, with `pid` 0. */
export function currentProcess(): CurrentProcess {
  return current
}

/** The process that started this one; `null` in the main program. */
export function parentProcess(): ParentProcess | null {
  return parent
}

/** No program means to nest so deep; one without the isMainThread guard, whose main part goes on after its import, nests without end. */
const DEEPEST = 16

/** @throws BootstrapError */
export function refuseTooDeep(what: string): void {
  if (current.numbers.length >= DEEPEST)
    throw new BootstrapError(
      `cannot ${what}: this would be process ${DEEPEST + 1} started one by the other;` +
        ' if the module starts itself over and over, its main part must stand inside if (isMainThread) { … }',
    )
}

/** Called once, by the entry of a thread that this package started. */
export function becomeProcess(identity: Identity): CurrentProcess {
  current = new CurrentProcess(identity)
  parent = new ParentProcess(identity.parent)
  return current
}
