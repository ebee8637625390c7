// A worker of an executor: piscina loads this file in each of its threads, and calls the default export once, with the worker's
// end of its line. By that come leases (lib/executor/main/worker-handle.ts).
import { threadId, workerData } from 'node:worker_threads'
import { LeaseSlots } from '../lib/executor/protocol/lease-slots.js'
import { CannotRun, Desk } from '../lib/executor/worker/result-sender.js'
import type { LeaseMessage, LeaseEnd, Line } from '../lib/executor/protocol/messages.js'
import { performAlone, performBlocks, performCalls, performMap, type Spent } from '../lib/executor/worker/run-lease.js'
import type { WorkerSetup } from '../lib/executor/main/worker-pool.js'
import { becomeProcess } from '../lib/process/current-process.js'
import { postOutputAtOnce } from '../lib/thread/output.js'
import { encodeFailure } from '../lib/transport/error-codec.js'
import { ImportFailure, loadTarget, runTarget } from '../lib/task/target.js'

const { slots: memory, creator, initializer, maxTasks } = workerData as WorkerSetup
const slots = new LeaseSlots(memory)
const worker = becomeProcess({
  name: `PoolWorker-${threadId}`,
  numbers: [...creator.numbers, threadId],
  daemon: false,
  parent: creator.parent,
})
let tasksLeft = maxTasks

postOutputAtOnce()

export default function begin({ leases, outcomes }: Line): void {
  const desk = new Desk(slots, outcomes, () => import('../lib/index.js'))
  const initialized = initialize(desk)
  process.on('exit', () => desk.leave())
  leases.on('message', async (lease: LeaseMessage) => {
    desk.learn(lease.news)
    leases.postMessage((await initialized) ?? (await runLease(desk, lease)))
  })
  leases.on('messageerror', (failure) => {
    leases.postMessage({ kind: 'unread', failure: encodeFailure(failure) } satisfies LeaseEnd)
  })
  void tellReady(desk, initialized)
}

async function runLease(desk: Desk, lease: LeaseMessage): Promise<LeaseEnd> {
  slots.begin(lease.slot)
  worker.watchCancellation(...slots.cancellation(lease.slot))
  try {
    return { kind: 'ended', spent: await perform(desk, lease) }
  } catch (thrown) {
    if (CannotRun.is(thrown)) return thrown.end
    return { kind: 'broken', what: 'a worker failed', failure: encodeFailure(thrown) }
  } finally {
    worker.forgetCancellation()
    // Before anybody learns that the lease is over and sends another. What was posted, arrives before the exit.
    if (tasksLeft <= 0) process.exit(0)
  }
}

function perform(desk: Desk, lease: LeaseMessage): Promise<Spent> {
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
async function tellReady(desk: Desk, initialized: Promise<unknown>): Promise<void> {
  if (!(await initialized)) desk.post({ kind: 'ready' })
}

async function initialize(desk: Desk): Promise<LeaseEnd | undefined> {
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
