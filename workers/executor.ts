// A worker of an executor. Piscina loads this file in each of its threads and calls the default export once, with the worker's
// slot and its ends of the ports. Leases come by these ports from then on (lib/executor/main/threads/worker-handle.ts).
import { threadId, workerData } from 'node:worker_threads'
import { OwnContext } from '../lib/base/async-context.js'
import { thrownText } from '../lib/base/thrown-text.js'
import { LeaseSlots } from '../lib/executor/protocol/lease-slots.js'
import {
  END,
  type CallMessage,
  type LeaseAnswer,
  type LeaseEnd,
  type LeaseMessage,
  type WorkerSetup,
  type WorkerStart,
} from '../lib/executor/protocol/messages.js'
import { FunctionTable } from '../lib/executor/worker/function-table.js'
import { ResultSender } from '../lib/executor/worker/result-sender.js'
import { runCall } from '../lib/executor/worker/run-call.js'
import { runLease, type LeaseWorker } from '../lib/executor/worker/run-lease.js'
import { becomeProcess } from '../lib/process/current-process.js'
import { ImportFailure, loadTarget, runTarget, type Definition } from '../lib/task/target.js'
import { postOutput } from '../lib/thread/output.js'
import { encodeFailure } from '../lib/transport/error-codec.js'
import { unpack } from '../lib/transport/pack.js'

const { slots: memory, creator, initializer, finalizer, initargs, maxTasks } = workerData as WorkerSetup
const slots = new LeaseSlots(memory)
const current = becomeProcess({
  name: `PoolWorker-${threadId}`,
  numbers: [...creator.numbers, threadId],
  daemon: false,
  parent: creator.parent,
})
const loadClasses = async () => require('../lib/index.js') as unknown
let tasksLeft = maxTasks
let isReady = false
let isEnding = false
/** Unpacked once: initializer and finalizer get the same objects. */
let unpackedArgs: unknown[] | undefined

export default function begin({ slot, leases, results, output }: WorkerStart): void {
  postOutput(output)
  const sender = new ResultSender(slots, slot, results)
  const worker: LeaseWorker = {
    slots,
    slot,
    functions: new FunctionTable(),
    sender,
    context: new OwnContext(),
    loadClasses,
    onTaskDone,
  }
  const onEnd = (end: LeaseAnswer) => {
    current.forgetCancellation()
    if (typeof end === 'number') return leases.postMessage(end)
    if (end.kind === 'ended') end.tasksLeft = tasksLeft
    if (tasksLeft > 0) return leases.postMessage(end)
    leases.postMessage(end.kind === 'ended' ? { ...end, retires: true } : end)
    void endThread() // A message that was posted arrives before the exit.
  }
  const run = (message: LeaseMessage | CallMessage) => {
    current.watchCancellation(...slots.cancellation(slot))
    if ('body' in message) void runLease(worker, message, onEnd)
    else runCall(worker, message, onEnd)
  }
  sender.sendUp()
  const initialized = initialize()
  const becomeReady = async () => {
    // Not sent if the initializer failed: an exit before 'ready' breaks the executor, since a replacement would fail, too.
    if (await initialized) return
    isReady = true
    sender.sendReady()
  }
  void becomeReady()
  process.on('exit', () => sender.exit())
  const runWhenInitialized = async (message: LeaseMessage | CallMessage) => {
    const failed = await initialized
    if (failed) leases.postMessage(failed)
    else run(message)
  }
  leases.on('message', (message: LeaseMessage | CallMessage | typeof END) => {
    if (message === END) void endThread()
    else if (isReady) run(message)
    else void runWhenInitialized(message)
  })
  leases.on('messageerror', (failure) => {
    leases.postMessage({ kind: 'unread', failure: encodeFailure(failure) } satisfies LeaseEnd)
  })
}

/** @returns whether the worker may run another task */
function onTaskDone(count: number): boolean {
  current.renewCancellation()
  tasksLeft -= count
  return tasksLeft > 0
}

/** @returns why no task can run here, if the initializer failed */
async function initialize(): Promise<LeaseEnd | undefined> {
  if (!initializer) return undefined
  try {
    await callWithInitargs(initializer)
    return undefined
  } catch (thrown) {
    return { kind: 'broken', what: 'its initializer failed', failure: encodeFailure(thrown) }
  }
}

/** The exit handlers of the program run in process.exit. One that is not ready has nothing to finalize. */
async function endThread(): Promise<void> {
  if (isEnding) return
  isEnding = true
  if (finalizer && isReady) {
    try {
      await callWithInitargs(finalizer)
    } catch (thrown) {
      process.stderr.write(`${current.name}: its finalizer threw:\n${thrownText(thrown)}\n`)
    }
  }
  process.exit()
}

/** @throws what the function throws, or why its module cannot be imported */
async function callWithInitargs(definition: Definition): Promise<void> {
  try {
    if (initargs.handles) await loadClasses()
    const fn = await loadTarget(definition)
    unpackedArgs ??= unpack(initargs) as unknown[]
    await runTarget(definition, fn, unpackedArgs)
  } catch (thrown) {
    throw thrown instanceof ImportFailure ? thrown.reason : thrown
  }
}
