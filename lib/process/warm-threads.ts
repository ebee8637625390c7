// Warm threads: booted and waiting, so that `start()` is a message and not a boot. Booting takes 25 to 50 ms of a core, starting
// in a booted thread 2 ms. A thread runs one process and is never used again.
//
// One warm thread is kept; after a burst of starts as many as the burst would have used, up to MAX_WARM_THREADS.
import type { Worker } from 'node:worker_threads'
import { perThread, VERSION } from '../copies.js'
import { clearTimeout, setTimeout } from '../base/clock.js'
import { bootThread, type ThreadOptions } from '../thread/boot.js'
import { changesSince, inheritedState, onEnvironmentData, type InheritedState } from './inherited-state.js'

/** Time without a start or the end of a boot after which warm threads are booted: before that, processes need the cores. */
const REFILL_AFTER_MS = 30

/** Each idle thread costs a few megabytes; each one missing in a burst costs a boot. */
const MAX_WARM_THREADS = 8

interface WarmThread {
  worker: Worker
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
export function takeThread(options: ThreadOptions): { worker: Worker; changed: Partial<InheritedState> } {
  pool.startsSinceRefill++
  scheduleRefill()
  const [warm] = warmThreads
  if (!warm || options.env || options.resourceLimits) return { worker: boot(options), changed: {} }
  warm.remove()
  return { worker: warm.worker, changed: changesSince(warm.state) }
}

function boot({ env, resourceLimits }: ThreadOptions): Worker {
  const worker = bootThread('process', { env, resourceLimits })
  pool.booting++
  const onBooted = () => {
    worker.off('message', onBooted).off('exit', onBooted)
    if (--pool.booting === 0) scheduleRefill()
  }
  return worker.once('message', onBooted).once('exit', onBooted)
}

/** The warm threads lack what has been set since. */
function discardWarmThreads(): void {
  for (const { worker, remove } of warmThreads) {
    remove()
    void worker.terminate()
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
  const worker = boot({})
  const warm: WarmThread = { worker, state: inheritedState(), remove }
  function remove(): void {
    warmThreads.delete(warm)
    worker.off('exit', remove).off('error', remove)
  }
  worker.once('exit', remove).once('error', remove).unref()
  warmThreads.add(warm)
}
