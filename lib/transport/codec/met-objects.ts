// Whether an object was met before, at a quarter of the price of a Set. An object met twice has the same contents both times, so
// only objects with the same hash of their contents are compared. A Set takes those for which too many others have that hash.

/** Places at which an object is looked for, and put if one is free. */
const MAX_PROBES = 16
const MIN_SLOTS = 2 ** 10
const MAX_SLOTS = 2 ** 16
const GOLDEN_RATIO = 0x9e3779b1

export class MetObjects {
  /** Number of an object plus `#base`. What is not above `#base` is free: it was put there before the last `forget`. */
  #slots: Int32Array = new Int32Array(MIN_SLOTS)
  #shift = 22
  #base = 0
  readonly #objects: (object | undefined)[] = []
  #count = 0
  #crowded: Set<object> | undefined

  /** @param hash equal for equal contents. @returns whether the object is met for the first time since `forget` */
  add(object: object, hash: number): boolean {
    const slots = this.#slots
    const base = this.#base
    const mask = slots.length - 1
    let at = Math.imul(hash, GOLDEN_RATIO) >>> this.#shift
    for (let probes = 0; probes < MAX_PROBES; probes++) {
      const number = slots[at]! - base
      if (number <= 0) {
        this.#objects[this.#count] = object
        slots[at] = base + ++this.#count
        return true
      }
      if (this.#objects[number - 1] === object) return false
      at = (at + 1) & mask
    }
    // No slot is freed meanwhile, so that an object of the Set never finds one.
    const crowded = (this.#crowded ??= new Set())
    const { size } = crowded
    return crowded.add(object).size > size
  }

  forget(): void {
    const slotCount = this.#slots.length
    this.#base += this.#count
    if (2 * this.#count > slotCount && slotCount < MAX_SLOTS) this.#resize(2 * slotCount)
    else if (this.#base > 2 ** 30) this.#resize(slotCount)
    if (this.#count > MAX_SLOTS / 4) this.#objects.length = 0
    else this.#objects.fill(undefined, 0, this.#count)
    this.#count = 0
    this.#crowded = undefined
  }

  #resize(slotCount: number): void {
    this.#slots = new Int32Array(slotCount)
    this.#shift = 32 - Math.log2(slotCount)
    this.#base = 0
  }
}
