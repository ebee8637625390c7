// What a map holds in memory: items whose chunks are not settled, and results that were not taken.
export class BytesInFlight {
  #itemBytes = 0
  #unsettledItems = 0
  #resultBytes = 0

  /** A chunk of `count` items was submitted. */
  submitted(count: number, bytes: number): void {
    this.#unsettledItems += count
    this.#itemBytes += bytes
  }

  /** That chunk was settled. */
  settled(count: number, bytes: number, resultBytes: number): void {
    this.#unsettledItems -= count
    this.#itemBytes -= bytes
    this.#resultBytes += resultBytes
  }

  /** All results of a chunk were taken. */
  taken(resultBytes: number): void {
    this.#resultBytes -= resultBytes
  }

  /** Those of items that are not settled, and of the results that are expected of them. @param bytesEach of a result */
  unsettled(bytesEach: number): number {
    return this.#itemBytes + this.#unsettledItems * bytesEach
  }

  /** Those of results that were not taken. */
  get untaken(): number {
    return this.#resultBytes
  }
}
