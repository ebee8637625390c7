import * as manyhands from 'manyhands'
import { assert, suite } from '../harness.js'
import type { Rule } from './house.js'
import { namesUnique, retiredWordsGone, topLevelNames } from './names.js'

const test = suite('names')

// Bundlers rename classes that name themselves; users see the names in stacks and in what console.log prints.
test('every exported class and function has the name that it is exported by', () => {
  const renamed = Object.entries(manyhands).filter(
    ([name, value]) => typeof value === 'function' && value.name !== name,
  )
  assert.equal(
    renamed.map(([name, value]) => `${name}: ${(value as Function).name}`),
    [],
  )
})

/** What a rule finds in made-up files. */
function found(rule: Rule, texts: Record<string, string>): string[] {
  return [...rule(new Map(), new Map(Object.entries(texts)))].map(({ path, what }) => `${path} ${what}`)
}

test('the top-level names of a file are found, each once, and no name inside of a declaration', () => {
  const source = `
import { imported } from './other.js'
export { reexported } from './other.js'
export type { Reexported } from './other.js'
export abstract class Base {
  method(): void {}
}
interface Options {
  option: number
}
export type Kind = 'a' | 'b'
export const Kind = { a: 1 }
export function overloaded(a: number): void
export function overloaded(a: string): void
export function overloaded(a: unknown): void {
  const inner = a
}
export async function later() {}
function* generated() {}
let counter = 0
const [, FIRST, SECOND = 2] = [0, 1]
export const { load, store: put, ...rest } = Atomics
enum Color {}
// const commented = 1
`
  assert.equal([...topLevelNames(source)].toSorted(), [
    'Base',
    'Color',
    'FIRST',
    'Kind',
    'Options',
    'SECOND',
    'counter',
    'generated',
    'later',
    'load',
    'overloaded',
    'put',
    'rest',
  ])
})

test('a top-level name that two files of lib declare is reported in both, exported or not', () => {
  const texts = {
    'lib/a.ts': 'export class Place {}\n',
    'lib/b/c.ts': 'interface Place {}\n',
    'lib/d.ts': 'const Place2 = 1\nfunction f() {\n  const Place = 2\n}\n',
    'bench/e.ts': 'class Place {}\n',
  }
  assert.equal(found(namesUnique, texts), [
    'lib/a.ts declares Place, as does lib/b/c.ts',
    'lib/b/c.ts declares Place, as does lib/a.ts',
  ])
  assert.equal(found(namesUnique, { 'lib/a.ts': 'export type Kind = 1\nexport const Kind = 1\n' }), [])
})

test('a retired word is reported where it stands, and the words that sound like it are not', () => {
  for (const source of [
    'const desk = new Desk()',
    'let hand: Hand | undefined',
    '#hands = new Set<Hand>()',
    'if (ended instanceof ThreadEnded) return',
    'tryTake(words, 0)',
    'const MOST_TASKS = 512',
    'const LEAST_PART = 8',
    'if (length < FEW) return',
    '// Who comes first gets the block.',
  ])
    assert.is(found(retiredWordsGone, { 'lib/a.ts': `// A file.\n${source}\n` }).length, 1, source)
  for (const source of [
    'import { WorkerHandle } from "./worker-handle.js"',
    '// By hand. Hand over what was taken: Hand it on.',
    'const inFlight = 3 // calls in flight',
    "new Lock({ onOwnerDeath: 'handOver' })",
    'const ALMOST_FULL = 3',
    '// A link: it is asked for by wire.',
  ])
    assert.equal(found(retiredWordsGone, { 'lib/a.ts': source }), [], source)
  assert.equal(found(retiredWordsGone, { 'examples/a.ts': 'const MANY = 200_000' }), [])
  assert.equal(found(retiredWordsGone, { 'docs/a.md': 'One.\nTwo.\nThe dispatcher sends it.\n' }), [
    "docs/a.md says 'dispatcher' in line 3; the word is: Scheduler",
  ])
})

test.run()
