// Loading a target in a thread that blocks, and so cannot await an import.
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { TaskNotFoundError } from '../errors.js'
import { compileSource } from './function-source.js'
import type { Definition } from './target.js'
import { registeredTasks } from './task.js'

/**
 * As `loadTarget`. A module that this thread has not imported is required.
 * @throws TaskNotFoundError the module has no such task; whatever the module throws
 */
export function loadTargetSync(definition: Definition): Function {
  if (definition.kind === 'source') return compileSource(definition)
  const { kind, module, name } = definition
  const registered = () => (kind === 'task' ? registeredTasks(module).get(name) : undefined)
  const fn = registered() ?? requireModule(module)[name] ?? registered()
  if (typeof fn !== 'function') throw new TaskNotFoundError(`${module} has no task of the name ${name}`)
  return fn
}

function requireModule(module: string): Record<string, unknown> {
  return createRequire(import.meta.url)(fileURLToPath(module)) as Record<string, unknown>
}
