// V8 keeps a shape, and the code that it has optimized for it, only as long as some object has that shape. Of a kind whose objects
// live for a moment, none may be left when garbage is collected, and all that works with them would be compiled anew each time:
// that costs a burst of tasks a third of its time. So one of each kind is kept.
const kept: object[] = []

/** @param example made as those are that live for a moment */
export function keepShape(example: object): void {
  kept.push(example)
}
