// What does an object cost on its way to another thread, by its shape? First encoding, cloning and decoding lists of objects in one
// thread: packed as the executor does (a table where they are alike), as the words of a tree, by structured clone, and as JSON. Then
// the whole map, over a function that returns its object, with two workers; beside lists of a thousand objects, which go as trees,
// and their JSON.
import { ColumnPacker, decode, encode, unpackColumn } from '#internals'
import { isMainThread, ProcessPoolExecutor } from 'manyhands'
import { measure, report } from './measure.js'

const COUNT = 20_000
const LIST = 1000
const ROUNDS = 7

/** Objects by shape. Made anew for each measurement: a list that was sent before is cheaper. */
const shapes: Record<string, (n: number) => object> = {
  flat: (n) => ({ id: n, name: `item ${n}` }),
  nested: (n) => ({ id: n, at: { x: n / 2, y: -n }, user: { name: `user ${n}`, age: n % 90, isNew: n % 2 === 0 } }),
  lists: (n) => ({ id: n, xs: [n, n + 1, n + 2], tags: n % 2 ? [`tag ${n}`, 'b'] : [] }),
  'lists of objects': (n) => ({
    id: n,
    lines: Array.from({ length: n % 4 }, (_, i) => ({ sku: `s${i}`, price: n / 4 })),
  }),
  '20 fields': (n) => Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`field${i}`, [i * n, `text ${n}`, n % 2 === 0][i % 3]])), // prettier-ignore
  nullable: (n) => ({ id: n, name: n % 3 ? `name ${n}` : null, score: n % 2 ? n / 3 : undefined }),
  'missing fields': (n) => ({ id: n, ...(n % 3 && { name: `name ${n}` }), ...(n % 2 && { score: n / 3 }) }),
  'long texts': (n) => ({ id: n, text: `${n}`.padEnd(300, 'x'), more: `${n}`.padEnd(1000, 'y') }),
  'texts beyond Latin-1': (n) => ({ id: n, text: `текст ${n}`, more: '€' }),
  'the same contents': () => ({ ok: true }),
  'with a Date': (n) => ({ id: n, at: new Date(n) }),
  'one object shared by all': (n) => ({ id: n, shared: constant }),
  'instances of a class': (n) => new Point(n, n),
  'all different': (n) => ({ [`key ${n}`]: n }),
}

const constant = { a: 1 }

class Point {
  readonly x: number
  readonly y: number
  constructor(x: number, y: number) {
    this.x = x
    this.y = y
  }
}

/** Microseconds per object. */
async function perObject(use: () => unknown): Promise<number> {
  const startMs = performance.now()
  await use()
  return ((performance.now() - startMs) * 1000) / COUNT
}

if (isMainThread) {
  const executor = new ProcessPoolExecutor({ maxWorkers: 2 })
  const same = (value: unknown) => value
  const ofText = (text: string) => JSON.stringify(JSON.parse(text))
  for (const [shape, make] of Object.entries(shapes)) {
    const packer = new ColumnPacker()
    const objects = () => Array.from({ length: COUNT }, (_, n) => make(n))
    const lists = () => {
      const all = objects()
      return Array.from({ length: COUNT / LIST }, (_, n) => all.slice(n * LIST, (n + 1) * LIST))
    }
    /** A contender that sends one list after the other. */
    const each = (name: string, send: (list: object[]) => unknown) => ({
      name,
      measure: () => {
        const all = lists()
        return perObject(() => {
          for (const list of all) send(list)
        })
      },
    })
    const ofCodec = [
      each('packed as by the executor', (list) => unpackColumn(structuredClone(packer.pack(list) ?? list))),
      each('tree codec', (list) => {
        const { tag, length, words, bytes } = encode(list)
        const copy = structuredClone(bytes ?? words.slice(0, length / 4))
        return bytes ? decode(tag, length, words, copy as Uint8Array<ArrayBuffer>) : decode(tag, length, copy as Int32Array, undefined) // prettier-ignore
      }),
      each('structuredClone', (list) => structuredClone(list)),
      each('JSON', (list) => JSON.parse(JSON.stringify(list))),
    ]
    const ofMap = [
      { name: 'map(objects)', measure: () => withList(objects(), (all) => executor.map(same, all)) },
      { name: `map(lists of ${LIST})`, measure: () => withList(lists(), (all) => executor.map(same, all, { chunksize: 1 })) }, // prettier-ignore
      {
        name: `map(JSON of ${LIST}), with stringify and parse`,
        measure: () =>
          withList(lists(), async (all) => {
            for (const text of await executor.map(ofText, all.map((list) => JSON.stringify(list)), { chunksize: 1 })) JSON.parse(text) // prettier-ignore
          }),
      },
    ]
    for (const [contenders, what, reference] of [
      [ofCodec, 'there', 'structuredClone'],
      [ofMap, 'there and back', `map(lists of ${LIST})`],
    ] as const) {
      for (const contender of contenders) await contender.measure()
      console.log(`\n${shape}, ${what}`)
      report(await measure(contenders, ROUNDS), 'us per object', reference)
    }
  }
  await executor.shutdown()
}

function withList<T>(all: T[], use: (all: T[]) => unknown): Promise<number> {
  return perObject(() => use(all))
}
