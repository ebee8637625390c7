// Compiles the encoder of a schema: one function for all rows, without a call per value. What it assumes of the rows it checks, value
// by value, and it stops at the first one that does not fit. table.ts has the format.
import { types } from 'node:util'
import type { MetObjects } from './met-objects.js'
import { BLOCK_LENGTH, LONG_TEXT, type TableMemory } from './table-memory.js'
import { isRecord, isRecordSchema, type ListSchema, type RecordSchema, type Schema } from './table-schema.js'
import { hasOnlyItems } from './tree.js'

/** A row holds an object that was met before: in another row, or elsewhere in this one. */
export const MET_AGAIN = -1

/** @returns how many rows were encoded before one that does not fit; all of them otherwise. MET_AGAIN */
export type RowsEncoder = (rows: readonly unknown[], memory: TableMemory, met: MetObjects) => number

/** What a place takes at most, without the items of lists. */
interface Size {
  readonly words: number
  readonly doubles: number
}

/** @returns `undefined` where code from strings is forbidden */
export function compileEncoder(schema: Schema): RowsEncoder | undefined {
  try {
    return new EncoderSource(schema).compile()
  } catch {
    return undefined
  }
}

const encoderHelpers = {
  getPrototypeOf: Object.getPrototypeOf,
  objectPrototype: Object.prototype,
  hasOwn: Object.hasOwn,
  imul: Math.imul,
  isArray: Array.isArray,
  isProxy: types.isProxy,
  isArguments: types.isArgumentsObject,
  isRecord,
  hasOnlyItems,
  variantOf,
}

/** Which of the lists of keys an object has; -1: none. */
function variantOf(object: object, lists: readonly (readonly string[])[]): number {
  for (let variant = 0; variant < lists.length; variant++) {
    const keys = lists[variant]!
    let at = 0
    for (const key in object) if (key !== keys[at++]) { at = -1; break } // prettier-ignore
    if (at === keys.length && (at > 0 || !types.isArgumentsObject(object))) return variant
  }
  return -1
}

class EncoderSource {
  readonly #schema: Schema
  /** Lists of keys, and lists of these. */
  readonly #constants: unknown[] = []
  #names = 0

  constructor(schema: Schema) {
    this.#schema = schema
  }

  compile(): RowsEncoder {
    const size = sizeOf(this.#schema)
    const place = this.#place(this.#schema, 'value', 'hash', 'hasOwn(rows,row)', size)
    const body = `const {${Object.keys(encoderHelpers).join()}}=helpers
      return function(rows,memory,met){
        const {texts,longTexts}=memory
        let {words,doubles}=memory
        let wordAt=0,doubleAt=0,text=''
        for(let row=0;row<rows.length;row++){
          ${room(size)}
          const value=rows[row];let hash=0
          ${place}}
        if(text!=='')texts.push(text)
        memory.wordCount=wordAt;memory.doubleCount=doubleAt
        return rows.length}`
    // oxlint-disable-next-line typescript/no-implied-eval -- of numbers and quoted keys only
    return new Function('helpers', 'constants', body)(encoderHelpers, this.#constants) as RowsEncoder
  }

  /**
   * @param value the variable that holds it. @param hash that of the hash of the object it is in
   * @param present code that tells whether it is there, if it is `undefined`
   * @param size what this place and all around it take
   */
  #place(schema: Schema, value: string, hash: string, present: string, size: Size): string {
    const mark = (tag: number) => (schema.length > 1 ? `words[wordAt++]=${tag};` : '')
    const branches = schema.flatMap((one, tag) => {
      switch (one) {
        case 'int32':
          return `if(typeof ${value}==='number'){if((${value}|0)!==${value}||(${value}===0&&1/${value}<0))return row;${mark(tag)}words[wordAt++]=${value};${mix(hash, value)}}`
        case 'double':
          return `if(typeof ${value}==='number'){${mark(tag)}doubles[doubleAt++]=${value};${mix(hash, `((${value}|0)===${value}?${value}:${value}*2654435761|0)`)}}`
        case 'text':
          return `if(typeof ${value}==='string'){${mark(tag)}${this.#text(value, hash)}}`
        case 'boolean':
          return `if(typeof ${value}==='boolean'){${mark(tag)}words[wordAt++]=${value}?1:0;${mix(hash, `(${value}?1:0)`)}}`
        case 'undefined':
          return `if(${value}===undefined){if(!${present})return row;${mark(tag)}${mix(hash, '2')}}`
        case 'null':
          return `if(${value}===null){${mark(tag)}${mix(hash, '3')}}`
        default:
          return 'items' in one ? `if(isArray(${value})){${mark(tag)}${this.#list(one, value, hash, size)}}` : []
      }
    })
    const records = schema.flatMap((one, tag) => (isRecordSchema(one) ? [{ one, tag }] : []))
    if (records.length > 0)
      branches.push(
        `if(typeof ${value}==='object'&&${value}!==null){if(isArray(${value})||isProxy(${value})||getPrototypeOf(${value})!==objectPrototype&&!isRecord(${value}))return row;${this.#records(records, value, hash, mark, size)}}`,
      )
    return [...branches, 'return row;'].join('else ')
  }

  #text(value: string, hash: string): string {
    const length = this.#name()
    return `const ${length}=${value}.length;words[wordAt++]=${length};
if(${length}>${LONG_TEXT})longTexts.push(${value});else if((text+=${value}).length>${BLOCK_LENGTH}){texts.push(text);text=''}
if(${length}>0)${mix(hash, `${length}+${value}.charCodeAt(${length}-1)+(${value}.charCodeAt(${length}>1?${length}-2:0)<<8)+(${value}.charCodeAt(${length}>>1)<<16)`)}`
  }

