import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { assert, runNode, suite } from '../harness.js'

const test = suite('the code in README.md and docs/guide.md')

interface Block {
  language: string
  code: string
}

function blocksOf(document: string): Block[] {
  return [...readFileSync(document, 'utf8').matchAll(/^```(\w*)\n(.*?)^```$/gms)].map(([, language, code]) => ({
    language: language!,
    code: code!,
  }))
}

const files = new Map(
  readdirSync('examples/readme').map((file) => [file, readFileSync(`examples/readme/${file}`, 'utf8')]),
)
const readme = blocksOf('README.md')
const guide = blocksOf('docs/guide.md')

/** What a program says that it prints: comments `// → …`, in their order. */
function promised(code: string): string {
  return [...code.matchAll(/\/\/ → (.*)\n/g)].map(([, line]) => `${line}\n`).join('')
}

test('is that of the files in examples/readme, each once in the README', () => {
  const code = readme.filter(({ language }) => language === 'ts').map(({ code }) => code)
  assert.equal(code.toSorted(), [...files.values()].toSorted())
})

test('is that of those files in the guide, too', () => {
  const code = guide.filter(({ language }) => language === 'ts')
  assert.ok(code.length > 0)
  for (const block of code) assert.ok([...files.values()].includes(block.code), block.code)
})

test('is TypeScript; the rest are commands of npm, and Python to compare with', () => {
  const { scripts } = JSON.parse(readFileSync('package.json', 'utf8'))
  assert.equal([...new Set(readme.map(({ language }) => language))].toSorted(), ['sh', 'ts'])
  assert.equal([...new Set(guide.map(({ language }) => language))].toSorted(), ['python', 'ts'])
  const commands = readme
    .filter(({ language }) => language === 'sh')
    .flatMap(({ code }) => code.trimEnd().split(/\n| && /))
  for (const command of commands) {
    const script = command.replace(/^npm /, '')
    assert.ok(Object.hasOwn(scripts, script) || ['ci', 'install manyhands'].includes(script), command)
  }
})

test('is linked to by paths that exist', () => {
  for (const document of ['README.md', 'docs/guide.md'])
    for (const [, path] of readFileSync(document, 'utf8').matchAll(/\]\(([^)#:]+)\)/g))
      assert.ok(existsSync(join(document, '..', path!)), `${document} links to ${path}`)
})

for (const [file, code] of files)
  test(`prints what it says: ${file}`, async () => {
    const ended = await runNode([`.build/examples/readme/${file.replace('.ts', '.js')}`])
    assert.is(ended.stderr, '')
    assert.is(ended.stdout, promised(code))
    assert.is(ended.code, 0)
  })

test('promises something in every program', () => {
  for (const [file, code] of files) if (code.includes(`'manyhands'`)) assert.ok(promised(code), file)
})

test.run()
