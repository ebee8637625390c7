// What tools leave in the source of a function: calls of helpers that stand elsewhere in the transformed module. A function that is
// sent by its source gets them here, by name.
//
//   esbuild, tsx              __name, __async, __spreadValues, __spreadProps, __objRest, __publicField
//   TypeScript                __awaiter, __assign, __rest, __spreadArray
//   Babel, swc                _asyncToGenerator, _defineProperty, _objectSpread, … (swc writes them with underscores)
//   istanbul                  cov_…: the counters of its coverage. What runs in a worker is not counted
//   vite, vitest              __vite_ssr_dynamic_import__
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { moduleHere } from './import-module.js'

/** Run a generator that yields where an async function awaits. */
async function runAsync(generator: Generator<unknown, unknown>): Promise<unknown> {
  let step = generator.next()
  while (!step.done) {
    let value: unknown
    try {
      value = await step.value
    } catch (thrown) {
      step = generator.throw(thrown)
      continue
    }
    step = generator.next(value)
  }
  return step.value
}

type GeneratorOf = (...args: unknown[]) => Generator<unknown, unknown>

const asyncToGenerator = (fn: GeneratorOf) =>
  function (this: unknown, ...args: unknown[]) {
    return runAsync(fn.apply(this, args))
  }

const defineProperty = (object: object, key: PropertyKey, value: unknown) =>
  Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true })

const spread = (target: object, ...sources: object[]) => {
  for (const source of sources) for (const [key, value] of ownEntries(source)) defineProperty(target, key, value)
  return target
}

const spreadProps = (target: object, source: object) =>
  Object.defineProperties(target, Object.getOwnPropertyDescriptors(source))

const rest = (source: object, excluded: readonly PropertyKey[]) =>
  Object.fromEntries(ownEntries(source).filter(([key]) => !excluded.includes(key)))

function ownEntries(source: object | null | undefined): [PropertyKey, unknown][] {
  if (source === null || source === undefined) return []
  const keys = Reflect.ownKeys(source).filter((key) => Object.prototype.propertyIsEnumerable.call(source, key))
  return keys.map((key) => [key, (source as Record<PropertyKey, unknown>)[key]])
}

/** Stands for counters of any shape: it can be called, every property of it is another, and as a number it is 0. */
const counters: object = new Proxy(() => counters, {
  get: (_, key) => (key === Symbol.toPrimitive ? () => 0 : counters),
  set: () => true,
})

/** Import what vite has made of a specifier: '/@fs/…' is a file, and '/src/…' one in the working directory. */
function importForVite(specifier: string, options?: ImportCallOptions): Promise<unknown> {
  const file = specifier.startsWith('/@fs/') ? specifier.slice('/@fs'.length) : specifier
  const path = file.startsWith('/') && !existsSync(file) ? join(process.cwd(), file) : file
  return moduleHere().importHere(path.startsWith('/') ? pathToFileURL(path).href : path, options)
}

const helpers: Readonly<Record<string, unknown>> = {
  __name: (fn: Function, value: string) => Object.defineProperty(fn, 'name', { value, configurable: true }),
  __async: (self: unknown, args: unknown[] | null, fn: GeneratorOf) => runAsync(fn.apply(self, args ?? [])),
  __spreadValues: spread,
  __spreadProps: spreadProps,
  __objRest: rest,
  __publicField: defineProperty,
  __awaiter: (self: unknown, args: unknown[] | undefined, _: unknown, fn: GeneratorOf) =>
    runAsync(fn.apply(self, args ?? [])),
  __assign: Object.assign,
  __rest: rest,
  __spreadArray: (to: unknown[], from: unknown[]) => [...to, ...from],
  _asyncToGenerator: asyncToGenerator,
  _async_to_generator: asyncToGenerator,
  _defineProperty: defineProperty,
  _define_property: defineProperty,
  _extends: Object.assign,
  _objectSpread: spread,
  _objectSpread2: spread,
  _object_spread: spread,
  _object_spread_props: spreadProps,
  _objectWithoutProperties: rest,
  _object_without_properties: rest,
  __vite_ssr_dynamic_import__: importForVite,
}

/** The names of the helpers that a source seems to use. */
export function helpersIn(source: string): string[] {
  const names = new Set(source.match(/\b_\w+/g))
  // Not by its name alone: a variable `cov_matrix` is the program's own.
  const counted = Array.from(source.matchAll(/\b(cov_\w+)\(\)\.(?:[fsb]|bT)\[/g), ([, name]) => name!)
  return [...[...names].filter((name) => Object.hasOwn(helpers, name)), ...new Set(counted)]
}

/** The helper of that name. */
export function helperOf(name: string): unknown {
  return name.startsWith('cov_') ? counters : helpers[name]
}
