// Decodes tables: by a function compiled for their schema, which makes each object by a literal; where code from strings is forbidden,
// by going through the schema for each row. table.ts has the format.
import { RecentMap } from '../../task/recent-map.js'
import { LONG_TEXT } from './table-memory.js'
import type { Alternative, Schema } from './table-schema.js'
import type { Table } from './table.js'

type RowsDecoder = (table: Table) => unknown[]

/** Schemas whose decoder a thread keeps. */
const MAX_DECODERS = 256
/** Items of a list of primitives that is made by a literal, which takes as much memory as it has items. */
const MAX_LITERAL_ITEMS = 8

const decoders = new RecentMap<string, RowsDecoder>(MAX_DECODERS)

export function decodeTable(table: Table): unknown[] {
  let decode = decoders.get(table.schema)
  if (!decode) {
    const schema = JSON.parse(table.schema) as Schema
    decoders.set(table.schema, (decode = compileDecoder(schema) ?? ((of) => new RowsReader(of).read(schema))))
  }
  return decode(table)
}

function compileDecoder(schema: Schema): RowsDecoder | undefined {
  try {
    return new DecoderSource().compile(schema)
  } catch {
    return undefined
  }
}

/** Code for a value: what must run before, and the expression of it. */
type ValueSource = [before: string, value: string]

class DecoderSource {
  #names = 0

  compile(schema: Schema): RowsDecoder {
    const [before, value] = this.#place(schema)
    // oxlint-disable-next-line typescript/no-implied-eval -- of numbers and quoted keys only
    return new Function(
      'table',
      `const {count,words,doubles,texts,longTexts}=table
      let wordAt=0,doubleAt=0,textAt=0,longAt=0,text='',at=0,length=0
      const rows=[]
      for(let row=0;row<count;row++){${before}rows.push(${value})}
      return rows`,
    ) as RowsDecoder
  }

  #place(schema: Schema): ValueSource {
    if (schema.length === 1) return this.#value(schema[0]!)
    const name = this.#name()
    const cases = schema.map((one, tag) => {
      const [before, value] = this.#value(one)
      return `case ${tag}:{${before}${name}=${value};break}`
    })
    return [`let ${name};switch(words[wordAt++]){${cases.join('')}}`, name]
  }

  #value(one: Alternative): ValueSource {
    if (typeof one === 'string') {
      const name = this.#name()
      return [`const ${name}=${LEAVES[one]};`, name]
    }
    if ('items' in one) return this.#list(one.items)
    const values = one.values.map((place) => this.#place(place))
    const fields = one.keys.map((key, n) => `${JSON.stringify(key)}:${values[n]![1]}`)
    return [values.map(([before]) => before).join(''), `{${fields.join()}}`]
  }

  #list(items: Schema): ValueSource {
    const [name, count] = [this.#name(), this.#name()]
    const [only] = items
    const [before, value] = this.#place(items)
    const loop = `{${name}=[];for(let n=${count};n>0;n--){${before}${name}.push(${value})}}`
    if (items.length !== 1 || typeof only !== 'string')
      return [`const ${count}=words[wordAt++];let ${name};${loop}`, name]
    const cases = Array.from(
      { length: MAX_LITERAL_ITEMS + 1 },
      (_, n) => `case ${n}:${name}=[${Array(n).fill(LEAVES[only]).join()}];break;`,
    )
    return [`const ${count}=words[wordAt++];let ${name};switch(${count}){${cases.join('')}default:${loop}}`, name]
  }

  #name(): string {
    return `v${this.#names++}`
  }
}

const LEAVES: Record<Alternative & string, string> = {
  int32: 'words[wordAt++]',
  double: 'doubles[doubleAt++]',
  text: `((length=words[wordAt++])>${LONG_TEXT}?longTexts[longAt++]:(at===text.length&&textAt<texts.length&&(text=texts[textAt++],at=0),text.slice(at,at+=length)))`,
  boolean: 'words[wordAt++]===1',
  undefined: 'void 0',
  null: 'null',
}

class RowsReader {
  readonly #table: Table
  #wordAt = 0
  #doubleAt = 0
  #textAt = 0
  #longAt = 0
  #text = ''
  #at = 0

  constructor(table: Table) {
    this.#table = table
  }

  read(schema: Schema): unknown[] {
    return Array.from({ length: this.#table.count }, () => this.#place(schema))
  }

  #place(schema: Schema): unknown {
    return this.#value(schema.length === 1 ? schema[0]! : schema[this.#word()]!)
  }

  #value(one: Alternative): unknown {
    switch (one) {
      case 'int32':
        return this.#word()
      case 'double':
        return this.#table.doubles[this.#doubleAt++]
      case 'text':
        return this.#cut(this.#word())
      case 'boolean':
        return this.#word() === 1
      case 'undefined':
        return undefined
      case 'null':
        return null
      default:
        if ('items' in one) return Array.from({ length: this.#word() }, () => this.#place(one.items))
        return Object.fromEntries(one.keys.map((key, n) => [key, this.#place(one.values[n]!)]))
    }
  }

  #word(): number {
    return this.#table.words[this.#wordAt++]!
  }

  #cut(length: number): string {
    const { texts, longTexts } = this.#table
    if (length > LONG_TEXT) return longTexts[this.#longAt++]!
    if (this.#at === this.#text.length && this.#textAt < texts.length) {
      this.#text = texts[this.#textAt++]!
      this.#at = 0
    }
    return this.#text.slice(this.#at, (this.#at += length))
  }
}
