// Tasks: functions that a worker finds by module and name. It imports the module.
import { isAbsolute } from 'node:path'
import { pathToFileURL } from 'node:url'
import { perThread } from '../copies.js'
import { checkFunction, refuseExcess, refuseOptions } from '../base/validate.js'
import { TaskNotFoundError } from '../errors.js'
import { importFrom, type Exports } from './import-module.js'

declare const result: unique symbol

/** A function that a worker can find by its module and name. In the thread that made it, it can be called as any function. */
export type Task<A extends unknown[] = any[], R = unknown> = ((...args: A) => R | Promise<R>) & {
  readonly [result]?: R
}

/** A function that a Process or an executor can run: a task, or a self-contained function, which is sent by its source. */
export type Target<A extends unknown[] = any[], R = unknown> = Task<A, R> | ((...args: A) => R | Promise<R>)

/** The exported functions of a module as tasks, as `tasksFrom` gives them. */
export type TasksOf<M> = {
  [K in keyof M as M[K] extends ((...args: any[]) => unknown) | ClassTask ? K : never]: M[K] extends (
    ...args: infer A
  ) => infer R
    ? Task<A, Awaited<R>>
    : M[K]
}

/** A function by module and name: one that `task` registers as the module is imported, or an export. */
export interface ModuleDefinition {
  kind: 'task' | 'export'
  module: string
  name: string
  /** Of a task: the names of all tasks of its module, in the order of their definition. */
  names?: readonly string[]
}

const definitions = perThread('task definitions', () => new WeakMap<Function, ModuleDefinition>())
/** The names that the definitions of a module's tasks share: all of them, once the module is evaluated. */
const namesByModule = perThread('task names', () => new Map<string, string[]>())
const registry = perThread('task registry', () => new Map<string, Map<string, Function>>())

/** A class that a manager can find by its module and name. */
export type ClassTask<A extends unknown[] = any[], T = unknown> = new (...args: A) => T

/**
 * Make a function a task, which workers can run. Call this at the top level of the module that defines the function.
 * @param module the module that workers import: `import.meta.url`, `import.meta`, a URL, or an absolute path (`__filename`)
 * @param fn a named function; it need not be exported. In TypeScript, a parameter with a default value needs its type as well
 * @returns the function itself
 * @throws TypeError not a function, an anonymous one, a third argument, or a name that another task of the module has
 */
export function task<A extends unknown[], R>(
  module: string | URL | ImportMeta,
  fn: (...args: A) => R | Promise<R>,
): Task<A, Awaited<R>>
/** Make a class a task, of which managers can create objects: see `Manager.create`. */
export function task<C extends ClassTask>(module: string | URL | ImportMeta, fn: C): C
export function task(module: string | URL | ImportMeta, fn: Function, ...excess: unknown[]): Function {
  checkFunction(fn, 'task(module, fn): fn')
  refuseExcess(excess, 'task(module, fn)')
  const href = moduleHref(module)
  const { name } = fn
  if (!name)
    throw new TypeError(
      `a task needs a name, by which workers find it in ${href}: task(import.meta.url, function square(n) { … })`,
    )
  let tasks = registry.get(href)
  if (!tasks) registry.set(href, (tasks = new Map()))
  if (tasks.has(name) && tasks.get(name) !== fn) throw new TypeError(`${href} already has a task named ${name}`)
  if (!tasks.has(name)) namesOf(href).push(name)
  tasks.set(name, fn)
  definitions.set(fn, { kind: 'task', module: href, name, names: namesOf(href) })
  return fn
}

/**
 * The exported functions of any module as tasks. The module need not know this package. Workers import it; the caller imports it
 * only when it calls such a task itself, and gets a promise.
 * @param module a URL, an absolute path, or a package name, which is resolved from the working directory
 * @throws TypeError a relative path, or not the name of a module
 */
export function tasksFrom<M>(module: string | URL): TasksOf<M>
export function tasksFrom<M>(module: string | URL, options?: unknown): TasksOf<M> {
  refuseOptions(options, 'tasksFrom(module)')
  const href = moduleHref(module)
  const tasks = new Map<string, Function>()
  return new Proxy(Object.create(null) as TasksOf<M>, {
    get(_, name) {
      // With a `then`, `await` would take the object for a promise; JSON.stringify would call a `toJSON`.
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

/** A function among a module's exports. @throws TaskNotFoundError (ERR_MANYHANDS_TASK_NOT_FOUND) */
export function findExport(exports: Exports, href: string, name: string): Function {
  const fn = exports[name]
  if (typeof fn === 'function') return fn
  const functions = Object.keys(exports).filter((key) => typeof exports[key] === 'function')
  throw notFound(href, 'exported function', name, functions)
}

/** A task that the module has registered in this thread. @throws TaskNotFoundError (ERR_MANYHANDS_TASK_NOT_FOUND) */
export function findTask({ module, name, names = [] }: ModuleDefinition): Function {
  const tasks = registeredTasks(module)
  const fn = tasks.get(name) ?? taskInPlace(tasks, name, names)
  if (fn) return fn
  throw notFound(module, 'task', name, [...tasks.keys()])
}

/**
 * A tool may have renamed functions in the caller alone: vitest's transform makes `triple2` of `triple`. Then the place among the
 * module's tasks tells which is meant, unless the modules differ in more than such names.
 */
function taskInPlace(
  tasks: ReadonlyMap<string, Function>,
  name: string,
  names: readonly string[],
): Function | undefined {
  if (tasks.size !== names.length) return undefined
  const [found, fn] = [...tasks][names.indexOf(name)]!
  return names.includes(found) ? undefined : fn
}

function namesOf(href: string): string[] {
  let names = namesByModule.get(href)
  if (!names) namesByModule.set(href, (names = []))
  return names
}

function notFound(href: string, what: string, name: string, has: string[]): TaskNotFoundError {
  const others = has.length > 0 ? `it has ${has.join(', ')}` : 'it has none'
  return new TaskNotFoundError(`${href} has no ${what} named ${name}; ${others}`)
}

/** The definition of a task; `undefined` for any other function. */
export function definitionOfTask(fn: Function): ModuleDefinition | undefined {
  return definitions.get(fn)
}

/** The tasks that the module has registered in this thread, by name. */
export function registeredTasks(href: string): ReadonlyMap<string, Function> {
  const exact = registry.get(href)
  if (exact) return exact
  // Loaders and hot reloading give one file several URLs, which differ only in their query.
  const bare = withoutQuery(href)
  for (const [other, tasks] of registry) if (withoutQuery(other) === bare) return tasks
  return new Map()
}

function withoutQuery(href: string): string {
  return href.replace(/[?#].*$/, '')
}

function moduleHref(module: unknown): string {
  if (isUrl(module)) return module.href
  if (typeof module === 'object' && module !== null && 'url' in module) return moduleHref(module.url)
  if (typeof module !== 'string' || module === '')
    throw new TypeError(`a module is named by a URL, import.meta or an absolute path, not ${String(module)}`)
  if (/^\.{1,2}\//.test(module))
    throw new TypeError(
      `a module cannot be named by a relative path (${module}), which has no base here; use new URL('${module}', import.meta.url)`,
    )
  return isAbsolute(module) ? pathToFileURL(module).href : module
}

/** By what is used of it: jsdom has a class of its own. */
function isUrl(value: unknown): value is URL {
  const { href, protocol } = (value ?? {}) as Partial<URL>
  return typeof href === 'string' && typeof protocol === 'string'
}
