// Building an object of a public class around existing parts: shared memory that was received, a pool that another face of the
// same executor owns. They take the place of the constructor's first argument, under a symbol that only this package has, so that
// public constructors need no hidden parameters.
const PARTS = Symbol('manyhands:parts')

/** Parts in place of a constructor's first argument: `new Lock(fromParts(memory))`. */
// oxlint-disable-next-line typescript/no-explicit-any -- takes the place of an argument of any type
export function fromParts(...parts: unknown[]): any {
  return { [PARTS]: parts }
}

/** The parts in place of the argument; `undefined` for an argument as callers write it. */
export function partsIn(argument: unknown): unknown[] | undefined {
  return typeof argument === 'object' && argument !== null ? (argument as { [PARTS]?: unknown[] })[PARTS] : undefined
}
