// Targets: from the function that a caller wants run to a definition that can be sent, and back to a function in the worker.
import { inspect } from 'node:util'
import { isErrorNamed } from '../base/brands.js'
import { RecentMap } from './recent-map.js'
import { stackText } from '../base/thrown-text.js'
import { guardImport } from './import-guard.js'
import { importFrom, type Exports } from './import-module.js'
import { inheritLoader } from './tsx-loader.js'
import { adviseOnReferenceError, compileSource, describeSource, type SourceDefinition } from './function-source.js'
import { definitionOfTask, findExport, findTask, registeredTasks, type ModuleDefinition, type Target } from './task.js'

/** A target as it is sent: a function by module and name, or by its source. */
export type Definition = ModuleDefinition | SourceDefinition

/**
 * The definition of a target.
 * @throws TypeError not a function, or a function that cannot be sent
 */
export function define(target: Target): Definition {
  if (typeof target !== 'function') throw new TypeError(`a target must be a task or a function, not ${inspect(target)}`)
  return definitionOfTask(target) ?? describeSource(target)
}

/** Thrown when the module of a task cannot be imported: none of its tasks can ever run in this thread. */
export class ImportFailure {
  /** What the import threw. */
  readonly reason: unknown
  constructor(reason: unknown) {
    this.reason = reason
  }
}

/** What a program sends by source may be endless. */
const MAX_LOADED = 512

const loaded = new RecentMap<string, Function>(MAX_LOADED)

/**
 * The function of a definition, in the thread that is to run it.
 * @throws ImportFailure the module cannot be imported
 * @throws TaskNotFoundError (ERR_MANYHANDS_TASK_NOT_FOUND) the module has no such task
 */
export async function loadTarget(definition: Definition): Promise<Function> {
  const key =
    definition.kind === 'source' ? definition.source : `${definition.kind} ${definition.module} ${definition.name}`
  let fn = loaded.get(key)
  if (!fn) {
    await inheritLoader()
    fn = definition.kind === 'source' ? compileSource(definition) : await findInModule(definition)
    refuseGenerator(fn)
    loaded.set(key, fn)
  }
  return fn
}

/** @throws TypeError the function is a generator: what it returns is no result */
export function refuseGenerator(fn: Function): void {
  // Of any realm.
  if (!/^\[object (Async)?GeneratorFunction\]$/.test(Object.prototype.toString.call(fn))) return
  const advice = 'collect its values into an array, and return that'
  throw new TypeError(
    `${fn.name ? `'${fn.name}'` : 'the function'} is a generator function, whose generator stays in its thread: ${advice}`,
  )
}

/** Run a loaded target, and await what it returns. */
export async function runTarget(definition: Definition, fn: Function, args: unknown[]): Promise<unknown> {
  try {
    return await fn(...args)
  } catch (thrown) {
    advise(definition, thrown)
    throw thrown
  }
}

/** Add advice to a ReferenceError if the function was sent by its source. */
export function advise(definition: Definition, thrown: unknown): void {
  if (definition.kind !== 'source') return
  try {
    adviseOnReferenceError(thrown, definition)
  } catch {
    // It has a stack that is no string, or a getter that throws: it goes without advice.
  }
}

async function findInModule(definition: ModuleDefinition): Promise<Function> {
  const { kind, module, name } = definition
  if (kind === 'export') return findExport(await importTaskModule(module), module, name)
  const known = registeredTasks(module).get(name)
  if (known) return known
  await importTaskModule(module)
  return findTask(definition)
}

async function importTaskModule(module: string): Promise<Exports> {
  try {
    return await guardImport(module, () => importFrom(module))
  } catch (reason) {
    // The stack of a SyntaxError names only Node's loader, not the file.
    if (isErrorNamed(reason, 'SyntaxError'))
      Reflect.set(reason, 'stack', `${stackText(reason, String(reason))}\n    at import of ${module}`)
    throw new ImportFailure(reason)
  }
}
