import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { assert, runNode, suite } from '../harness.js'
import { projectWithPackage } from './packed.js'

const test = suite('the types of the packed package')
const project = projectWithPackage('@types')
const { folder, write } = project
process.once('exit', project.remove)

const CONSUMER = readFileSync('spec/fixtures/consumer/consumer.ts', 'utf8')
const TSC = resolve('node_modules/typescript/bin/tsc')

function compile(source: string, options: object = {}): ReturnType<typeof runNode> {
  write('consumer.ts', source)
  write(
    'tsconfig.json',
    JSON.stringify({
      compilerOptions: {
        target: 'ES2023',
        lib: ['ES2023', 'ESNext.Disposable'],
        module: 'NodeNext',
        strict: true,
        noEmit: true,
        types: ['node'],
        ...options,
      },
      files: ['consumer.ts'],
    }),
  )
  return runNode([TSC, '-p', 'tsconfig.json'], { cwd: folder })
}

test('infer results, and refuse what would fail when it runs', async () => {
  const { code, stdout } = await compile(CONSUMER)
  assert.is(stdout, '')
  assert.is(code, 0)
})

test('hold under the strictest options', async () => {
  const { code, stdout } = await compile(CONSUMER, {
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    skipLibCheck: false,
  })
  assert.is(stdout, '')
  assert.is(code, 0)
})

// Without this, all that the first test shows could be the work of a stray `any`.
test('are those of the package: a wrong expectation does not compile', async () => {
  const { code, stdout } = await compile(`
    import { ProcessPoolExecutor } from 'manyhands'
    export const text: string = await new ProcessPoolExecutor().submit((n: number) => n, 1)
  `)
  assert.match(stdout, `Type 'number' is not assignable to type 'string'`)
  assert.is.not(code, 0)
})

test.run()
