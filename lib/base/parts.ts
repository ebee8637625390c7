// Building an object of a public class around parts that exist already: shared memory that was received, a pool that another
// face of the same executor owns. The parts stand where the first argument stands, under a symbol that only this package has,
// so that the public constructors need no hidden parameters.
const PARTS = Symbol('manyhands:parts')

/** Parts in place of a constructor's first argument: `new Lock(fromParts(memory))`. */
// oxlint-disable-next-line typescript/no-explicit-any -- it stands for an argument of any type
export function fromParts(...parts: unknown[]): any {
  return { [PARTS]: parts }
}

/** The parts that stand in place of the argument; `undefined` for an argument as callers write it. */
export function partsIn(argument: unknown): unknown[] | undefined {
  return typeof argument === 'object' && argument !== null ? (argument as { [PARTS]?: unknown[] })[PARTS] : undefined
}
