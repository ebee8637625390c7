// Plain functions, sent by their source. The caller describes a function, or refuses it; the worker compiles it again. It arrives
// without the variables around it.
import { types } from 'node:util'
import { constants, Script } from 'node:vm'
import { stackText } from '../base/thrown-text.js'

/** A function as it is sent by its source. */
export interface SourceDefinition {
  kind: 'source'
  name: string
  source: string
  /** `member`: a method, getter or setter, which is only valid inside an object literal. */
  form: 'expression' | 'member'
}

const described = new WeakMap<Function, SourceDefinition>()

/** By name and source, so that a function which is made anew for every call (an arrow function in a loop) is parsed once. */
const recent = new Map<string, SourceDefinition>()
const MAX_RECENT = 200

/**
 * Describe a function so that a worker can compile it.
 * @throws TypeError a native or bound function, a class, or a method that cannot stand alone
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
  if (recent.size >= MAX_RECENT) recent.clear()
  recent.set(key, definition)
  return definition
}

function formOf(source: string, name: string): SourceDefinition['form'] {
  for (const form of ['expression', 'member'] as const) if (parses(factoryCode(source, form))) return form
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

/** Code of a function that makes the function. esbuild, and tsx with it, wraps functions in calls of `__name` to keep their names. */
function factoryCode(source: string, form: SourceDefinition['form']): string {
  return `'use strict'; (__name) => (${form === 'expression' ? source : `{ ${source} }`}\n)`
}

/** Compile the function in the global scope of this thread. A dynamic `import()` in it resolves from the working directory. */
export function compileSource(definition: SourceDefinition): Function {
  const { name, source, form } = definition
  const script = new Script(factoryCode(source, form), {
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

/** Call `make`; the name of a method may be computed from a variable that is missing here. */
function evaluate<T>(definition: SourceDefinition, make: () => T): T {
  try {
    return make()
  } catch (thrown) {
    adviseOnReferenceError(thrown, definition)
    throw thrown
  }
}

/** Say in a ReferenceError that the function was sent without the variables around it: that is its usual cause. */
export function adviseOnReferenceError(thrown: unknown, { name }: SourceDefinition): void {
  if (!types.isNativeError(thrown) || !(thrown instanceof ReferenceError)) return
  const advice =
    ` (the function ${name} was sent to the worker by its source, without the variables around it:` +
    ' pass what it needs as arguments, or define it with task(import.meta.url, …))'
  const { message } = thrown
  const stack = stackText(thrown, `ReferenceError: ${message}`)
  // A frozen error stays as it is.
  Reflect.set(thrown, 'message', message + advice)
  Reflect.set(
    thrown,
    'stack',
    stack.replace(message, () => message + advice),
  )
}
