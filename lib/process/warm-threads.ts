// Threads that are booted and waiting, so that `start()` is a message and not a boot. A thread takes 25 to 50 ms of a core to
// boot, and 2 ms to begin when booted. A thread that has run a process is never used again.
//
// One thread is kept; after a burst of starts as many as the burst would have used, up to MOST.
import type { Worker } from 'node:worker_threads'
import { bootThread, type ThreadOptions } from '../thread/boot.js'

/** Booting competes with the processes just started for the cores: wait until none has begun for this long. */
const REFILL_AFTER_MS = 30

/** An idle thread costs a few megabytes; the next in a burst costs its boot. */
const MOST = 8

interface Reserved {
  worker: Worker
  /** The environment that it was booted with. */
  env: NodeJS.ProcessEnv
  /** Takes it out of the reserve. */
  release(): void
}

const reserve = new Set<Reserved>()
let booting = 0
let startsSinceRefill = 0
let refill: NodeJS.Timeout | undefined

/** A thread for one process, and the environment that has yet to be given to it. */
export function takeThread(options: ThreadOptions): { worker: Worker; env: NodeJS.ProcessEnv | undefined } {
  startsSinceRefill++
  refillSoon()
  const [reserved] = reserve
  if (!reserved || options.env || options.resourceLimits) return { worker: boot(options), env: undefined }
  reserved.release()
  return { worker: reserved.worker, env: sameEnvironment(reserved.env, process.env) ? undefined : { ...process.env } }
}

function boot({ env, resourceLimits }: ThreadOptions): Worker {
  const worker = bootThread('process', { env, resourceLimits })
  booting++
  const booted = () => {
    worker.off('message', booted).off('exit', booted)
    if (--booting === 0) refillSoon()
  }
  return worker.once('message', booted).once('exit', booted)
}

function refillSoon(): void {
  clearTimeout(refill)
  refill = setTimeout(fill, REFILL_AFTER_MS).unref()
}

function fill(): void {
  if (booting > 0) return // Whoever boots last comes back here.
  const wanted = Math.min(startsSinceRefill, MOST)
  startsSinceRefill = 0
  while (reserve.size < wanted) add()
}

function add(): void {
  const worker = boot({})
  const reserved: Reserved = { worker, env: { ...process.env }, release }
  function release(): void {
    reserve.delete(reserved)
    worker.off('exit', release).off('error', release)
  }
  worker.once('exit', release).once('error', release).unref()
  reserve.add(reserved)
}

function sameEnvironment(a: NodeJS.ProcessEnv, b: NodeJS.ProcessEnv): boolean {
  const keys = Object.keys(a)
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key])
}
