import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { assert, runNode, suite } from '../harness.js'

const test = suite('examples/run.mjs')

function headings(stdout: string): string[] {
  return [...stdout.matchAll(/^== (.*?): /gm)].map(([, command]) => command!)
}

test('runs every example in turn, under a heading each', async () => {
  const { code, stdout } = await runNode(['examples/run.mjs'])
  assert.is(code, 0)
  assert.equal(headings(stdout), [
    'process',
    'process terminate',
    'squares',
    'urls',
    'counter',
    'words',
    'files --limit 32',
  ])
  const programs = readdirSync('examples').filter((file) => file.endsWith('.ts'))
  assert.equal(
    [...new Set(headings(stdout).map((command) => `${command.split(' ')[0]}.ts`))].toSorted(),
    programs.toSorted(),
  )
  const parts = stdout.split(/^== /m)
  assert.match(parts[1]!, 'alive: false, exitcode: 0')
  assert.match(parts[2]!, 'alive: false, exitcode: -15')
  assert.match(parts[3]!, 'an executor with nine workers')
  assert.match(parts[4]!, 'has 12345 bytes')
  assert.match(parts[5]!, 'value.add(1)')
  assert.match(parts[6]!, 'own class:')
  assert.match(parts[7]!, 'all totals are equal')
})

test('runs the others and exits non-zero when one fails', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'manyhands-'))
  try {
    for (const path of ['examples', '.build/examples']) mkdirSync(join(folder, path), { recursive: true })
    copyFileSync('examples/run.mjs', join(folder, 'examples/run.mjs'))
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
    for (const name of ['process', 'squares', 'urls', 'counter', 'words', 'files'])
      writeFileSync(join(folder, `.build/examples/${name}.js`), name === 'squares' ? 'process.exit(7)' : '')
    const { code, stdout } = await runNode([join(folder, 'examples/run.mjs')])
    assert.is(code, 1)
    assert.match(stdout, '== squares FAILED with exit code 7')
    assert.is(stdout.match(/FAILED/g)!.length, 1)
    assert.is(headings(stdout).at(-1), 'files --limit 32')
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test.run()
