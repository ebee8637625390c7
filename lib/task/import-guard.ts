// Refuses to start work from a module that is only being imported. A worker imports the module that started it: if that module
// starts work as it is imported, its workers would start workers that import it in turn, without end.
import { perThread } from '../copies.js'
import { Promise, setImmediate } from '../base/clock.js'
import { BootstrapError } from '../errors.js'

/** The modules that this thread is importing in order to run a task of theirs. */
const importing = perThread('importing', () => new Set<string>())

/** Import a module; meanwhile `refuseDuringImport` throws. A promise of the module's that is rejected by then ends the thread first. */
export async function guardImport<T>(module: string, importModule: () => Promise<T>): Promise<T> {
  importing.add(module)
  try {
    const exports = await importModule()
    await new Promise((resolve) => setImmediate(resolve)) // Node looks for unhandled rejections before it.
    return exports
  } finally {
    importing.delete(module)
  }
}

/**
 * Throw if this thread is importing a module for its tasks.
 * @param what what the caller would do: `start Process-1`
 * @throws BootstrapError (ERR_MANYHANDS_BOOTSTRAP)
 */
export function refuseDuringImport(what: string): void {
  for (const module of importing)
    throw new BootstrapError(
      `cannot ${what} while this worker is still importing ${module}:` +
        ' every worker runs that module again, so its main part must stand inside if (isMainThread) { … }',
    )
}
