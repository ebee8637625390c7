// Booting worker threads: the entry files of the threads that this package starts itself, and the checks of what a caller may
// ask of a thread. piscina boots the executor's threads.
import { URL } from 'node:url'
import { inspect } from 'node:util'
import { Worker, type ResourceLimits, type WorkerOptions } from 'node:worker_threads'
import { checkOptions } from '../base/validate.js'

/** What a caller may ask of a thread. */
export interface ThreadOptions {
  /** Replaces the environment. @default a copy of the parent's `process.env` */
  env?: NodeJS.ProcessEnv | undefined
  /** Limits of the thread's heap and stack, as of `worker_threads`. @default none */
  resourceLimits?: ResourceLimits | undefined
}

const RESOURCE_LIMITS: readonly (keyof ResourceLimits)[] = [
  'maxOldGenerationSizeMb',
  'maxYoungGenerationSizeMb',
  'codeRangeSizeMb',
  'stackSizeMb',
]

/** @throws TypeError */
export function checkThreadOptions({ env, resourceLimits }: ThreadOptions): void {
  if (env !== undefined && (typeof env !== 'object' || env === null))
    throw new TypeError(`env must be an object, not ${inspect(env)}`)
  if (resourceLimits === undefined) return
  checkOptions(resourceLimits, 'resourceLimits', RESOURCE_LIMITS)
  for (const [name, value] of Object.entries(resourceLimits))
    if (value !== undefined && !(typeof value === 'number' && value > 0))
      throw new TypeError(`resourceLimits.${name} must be a positive number, not ${inspect(value)}`)
}

/** The variables that have a value. Node would turn an undefined one into the string 'undefined'. */
export function definedIn(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined))
}

/** What `process.argv` of a thread has after its first two entries, as the program has: modules of tasks may read it. */
export function programArguments(): string[] {
  return process.argv.slice(2)
}

/** Which of the files in `workers` a thread starts with. */
export type ThreadEntry = 'process' | 'manager' | 'reaper'

/** A thread inherits `--input-type` from a program given by `--eval`, and Node then refuses to start from a file. */
function fileOf(entry: ThreadEntry): URL {
  const module = new URL(`./worker-${entry}.cjs`, import.meta.url) // Beside the bundle: see build.mjs.
  if (!process.execArgv.some((flag) => flag.startsWith('--input-type'))) return module
  return new URL(`data:text/javascript,import ${JSON.stringify(module.href)}`)
}

/** Boot a thread from one of the files in `workers`. Takes 25 to 50 ms of a core; returns at once. */
export function bootThread(entry: ThreadEntry, options: ThreadOptions & WorkerOptions): Worker {
  const { env } = options
  const file = fileOf(entry)
  const argv = file.protocol === 'data:' ? process.argv.slice(1) : programArguments() // Node names a file before these.
  return new Worker(file, { argv, ...options, env: env && definedIn(env) })
}
