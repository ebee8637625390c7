import { fileURLToPath } from 'node:url'
import { assert, runNode, suite } from '../harness.js'

const test = suite('TypeScript programs')
const inPackage = (path: string) => fileURLToPath(new URL(`../../../${path}`, import.meta.url))
// tsx obeys the tsconfig of the working directory; this package's own leads to the sources of the package.
const cwd = inPackage('spec/fixtures/typescript')
const program = 'program.ts'
const tsx = fileURLToPath(import.meta.resolve('tsx/cli'))
const expected = 'twice 21 is 42\ntriple 14 is 42\ntwice 4 is 8\nended with 0, 0, 0 on true\n'

/** The lines in a fixed order: processes and the program write them in any. */
const sorted = (text: string) => text.split('\n').toSorted().join('\n')

function check({ code, stdout, stderr }: Awaited<ReturnType<typeof runNode>>): void {
  assert.is(stderr.replace(/^\(.*Warning.*\n|^\(Use .*\n|^Reparsing .*\n|^To eliminate .*\n/gm, ''), '')
  assert.is(sorted(stdout), sorted(expected))
  assert.is(code, 0)
}

test('a TypeScript program with tasks of its own runs under node --import tsx', async () => {
  check(await runNode(['--import', 'tsx', program], { cwd }))
})

test('a TypeScript program with tasks of its own runs under the tsx command', async () => {
  check(await runNode([tsx, program], { cwd }))
})

if ((process.features as { typescript?: unknown }).typescript)
  test('a TypeScript program with tasks of its own runs unchanged if Node strips types', async () => {
    check(await runNode([program], { cwd }))
  })

test.run()
