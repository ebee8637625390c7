// How a worker follows an assignment: a function for each kind. Each returns what the calls took, for the pace of their functions.
import { unpack } from '../../transport/shareable.js'
import { encodeFailure, type Failure } from '../../transport/error-codec.js'
import { advise } from '../../task/target.js'
import { BlockCounter, computeBlocks } from '../range/blocks.js'
import { unpackColumn, type SentColumn } from '../../transport/column.js'
import { CannotRun, type Desk } from './result-sender.js'
import type { LeaseBody, LeaseMessage, TaskResult } from '../protocol/messages.js'
import { isThenable, mapItems, type Mapped, type MapWatch } from '../map/map-chunk.js'

/** As in LeaseEnd: number of a function, calls, milliseconds, and so on. */
export type Spent = number[]

/** Run calls until the last is done, or the rest was taken back. @param goOn called after each: whether to claim another */
export async function performCalls(
  desk: Desk,
  { slot, count }: LeaseMessage,
  { targets, args: { value, handles }, arity }: LeaseBody & { kind: 'calls' },
  goOn: () => boolean,
): Promise<Spent> {
  const spent: Spent = []
  const args = unpackColumn(value as SentColumn) as unknown[]
  if (handles) await desk.rebuild({ value: undefined, handles })
  let [timed, calls, sinceMs] = [-1, 0, 0]
  const stopTiming = () => {
    if (calls > 0) spent.push(timed, calls, performance.now() - sinceMs)
    calls = 0
  }
  for (let task; (task = desk.slots.claim(slot, count)) >= 0;) {
    const number = typeof targets === 'number' ? targets : targets[task]!
    const told = desk.told(number)
    try {
      if (number !== timed) {
        stopTiming()
        if (!told.fn) await desk.load(number)
        timed = number
        sinceMs = performance.now()
      }
      calls++
      const own = arity < 0 ? (args[task] as unknown[]) : args.slice(task * arity, (task + 1) * arity)
      const fn = told.fn! // Not called as a method: `told` would be its `this`.
      const returned: unknown = fn(...(handles ? (unpack({ value: own, handles }) as unknown[]) : own))
      desk.deliver(slot, task, isThenable(returned) ? await returned : returned)
    } catch (thrown) {
      if (CannotRun.is(thrown)) throw thrown
      advise(told.definition, thrown)
      desk.deliverThrown(slot, task, thrown)
    }
    if (!goOn()) break
  }
  stopTiming()
  return spent
}

/** Run what is the only task of its lease. @param perform gives the outcome, and what the calls took */
export async function performAlone(
  desk: Desk,
  { slot }: LeaseMessage,
  perform: () => Promise<{ outcome: TaskResult; spent: Spent }>,
  onTask: () => void,
): Promise<Spent> {
  if (desk.slots.claim(slot, 1) < 0) return []
  try {
    const { outcome, spent } = await perform()
    desk.deliverOutcome(slot, 0, outcome)
    return spent
  } catch (thrown) {
    if (CannotRun.is(thrown)) throw thrown
    desk.deliverThrown(slot, 0, thrown)
    return []
  } finally {
    onTask()
  }
}

/** Map a chunk. */
export async function performMap(
  desk: Desk,
  { slot }: LeaseMessage,
  { target, items, arity, spread, settled, retries }: LeaseBody & { kind: 'map' },
): Promise<{ outcome: TaskResult; spent: Spent }> {
  const fn = await desk.load(target)
  const { definition } = desk.told(target)
  const chunk = { items: unpackColumn((await desk.rebuild(items)) as SentColumn), arity, spread }
  const sinceMs = performance.now()
  const describe = (thrown: unknown) => {
    advise(definition, thrown)
    return encodeFailure(thrown)
  }
  const watch: MapWatch<Failure> = {
    begins: (soFar) => desk.onEnd(slot, 0, () => ({ kind: 'left', ...columnOf(soFar()) })),
    item: (index) => desk.slots.reach(slot, index),
  }
  let mapped: Mapped<Failure>
  try {
    mapped = await mapItems(fn, chunk, { settled, retries }, describe, watch)
  } finally {
    desk.onEnd(slot, 0)
  }
  const spent = [target, Math.max(mapped.values.length, 1), performance.now() - sinceMs]
  return { outcome: { kind: 'mapped', ...columnOf(mapped) }, spent }
}

function columnOf({ values, failures }: Mapped<Failure>): Pick<TaskResult & { kind: 'mapped' }, 'values' | 'failures'> {
  return { values: { value: values, handles: false }, failures }
}

/** Compute blocks of a range until none is left. Says nothing of the pace: it took what others left. */
export async function performBlocks(
  desk: Desk,
  { target, args: packed, plan, claims, keep }: LeaseBody & { kind: 'blocks' },
): Promise<{ outcome: TaskResult; spent: Spent }> {
  const fn = await desk.load(target)
  const args = (await desk.rebuild(packed)) as unknown[]
  try {
    const share = await computeBlocks(plan, new BlockCounter(claims), (start, end) => fn(start, end, ...args), keep)
    return { outcome: { kind: 'computed', share: { value: share, handles: false } }, spent: [] }
  } catch (thrown) {
    advise(desk.told(target).definition, thrown)
    throw thrown
  }
}
