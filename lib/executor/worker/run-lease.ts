// Worker side: runs a lease, task by task, and says how it ended. There is one function for each kind of body.
import { performance } from '../../base/clock.js'
import type { OwnContext } from '../../base/async-context.js'
import { isThenable } from '../../base/brands.js'
import { advise } from '../../task/target.js'
import { unpackColumn, type SentColumn } from '../../transport/column.js'
import { encodeFailure, type Failure } from '../../transport/error-codec.js'
import { unpack, type Packed } from '../../transport/pack.js'
import { itemsRun, mapItems, type Mapped, type MapWatch } from '../map/map-chunk.js'
import { areInSlab } from '../map/number-slabs.js'
import type { LeaseSlots } from '../protocol/lease-slots.js'
import type { LeaseBody, LeaseEnd, LeaseMessage, TaskResult } from '../protocol/messages.js'
import { BlockCounter } from '../range/block-counter.js'
import { computeBlocks } from '../range/run-blocks.js'
import { UnloadableModule, type FunctionTable } from './function-table.js'
import { NumbersInPlace } from './number-loop.js'
import type { ResultSender } from './result-sender.js'

/** The worker that runs a lease. */
export interface LeaseWorker {
  slots: LeaseSlots
  slot: number
  functions: FunctionTable
  sender: ResultSender
  /** In which each task begins. */
  context: OwnContext
  /** Import the classes of everything that is shareable. */
  loadClasses: () => Promise<unknown>
  /** Called after each task, or after the items of a chunk. @returns whether the worker may run another */
  onTaskDone: (count: number) => boolean
}

/** As in LeaseEnd: a function's number, its calls, milliseconds, and so on. */
type Spent = number[]

/**
 * Run a lease. Its end is reported in the turn in which its last task finishes: a microtask that this task has queued could block
 * the thread for ever.
 * @param onEnd called once
 */
export async function runLease(
  worker: LeaseWorker,
  message: LeaseMessage,
  onEnd: (end: LeaseEnd) => void,
): Promise<void> {
  const { body } = message
  worker.functions.define(message.definitions)
  if (message.forgotten) worker.functions.forget(message.forgotten)
  worker.slots.begin(worker.slot)
  const onEnded = (spent: Spent) => onEnd({ kind: 'ended', spent, tasksLeft: Infinity, retires: false })
  try {
    switch (body.kind) {
      case 'calls':
        return await runCalls(worker, message.count, body, onEnded)
      case 'map':
        return await runAlone(worker, body.target, () => runMap(worker, body), onEnded)
      case 'blocks':
        return await runAlone(worker, body.target, () => runBlocks(worker, body), onEnded)
      default:
        return body satisfies never
    }
  } catch (thrown) {
    if (UnloadableModule.is(thrown)) onEnd(thrown.end)
    else onEnd(brokenEnd(thrown))
  }
}

/** For what this package's own code in a worker throws. */
export function brokenEnd(thrown: unknown): LeaseEnd {
  return { kind: 'broken', what: 'a worker failed', failure: encodeFailure(thrown) }
}

/** Run calls until the last is done, or main has taken back the rest. */
async function runCalls(
  worker: LeaseWorker,
  count: number,
  { targets, args: { value, handles }, arity }: LeaseBody & { kind: 'calls' },
  onEnded: (spent: Spent) => void,
): Promise<void> {
  const { slots, slot, functions, sender, context } = worker
  const spent: Spent = []
  const args = unpackColumn(value as SentColumn)
  if (handles) await worker.loadClasses()
  let [timed, calls, sinceMs] = [-1, 0, 0]
  /** The task that was claimed and is not over; -1: none. */
  let index = -1
  let ended = false
  let next = 0
  const numberOf = (task = index) => (typeof targets === 'number' ? targets : targets[task]!)
  const claim = () => {
    if (index >= 0) return index
    if (next < count && !functions.get(numberOf(next)).fn) slots.beginLoad(slot, next)
    next++
    return (index = slots.claim(slot, count))
  }
  const stopTiming = () => {
    if (calls > 0) spent.push(timed, calls, performance.now() - sinceMs)
    calls = 0
    timed = -1
  }
  const call = (fn: Function): unknown => {
    const number = numberOf()
    if (number !== timed) {
      stopTiming()
      timed = number
      sinceMs = performance.now()
    }
    calls++
    if (arity === 1 && !handles) return fn(args[index])
    const own = arity < 0 ? (args[index] as unknown[]) : (args as unknown[]).slice(index * arity, (index + 1) * arity)
    return fn(...(handles ? (unpack({ value: own, handles }) as unknown[]) : own))
  }
  const onThrown = (thrown: unknown) => {
    if (UnloadableModule.is(thrown)) throw thrown
    advise(functions.get(numberOf()).definition, thrown)
    sender.sendThrown(index, thrown)
  }
  /** @returns whether the worker may run another */
  const endTask = () => {
    index = -1
    return worker.onTaskDone(1)
  }
  /** @returns what has to be awaited to end the task; `undefined`: its function has to be loaded, the context was changed, or all is done */
  const runOn = (): PromiseLike<unknown> | undefined => {
    while (!ended && claim() >= 0) {
      const { fn } = functions.get(numberOf())
      if (!fn) return undefined
      try {
        const returned = call(fn)
        if (isThenable(returned)) return returned
        sender.sendValue(index, returned)
      } catch (thrown) {
        onThrown(thrown)
      }
      ended = !endTask()
      if (context.changed) return undefined
    }
    ended = true
    return undefined
  }
  while (!ended) {
    const awaited = context.runSeveral(runOn)
    if (index < 0) continue
    try {
      if (awaited) sender.sendValue(index, await awaited)
      else {
        stopTiming()
        if (await loadForTask(worker, numberOf())) continue
        slots.finish(slot, index)
      }
    } catch (thrown) {
      onThrown(thrown)
    }
    ended = !endTask()
  }
  stopTiming()
  onEnded(spent)
}

