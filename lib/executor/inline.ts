// InlineExecutor: an executor that runs its tasks in the calling thread, for debugging: breakpoints, profiles and stacks are
// where one looks for them. Arguments and results are not cloned, and `submit` returns when the task has returned or first
// awaits. Nobody can stop a task here: a time limit, an abort and a forced cancel settle its future, and the task goes on.
import { ShutdownError, TimeoutError } from '../errors.js'
import { startTimer } from '../memory/deadline.js'
import { whenAborted } from '../memory/abort.js'
import { settleWithin } from '../memory/settle.js'
import { define, refuseDuringImport } from '../task/target.js'
import type { Target } from '../task/task.js'
import { computeBlocks, type Share } from './blocks.js'
import {
  checkShutdown,
  extendCall,
  PLAIN_CALL,
  type Call,
  type CallOptions,
  type Executor,
  type ExecutorStats,
  type MapArguments,
  type SettledOptions,
  type ShutdownOptions,
} from './executor.js'
import { Future } from './future.js'
import type { Input } from './inputs.js'
import { Mapping } from './map.js'
import { splitMapArguments, type MapOptions, type MapResult } from './map-options.js'
import { isThenable, mapItems } from './map-items.js'
import {
  checkCombine,
  checkParallel,
  combineParts,
  runParallel,
  type ParallelOptions,
  type Range,
  type ReduceOptions,
} from './parallel.js'

interface Shared {
  shutDown: boolean
  running: Set<Promise<unknown>>
  counts: { completed: number; failed: number; cancelled: number }
}

/** Runs tasks in the calling thread. */
export class InlineExecutor implements Executor {
  readonly #shared: Shared
  readonly #call: Call

  constructor()
  /** @internal */
  constructor(face: { shared: Shared; call: Call })
  constructor(face?: { shared: Shared; call: Call }) {
    this.#shared = face?.shared ?? {
      shutDown: false,
      running: new Set(),
      counts: { completed: 0, failed: 0, cancelled: 0 },
    }
    this.#call = face?.call ?? PLAIN_CALL
  }

  submit<A extends unknown[], R>(target: Target<A, R>, ...args: NoInfer<A>): Future<Awaited<R>> {
    define(target)
    const { retries } = this.#call
    return this.#run(() => callAgain(() => target(...args) as Awaited<R> | Promise<Awaited<R>>, retries))
  }

  map<T, R>(
    target: Target<[T], R>,
    iterable: Input<T>,
    options: SettledOptions,
  ): MapResult<PromiseSettledResult<Awaited<R>>>
  map<T, R>(target: Target<[T], R>, iterable: Input<T>, options?: MapOptions): MapResult<Awaited<R>>
  map<T, U, R>(target: Target<[T, U], R>, a: Input<T>, b: Input<U>, options?: MapOptions): MapResult<Awaited<R>>
  map<A extends unknown[], R>(target: Target<A, R>, ...inputs: MapArguments<A>): MapResult<Awaited<R>>
  map(target: Target, ...iterablesAndOptions: unknown[]): MapResult<any> {
    define(target)
    const { inputs, options } = splitMapArguments(iterablesAndOptions)
    this.#refuse()
    const { retries } = this.#call
    return new Mapping(inputs, options, {
      busy: 1,
      itemMs: () => undefined,
      submit: (chunk, settled, onDone, onFailed) => {
        const future = this.#run(() => mapItems(target, chunk, { settled, retries }, (thrown) => thrown))
        future.result().then(onDone, onFailed)
        return () => future.cancel()
      },
    })
  }

  async parallelFor<A extends unknown[]>(
    range: Range,
    body: Target<[start: number, end: number, ...args: A], unknown>,
    options: ParallelOptions<NoInfer<A>> = {},
  ): Promise<void> {
    await this.#compute(range, body, options, false)
  }

  async parallelReduce<R, A extends unknown[]>(
    range: Range,
    body: Target<[start: number, end: number, ...args: A], R>,
    combine: (a: Awaited<R>, b: Awaited<R>) => Awaited<R> | Promise<Awaited<R>>,
    options: ReduceOptions<NoInfer<A>, Awaited<R>> = {},
  ): Promise<Awaited<R>> {
    checkCombine(combine)
    return combineParts(await this.#compute(range, body, options, true), combine, options.initial)
  }

  with(options: CallOptions): InlineExecutor {
    return faceOf(this.#shared, extendCall(this.#call, options))
  }

  async shutdown(options: ShutdownOptions = {}): Promise<void> {
    const { wait } = checkShutdown(options)
    this.#shared.shutDown = true
    if (wait) await Promise.allSettled(this.#shared.running)
  }

  stats(): ExecutorStats {
    const { counts, running } = this.#shared
    return { maxWorkers: 1, workers: 1, queued: 0, running: running.size, workersLost: 0, ...counts }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.shutdown()
  }

  async #compute(range: Range, body: Target, options: ParallelOptions, keep: boolean): Promise<Share[]> {
    define(body)
    const order = checkParallel(range, 1, options)
    this.#refuse()
    const call = (start: number, end: number) => body(start, end, ...order.args)
    return runParallel(order, (claims) => this.#run(() => computeBlocks(order.plan, claims, call, keep)))
  }

  #refuse(): void {
    refuseDuringImport('submit work to an executor')
    if (this.#shared.shutDown) throw new ShutdownError('the executor was shut down and takes no more work')
  }

  #run<R>(perform: () => R | Promise<R>): Future<R> {
    this.#refuse()
    const { running, counts } = this.#shared
    const { timeoutMs, signal } = this.#call
    let ended: Promise<unknown> = Promise.resolve()
    // It cannot be made to end. After its grace, nobody waits for it any more.
    const stop = async (graceMs: number) => {
      await settleWithin(ended, graceMs, undefined, () => '').catch(() => {})
      running.delete(ended)
    }
    const future = new Future<R>({ begun: () => true, withdraw: () => false, stop })
    const fail = (thrown: unknown) => {
      if (!future.done()) future.setException(thrown)
    }
    const succeed = (value: R) => {
      if (!future.done()) future.setResult(value)
    }
    future.addDoneCallback(() => counts[future.cancelled() ? 'cancelled' : future.failed ? 'failed' : 'completed']++)
    if (signal?.aborted) {
      fail(signal.reason)
      return future
    }
    let result: R | Promise<R>
    try {
      result = perform()
    } catch (thrown) {
      fail(thrown)
      return future
    }
    if (!isThenable(result)) {
      succeed(result)
      return future
    }
    const onAbort = () => fail(signal!.reason)
    const late = () => fail(new TimeoutError(`the task ran for more than ${timeoutMs} ms`))
    const stopTimer = timeoutMs === Infinity ? () => {} : startTimer(timeoutMs, late)
    const stopListening = whenAborted(signal, onAbort)
    ended = Promise.resolve(result)
      .then(succeed, fail)
      .finally(() => running.delete(ended))
    running.add(ended)
    future.addDoneCallback(() => {
      stopTimer()
      stopListening()
    })
    return future
  }
}

/** Call it, and again if it throws. */
function callAgain<R>(call: () => R | Promise<R>, retries: number): R | Promise<R> {
  try {
    const returned = call()
    if (retries === 0 || !isThenable(returned)) return returned
    return Promise.resolve(returned).catch(() => callAgain(call, retries - 1))
  } catch (thrown) {
    if (retries === 0) throw thrown
    return callAgain(call, retries - 1)
  }
}

// Outside of the class: one that names itself inside is renamed by the bundler.
function faceOf(shared: Shared, call: Call): InlineExecutor {
  return new InlineExecutor({ shared, call })
}
