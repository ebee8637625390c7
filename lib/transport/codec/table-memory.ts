// The memory into which rows are encoded, kept from one table to the next.

/** Characters of a text that is sent apart, and not cut from a joined one. */
export const LONG_TEXT = 512
/** Characters after which a joined text ends. A text that is cut from one, and kept, keeps all of it in memory. */
export const BLOCK_LENGTH = 4096

/** Words, and doubles, that are kept for the next table. */
const MAX_KEPT = 2 ** 17

export class TableMemory {
  words: Int32Array<ArrayBuffer> = new Int32Array(1024)
  doubles: Float64Array<ArrayBuffer> = new Float64Array(512)
  texts: string[] = []
  longTexts: string[] = []
  wordCount = 0
  doubleCount = 0

  /** @returns the words, as many as are needed at least */
  growWords(needed: number): Int32Array<ArrayBuffer> {
    const grown = new Int32Array(2 * needed)
    grown.set(this.words)
    return (this.words = grown)
  }

  /** @returns the doubles, as many as are needed at least */
  growDoubles(needed: number): Float64Array<ArrayBuffer> {
    const grown = new Float64Array(2 * needed)
    grown.set(this.doubles)
    return (this.doubles = grown)
  }

  /** For the next table. */
  clear(): void {
    this.texts = []
    this.longTexts = []
    if (this.words.length > MAX_KEPT) this.words = new Int32Array(1024)
    if (this.doubles.length > MAX_KEPT) this.doubles = new Float64Array(512)
  }
}
