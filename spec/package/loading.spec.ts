// What of the package is loaded when. An import costs by the byte, so what a program does not use must not be loaded; and what is
// loaded is minified, so stack traces must stay readable.
import { cpSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { assert, runNode, suite } from '../harness.js'

const test = suite('loading the package')

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'loading-')))
process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
const index = resolve('dist/index.js')

/** Run a program. Each line that it prints is JSON. `loaded()` gives the files of the package, and of others, by name. */
async function printedBy(source: string, flags: string[] = []): Promise<unknown[]> {
  const file = join(folder, 'program.mjs')
  writeFileSync(
    file,
    `import { createRequire } from 'node:module'
     import * as manyhands from ${JSON.stringify(index)}
     const { cache } = createRequire(import.meta.url)
     const loaded = () => Object.keys(cache).filter((file) => !file.includes('internal')).map((file) => file.replaceAll('\\\\', '/'))
     const print = (value) => console.log(JSON.stringify(value))
     ${source}`,
  )
  const { code, stdout, stderr } = await runNode([...flags, file])
  assert.is(code, 0, stderr)
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown)
}

const names = (files: unknown) => (files as string[]).map((file) => basename(file)).toSorted()

test('an import loads two files, and no dependency', async () => {
  const [files] = await printedBy(`print(loaded())`)
  assert.equal(names(files), ['base.cjs', 'core.cjs'])
})

test('piscina is loaded with the first thread of an executor, comlink is not', async () => {
  const [before, after] = (await printedBy(`
    const executor = new manyhands.ProcessPoolExecutor({ maxWorkers: 1 })
    print(loaded())
    await executor.submit((n) => n, 1)
    print(loaded())
    await executor.shutdown()`)) as string[][]
  assert.not(before!.some((file) => file.includes('/piscina/')))
  assert.ok(after!.some((file) => file.includes('/piscina/')))
  assert.not(after!.some((file) => file.includes('/comlink/')))
})

test('the first thread is booted ahead of piscina, which takes it for its own', async () => {
  const [first, second, mine, isPiscinas] = await printedBy(`
    import { Worker } from 'node:worker_threads'
    const idOf = () => process.getBuiltinModule('node:worker_threads').threadId
    for (const _ of [1, 2]) {
      const executor = new manyhands.ProcessPoolExecutor({ maxWorkers: 1 })
      print(await executor.submit(idOf))
      await executor.shutdown()
    }
    print(new Worker('', { eval: true }).threadId)
    const executor = new manyhands.ProcessPoolExecutor({ maxWorkers: 1 })
    print(await executor.submit(() => import('piscina').then(({ isWorkerThread }) => isWorkerThread)))
    await executor.shutdown()`)
  // Ids are given in order: no other thread was started.
  assert.equal([first, second, mine], [1, 2, 3])
  assert.is(isPiscinas, true)
})

test('a piscina that boots another file than was expected boots its own thread', async () => {
  const home = join(folder, 'other')
  const piscina = join(home, 'node_modules', 'piscina')
  mkdirSync(piscina, { recursive: true })
  cpSync('package.json', join(home, 'package.json'))
  cpSync('dist', join(home, 'dist'), { recursive: true })
  writeFileSync(join(piscina, 'package.json'), '{ "main": "main.js" }')
  const real = createRequire(import.meta.url).resolve('piscina')
  writeFileSync(join(piscina, 'main.js'), `module.exports = require(${JSON.stringify(real)})`)
  const file = join(home, 'program.mjs')
  writeFileSync(
    file,
    `import { ProcessPoolExecutor } from './dist/index.js'
     const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
     console.log(await executor.submit((n) => n + 1, 1))
     await executor.shutdown()`,
  )
  const { code, stdout, stderr } = await runNode([file])
  assert.equal({ code, stdout, stderr }, { code: 0, stdout: '2\n', stderr: '' })
})

test('a worker that runs a plain function does not load the classes of the package', async () => {
  const [files] = await printedBy(`
    const executor = new manyhands.ProcessPoolExecutor({ maxWorkers: 1 })
    print(await executor.submit(() => Object.keys(process.getBuiltinModule('node:module')._cache)))
    await executor.shutdown()`)
  assert.ok(names(files).includes('worker-executor.cjs'))
  assert.not(names(files).includes('core.cjs'))
})

test('every class and function has the name that it is exported by', async () => {
  const [wrong] = await printedBy(
    `print(Object.entries(manyhands).filter(([name, value]) => typeof value === 'function' && value.name !== name))`,
  )
  assert.equal(wrong, [])
})

test('stack traces name the functions of the package, and lead to its sources with source maps', async () => {
  const source = `
    try { new manyhands.ProcessPoolExecutor({ maxWorkers: 0 }) } catch (error) { print(error.stack) }`
  const [plain] = await printedBy(source)
  assert.match(plain as string, /at checkInteger .*base\.cjs:\d+:\d+/)
  assert.match(plain as string, /at new ProcessPoolExecutor .*core\.cjs:\d+:\d+/)
  const [mapped] = await printedBy(source, ['--enable-source-maps'])
  const [, line] = /at new ProcessPoolExecutor \(.*process-pool-executor\.ts:(\d+):\d+\)/.exec(mapped as string)!
  const lines = readFileSync('lib/executor/process-pool-executor.ts', 'utf8').split('\n')
  assert.match(lines[Number(line) - 1]!, /openPool/)
})

test('an error that ends a program shows a short line of the package', async () => {
  const file = join(folder, 'fails.mjs')
  writeFileSync(file, `import { Queue } from ${JSON.stringify(index)}\nnew Queue(-1)`)
  const { code, stderr } = await runNode([file])
  assert.is(code, 1)
  assert.ok(stderr.length < 3000, stderr)
})

test('the face exports what the module for bundlers exports', async () => {
  const [face] = await printedBy(`print(Object.keys(manyhands))`)
  const [bundled] = await printedBy(`print(Object.keys(await import(${JSON.stringify(resolve('dist/module.js'))})))`)
  assert.equal(bundled, face)
})

test.run()
