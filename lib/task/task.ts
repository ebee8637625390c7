// What a worker can run: functions named by module and name, whose module the worker imports.
import { isAbsolute } from 'node:path'
import { pathToFileURL } from 'node:url'
import { TaskNotFoundError } from '../errors.js'
import { importFrom, type Exports } from './import-module.js'

declare const result: unique symbol

/** A function that a worker can find: by the module that defines it, and its name. Callable as before where it was made. */
export type Task<A extends unknown[] = any[], R = unknown> = ((...args: A) => R | Promise<R>) & {
  readonly [result]?: R
}

/** What can be handed to a Process or an executor to run. */
export type Target<A extends unknown[] = any[], R = unknown> = Task<A, R> | ((...args: A) => R | Promise<R>)

/** The tasks that `tasksFrom` makes of a module's exports. */
export type TasksOf<M> = {
  [K in keyof M as M[K] extends ((...args: any[]) => unknown) | ClassTask ? K : never]: M[K] extends (
    ...args: infer A
  ) => infer R
    ? Task<A, Awaited<R>>
    : M[K]
}

/** A function by module and name: one that `task` registers when the module is imported, or an export. */
export interface ModuleDefinition {
  kind: 'task' | 'export'
  module: string
  name: string
}

const definitions = new WeakMap<Function, ModuleDefinition>()
const registry = new Map<string, Map<string, Function>>()

/** A class that a manager can find: by the module that defines it, and its name. */
export type ClassTask<A extends unknown[] = any[], T = unknown> = new (...args: A) => T

/**
 * Make a function a task that workers can run. Call it at the top level of the module that defines the function.
 * @param module the module that a worker has to import: `import.meta.url`, `import.meta`, a URL, or an absolute path (`__filename`)
 * @param fn a named function; it need not be exported. In TypeScript, a parameter with a default value needs its type, too
 * @returns the same function, callable as before
 * @throws TypeError an anonymous function, or a name that the module has used for another task
 */
export function task<A extends unknown[], R>(
  module: string | URL | ImportMeta,
  fn: (...args: A) => R | Promise<R>,
): Task<A, Awaited<R>>
/** Make a class one of which managers can make objects: see `Manager.create`. */
export function task<C extends ClassTask>(module: string | URL | ImportMeta, fn: C): C
export function task(module: string | URL | ImportMeta, fn: Function): Function {
  if (typeof fn !== 'function') throw new TypeError(`task needs a function, not ${fn === null ? 'null' : typeof fn}`)
  const href = moduleHref(module)
  const { name } = fn
  if (!name)
    throw new TypeError(
      `a task needs a name, by which workers find it in ${href}: task(import.meta.url, function square(n) { … })`,
    )
  let tasks = registry.get(href)
  if (!tasks) registry.set(href, (tasks = new Map()))
  if (tasks.has(name) && tasks.get(name) !== fn) throw new TypeError(`${href} has a task of the name ${name} already`)
  tasks.set(name, fn)
  definitions.set(fn, { kind: 'task', module: href, name })
  return fn
}

/**
 * The exports of any module as tasks: the module need not know this package, and is imported by the workers only (and by a
 * caller that calls such a task itself, which gets a promise).
 * @param module a URL, an absolute path, or a package name (resolved from the working directory)
 */
export function tasksFrom<M>(module: string | URL): TasksOf<M> {
  const href = moduleHref(module)
  const tasks = new Map<string, Function>()
  return new Proxy(Object.create(null) as TasksOf<M>, {
    get(_, name) {
      // A `then` would make the whole object a promise to whoever awaits it; a `toJSON` is called by whoever logs it.
      if (typeof name !== 'string' || name === 'then' || name === 'toJSON') return undefined
      let made = tasks.get(name)
      if (!made) {
        made = async (...args: unknown[]) => findExport(await importFrom(href), href, name)(...args)
        Object.defineProperty(made, 'name', { value: name })
        definitions.set(made, { kind: 'export', module: href, name })
        tasks.set(name, made)
      }
      return made
    },
  })
}

/** A module's exported function. @throws TaskNotFoundError */
export function findExport(exports: Exports, href: string, name: string): Function {
  const fn = exports[name]
  if (typeof fn === 'function') return fn
  const functions = Object.keys(exports).filter((key) => typeof exports[key] === 'function')
  throw notFound(href, 'exported function', name, functions)
}

/** A task that the module has registered in this thread. @throws TaskNotFoundError */
export function findTask(href: string, name: string): Function {
  const tasks = registeredTasks(href)
  const fn = tasks.get(name)
  if (fn) return fn
  throw notFound(href, 'task', name, [...tasks.keys()])
}

function notFound(href: string, what: string, name: string, has: string[]): TaskNotFoundError {
  const others = has.length > 0 ? `it has ${has.join(', ')}` : 'it has none'
  return new TaskNotFoundError(`${href} has no ${what} of the name ${name}; ${others}`)
}

/** The definition of a task; `undefined` for any other function. */
export function definitionOfTask(fn: Function): ModuleDefinition | undefined {
  return definitions.get(fn)
}

/** The tasks that the module has registered in this thread, by name. */
export function registeredTasks(href: string): ReadonlyMap<string, Function> {
  const exact = registry.get(href)
  if (exact) return exact
  // Loaders and hot reloading give one file several URLs that differ in the query alone.
  const bare = withoutQuery(href)
  for (const [other, tasks] of registry) if (withoutQuery(other) === bare) return tasks
  return new Map()
}

function withoutQuery(href: string): string {
  return href.replace(/[?#].*$/, '')
}

function moduleHref(module: unknown): string {
  if (module instanceof URL) return module.href
  if (typeof module === 'object' && module !== null && 'url' in module) return moduleHref(module.url)
  if (typeof module !== 'string' || module === '')
    throw new TypeError(`a module is named by a URL, import.meta or an absolute path, not ${String(module)}`)
  if (/^\.{1,2}\//.test(module))
    throw new TypeError(
      `a relative module name (${module}) has no base here; write new URL('${module}', import.meta.url)`,
    )
  return isAbsolute(module) ? pathToFileURL(module).href : module
}
