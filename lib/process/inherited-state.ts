// What a thread inherits when it is booted: a warm thread may have to be told more when it is used.
import { syncBuiltinESMExports } from 'node:module'
import type { setEnvironmentData as SetEnvironmentData } from 'node:worker_threads'
import { programArguments } from '../thread/boot.js'

export interface InheritedState {
  env: NodeJS.ProcessEnv
  /** `process.argv`, without its first two entries. */
  argv: string[]
}

/** What a thread that is booted now inherits. */
export function inheritedState(): InheritedState {
  return { env: { ...process.env }, argv: programArguments() }
}

/** What a thread that was booted with `state` would inherit now, where that differs. */
export function changesSince(state: InheritedState): Partial<InheritedState> {
  const now = inheritedState()
  const isSame = (key: keyof InheritedState) => JSON.stringify(state[key]) === JSON.stringify(now[key])
  return { ...(!isSame('env') && { env: now.env }), ...(!isSame('argv') && { argv: now.argv }) }
}

/** In the thread. */
export function inherit({ env, argv }: Partial<InheritedState>): void {
  if (argv) process.argv.splice(2, Infinity, ...argv)
  if (!env) return
  for (const key of Object.keys(process.env)) if (!(key in env)) delete process.env[key]
  Object.assign(process.env, env)
}

/**
 * Call back whenever this thread sets environment data. A thread has a copy of it since its boot, and Node can neither list it nor
 * say that it has changed: so its setter is wrapped.
 */
export function onEnvironmentData(callback: () => void): void {
  const exports = require('node:worker_threads') as {
    setEnvironmentData: typeof SetEnvironmentData
  }
  const { setEnvironmentData } = exports
  exports.setEnvironmentData = (key, value) => {
    setEnvironmentData(key, value)
    callback()
  }
  syncBuiltinESMExports()
}
