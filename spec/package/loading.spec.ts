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
     const loaded = () => Object.keys(cache).map((file) => file.replaceAll('\\\\', '/'))
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

const MEET = `
  const words = new Int32Array(new SharedArrayBuffer(4))
  const meet = (words) => {
    Atomics.add(words, 0, 1)
    Atomics.notify(words, 0)
    while (Atomics.load(words, 0) < 2) Atomics.wait(words, 0, 1, 1000)
    return import('piscina').then(({ isWorkerThread }) => [process.getBuiltinModule('node:worker_threads').threadId, isWorkerThread])
  }`

test('an executor with one worker does without piscina, and one with two has it', async () => {
  const [one, two] = (await printedBy(`
    ${MEET}
    const executor = new manyhands.ProcessPoolExecutor({ maxWorkers: 2 })
    await executor.submit((n) => n, 1)
    print(loaded())
    await Promise.all([executor.submit(meet, words), executor.submit(meet, words)])
    print(loaded())
    await executor.shutdown()`)) as string[][]
  assert.not(one!.some((file) => file.includes('/piscina/')))
  assert.ok(two!.some((file) => file.includes('/piscina/')))
  assert.not(two!.some((file) => file.includes('/comlink/')))
})

test('the first thread is booted without piscina, and piscina takes it for its own', async () => {
  const [both, mine] = (await printedBy(`
    ${MEET}
    import { Worker } from 'node:worker_threads'
    const executor = new manyhands.ProcessPoolExecutor({ maxWorkers: 2 })
    print(await Promise.all([executor.submit(meet, words), executor.submit(meet, words)]))
    print(new Worker('', { eval: true }).threadId)
    await executor.shutdown()`)) as [[number, boolean][], number]
  const threads = both.toSorted(([a], [b]) => a - b)
  assert.equal(threads, [[1, true], [2, true]]) // prettier-ignore
  assert.is(mine, 3) // Ids are given in order: no other thread was started.
})

test('a first thread that ends is replaced, before piscina is loaded and after', async () => {
  const [codes] = await printedBy(`
    ${MEET}
    const executor = new manyhands.ProcessPoolExecutor({ maxWorkers: 2 })
    const codes = []
    for (let i = 0; i < 3; i++) {
      await executor.submit(() => process.exit(3)).catch((error) => codes.push(error.exitcode))
      if (i === 1) await Promise.all([executor.submit(meet, words), executor.submit(meet, words)])
    }
    print(codes)
    await executor.shutdown()`)
  assert.equal(codes, [3, 3, 3])
})

test('a piscina that boots another file than was expected boots its own threads', async () => {
  const home = join(folder, 'other')
  const piscina = join(home, 'node_modules', 'piscina')
  mkdirSync(piscina, { recursive: true })
  cpSync('package.json', join(home, 'package.json'))
  cpSync('dist', join(home, 'dist'), { recursive: true })
  writeFileSync(join(piscina, 'package.json'), '{ "main": "main.js" }')
  const real = createRequire(import.meta.url).resolve('piscina')
  writeFileSync(join(piscina, 'main.js'), `module.exports = require(${JSON.stringify(real)})`)
  writeFileSync(join(piscina, 'worker.js'), '')
  const file = join(home, 'program.mjs')
  writeFileSync(
    file,
    `import { ProcessPoolExecutor } from './dist/index.js'
     ${MEET.replace(/return import.*/, 'return 1')}
     const executor = new ProcessPoolExecutor({ maxWorkers: 2 })
     console.log(await Promise.all([executor.submit(meet, words), executor.submit(meet, words)]))
     await executor.shutdown()`,
  )
  const { code, stdout, stderr } = await runNode([file])
  assert.equal({ code, stdout, stderr }, { code: 0, stdout: '[ 1, 1 ]\n', stderr: '' })
})

test('where piscina is not installed, an executor has one worker, and tells why', async () => {
  const home = join(folder, 'alone')
  mkdirSync(home)
  cpSync('package.json', join(home, 'package.json'))
  cpSync('dist', join(home, 'dist'), { recursive: true })
  const file = join(home, 'program.mjs')
  writeFileSync(
    file,
    `import { ProcessPoolExecutor } from './dist/index.js'
     const executor = new ProcessPoolExecutor({ maxWorkers: 2 })
     const later = (n) => new Promise((resolve) => setTimeout(resolve, 50, n))
     console.log(await Promise.all([1, 2, 3].map((n) => executor.submit(later, n))))
     await executor.shutdown()`,
  )
  const { code, stdout, stderr } = await runNode([file])
  assert.equal({ code, stdout }, { code: 0, stdout: '[ 1, 2, 3 ]\n' })
  assert.match(stderr, /MANYHANDS_WORKER_NOT_STARTED[^]*Cannot find module 'piscina'/)
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

test('what is loaded later does without a global that the program has deleted since', async () => {
  const [result, exitcode] = await printedBy(`
    delete globalThis.URL
    const executor = new manyhands.ProcessPoolExecutor({ maxWorkers: 1 })
    print(await executor.submit((n) => n + 1, 1))
    await executor.shutdown()
    const process = new manyhands.Process({ target: () => 1 }).start()
    await process.join()
    print(process.exitcode)`)
  assert.equal([result, exitcode], [2, 0])
})

test('the face exports what the module for bundlers exports', async () => {
  const [face] = await printedBy(`print(Object.keys(manyhands))`)
  const [bundled] = await printedBy(`print(Object.keys(await import(${JSON.stringify(resolve('dist/module.js'))})))`)
  assert.equal(bundled, face)
})

test.run()
