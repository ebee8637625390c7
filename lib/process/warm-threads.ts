// Threads that are booted and waiting, so that `start()` is a message and not a boot. A thread takes 25 to 50 ms of a core to
// boot, and 2 ms to begin when booted. A thread that has run a process is never used again.
//
// One thread is kept; after a burst of starts as many as the burst would have used, up to MOST.
import { inspect } from 'node:util'
import { Worker, type ResourceLimits } from 'node:worker_threads'

const ENTRY = entryOf(new URL('./worker-process.js', import.meta.url))

/** A thread inherits `--input-type` from a program given by `--eval`, and Node then refuses to begin with a file. */
export function entryOf(module: URL): URL {
  if (!process.execArgv.some((flag) => flag.startsWith('--input-type'))) return module
  return new URL(`data:text/javascript,import ${JSON.stringify(module.href)}`)
}

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

/** What a Process may ask of its thread. */
export interface ThreadOptions {
  /** Replaces the environment. @default a copy of the parent's `process.env` */
  env?: NodeJS.ProcessEnv | undefined
  /** Limits of the thread's heap and stack, as of `worker_threads`. @default none */
  resourceLimits?: ResourceLimits | undefined
}

/** @throws TypeError */
export function checkThreadOptions({ env, resourceLimits }: ThreadOptions): void {
  for (const [name, value] of Object.entries({ env, resourceLimits }))
    if (value !== undefined && (typeof value !== 'object' || value === null))
      throw new TypeError(`${name} must be an object, not ${inspect(value)}`)
  for (const [name, value] of Object.entries(resourceLimits ?? {}))
    if (value !== undefined && !(typeof value === 'number' && value > 0))
      throw new TypeError(`resourceLimits.${name} must be a positive number, not ${inspect(value)}`)
}

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
  const worker = new Worker(ENTRY, { ...(env && { env: definedIn(env) }), ...(resourceLimits && { resourceLimits }) })
  booting++
  const booted = () => {
    worker.off('message', booted).off('exit', booted)
    if (--booting === 0) refillSoon()
  }
  return worker.once('message', booted).once('exit', booted)
}

/** Node would make the string 'undefined' of a variable that is undefined. */
export function definedIn(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined))
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
