// Importing a module that a caller named: by URL, or by package name.
import { constants, Script } from 'node:vm'

/** What a module exports, by name. */
export type Exports = Record<string, unknown>

/** Import a module. A package name means the package that the program sees, not one that happens to lie beside this file. */
export async function importFrom(module: string): Promise<Exports> {
  if (/^[a-z][a-z+.-]+:/i.test(module)) return (await import(module)) as Exports
  const script = new Script(`import(${JSON.stringify(module)})`, {
    filename: `${process.cwd()}/tasksFrom`,
    importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  })
  return (await script.runInThisContext()) as Exports
}