  #list({ items }: ListSchema, value: string, hash: string, around: Size): string {
    const [own, index, item, length] = [this.#name(), this.#name(), this.#name(), this.#name()] as const
    const size = sum([sizeOf(items), around])
    return `if(!hasOnlyItems(${value}))return row;
const ${length}=${value}.length;words[wordAt++]=${length};let ${own}=${length};
for(let ${index}=0;${index}<${length};${index}++){${room(size)}const ${item}=${value}[${index}];${this.#place(items, item, own, `hasOwn(${value},${index})`, size)}}
if(!met.add(${value},${own}))return ${MET_AGAIN};${mix(hash, own)}`
  }

  #records(
    records: readonly { one: RecordSchema; tag: number }[],
    value: string,
    hash: string,
    mark: (tag: number) => string,
    size: Size,
  ): string {
    const [only] = records
    if (records.length > 1) {
      const lists = this.#constant(records.map(({ one }) => one.keys))
      const cases = records.map(
        ({ one, tag }, variant) => `case ${variant}:{${mark(tag)}${this.#record(one, value, hash, size)}break}`,
      )
      return `switch(variantOf(${value},${lists})){${cases.join('')}default:return row}`
    }
    const { one, tag } = only!
    if (one.keys.length === 0)
      return `for(const key in ${value})return row;if(isArguments(${value}))return row;${mark(tag)}${this.#record(one, value, hash, size)}`
    const keys = this.#constant(one.keys)
    return `{let at=0;for(const key in ${value}){if(key!==${keys}[at])return row;at++}if(at!==${one.keys.length})return row}
${mark(tag)}${this.#record(one, value, hash, size)}`
  }

  #record({ keys, values }: RecordSchema, value: string, hash: string, size: Size): string {
    const own = this.#name()
    const fields = keys.map((key, n) => {
      const [field, name] = [this.#name(), JSON.stringify(key)]
      return `const ${field}=${value}[${name}];${this.#place(values[n]!, field, own, `hasOwn(${value},${name})`, size)}`
    })
    return `let ${own}=${keys.length};${fields.join('\n')}
if(!met.add(${value},${own}))return ${MET_AGAIN};${mix(hash, own)}`
  }

  #constant(value: unknown): string {
    return `constants[${this.#constants.push(value) - 1}]`
  }

  #name(): string {
    return `v${this.#names++}`
  }
}

/** Not: mix in the kind of a place. One object may stand in places of several kinds, and has one hash. */
function mix(hash: string, value: string): string {
  return `${hash}=imul(${hash},31)+${value}|0;`
}

/** Make sure of the room for a place. Not: write without. What is written beyond the end of an array is lost. */
function room({ words, doubles }: Size): string {
  const forWords = `if(wordAt+${words}>words.length)words=memory.growWords(wordAt+${words});`
  return doubles > 0
    ? `${forWords}if(doubleAt+${doubles}>doubles.length)doubles=memory.growDoubles(doubleAt+${doubles});`
    : forWords
}

function sizeOf(schema: Schema): Size {
  const sizes = schema.map((one): Size => {
    if (one === 'undefined' || one === 'null') return { words: 0, doubles: 0 }
    if (one === 'double') return { words: 0, doubles: 1 }
    return isRecordSchema(one) ? sum(one.values.map(sizeOf)) : { words: 1, doubles: 0 }
  })
  return {
    words: Math.max(0, ...sizes.map(({ words }) => words)) + (schema.length > 1 ? 1 : 0),
    doubles: Math.max(0, ...sizes.map(({ doubles }) => doubles)),
  }
}

function sum(sizes: readonly Size[]): Size {
  return sizes.reduce((a, b) => ({ words: a.words + b.words, doubles: a.doubles + b.doubles }), {
    words: 0,
    doubles: 0,
  })
}
