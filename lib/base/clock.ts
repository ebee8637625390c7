// Node's clocks, timers, microtasks and promises, as they are without the fakes that a program's tests put in their place. Every
// file imports them from here, under their own names: a wait whose time stands still would never end.
//
// The fakes may be there before this file is loaded, as globals and in Node's modules. Those of @sinonjs/fake-timers, which sinon,
// jest and vitest use, tell what they have replaced; and they leave the prototype of `performance` alone.
import type * as PerfHooks from 'node:perf_hooks'
import * as timers from 'node:timers'

function original<F>(name: string, found: F): F {
  const { clock } = found as { clock?: Record<string, F> }
  return clock?.[`_${name}`] ?? found
}

/** The module is loaded only where the global is a fake: it takes 1 ms. */
const systemPerformance = isOfNode(globalThis.performance)
  ? globalThis.performance
  : (require('node:perf_hooks') as typeof PerfHooks).performance
const { now } = Object.getPrototypeOf(systemPerformance) as typeof systemPerformance

function isOfNode(found: object | undefined): boolean {
  return found !== undefined && Object.hasOwn(Object.getPrototypeOf(found) as object, 'nodeTiming')
}

export const performance: { now(): number } = { now: now.bind(systemPerformance) }
export const hrtime: NodeJS.HRTime = original('hrtime', process.hrtime)
export const Date: DateConstructor = original('Date', globalThis.Date)

export const setTimeout: typeof timers.setTimeout = original('setTimeout', timers.setTimeout)
export const clearTimeout: typeof timers.clearTimeout = original('clearTimeout', timers.clearTimeout)
export const setInterval: typeof timers.setInterval = original('setInterval', timers.setInterval)
export const clearInterval: typeof timers.clearInterval = original('clearInterval', timers.clearInterval)
export const setImmediate: typeof timers.setImmediate = original('setImmediate', timers.setImmediate)

export const queueMicrotask: typeof globalThis.queueMicrotask = original('queueMicrotask', globalThis.queueMicrotask)
export const nextTick: typeof process.nextTick = original('nextTick', process.nextTick)

/** The class of what async functions return, whatever a library (bluebird, zone.js) has made of the global. */
export const Promise: PromiseConstructor = (async () => {})().constructor as PromiseConstructor
