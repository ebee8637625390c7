// V8 keeps a shape, and the code that it has optimized for it, only as long as some object has that shape. Of a kind whose objects
// live for a moment, none may be left when garbage is collected, and all that works with them would be compiled anew each time:
// that costs a burst of tasks a third of its time. So one of each kind is kept.
const kept = new Map<string, unknown>()

/** @param make called once for each kind: gives objects made as those are that live for a moment */
export function keepOne(kind: string, make: () => object): void {
  if (kept.has(kind)) return
  kept.set(kind, undefined) // Making it may lead here again.
  kept.set(kind, make())
}
