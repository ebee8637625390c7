// Worker threads inherit the flag `--import tsx`, but tsx registers its hooks in the main thread only (before Node 22.22.3 and
// 24.11.1), and a worker's import() does without them. So a thread that is to import a program's modules registers tsx itself.
// Other loaders register themselves in every thread that inherits their flag.
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { isMainThread } from 'node:worker_threads'

let inherited: Promise<void> | undefined

/** Have this thread import what the main thread can. Cheap where there is nothing to do, or it is done. */
export function inheritLoader(): Promise<void> {
  inherited ??= isMainThread ? Promise.resolve() : registerTsx()
  return inherited
}

async function registerTsx(): Promise<void> {
  const flags = [process.env.NODE_OPTIONS ?? '', ...process.execArgv].join(' ')
  for (const [, specifier] of flags.matchAll(/--import[=\s]+(\S*\btsx\b\S*)/g)) {
    // Where tsx has registered itself, too, both transform, which changes nothing.
    const [home] = /^.*\/tsx\/dist\//.exec(urlOf(specifier!)) ?? []
    if (!home) continue
    const { register } = (await import(`${home}esm/api/index.mjs`)) as { register(): void }
    register()
    return
  }
}

/** Where such a flag leads. Node has followed it before: it can be resolved, or is none of ours. */
function urlOf(specifier: string): string {
  if (specifier.startsWith('file:')) return specifier
  try {
    return pathToFileURL(createRequire(join(process.cwd(), 'flags')).resolve(specifier)).href
  } catch {
    return ''
  }
}
