// Plain functions, sent to a worker by their source. In the caller: what of them can be sent. In the worker: making it a
// function again. The function arrives without the variables around it.
import { types } from 'node:util'
import { constants, Script } from 'node:vm'

/** A function by its source. */
export interface SourceDefinition {
  kind: 'source'
  name: string
  source: string
  /** `member`: a method, getter or setter, which is only valid inside an object literal. */
  form: 'expression' | 'member'
}

const described = new WeakMap<Function, SourceDefinition>()

/** By name and source: a function that is made anew for every call (an arrow function in a loop) is described once. */
const recent = new Map<string, SourceDefinition>()
const RECENT = 200

/**
 * Describe a function so that a worker can make it again.
 * @throws TypeError for native and bound functions, classes, and methods that cannot stand alone.
 */
export function describeSource(fn: Function): SourceDefinition {
  const known = described.get(fn)
  if (known) return known
  const source = Function.prototype.toString.call(fn)
  const name = fn.name || 'anonymous'
  const key = `${name} ${source}`
  const same = recent.get(key)
  if (same) return same
  if (/\{\s*\[native code\]\s*\}$/.test(source))
    throw new TypeError(
      `${name} is a native or bound function, whose source cannot be sent to a worker; wrap it in a function, or use task()`,
    )
  if (/^class\b(?!\s*\()/.test(source))
    throw new TypeError(`${name} is a class, not a function that a worker could call`)
  const definition: SourceDefinition = { kind: 'source', name, source, form: formOf(source, name) }
  described.set(fn, definition)
  if (recent.size >= RECENT) recent.clear()
  recent.set(key, definition)
  return definition
}

function formOf(source: string, name: string): SourceDefinition['form'] {
  for (const form of ['expression', 'member'] as const) if (parses(wrap(source, form))) return form
  throw new TypeError(
    `the source of ${name} cannot stand alone (a private method, or one that uses super?); use task() for it`,
  )
}

function parses(code: string): boolean {
  try {
    return Boolean(new Script(code))
  } catch {
    return false
  }
}

// `__name` is the helper that esbuild (and with it tsx) puts around functions to keep their names.
function wrap(source: string, form: SourceDefinition['form']): string {
  return `'use strict'; (__name) => (${form === 'expression' ? source : `{ ${source} }`}\n)`
}

/** Make the function again, in the global scope of this thread. A dynamic `import()` in it resolves from the working directory. */
export function compileSource(definition: SourceDefinition): Function {
  const { name, source, form } = definition
  const script = new Script(wrap(source, form), {
    filename: `${process.cwd()}/${name} (sent by source)`,
    importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  })
  const make = script.runInThisContext() as (name: unknown) => unknown
  const made = evaluate(definition, () =>
    make((fn: Function, value: string) => Object.defineProperty(fn, 'name', { value, configurable: true })),
  )
  if (form === 'expression') return made as Function
  const [key] = Reflect.ownKeys(made as object)
  const member = Object.getOwnPropertyDescriptor(made, key!)
  return (member!.value ?? member!.get ?? member!.set) as Function
}

/** A method's name may be computed from a variable, too. */
function evaluate<T>(definition: SourceDefinition, make: () => T): T {
  try {
    return make()
  } catch (thrown) {
    adviseOnReferenceError(thrown, definition)
    throw thrown
  }
}

/** A ReferenceError in such a function is mostly a variable that it left behind: say so. */
export function adviseOnReferenceError(thrown: unknown, { name }: SourceDefinition): void {
  if (!types.isNativeError(thrown) || !(thrown instanceof ReferenceError)) return
  const advice =
    ` (the function ${name} was sent to the worker by its source, without the variables around it:` +
    ' pass what it needs as arguments, or define it with task(import.meta.url, …))'
  const { message, stack = '' } = thrown
  // It may be frozen: then it stays as it is.
  Reflect.set(thrown, 'message', message + advice)
  Reflect.set(
    thrown,
    'stack',
    stack.replace(message, () => message + advice),
  )
}
