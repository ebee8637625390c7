// A worker of an executor: piscina loads this file in each of its threads and calls the default export with the first lease of
// a shift (lib/executor/shifts.ts). It never throws: piscina's worker would die of it.
import { MessageChannel, parentPort, threadId, workerData } from 'node:worker_threads'
import { Slots } from '../lib/executor/claims.js'
import { CannotRun, Desk } from '../lib/executor/desk.js'
import type { Hello, Lease, LeaseEnd } from '../lib/executor/lease.js'
import { performAlone, performBlocks, performCalls, performMap, type Spent } from '../lib/executor/perform.js'
import type { WorkerSetup } from '../lib/executor/threads.js'
import { becomeProcess } from '../lib/process/current.js'
import { postOutputAtOnce } from '../lib/process/output.js'
import { encodeFailure } from '../lib/task/failure.js'
import { ImportFailure, loadTarget, runTarget } from '../lib/task/target.js'

const { slots: memory, creator, initializer, maxTasks } = workerData as WorkerSetup
const slots = new Slots(memory)
const worker = becomeProcess({
  name: `PoolWorker-${threadId}`,
  numbers: [...creator.numbers, threadId],
  daemon: false,
  parent: creator.parent,
})
const { port1: own, port2: executors } = new MessageChannel()
const { port1: leases, port2: leasesHere } = new MessageChannel()
const desk = new Desk(slots, own, () => import('../lib/index.js'))
const hello: Hello = { kind: 'manyhands:hello', threadId, outcomes: executors, leases: leasesHere }
parentPort!.postMessage(hello, [executors, leasesHere])
const initialized = initialize()
let tasksLeft = maxTasks
let leave = () => {}

process.on('exit', () => desk.leave())
postOutputAtOnce()
void tellReady()

export default async function work(first: Lease): Promise<void> {
  const over = new Promise<void>((resolve) => (leave = resolve))
  void follow(first)
  await over
}

leases.on('message', (lease: Lease | null) => (lease ? void follow(lease) : leave()))

async function follow(lease: Lease): Promise<void> {
  leases.postMessage(await runLease(lease))
}

async function runLease(lease: Lease): Promise<LeaseEnd> {
  desk.learn(lease.news)
  const broken = await initialized
  if (broken) return broken
  slots.begin(lease.slot)
  worker.watchCancellation(...slots.cancellation(lease.slot))
  try {
    return { kind: 'ended', spent: await perform(lease) }
  } catch (thrown) {
    if (CannotRun.is(thrown)) return thrown.end
    return { kind: 'broken', what: 'a worker failed', failure: encodeFailure(thrown) }
  } finally {
    worker.forgetCancellation()
    // Before anybody learns that the lease is over and sends another. What was posted, arrives before the exit.
    if (tasksLeft <= 0) process.exit(0)
  }
}

function perform(lease: Lease): Promise<Spent> {
  const { assignment } = lease
  switch (assignment.kind) {
    case 'calls':
      return performCalls(desk, lease, assignment, onTask)
    case 'map':
      return performAlone(desk, lease, () => performMap(desk, lease, assignment), onTask)
    case 'blocks':
      return performAlone(desk, lease, () => performBlocks(desk, assignment), onTask)
    default:
      return assignment satisfies never
  }
}

/** A task is done. @returns whether the worker may take another */
function onTask(): boolean {
  worker.renewCancellation()
  return --tasksLeft > 0
}

/** Whoever ends before that, would always: its successors, too. */
async function tellReady(): Promise<void> {
  if (!(await initialized)) desk.post({ kind: 'ready' })
}

async function initialize(): Promise<LeaseEnd | undefined> {
  if (!initializer) return undefined
  try {
    const { target, args } = initializer
    await runTarget(target, await loadTarget(target), (await desk.rebuild(args)) as unknown[])
    return undefined
  } catch (thrown) {
    const reason: unknown = thrown instanceof ImportFailure ? thrown.reason : thrown
    return { kind: 'broken', what: 'its initializer failed', failure: encodeFailure(reason) }
  }
}
