// The maps of one executor that are not done. A map is work that was submitted, though it reads its input bit by bit: a shutdown
// has it read and mapped to its end.

/** A map, as its executor sees it. */
export interface OpenMap {
  /** Map what is left of the input to its end, whether or not the results are taken. */
  finish(): void
  /** Read no more, and cancel what has not begun. */
  cancelRest(): void
}

export class OpenMaps {
  readonly #maps = new Set<OpenMap>()
  readonly #onEmpty: () => void

  /** @param onEmpty called when the last map is done */
  constructor(onEmpty: () => void) {
    this.#onEmpty = onEmpty
  }

  get isEmpty(): boolean {
    return this.#maps.size === 0
  }

  add(map: OpenMap): void {
    this.#maps.add(map)
  }

  /** The map is done. */
  delete(map: OpenMap): void {
    if (this.#maps.delete(map) && this.isEmpty) this.#onEmpty()
  }

  finish(): void {
    for (const map of this.#maps) map.finish()
  }

  cancelRest(): void {
    for (const map of this.#maps) map.cancelRest()
  }
}
