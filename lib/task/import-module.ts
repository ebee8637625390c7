// Imports a module that a caller named: by URL, or by package name.
import { constants, Script } from 'node:vm'

/** The exports of a module, by name. */
export type Exports = Record<string, unknown>

/** Import a module. A package name is resolved from the working directory, as the program would, not from this file. */
export async function importFrom(module: string): Promise<Exports> {
  if (/^[a-z][a-z+.-]+:/i.test(module)) return (await import(module)) as Exports
  const script = new Script(`import(${JSON.stringify(module)})`, {
    filename: `${process.cwd()}/tasksFrom`,
    importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  })
  return (await script.runInThisContext()) as Exports
}
