import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { assert, runNode, suite } from '../harness.js'

const test = suite('the files example')
const program = '.build/examples/files.js'

/** In the order of their paths. */
const CONTENTS: [path: string, content: Buffer][] = [
  ['a.txt', Buffer.from('a'.repeat(100_000))],
  ['b/c/large.json', Buffer.from(JSON.stringify(Array.from({ length: 50_000 }, (_, i) => i)))],
  ['b/empty', Buffer.alloc(0)],
  ...Array.from({ length: 40 }, (_, i): [string, Buffer] => [`d/${10 + i}`, Buffer.from(`file ${i}`)]),
]

function withFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'manyhands-'))
  for (const [path, content] of CONTENTS) {
    mkdirSync(join(folder, path, '..'), { recursive: true })
    writeFileSync(join(folder, path), content)
  }
  return use(folder).finally(() => rmSync(folder, { recursive: true }))
}

function summaryOf(contents: Buffer[]): string {
  const sum = (numbers: number[]) => numbers.reduce((a, b) => a + b, 0)
  const bytes = sum(contents.map(({ length }) => length))
  const gzipped = sum(contents.map((content) => gzipSync(content).length))
  const hash = createHash('sha256')
  for (const content of contents) hash.update(createHash('sha256').update(content).digest('hex'))
  const ratio = ((100 * gzipped) / bytes).toFixed(1)
  return `${contents.length} files, ${bytes} bytes, gzipped ${gzipped} bytes (${ratio} %), SHA-256 of all ${hash.digest('hex')}`
}

test('packs every file of a folder sequentially, on one and on all cores, to the same totals', () =>
  withFolder(async (folder) => {
    const { code, stdout, stderr } = await runNode([program, folder])
    assert.is(stderr, '')
    assert.is(code, 0)
    const lines = stdout.trimEnd().split('\n')
    assert.is(lines.length, 5)
    for (const [index, label] of ['sequential', '1 worker', `${availableParallelism()} workers`].entries())
      assert.match(lines[index]!, new RegExp(`^${label} +\\d+\\.\\d\\d s +\\d+\\.\\d MB/s$`))
    assert.is(lines[3], summaryOf(CONTENTS.map(([, content]) => content)))
    assert.is(lines[4], 'all totals are equal to the sequential ones')
  }))

test('leaves out the largest files where a limit is given', () =>
  withFolder(async (folder) => {
    const { code, stdout } = await runNode([program, folder, '--limit', '0.2'])
    assert.is(code, 0)
    const rest = CONTENTS.filter(([path]) => path !== 'b/c/large.json').map(([, content]) => content)
    assert.is(stdout.split('\n')[3], summaryOf(rest))
  }))

/** Loaded before the program, in every thread: workers gzip one byte too few. */
const FAULT = `
  import zlib from 'node:zlib'
  import { syncBuiltinESMExports } from 'node:module'
  import { isMainThread } from 'node:worker_threads'
  const { gzipSync } = zlib
  if (!isMainThread) zlib.gzipSync = (content) => gzipSync(content).subarray(1)
  syncBuiltinESMExports()
`

test('fails when the totals of a worker differ', () =>
  withFolder(async (folder) => {
    const fault = `data:text/javascript,${encodeURIComponent(FAULT)}`
    const { code, stdout } = await runNode(['--import', fault, program, folder])
    assert.match(stdout, /^TOTALS DIFFER: /m)
    assert.is(code, 1)
  }))

test('fails for a folder that does not exist', async () => {
  const { code, stderr } = await runNode([program, 'no/such/folder'])
  assert.is(code, 1)
  assert.match(stderr, 'ENOENT')
})

test.run()
