// How `console.log` shows an object that has a handle, or the mark of what cannot be sent: without it. Structured clone has to find
// it, so it cannot be hidden from anybody by being no enumerable property.
import { inspect, type InspectOptionsStylized } from 'node:util'
import { brandOf, isObjectPrototype, prototypeOf } from '../base/brands.js'

const SHOW = inspect.custom

/** Have all objects of the class be shown without that property, unless the class says itself how they are shown. */
export function showWithout(hidden: string, object: object): void {
  // Not: SHOW in object. A proxy has it without a property.
  if ((object as { [SHOW]?: unknown })[SHOW]) return
  const prototype = prototypeOf(object)
  if (!prototype || isObjectPrototype(prototype)) return
  Object.defineProperty(prototype, SHOW, {
    value(this: object, depth: number, options: InspectOptionsStylized) {
      const { [hidden]: _, ...fields } = this as Record<string, unknown>
      return show(this, this.constructor.name, fields, depth, options)
    },
    configurable: true,
    writable: true,
  })
}

/** The same for all promises of a class with that name. Their constructor is Promise, but for those of a subclass. */
export function showPromise(className: string, prototype: object): void {
  Object.defineProperty(prototype, SHOW, {
    value(this: object, depth: number, options: InspectOptionsStylized) {
      const { name } = this.constructor
      return show(this, name === 'Promise' ? className : name, { ...this }, depth, options)
    },
    configurable: true,
    writable: true,
  })
}

/** How Node shows an object of a class of that name: `Future [Future finished] { field: 1 }`. */
function show(object: object, name: string, fields: object, depth: number, options: InspectOptionsStylized): string {
  const tag = brandOf(object)
  const title = typeof tag !== 'string' || tag === name ? name : `${name} [${tag}]`
  return depth < 0 ? options.stylize(`[${title}]`, 'special') : `${title} ${inspect(fields, options)}`
}
