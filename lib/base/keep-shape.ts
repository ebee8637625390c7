// V8 keeps a hidden class, and the code that it has optimized for it, only while an object of that class exists. Of objects that
// live for a moment none may be left when garbage is collected; then all code that works with them is compiled again, which takes
// a third of the time of a burst of tasks. So one example of each is kept for good.
const kept: object[] = []

/** @param example made in the same way as the objects that live for a moment */
export function keepShape(example: object): void {
  kept.push(example)
}
