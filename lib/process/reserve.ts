// A thread that is booted and waiting, so that `start()` is a message and not a boot. A thread takes 25 to 50 ms to boot and
// less than a millisecond to begin. A thread that has run a process is never used again.
import { Worker, type ResourceLimits } from 'node:worker_threads'

const ENTRY = new URL('./worker-process.js', import.meta.url)

/** Booting competes with the process just started for the cores: wait until nothing was started for this long. */
const REFILL_AFTER_MS = 30

interface Reserved {
  worker: Worker
  /** The environment that it was booted with. */
  env: NodeJS.ProcessEnv
  /** Takes it out of the reserve. */
  release(): void
}

let reserved: Reserved | undefined
let refill: NodeJS.Timeout | undefined

/** What a Process may ask of its thread. */
export interface ThreadOptions {
  /** @default a copy of the parent's `process.env` */
  env?: NodeJS.ProcessEnv | undefined
  resourceLimits?: ResourceLimits | undefined
}

/** A thread for one process, and the environment that has yet to be given to it. */
export function takeThread({ env, resourceLimits }: ThreadOptions): { worker: Worker; env: NodeJS.ProcessEnv | undefined } {
  refill ??= setTimeout(fill, REFILL_AFTER_MS).unref()
  refill.refresh()
  if (!reserved || env || resourceLimits) return { worker: boot({ env, resourceLimits }), env: undefined }
  const { worker, env: bootedWith, release } = reserved
  release()
  return { worker, env: sameEnvironment(bootedWith, process.env) ? undefined : { ...process.env } }
}

function boot(options: ThreadOptions): Worker {
  return new Worker(ENTRY, {
    ...(options.env && { env: options.env }),
    ...(options.resourceLimits && { resourceLimits: options.resourceLimits }),
  })
}

function fill(): void {
  refill = undefined
  if (reserved) return
  const worker = boot({})
  const release = () => {
    reserved = undefined
    worker.off('exit', release).off('error', release)
  }
  worker.once('exit', release).once('error', release).unref()
  reserved = { worker, env: { ...process.env }, release }
}

function sameEnvironment(a: NodeJS.ProcessEnv, b: NodeJS.ProcessEnv): boolean {
  const keys = Object.keys(a)
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key])
}
