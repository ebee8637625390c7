import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { assert, runNode, suite } from '../harness.js'

const test = suite('examples/run.mjs')

function headings(stdout: string): string[] {
  return [...stdout.matchAll(/^== (.*?): /gm)].map(([, command]) => command!)
}

/** What each says, among other things, when it has gone well; in their order. */
const EXAMPLES: Record<string, string> = {
  process: 'alive: false, exitcode: 0',
  'process terminate': 'alive: false, exitcode: -15',
  squares: 'an executor with nine workers',
  urls: 'has 12345 bytes',
  counter: 'value.add(1)',
  queue: '5 processes counted to 100000000: 500000000',
  pipeline: '200 of 200 items came through',
  pipe: '10000',
  mandelbrot: 'byte for byte the same',
  words: 'own class:',
  'files --limit 32': 'all totals are equal',
}

test('runs every example in turn, under a heading each', async () => {
  const { code, stdout } = await runNode(['examples/run.mjs'])
  assert.is(code, 0)
  assert.equal(headings(stdout), Object.keys(EXAMPLES))
  const programs = readdirSync('examples').filter((file) => file.endsWith('.ts'))
  assert.equal(
    [...new Set(headings(stdout).map((command) => `${command.split(' ')[0]}.ts`))].toSorted(),
    programs.toSorted(),
  )
  const [, ...parts] = stdout.split(/^== /m)
  for (const [index, says] of Object.values(EXAMPLES).entries()) assert.match(parts[index]!, says)
})

test('runs the others and exits non-zero when one fails', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'manyhands-'))
  try {
    for (const path of ['examples', '.build/examples']) mkdirSync(join(folder, path), { recursive: true })
    copyFileSync('examples/run.mjs', join(folder, 'examples/run.mjs'))
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
    for (const name of new Set(Object.keys(EXAMPLES).map((command) => command.split(' ')[0]!)))
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
