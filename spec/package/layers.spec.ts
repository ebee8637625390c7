import { build, transform } from 'esbuild'
import { readdirSync, readFileSync } from 'node:fs'
import { posix } from 'node:path'
import { assert, suite } from '../harness.js'
import { violations, type ImportGraph } from './layers.js'

const test = suite('layers')

const sources = ['lib', 'workers'].flatMap((folder) =>
  (readdirSync(folder, { recursive: true }) as string[])
    .filter((file) => file.endsWith('.ts'))
    .map((file) => posix.join(folder, file.replaceAll('\\', '/'))),
)

function graphOf(imports: Record<string, string[]>): ImportGraph {
  return new Map(Object.entries(imports).map(([file, imported]) => [file, new Set(imported)]))
}

/** What esbuild sees, which is what runs; and what only types import, which it drops. */
async function readGraph(): Promise<ImportGraph> {
  const { metafile } = await build({
    entryPoints: sources,
    bundle: true,
    metafile: true,
    write: false,
    outdir: 'unused',
    platform: 'node',
    format: 'esm',
    packages: 'external',
    logLevel: 'silent',
  })
  const graph = new Map<string, Set<string>>()
  for (const file of sources) {
    const imports = metafile.inputs[file]!.imports.filter(({ external }) => !external).map(({ path }) => path)
    graph.set(file, new Set([...imports, ...writtenImports(file, readFileSync(file, 'utf8'))]))
  }
  return graph
}

function writtenImports(file: string, source: string): string[] {
  return [...source.matchAll(/(?:\bfrom|\bimport)[\s(]*['"](\.[^'"]+)\.js['"]/g)].map(([, path]) =>
    posix.join(posix.dirname(file), `${path}.ts`),
  )
}

test('import downward only, and not in cycles', async () => {
  const graph = await readGraph()
  assert.ok(graph.get('lib/index.ts')!.has('lib/executor/future.ts'))
  assert.ok(graph.get('lib/process/control-block.ts')!.has('lib/task/target.ts'), 'imports of types count')
  assert.equal(violations(graph), [])
})

test('are all files that the sources name', async () => {
  const graph = await readGraph()
  const named = [...graph.values()].flatMap((imports) => [...imports])
  assert.equal(
    named.filter((file) => !graph.has(file)),
    [],
  )
})

test('are reported when a module imports upward', () => {
  const graph = graphOf({
    'lib/errors.ts': [],
    'lib/memory/words.ts': ['lib/errors.ts'],
    'lib/sync/lock.ts': ['lib/memory/words.ts', 'lib/process/process.ts'],
    'lib/process/process.ts': ['lib/errors.ts', 'lib/index.ts'],
    'lib/index.ts': ['workers/process.ts', 'lib/process/process.ts'],
    'workers/process.ts': ['lib/sync/lock.ts'],
  })
  assert.equal(
    violations(graph).filter((violation) => !violation.startsWith('cycle')),
    [
      'lib/sync/lock.ts imports upward: lib/process/process.ts',
      'lib/process/process.ts imports upward: lib/index.ts',
      'lib/index.ts imports upward: workers/process.ts',
    ],
  )
})

test('are reported when modules of one layer import one another in a cycle', () => {
  const graph = graphOf({
    'lib/task/a.ts': ['lib/task/b.ts'],
    'lib/task/b.ts': ['lib/task/c.ts'],
    'lib/task/c.ts': ['lib/task/b.ts'],
  })
  assert.equal(violations(graph), ['cycle: lib/task/b.ts -> lib/task/c.ts -> lib/task/b.ts'])
})

test('are reported when a file belongs to none', () => {
  assert.equal(violations(graphOf({ 'lib/misc/helpers.ts': [] })), ['lib/misc/helpers.ts belongs to no layer'])
})

/** Whether a source uses the global of that name; comments, strings and properties do not count. */
async function usesGlobal(name: string, source: string): Promise<boolean> {
  const define = { [name]: 'FOUND_GLOBAL', [`globalThis.${name}`]: 'FOUND_GLOBAL' }
  const { code } = await transform(source, { loader: 'ts', target: 'node20', define })
  return code.includes('FOUND_GLOBAL')
}

test('touch the global Atomics in lib/memory/atomics.ts only', async () => {
  const users: string[] = []
  for (const file of sources) if (await usesGlobal('Atomics', readFileSync(file, 'utf8'))) users.push(file)
  assert.equal(users, ['lib/memory/atomics.ts'])
})

test('have their use of Atomics recognized in every spelling, and nothing else taken for it', async () => {
  for (const source of [
    'Atomics.load(words, 0)',
    'globalThis.Atomics.wait(words, 0, 0)',
    'const { store } = Atomics',
    'run(Atomics)',
  ])
    assert.ok(await usesGlobal('Atomics', source), source)
  for (const source of [
    '// Atomics.load',
    'log("Atomics.load")',
    'own.Atomics.load()',
    "import { load } from './atomics.js'; load()",
  ])
    assert.not.ok(await usesGlobal('Atomics', source), source)
})

test.run()