/**
 * Load the function of a claimed task, after `beginLoad` where it is not loaded.
 * @returns undefined: main has taken the task back meanwhile, and it must not be called
 */
async function loadForTask({ slots, slot, functions }: LeaseWorker, number: number): Promise<Function | undefined> {
  const loaded = functions.get(number).fn
  if (loaded) return loaded
  let mayCall = false
  let fn: Function
  try {
    fn = await functions.load(number)
  } finally {
    mayCall = slots.endLoad(slot)
  }
  return mayCall ? fn : undefined
}

/** Run the only task of a lease. @param run gives nothing if main has taken it back */
async function runAlone(
  { slots, slot, functions, sender, onTaskDone }: LeaseWorker,
  target: number,
  run: () => Promise<{ result: TaskResult; spent: Spent; count: number } | undefined>,
  onEnded: (spent: Spent) => void,
): Promise<void> {
  let [spent, count]: [Spent, number] = [[], 1]
  if (!functions.get(target).fn) slots.beginLoad(slot, 0)
  if (slots.claim(slot, 1) >= 0) {
    try {
      const done = await run()
      if (done) {
        if (done.result.kind === 'returned') sender.sendValue(0, done.result.value.value)
        else sender.send(0, done.result)
        ;({ spent, count } = done)
      } else slots.finish(slot, 0)
    } catch (thrown) {
      if (UnloadableModule.is(thrown)) throw thrown
      sender.sendThrown(0, thrown)
    }
    onTaskDone(count)
  }
  onEnded(spent)
}

async function runMap(
  worker: LeaseWorker,
  { target, items, arity, spread, settled }: LeaseBody & { kind: 'map' },
): Promise<{ result: TaskResult; spent: Spent; count: number } | undefined> {
  const { slots, slot, functions, sender } = worker
  const fn = await loadForTask(worker, target)
  if (!fn) return undefined
  const { definition } = functions.get(target)
  const chunk = { items: unpackColumn((await unpackWithClasses(worker, items)) as SentColumn), arity, spread }
  const sinceMs = performance.now()
  const describe = (thrown: unknown) => {
    advise(definition, thrown)
    return encodeFailure(thrown)
  }
  const watch: MapWatch<Failure> = {
    begins: (soFar) => sender.onExit(0, () => ({ kind: 'left', ...resultColumn(soFar()) })),
    item: (item) => slots.beginItem(slot, item),
  }
  const numbers = areInSlab(chunk.items) ? new NumbersInPlace(fn, chunk.items, slots, slot, worker.context) : undefined
  let mapped: Mapped<Failure>
  try {
    mapped = await mapItems(fn, chunk, { settled, retries: 0 }, describe, worker.context, watch, numbers)
  } finally {
    sender.onExit(0)
  }
  const count = itemsRun(mapped)
  const spent = [target, count, performance.now() - sinceMs]
  return { result: { kind: 'mapped', ...resultColumn(mapped) }, spent, count }
}

function resultColumn({
  values,
  failures,
}: Mapped<Failure>): Pick<TaskResult & { kind: 'mapped' }, 'values' | 'failures'> {
  return { values: { value: values, handles: false }, failures }
}

/** Compute blocks of a range until none is left. Measures nothing: how many there were depends on the other workers. */
async function runBlocks(
  worker: LeaseWorker,
  { target, args: packed, plan, counter, keep }: LeaseBody & { kind: 'blocks' },
): Promise<{ result: TaskResult; spent: Spent; count: number } | undefined> {
  const fn = await loadForTask(worker, target)
  if (!fn) return undefined
  const args = (await unpackWithClasses(worker, packed)) as unknown[]
  try {
    const body = (start: number, end: number): unknown => worker.context.run(() => fn(start, end, ...args) as unknown)
    const share = await computeBlocks(plan, new BlockCounter(counter), body, keep)
    // A count alone needs no message.
    const result: TaskResult = keep
      ? { kind: 'computed', share: { value: share, handles: false } }
      : { kind: 'returned', value: { value: share.count, handles: false } }
    return { result, spent: [], count: 1 }
  } catch (thrown) {
    advise(worker.functions.get(target).definition, thrown)
    throw thrown
  }
}

/** The value of a message, its shareables rebuilt. */
async function unpackWithClasses(worker: Pick<LeaseWorker, 'loadClasses'>, packed: Packed): Promise<unknown> {
  if (packed.handles) await worker.loadClasses()
  return unpack(packed)
}
