// Loads a target without awaiting, for a thread that blocks: its module is required instead of imported.
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { compileSource } from './function-source.js'
import type { Exports } from './import-module.js'
import type { Definition } from './target.js'
import { findExport, findTask, registeredTasks } from './task.js'

/**
 * As `loadTarget`, but synchronous.
 * @throws TaskNotFoundError (ERR_MANYHANDS_TASK_NOT_FOUND) the module has no such task
 * @throws whatever the module throws, and Node's ERR_REQUIRE_ASYNC_MODULE if it has a top-level await
 */
export function loadTargetSync(definition: Definition): Function {
  if (definition.kind === 'source') return compileSource(definition)
  const { kind, module, name } = definition
  if (kind === 'export') return findExport(requireModule(module), module, name)
  const registered = registeredTasks(module).get(name)
  if (registered) return registered
  requireModule(module)
  return findTask(definition)
}

/** A package name is resolved from the working directory, as `importFrom` does. */
function requireModule(module: string): Exports {
  const require = createRequire(join(process.cwd(), 'tasksFrom'))
  return require(module.startsWith('file:') ? fileURLToPath(module) : module) as Exports
}
