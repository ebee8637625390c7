// Registers tsx in a worker thread. Workers inherit the flag `--import tsx`, but before Node 22.22.3 and 24.11.1 tsx registers its
// hooks in the main thread only, and a worker's import() runs without them. So a thread that imports a program's modules registers
// tsx itself. Other loaders register themselves in every thread that inherits their flag.
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { isMainThread } from 'node:worker_threads'
import { Promise } from '../base/clock.js'

let inherited: Promise<void> | undefined

/** Make this thread import what the main thread can. Cheap if there is nothing to do, and from the second call on. */
export function inheritLoader(): Promise<void> {
  inherited ??= isMainThread ? Promise.resolve() : registerTsx()
  return inherited
}

async function registerTsx(): Promise<void> {
  const flags = [process.env.NODE_OPTIONS ?? '', ...process.execArgv].join(' ')
  for (const [, specifier] of flags.matchAll(/--import[=\s]+(\S*\btsx\b\S*)/g)) {
    const [home] = /^.*\/tsx\/dist\//.exec(urlOf(specifier!)) ?? []
    if (!home) continue
    // If tsx has registered itself as well, both transform a module, with the same result.
    const { register } = (await import(`${home}esm/api/index.mjs`)) as { register(): void }
    register()
    return
  }
}

/** The URL that the flag's specifier leads to; '' for one that cannot be resolved: then it is not tsx's. */
function urlOf(specifier: string): string {
  if (specifier.startsWith('file:')) return specifier
  try {
    return pathToFileURL(createRequire(join(process.cwd(), 'flags')).resolve(specifier)).href
  } catch {
    return ''
  }
}
