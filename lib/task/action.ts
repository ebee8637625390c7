// Lets barriers, which know nothing of tasks, run targets as their actions.
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { TaskNotFoundError } from '../errors.js'
import { provideActions } from '../sync/barrier.js'
import { compileSource } from './source.js'
import { define, loadTarget, type Definition } from './target.js'
import { registeredTasks, type Target } from './task.js'

provideActions({
  define: (action) => define(action as Target),
  load: async (definition) => (await loadTarget(definition as Definition)) as () => unknown,
  loadSync: (definition) => loadTargetSync(definition as Definition) as () => unknown,
})

/** As `loadTarget`, for a thread that blocks: a module that has not been imported is required. */
function loadTargetSync(definition: Definition): Function {
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
