// From what the caller wants run to what a worker is told, and back to a function in the worker.
import { inspect } from 'node:util'
import { BootstrapError } from '../errors.js'
import { importFrom, type Exports } from './import-module.js'
import { inheritLoader } from './tsx-loader.js'
import { adviseOnReferenceError, compileSource, describeSource, type SourceDefinition } from './function-source.js'
import { definitionOfTask, findExport, findTask, registeredTasks, type ModuleDefinition, type Target } from './task.js'

/** What a worker is told to run. */
export type Definition = ModuleDefinition | SourceDefinition

/**
 * Describe a target for a worker.
 * @throws TypeError not a function, or one that cannot be sent.
 */
export function define(target: Target): Definition {
  if (typeof target !== 'function') throw new TypeError(`a target must be a task or a function, not ${inspect(target)}`)
  return definitionOfTask(target) ?? describeSource(target)
}

/** The module of a task could not be imported: no task of it can ever run in this thread. */
export class ImportFailure {
  readonly reason: unknown
  constructor(reason: unknown) {
    this.reason = reason
  }
}

const loaded = new Map<string, Function>()

/**
 * The function that a definition means, in the thread that is to run it.
 * @throws ImportFailure the module cannot be imported; TaskNotFoundError it has no such task.
 */
export async function loadTarget(definition: Definition): Promise<Function> {
  const key =
    definition.kind === 'source' ? definition.source : `${definition.kind} ${definition.module} ${definition.name}`
  let fn = loaded.get(key)
  if (!fn) {
    await inheritLoader()
    fn = definition.kind === 'source' ? compileSource(definition) : await findInModule(definition)
    loaded.set(key, fn)
  }
  return fn
}

/** Run a loaded target. A promise that it returns is awaited. */
export async function runTarget(definition: Definition, fn: Function, args: unknown[]): Promise<unknown> {
  try {
    return await fn(...args)
  } catch (thrown) {
    advise(definition, thrown)
    throw thrown
  }
}

/** What was thrown by a function that was sent by its source may want a word of advice. */
export function advise(definition: Definition, thrown: unknown): void {
  if (definition.kind === 'source') adviseOnReferenceError(thrown, definition)
}

async function findInModule({ kind, module, name }: ModuleDefinition): Promise<Function> {
  if (kind === 'export') return findExport(await importModule(module), module, name)
  const known = registeredTasks(module).get(name)
  if (known) return known
  await importModule(module)
  return findTask(module, name)
}

/** The modules that this thread is importing on behalf of somebody else. */
const importing = new Set<string>()

async function importModule(module: string): Promise<Exports> {
  importing.add(module)
  try {
    return await importFrom(module)
  } catch (reason) {
    // Its stack knows only Node's loader, not the file.
    if (reason instanceof SyntaxError) Reflect.set(reason, 'stack', `${reason.stack}\n    at import of ${module}`)
    throw new ImportFailure(reason)
  } finally {
    importing.delete(module)
  }
}

/**
 * A worker imports the module that started it. If the module starts work as it is imported, the worker would start workers that
 * import it in turn, without end.
 * @throws BootstrapError
 */
export function refuseDuringImport(what: string): void {
  for (const module of importing)
    throw new BootstrapError(
      `cannot ${what} while this worker is still importing ${module}:` +
        ' that module runs again in every worker, so its main part must stand inside if (isMainThread) { … }',
    )
}
