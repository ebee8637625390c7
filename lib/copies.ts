// Several copies of this package in one thread: two that are installed, one that is bundled with a program, one that is required
// beside one that is imported. Copies of one major version are as one: their state is kept once, and their classes take each
// other's instances for their own. Copies of different major versions know nothing of each other.
//
// What copies share keeps its form within a major version: docs/adr/0006-copies-of-a-major-version.md.

/** Set by build.mjs, from package.json. */
declare const PACKAGE_VERSION: string

export const VERSION: string = PACKAGE_VERSION
export const MAJOR: string = VERSION.split('.')[0]!

const STATES = Symbol.for(`manyhands@${MAJOR}`)
const holder = globalThis as { [STATES]?: Map<string, unknown> }
if (!holder[STATES]) Object.defineProperty(holder, STATES, { value: new Map() })
const threadStates = holder[STATES]!

/** State that this thread has once, whatever the number of copies. @param initial makes it, in the first copy that asks */
export function perThread<T>(name: string, initial: () => T): T {
  if (!threadStates.has(name)) threadStates.set(name, initial())
  return threadStates.get(name) as T
}

const { [Symbol.hasInstance]: isOrdinaryInstance } = Function.prototype

/** Have `instanceof` take instances of the other copies' class for its own. @param name the class's, which a bundler may change */
export function recognizeCopies(copied: Function, name: string): void {
  const mark = Symbol.for(`manyhands@${MAJOR}:${name}`)
  Object.defineProperty(copied.prototype, mark, { value: mark })
  Object.defineProperty(copied, Symbol.hasInstance, {
    value(this: unknown, value: unknown) {
      // Subclasses inherit this.
      if (this !== copied) return Reflect.apply(isOrdinaryInstance, this, [value])
      return typeof value === 'object' && value !== null && (value as { [mark]?: symbol })[mark] === mark
    },
  })
}
