// Plain functions, sent by their source. The caller describes a function, or refuses it; the worker compiles it again. It arrives
// without the variables around it.
import { compileFunction, Script } from 'node:vm'
import { isErrorNamed } from '../base/brands.js'
import { RecentMap } from './recent-map.js'
import { stackText } from '../base/thrown-text.js'
import { moduleHere } from './import-module.js'
import { helperOf, helpersIn } from './tool-helpers.js'

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
const MAX_RECENT = 200
const recent = new RecentMap<string, SourceDefinition>(MAX_RECENT)

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
  recent.set(key, definition)
  return definition
}

function formOf(source: string, name: string): SourceDefinition['form'] {
  for (const form of ['expression', 'member'] as const) if (parses(makerCode(source, form))) return form
  if (/\bimport\.meta\b/.test(source))
    throw new TypeError(
      `${name} uses import.meta, which its source alone does not have; pass what it needs as an argument, or use task() for it`,
    )
  throw new TypeError(
    `the source of ${name} cannot stand alone (a private method, or one that uses super?); use task() for it`,
  )
}

function parses(code: string): boolean {
  try {
    return Boolean(compileFunction(code))
  } catch {
    return false
  }
}

/** The body of a function that makes the function. */
function makerCode(source: string, form: SourceDefinition['form']): string {
  return `'use strict'; return (${form === 'expression' ? source : `{ ${source} }`}\n)`
}

/** Compile the function in the global scope of this thread. A dynamic `import()` in it resolves from the working directory. */
export function compileSource(definition: SourceDefinition): Function {
  const { source, form } = definition
  const helpers = helpersIn(source)
  const make = makerOf(definition, helpers)
  const made = evaluate(definition, () => make.apply(globalThis, helpers.map(helperOf)))
  if (form === 'expression') return made as Function
  const [key] = Reflect.ownKeys(made as object)
  const member = Object.getOwnPropertyDescriptor(made, key!)
  return (member!.value ?? member!.get ?? member!.set) as Function
}

/** @param helpers the parameters of the maker: the helpers of tools that the function calls */
function makerOf({ name, source, form }: SourceDefinition, helpers: string[]): (...helpers: unknown[]) => unknown {
  const code = makerCode(source, form)
  const filename = `${process.cwd()}/${name} (sent by source)`
  const script = `(${helpers.join(', ')}) => { ${code} }`
  if (/\bimport\b/.test(source))
    return moduleHere().evaluate(`${script}\n//# sourceURL=${encodeURI(filename)}`) as typeof Object
  // An arrow function would see the arguments of the maker.
  if (/\barguments\b/.test(source)) return new Script(script, { filename }).runInThisContext() as typeof Object
  // Not: always a Script. V8 keeps the source of each.
  return compileFunction(code, helpers, { filename }) as typeof Object
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
export function adviseOnReferenceError(thrown: unknown, { name, source }: SourceDefinition): void {
  if (!isErrorNamed(thrown, 'ReferenceError')) return
  const { message } = thrown
  const advice =
    ` (${meaningOf(message, source)}the function ${name} was sent to the worker by its source, without the variables around it:` +
    ' pass what it needs as arguments, or define it with task(import.meta.url, …))'
  const stack = stackText(thrown, `ReferenceError: ${message}`)
  // A frozen error stays as it is.
  Reflect.set(thrown, 'message', message + advice)
  Reflect.set(
    thrown,
    'stack',
    stack.replace(message, () => message + advice),
  )
}

/** What a variable stands for that vite has put in place of an import, or of import.meta. */
function meaningOf(message: string, source: string): string {
  const [, variable, isMeta] = /^(__vite_ssr_import_(meta__)?\w*|__vi_import_\w+) is not defined/.exec(message) ?? []
  if (!variable) return ''
  if (isMeta) return 'it is import.meta, for vite; '
  const uses = source.matchAll(new RegExp(`\\b${variable}\\.(\\w+)|\\b${variable}\\["([^"]+)"\\]`, 'g'))
  const names = new Set(Array.from(uses, ([, member, quoted]) => member ?? quoted))
  return `it is an import, for vite: ${names.size > 0 ? [...names].join(', ') : 'of a whole module'}; `
}
