// Tasks of submit.spec.ts: by `task`, and plain exports for `tasksFrom`.
import { task, TimeoutError, type Task } from 'manyhands'

export const square: Task<[n: number], number> = task(import.meta.url, function square(n: number) {
  return n * n
})

export const later: Task<[text: string], string> = task(import.meta.url, async function later(text: string) {
  await new Promise((resolve) => setImmediate(resolve))
  return `${text}, later`
})

const hidden = task(import.meta.url, function hidden() {
  return 'found by its name'
})
export const notExported: Task<[], string> = hidden

export const throwTypeError: Task<[], never> = task(import.meta.url, function throwTypeError(): never {
  const cause = new RangeError('deep down')
  throw Object.assign(new TypeError('of the worker', { cause }), { code: 'E_MINE', details: { answer: 42 } })
})

export const throwOwnError: Task<[], never> = task(import.meta.url, function throwOwnError(): never {
  throw new TimeoutError('as this package throws it')
})

export function cube(n: number): number {
  return n ** 3
}
