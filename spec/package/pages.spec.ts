// Pages and comments name files of this repository. Each of them exists.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { assert, suite } from '../harness.js'

const test = suite('files that pages and comments name')

const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { encoding: 'utf8' })
  .split('\n')
  .filter((file) => file !== '')

/** By its path from the root, or by its last parts: `executor/main/lease.ts`, `lease.ts`. */
const exists = (name: string) => files.some((file) => file === name || file.endsWith(`/${name}`))

/** The files named in backquotes on a page. Names of the user's files, as in examples, have no folder and are not checked. */
function namedOn(page: string): string[] {
  return [...page.matchAll(/`([\w.-]+(?:\/[\w.-]+)*\.(?:ts|mjs|cjs|md))`/g)].map(([, name]) => name!)
}

/** The files of lib, workers and spec that a comment names. */
function namedIn(source: string): string[] {
  return [...source.matchAll(/\/\/.*|\/\*[^]*?\*\//g)].flatMap(([comment]) =>
    [...comment.matchAll(/\b(?:lib|workers|spec)\/[\w/.-]+\.(?:ts|cjs|md)\b/g)].map(([name]) => name),
  )
}

test('every file that a page of the design, or a README of lib, names exists', () => {
  const pages = files.filter((file) => /^(lib|docs\/(design|adr))\/.*\.md$|^CONTRIBUTING\.md$/.test(file))
  assert.ok(pages.includes('lib/executor/README.md') && pages.includes('docs/design/architecture.md'))
  const missing = pages.flatMap((page) =>
    namedOn(readFileSync(page, 'utf8'))
      .filter((name) => !exists(name))
      .map((name) => `${page} names ${name}`),
  )
  assert.equal(missing, [])
})

test('every file that a comment names exists', () => {
  const sources = files.filter((file) => /^(lib|workers|bench|examples|spec)\/.*\.(ts|cjs|mjs)$/.test(file))
  const missing = sources.flatMap((source) =>
    namedIn(readFileSync(source, 'utf8'))
      .filter((name) => !exists(name))
      .map((name) => `${source} names ${name}`),
  )
  assert.equal(missing, [])
})

test('a file that does not exist is found in a page and in a comment', () => {
  const [onPage, inComment] = [
    namedOn('see `main/gone.ts` and `gone.md`, not `await`'),
    namedIn(['// lib/sync', 'gone.ts'].join('/')),
  ]
  assert.equal(onPage, ['main/gone.ts', 'gone.md'])
  assert.equal(inComment, ['lib/sync/gone.ts'])
  assert.not.ok([...onPage, ...inComment].some(exists))
})

test.run()
