// Tables: many objects that are alike, at a third of the price of a tree. Their keys are in the schema, once; their values lie row
// by row in three lists, and an encoder and a decoder compiled for the schema run through them.
//
// a place holds   words                            and
// int32           the integer                      -
// double          -                                the next double
// text            its length                       its characters: the next ones of the joined texts; a long text is sent apart
// boolean         0 or 1                           -
// null, undefined -                                -
// list            number of items                  the items
// object          -                                the values, in the order of the keys
// several kinds   index of the kind in the schema  the value, as above
//
// Not: objects that occur in two rows, or twice in one. They would arrive as two. The encoder finds them (met-objects.ts).
import { RecentMap } from '../../task/recent-map.js'
import { MetObjects } from './met-objects.js'
import { compileEncoder, MET_AGAIN, type RowsEncoder } from './table-encoder-code.js'
import { TableMemory } from './table-memory.js'
import { widenBy, type Schema } from './table-schema.js'

/** A message: it can be cloned, and its buffers moved. */
export interface Table {
  /** As JSON. */
  readonly schema: string
  /** Rows. */
  readonly count: number
  readonly words: Int32Array<ArrayBuffer>
  readonly doubles: Float64Array<ArrayBuffer>
  /** The texts, joined; each begins in the one in which it ends. */
  readonly texts: readonly string[]
  readonly longTexts: readonly string[]
}

/** Fewer objects are sent as a tree. */
const MIN_ROWS = 16
/** Rows from which a schema is learnt. */
const MAX_SAMPLES = 16
const GOLDEN_SECTION = 0.618

/** Schemas tried for one table. */
const MAX_TRIES = 3
/** Upper bound of the back-off, in tables, after one that needed a new schema or was none. */
const MAX_SKIPPED_TABLES = 64
/** Schemas whose encoder a thread keeps. */
const MAX_ENCODERS = 256

interface Encoder {
  readonly schema: string
  /** `undefined` where code from strings is forbidden. */
  readonly encode: RowsEncoder | undefined
}

const encoders = new RecentMap<string, Encoder>(MAX_ENCODERS)
const memory = new TableMemory()
const met = new MetObjects()
let isEncodingTable = false

/** The encoder of a thread's tables of one kind, such as the items of a function. It remembers what they were like. */
export class TableEncoder {
  #last: Encoder | undefined
  #skipping = 0
  #toSkip = 0

  /** @returns `undefined`: the rows are not alike, or too few. `'shared'`: an object occurs twice in them */
  encode(rows: readonly unknown[]): Table | 'shared' | undefined {
    if (rows.length < MIN_ROWS || isEncodingTable || isObjectPrototypePolluted()) return undefined
    if (this.#toSkip > 0) {
      this.#toSkip--
      return undefined
    }
    isEncodingTable = true // A getter may start another encoder.
    try {
      return this.#tryEncode(rows)
    } finally {
      isEncodingTable = false
    }
  }

  #tryEncode(rows: readonly unknown[]): Table | 'shared' | undefined {
    let encoder = this.#last ?? learn(undefined, rows, 0)
    for (let tries = 0; encoder?.encode && tries < MAX_TRIES; tries++) {
      const result = encodeRows(encoder.encode, encoder.schema, rows)
      if (typeof result !== 'number') {
        // A schema that is new may be of use only once, while its code takes as long to make as many trees.
        if (encoder === this.#last) this.#skipping = 0
        else this.#backOff()
        this.#last = encoder
        return result
      }
      encoder = learn(encoder, rows, result) ?? (tries === 0 ? learn(undefined, rows, result) : undefined)
    }
    this.#backOff()
    return undefined
  }

  #backOff(): void {
    this.#skipping = Math.min(2 * this.#skipping + 1, MAX_SKIPPED_TABLES)
    this.#toSkip = this.#skipping
  }
}

/** Whether all objects seem to have one more key where keys are listed by `for in`, as the encoder does. */
function isObjectPrototypePolluted(): boolean {
  for (const _ in Object.prototype) return true
  return false
}

/** @returns the index of a row that does not fit, if there is one */
function encodeRows(encode: RowsEncoder, schema: string, rows: readonly unknown[]): Table | 'shared' | number {
  try {
    const count = encode(rows, memory, met)
    if (count === MET_AGAIN) return 'shared'
    if (count < rows.length) return count
    const { words, wordCount, doubles, doubleCount, texts, longTexts } = memory
    return {
      schema,
      count,
      words: words.slice(0, wordCount),
      doubles: doubles.slice(0, doubleCount),
      texts,
      longTexts,
    }
  } finally {
    memory.clear()
    met.forget()
  }
}

/** The encoder of a schema that takes the row at `at`, and others here and there; `undefined` if there is none, or `known` is no narrower. */
function learn(known: Encoder | undefined, rows: readonly unknown[], at: number): Encoder | undefined {
  const schema = (known ? JSON.parse(known.schema) : []) as Schema
  if (!widenBy(schema, rows[at])) return undefined
  // Not: in even steps. Rows may be of several kinds in turn.
  for (let sample = 1; sample <= MAX_SAMPLES; sample++)
    if (!widenBy(schema, rows[(at + Math.floor(sample * GOLDEN_SECTION * rows.length)) % rows.length])) return undefined
  const text = JSON.stringify(schema)
  if (text === known?.schema) return undefined
  let encoder = encoders.get(text)
  if (!encoder) encoders.set(text, (encoder = { schema: text, encode: compileEncoder(schema) }))
  return encoder
}
