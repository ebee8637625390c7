// Warm threads: booted and waiting, so that `start()` is a message and not a boot. Booting takes 25 to 50 ms of a core, starting
// in a booted thread 2 ms. A thread runs one process and is never used again.
//
// One warm thread is kept; after a burst of starts as many as the burst would have used, up to MAX_WARM_THREADS.
import { MessageChannel, type MessagePort, type Worker } from 'node:worker_threads'
import { perThread, VERSION } from '../copies.js'
import { clearTimeout, setTimeout } from '../base/clock.js'
import type { Words } from '../memory/atomics.js'
import { bootThread, type ThreadOptions } from '../thread/boot.js'
import { WorkerOutput } from '../thread/worker-output.js'
import { newControlBlock, type ProcessMessage } from './control-block.js'
import { changesSince, inheritedState, onEnvironmentData, type InheritedState } from './inherited-state.js'

/** Time without a start or the end of a boot after which warm threads are booted: before that, processes need the cores. */
const REFILL_AFTER_MS = 30

/** Each idle thread costs a few megabytes; each one missing in a burst costs a boot. */
const MAX_WARM_THREADS = 12

/** A thread for one process, and what this thread shares with it. */
export interface ProcessThread {
  worker: Worker
  control: Words
  mailbox: MessagePort
  output: WorkerOutput
}

interface WarmThread {
  thread: ProcessThread
  /** What it has inherited. */
  state: InheritedState
  /** Take it out of the warm threads. */
  remove(): void
}

// Per version: what the thread runs is this copy's code.
const pool = perThread(`warm threads of ${VERSION}`, () => ({
  warmThreads: new Set<WarmThread>(),
  booting: 0,
  startsSinceRefill: 0,
  refillTimer: undefined as NodeJS.Timeout | undefined,
  watchesEnvironmentData: false,
}))
const { warmThreads } = pool

/** A thread for one process, and what has changed since it was booted of what it would inherit. */
export function takeThread(options: ThreadOptions): { thread: ProcessThread; changed: Partial<InheritedState> } {
  pool.startsSinceRefill++
  scheduleRefill()
  const [warm] = warmThreads
  if (!warm || options.env || options.resourceLimits) return { thread: boot(options), changed: {} }
  warm.remove()
  return { thread: warm.thread, changed: changesSince(warm.state) }
}

function boot({ env, resourceLimits }: ThreadOptions): ProcessThread {
  const worker = bootThread('process', { env, resourceLimits })
  pool.booting++
  const onBooted = () => {
    worker.off('message', onBooted).off('exit', onBooted)
    if (--pool.booting === 0) scheduleRefill()
  }
  worker.once('message', onBooted).once('exit', onBooted)
  const { port1: mailbox, port2 } = new MessageChannel()
  const [control, output] = [newControlBlock(), new WorkerOutput()]
  const equipment: ProcessMessage = { kind: 'equip', control, mailbox: port2, output: output.there }
  worker.postMessage(equipment, [port2, output.there])
  return { worker, control, mailbox, output }
}

/** The thread runs no process, and never will. */
export function discardThread({ worker, mailbox, output }: ProcessThread): void {
  void worker.terminate()
  mailbox.close()
  output.close()
}

/** The warm threads lack what has been set since. */
function discardWarmThreads(): void {
  for (const { thread, remove } of warmThreads) {
    remove()
    discardThread(thread)
    pool.startsSinceRefill++
  }
  if (pool.startsSinceRefill > 0) scheduleRefill()
}

function scheduleRefill(): void {
  clearTimeout(pool.refillTimer)
  pool.refillTimer = setTimeout(refill, REFILL_AFTER_MS).unref()
}

function refill(): void {
  if (pool.booting > 0) return // The end of the last boot schedules the next refill.
  const wanted = Math.min(pool.startsSinceRefill, MAX_WARM_THREADS)
  pool.startsSinceRefill = 0
  try {
    while (warmThreads.size < wanted) addWarmThread()
  } catch {
    // No thread can be started now, and none is needed. A process that needs one boots its own, or tells.
  }
}

function addWarmThread(): void {
  if (!pool.watchesEnvironmentData) onEnvironmentData(discardWarmThreads)
  pool.watchesEnvironmentData = true
  const thread = boot({})
  const { worker } = thread
  const warm: WarmThread = { thread, state: inheritedState(), remove }
  const discard = () => {
    remove()
    discardThread(thread)
  }
  function remove(): void {
    warmThreads.delete(warm)
    worker.off('exit', discard).off('error', discard)
  }
  worker.once('exit', discard).once('error', discard).unref()
  warmThreads.add(warm)
}
