// Imports what a caller named: by URL, or by package name. A package name is resolved from the working directory, as the program
// would, not from this file.
//
// `import()` resolves from the module in which it stands. So a CommonJS module is compiled in the working directory, which imports.
// Not: vm's USE_MAIN_CONTEXT_DEFAULT_LOADER. Node warns that it is experimental.
import { Module } from 'node:module'
import { join } from 'node:path'

/** The exports of a module, by name. */
export type Exports = Record<string, unknown>

/** What the module in the working directory does for us. */
interface ModuleHere {
  importHere(specifier: string, options?: ImportCallOptions): Promise<Exports>
  /** Evaluate code in the global scope. What it imports, is imported from here. */
  evaluate(code: string): unknown
}

const CODE = `
exports.importHere = (specifier, options) => import(specifier, options)
exports.evaluate = (code) => (0, eval)(code)`

let latest: { directory: string; module: ModuleHere } | undefined

/** The module in the working directory of now. */
export function moduleHere(): ModuleHere {
  const directory = process.cwd()
  if (latest?.directory !== directory) {
    const filename = join(directory, 'manyhands')
    const made = new Module(filename) as Module & {
      exports: ModuleHere
      _compile(code: string, filename: string): void
    }
    made._compile(CODE, filename)
    latest = { directory, module: made.exports }
  }
  return latest.module
}

/** Import a module. */
export async function importFrom(module: string): Promise<Exports> {
  if (/^[a-z][a-z+.-]+:/i.test(module)) return (await import(module)) as Exports
  return moduleHere().importHere(module)
}
