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
      const title = titleOf(this)
      if (depth < 0) return options.stylize(`[${title}]`, 'special')
      const { [hidden]: _, ...fields } = this as Record<string, unknown>
      return `${title} ${inspect(fields, options)}`
    },
    configurable: true,
    writable: true,
  })
}

/** As Node begins: `Future [Future finished]`. */
function titleOf(object: object): string {
  const { name } = object.constructor
  const tag = brandOf(object)
  return typeof tag !== 'string' || tag === name ? name : `${name} [${tag}]`
}
