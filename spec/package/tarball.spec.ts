import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { assert, runNode, suite } from '../harness.js'
import { projectWithPackage } from './packed.js'

const test = suite('the packed package')
const project = projectWithPackage()
const { folder, installed, tarball, write } = project
process.once('exit', project.remove)

const PROGRAM = `
  if (isMainThread) (async () => {
    const worker = new Process({ target: square, args: [3] })
    worker.start()
    await worker.join()
    const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
    console.log('results', await executor.submit(square, 4), await executor.map(square, [1, 2]), worker.exitcode)
    await executor.shutdown()
  })()
`
/** In any order: what a worker prints may come behind its result. */
const PRINTED = ['1', '16', '4', '9', 'results 16 [ 1, 4 ] 0']

async function prints(args: string[]): Promise<void> {
  const { code, stdout, stderr } = await runNode(args, { cwd: folder })
  assert.is(stderr, '')
  assert.equal(stdout.trimEnd().split('\n').toSorted(), PRINTED)
  assert.is(code, 0)
}

test('works when imported', async () => {
  const file = write(
    'program.mjs',
    `import { isMainThread, Process, ProcessPoolExecutor, task } from 'manyhands'
     const square = task(import.meta.url, function square(n) { console.log(n * n); return n * n })
     ${PROGRAM}`,
  )
  await prints([file])
})

test('works when required', async () => {
  const file = write(
    'program.cjs',
    `const { isMainThread, Process, ProcessPoolExecutor, task } = require('manyhands')
     const square = task(__filename, function square(n) { console.log(n * n); return n * n })
     ${PROGRAM}`,
  )
  await prints([file])
})

// Node.js 22.18 and later strip types by themselves.
if ('typescript' in process.features && process.features.typescript)
  test('works from TypeScript that Node.js runs as it is', async () => {
    const file = write(
      'stripped.ts',
      `import { isMainThread, Process, ProcessPoolExecutor, task } from 'manyhands'
       const square = task(import.meta.url, function square(n: number): number { console.log(n * n); return n * n })
       ${PROGRAM}`,
    )
    await prints(['--disable-warning=ExperimentalWarning', file])
  })

test('works from TypeScript under tsx', async () => {
  const file = write(
    'program.ts',
    `import { isMainThread, Process, ProcessPoolExecutor, task } from 'manyhands'
     const square = task(import.meta.url, function square(n: number): number { console.log(n * n); return n * n })
     ${PROGRAM}`,
  )
  await prints(['--import', import.meta.resolve('tsx'), file])
})

test('sends plain functions of a TypeScript program, as tsx has rewritten them', async () => {
  const file = write(
    'plain.ts',
    `import { isMainThread, ProcessPoolExecutor } from 'manyhands'
     const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
     const power = async (base: number, exponent: number): Promise<number> => {
       const multiply = (a: number, b: number): number => a * b
       let result = 1
       for (let i = 0; i < exponent; i++) result = multiply(result, base)
       return result
     }
     if (isMainThread) console.log(await executor.submit(power, 2, 10))`,
  )
  const { code, stdout, stderr } = await runNode(['--import', import.meta.resolve('tsx'), file], { cwd: folder })
  assert.is(stderr, '')
  assert.is(stdout, '1024\n')
  assert.is(code, 0)
})

test('has what a user needs and nothing else', () => {
  const files = readdirSync(installed, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) =>
      join(entry.parentPath, entry.name)
        .slice(installed.length + 1)
        .replaceAll('\\', '/'),
    )
  for (const needed of [
    'package.json',
    'README.md',
    'CHANGELOG.md',
    'LICENSE',
    'dist/index.js',
    'dist/types/lib/index.d.ts',
  ])
    assert.ok(files.includes(needed), `${needed} is missing`)
  const allowed =
    /^(package\.json|README\.md|CHANGELOG\.md|LICENSE|dist\/[\w-]+\.(c?js|c?js\.map)|dist\/later\.txt|dist\/types\/lib\/[\w/-]+\.d\.ts)$/
  assert.equal(
    files.filter((file) => !allowed.test(file) || file.includes('internals')),
    [],
  )
})

test('has every file that its files refer to', () => {
  for (const file of readdirSync(join(installed, 'dist')).filter((name) => /\.c?js$/.test(name))) {
    const text = readFileSync(join(installed, 'dist', file), 'utf8')
    for (const [, name] of text.matchAll(/["'`]\.\/([\w-]+\.c?js)["'`]/g))
      assert.ok(existsSync(join(installed, 'dist', name!)), `${file} refers to ${name}`)
  }
})

test('does not export its internals', async () => {
  const file = write('internals.mjs', `import 'manyhands/dist/internals.js'`)
  const { code, stderr } = await runNode([file])
  assert.is(code, 1)
  assert.match(stderr, 'ERR_PACKAGE_PATH_NOT_EXPORTED')
})

test('breaks its executors when a file of its workers cannot be loaded', async () => {
  const file = join(installed, 'dist', 'worker-executor.cjs')
  const worker = readFileSync(file, 'utf8')
  const program = write(
    'broken.mjs',
    `import { ProcessPoolExecutor } from 'manyhands'
     const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
     await executor.submit(() => 1).catch((error) => console.log(error.code, error.cause.message))
     await executor.shutdown()`,
  )
  try {
    writeFileSync(file, `throw new Error('not installed well')\n${worker}`)
    const { code, stdout } = await runNode([program])
    assert.equal({ code, stdout }, { code: 0, stdout: 'ERR_MANYHANDS_BROKEN_POOL not installed well\n' })
  } finally {
    writeFileSync(file, worker)
  }
})

test('is what publint expects of a package', async () => {
  const { buffer } = new Uint8Array(readFileSync(tarball))
  const { messages, pkg } = await publint({ pack: { tarball: buffer }, strict: true })
  assert.equal(
    messages.map((message) => formatMessage(message, pkg)),
    [],
  )
})

test.run()
