// A worker of an executor: piscina loads this file in each of its threads and calls the default export with every lease.
// Whatever it returns can be cloned, and it never throws: piscina's worker would die of either.
import { MessageChannel, parentPort, threadId, workerData, type Transferable } from 'node:worker_threads'
import { pack, unpack, type Packed } from '../lib/memory/handles.js'
import {
  Slots,
  type Assignment,
  type Hello,
  type Lease,
  type Outcome,
  type WorkerMessage,
} from '../lib/executor/lease.js'
import type { WorkerSetup } from '../lib/executor/threads.js'
import { becomeProcess } from '../lib/process/current.js'
import { postOutputAtOnce } from '../lib/process/output.js'
import { explainCloneFailure } from '../lib/memory/clone.js'
import { encodeFailure, type Failure } from '../lib/task/failure.js'
import { ImportFailure, loadTarget, runTarget } from '../lib/task/target.js'

const { slots: memory, creator, initializer, maxTasks } = workerData as WorkerSetup
const slots = new Slots(memory)
const worker = becomeProcess({
  name: `PoolWorker-${threadId}`,
  numbers: [...creator.numbers, threadId],
  daemon: false,
  parent: creator.parent,
})
// Not by the parent port, which belongs to the tasks: one may close it, or post on it.
const { port1: own, port2: executors } = new MessageChannel()
parentPort!.postMessage({ kind: 'manyhands:hello', threadId, port: executors } satisfies Hello, [executors])
const initialized = initialize()
let tasksLeft = maxTasks

postOutputAtOnce()
void tellReady()

export default async function runLease({ slot, assignment }: Lease): Promise<Outcome> {
  slots.take(slot)
  const broken = await initialized
  if (broken) return broken
  if (!slots.claim(slot)) return { kind: 'unclaimed' }
  worker.watchCancellation(...slots.cancellation(slot))
  const outcome = await runClaimed(slot, assignment)
  worker.forgetCancellation()
  if (--tasksLeft === 0) retire(slot, outcome)
  return outcome
}

async function runClaimed(slot: number, assignment: Assignment): Promise<Outcome> {
  try {
    return deliver(slot, await perform(assignment))
  } catch (thrown) {
    // What it returned or threw resists being looked at, as a revoked proxy does.
    return { kind: 'threw', failure: encodeFailure(thrown) }
  }
}

/** Exit before piscina learns that the lease is over and sends another. What is posted here, arrives before the exit. */
function retire(slot: number, outcome: Outcome): never {
  if (outcome.kind !== 'posted') post({ kind: 'outcome', slot, outcome })
  process.exit(0)
}

/** Whoever ends before that, would always: its successors, too. */
async function tellReady(): Promise<void> {
  if (!(await initialized)) post({ kind: 'ready' })
}

async function initialize(): Promise<Outcome | undefined> {
  if (!initializer) return undefined
  try {
    await runTarget(
      initializer.target,
      await loadTarget(initializer.target),
      (await rebuild(initializer.args)) as unknown[],
    )
    return undefined
  } catch (thrown) {
    const reason: unknown = thrown instanceof ImportFailure ? thrown.reason : thrown
    return { kind: 'broken', what: 'its initializer failed', failure: encodeFailure(reason) }
  }
}

async function perform(assignment: Assignment): Promise<Outcome> {
  const { target } = assignment
  try {
    const fn = await loadTarget(target)
    if (assignment.kind === 'map') return await performMap(assignment, fn)
    const value = await runTarget(target, fn, (await rebuild(assignment.args)) as unknown[])
    return { kind: 'returned', value: { value, handles: false } }
  } catch (thrown) {
    if (!(thrown instanceof ImportFailure)) return { kind: 'threw', failure: encodeFailure(thrown) }
    const what = `the module of the task ${target.name} cannot be imported`
    return { kind: 'broken', what, failure: encodeFailure(thrown.reason) }
  }
}

async function rebuild(packed: Packed): Promise<unknown> {
  if (packed.handles) await import('../lib/index.js') // The classes of what is to be rebuilt.
  return unpack(packed)
}

async function performMap({ target, items, settled }: Assignment & { kind: 'map' }, fn: Function): Promise<Outcome> {
  const values: unknown[] = []
  const failures: [number, Failure][] = []
  for (const args of (await rebuild(items)) as unknown[][]) {
    try {
      values.push(await runTarget(target, fn, args))
    } catch (thrown) {
      failures.push([values.length, encodeFailure(thrown)])
      if (!settled) break
      values.push(undefined)
    }
  }
  return { kind: 'mapped', values: { value: values, handles: false }, failures }
}

function deliver(slot: number, outcome: Outcome): Outcome {
  if (outcome.kind === 'returned') return deliverValue(slot, outcome, outcome.value)
  if (outcome.kind === 'mapped') return deliverMapped(slot, outcome)
  return outcome
}

/** What might not be cloneable is posted here, where that can be caught; the rest goes with piscina's own response. */
function deliverValue(slot: number, outcome: Outcome, packed: Packed): Outcome {
  const { value } = packed
  if ((typeof value !== 'object' || value === null) && typeof value !== 'function' && typeof value !== 'symbol')
    return outcome
  const transfer: Transferable[] = []
  try {
    packed.handles = pack(value, transfer).handles
    post({ kind: 'outcome', slot, outcome }, transfer)
    return { kind: 'posted' }
  } catch (failure) {
    return { kind: 'threw', failure: encodeFailure(explainCloneFailure(failure, value, 'result', transfer)) }
  }
}

function deliverMapped(slot: number, outcome: Outcome & { kind: 'mapped' }): Outcome {
  const delivered = deliverValue(slot, outcome, outcome.values)
  if (delivered.kind !== 'threw') return delivered
  // One of the values cannot be cloned. It fails alone.
  const values = outcome.values.value as unknown[]
  const failures = new Map(outcome.failures)
  for (const [index, value] of values.entries()) {
    try {
      structuredClone(value)
    } catch (failure) {
      failures.set(index, encodeFailure(explainCloneFailure(failure, value, 'result')))
      values[index] = undefined
    }
  }
  return deliverValue(slot, { ...outcome, failures: [...failures].toSorted(([a], [b]) => a - b) }, outcome.values)
}

function post(message: WorkerMessage, transfer: readonly Transferable[] = []): void {
  own.postMessage(message, transfer)
}
