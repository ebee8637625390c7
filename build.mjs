// Bundles lib and workers into dist: docs/adr/0007-commonjs-chunks-behind-an-es-face.md. Compiles specs, benches and examples file by
// file into .build, each to its own place, because they start themselves and one another by file name.
import { build, transform } from 'esbuild'
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, posix, relative } from 'node:path'

const { dependencies, version } = JSON.parse(readFileSync('package.json', 'utf8'))
const slashed = (path) => path.replaceAll('\\', '/')
const typescriptIn = (folder) =>
  readdirSync(folder, { recursive: true })
    .filter((file) => file.endsWith('.ts') && !file.startsWith('fixtures'))
    .map((file) => `${folder}/${slashed(file)}`)

for (const folder of ['dist', '.build']) rmSync(folder, { recursive: true, force: true })
mkdirSync('dist')

const compiling = { platform: 'node', target: 'node20', sourcemap: true, logLevel: 'warning' }
const bundling = {
  ...compiling,
  bundle: true,
  mainFields: ['module', 'main'], // comlink's CommonJS takes 7 ms to load.
  external: Object.keys(dependencies).filter((name) => name !== 'comlink'),
  define: { PACKAGE_VERSION: JSON.stringify(version) },
}

/**
 * What is loaded at its first use, and not with what imports it: by chunk, the files that are used from outside. Nothing may use them
 * as it is loaded.
 */
const LAZY = {
  cells: ['lib/memory/element-ops.ts'],
  codec: ['lib/transport/codec/codec.ts'],
  engine: [
    'lib/executor/pool-options.ts',
    ...['call-job', 'chunk-job', 'range-job', 'item-jobs', 'death-errors'].map(
      (name) => `lib/executor/main/${name}.ts`,
    ),
  ],
  errors: ['lib/transport/clone-error.ts'],
  events: ['lib/executor/task-events.ts'],
  imap: ['lib/pool/imap.ts'],
  managing: ['lib/manager/manager-thread.ts', 'lib/manager/proxy.ts'],
  map: ['lib/executor/map/map.ts'],
  piping: ['lib/pipe/pipe-end.ts', 'lib/pipe/receiver.ts', 'lib/pipe/wait-any.ts'],
  queuing: [
    'lib/queue/queue-options.ts',
    'lib/queue/queue-errors.ts',
    'lib/queue/queue-state.ts',
    'lib/queue/task-counts.ts',
  ],
  output: ['lib/thread/worker-output.ts'],
  range: ['lib/executor/range/range.ts'],
  tables: ['lib/transport/codec/table.ts', 'lib/transport/codec/table-decoder.ts'],
  sources: ['lib/task/function-source.ts'],
  inline: ['lib/executor/inline-attempt.ts'],
  items: ['lib/executor/map/map-chunk.ts', 'lib/executor/range/run-blocks.ts'],
  starting: ['lib/process/child.ts', 'lib/process/warm-threads.ts'],
}
const lazyFiles = Object.values(LAZY).flat()

const INDEX = 'lib/index.ts'
const INTERNALS = 'lib/internals.ts'

/** What each file exports and imports, once its types are gone. */
async function readSources() {
  const files = [...typescriptIn('lib'), ...typescriptIn('workers')]
  const { outputFiles, metafile } = await build({
    ...compiling,
    entryPoints: files,
    outdir: '.',
    outbase: '.',
    format: 'esm',
    sourcemap: false,
    logLevel: 'error', // Not: that `require` in an ES module is left as it is.
    write: false,
    metafile: true,
  })
  const texts = new Map(outputFiles.map(({ path, text }) => [slashed(relative('.', path)), text]))
  return new Map(
    files.map((file) => {
      const output = file.replace(/\.ts$/, '.js')
      const text = texts.get(output)
      const found = (pattern) => [...text.matchAll(pattern)].map(([, ...parts]) => parts)
      const imports = found(/^(?:import|export) \{([^}]*)\} from "(\.[^"]*)";$/gm).map(([names, path]) => ({
        path: sourceOf(file, path),
        names: names.split(',').map((name) => name.trim().split(' as ')[0]),
      }))
      return [
        file,
        {
          imports,
          exports: metafile.outputs[output].exports,
          variables: found(/^let (\w+)/gm).flat(),
          asksUrl: text.includes('import.meta.url'),
        },
      ]
    }),
  )
}

/** How a file names another in its imports. */
function relativeTo(importer, file) {
  const path = posix.relative(posix.dirname(importer), file).replace(/\.ts$/, '.js')
  return path.startsWith('.') ? path : `./${path}`
}

function sourceOf(importer, path) {
  return posix.join(posix.dirname(importer), path).replace(/\.js$/, '.ts')
}

const sources = await readSources()

/** The files that are loaded with a file. */
function loadedWith(file, found = new Set()) {
  if (found.has(file)) return found
  found.add(file)
  for (const { path } of sources.get(file).imports) if (!lazyFiles.includes(path)) loadedWith(path, found)
  return found
}

/** What programs and threads start with, and what is loaded at its first use: by name, the files. */
const roots = new Map([
  ['core', [INDEX]],
  ...typescriptIn('workers').map((file) => [`worker-${basename(file, '.ts')}`, [file]]),
  ...Object.entries(LAZY),
])
const loadedWithRoot = new Map(
  [...roots].map(([name, files]) => {
    const found = new Set()
    for (const file of files) loadedWith(file, found)
    return [name, found]
  }),
)
const rootFiles = [...roots.values()].flat()

/** What a worker of an executor may load: with its first use, too. */
const loadedInWorker = new Set(loadedWithRoot.get('worker-executor'))
for (const file of loadedInWorker)
  for (const { path } of sources.get(file).imports) for (const loaded of loadedWith(path)) loadedInWorker.add(loaded)

/** The chunk that a file is in. */
function chunkOf(file) {
  const loaders = [...roots.keys()].filter((name) => loadedWithRoot.get(name).has(file))
  if (loaders.includes('core')) return loadedInWorker.has(file) ? 'base' : 'core'
  if (loaders.includes('worker-executor') && loaders.length > 1) return 'shared' // One chunk: a worker has all of it.
  return loaders.join('-') || 'internals'
}

const chunkOfFile = new Map([...sources.keys()].map((file) => [file, chunkOf(file)]))

/** What of a file's exports other chunks have. */
function sharedBy(file) {
  const { exports, variables } = sources.get(file)
  const users = [...sources].filter(([user]) => chunkOfFile.get(user) !== chunkOfFile.get(file))
  const used = users.flatMap(([, { imports }]) =>
    imports.filter(({ path }) => path === file).flatMap(({ names }) => names),
  )
  const names = file === INDEX || file.startsWith('workers/') || file === INTERNALS ? exports : [...new Set(used)]
  const variable = names.find((name) => variables.includes(name))
  if (variable) throw new Error(`${file} exports the variable ${variable}, which chunks cannot share`)
  return names
}

/** What a file has of chunks that are loaded at their first use: in place of these names, it gets them from an object of getters. */
const lazyImports = (file) =>
  sources
    .get(file)
    .imports.filter(({ path }) => lazyFiles.includes(path) && chunkOfFile.get(path) !== chunkOfFile.get(file))

/** The objects of a chunk that load others: by chunk, the names. */
function lazyNames(files) {
  const names = new Map()
  for (const { path, names: imported } of files.flatMap(lazyImports)) {
    const chunk = chunkOfFile.get(path)
    names.set(chunk, new Set([...(names.get(chunk) ?? []), ...imported]))
  }
  return [...names].map(([chunk, names]) => ({ chunk, object: `${chunk.replace(/\W/g, '_')}_lazy`, names: [...names] }))
}

/** What is loaded with a program or a thread is required; the rest is loaded by workers/load-later.cjs. */
const isLoadedAtOnce = (chunk) => chunk === 'base' || (roots.has(chunk) && !(chunk in LAZY))
const loading = (chunk) => (isLoadedAtOnce(chunk) ? `require('./${chunk}.cjs')` : `loadLater('${chunk}')`)

function lazyObject({ chunk, object, names }) {
  const load = `${object}.chunk ??= ${loading(chunk)}`
  return `const ${object} = { chunk: undefined, ${names.map((name) => `get ${name}() { return (${load}).${name} }`)} }`
}

/** Resolves what a chunk has of others, and of Node.js, to constants. */
const linked = (chunk) => ({
  name: 'linked',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^\./ }, ({ path, importer, kind }) => {
      const file = sourceOf(slashed(relative('.', importer)), path)
      if (!sources.has(file)) return undefined
      if (kind === 'require-call') return { path: `./${chunkOfFile.get(file)}.cjs`, external: true }
      return chunkOfFile.get(file) === chunk ? undefined : { path: file, namespace: 'chunk' }
    })
    onLoad({ filter: /\.ts$/, namespace: 'file' }, ({ path }) => {
      const file = slashed(relative('.', path))
      let contents = readFileSync(path, 'utf8')
      for (const { path: lazy } of lazyImports(file)) {
        const written = relativeTo(file, lazy)
        const statement = new RegExp(String.raw`^import \{[^}]*\} from '${written}'$`, 'm')
        contents = contents.replace(statement, (found) => found.replace(/[^\n]/g, '')) // The lines stay.
      }
      return { contents, loader: 'ts' }
    })
    onLoad({ filter: /.*/, namespace: 'chunk' }, ({ path }) => {
      const names = sharedBy(path)
      return { contents: `const { ${names} } = ${loading(chunkOfFile.get(path))}; export { ${names} }` }
    })
    onResolve({ filter: /^node:/ }, ({ path, kind }) =>
      kind === 'import-statement' ? { path, namespace: 'builtin' } : undefined,
    )
    onLoad({ filter: /.*/, namespace: 'builtin' }, ({ path }) => {
      const names = Object.keys(process.getBuiltinModule(path)).filter((name) => /^[a-z]\w*$/i.test(name))
      const constants = names.map((name) => `export const ${name} = /* @__PURE__ */ (() => builtin.${name})()`)
      return { contents: [`const builtin = require('${path}')`, ...constants].join('\n') }
    })
    onResolve({ filter: /.*/, namespace: 'chunk' }, ({ path }) => ({ path, external: true }))
    onResolve({ filter: /.*/, namespace: 'builtin' }, ({ path }) => ({ path, external: true }))
  },
})

const LOAD_LATER = `(() => { ${readFileSync('workers/load-later.cjs', 'utf8').replace('module.exports =', 'return').replace('PACKAGE_VERSION', JSON.stringify(version))} })()`
const MODULE_URL = 'const MODULE_URL = require("node:url").pathToFileURL(__filename).href'

/** Export by one object. esbuild would define a getter for each name, and then another, which takes longer than all else in a chunk. */
function exportAtOnce(text, further) {
  const [statement, names] = /^export \{([^}]*)\};$/m.exec(text) ?? ['', '']
  const entries = names.replace(/(\w+) as (\w+)/g, '$2: $1')
  return text.replace(statement, () => `module.exports = {${entries}${further}};`).replaceAll('__require(', 'require(')
}

async function buildChunk(chunk) {
  const files = [...sources.keys()].filter((file) => chunkOfFile.get(file) === chunk)
  const lazy = lazyNames(files)
  const moduleUrl = files.some((file) => sources.get(file).asksUrl) ? MODULE_URL : ''
  const loadLater = `const loadLater = ${chunk === 'base' ? LOAD_LATER : `require('./base.cjs').loadLater`}`
  const exported = new Set()
  // The index first: what it exports, other files of its chunk export, too.
  const entry = files
    .toSorted((a, b) => (b === INDEX ? 1 : 0) - (a === INDEX ? 1 : 0))
    .map((file) => {
      const names = sharedBy(file).filter((name) => !exported.has(name))
      for (const name of names) exported.add(name)
      if (names.length > 0) return `export { ${names} } from './${file}'`
      return rootFiles.includes(file) ? `import './${file}'` : ''
    })
  const { outputFiles } = await build({
    ...bundling,
    stdin: { contents: entry.join('\n'), resolveDir: '.' },
    outfile: `dist/${chunk}.cjs`,
    format: 'esm',
    write: false,
    sourcemap: 'inline',
    define: {
      ...bundling.define,
      'import.meta.url': 'MODULE_URL',
      ...Object.fromEntries(lazy.flatMap(({ object, names }) => names.map((name) => [name, `${object}.${name}`]))),
    },
    banner: { js: [moduleUrl, loadLater, ...lazy.map(lazyObject)].join(';') },
    plugins: [linked(chunk)],
  })
  // Without a format, esbuild leaves the names of functions and classes at the top as they are.
  const { code, map } = await transform(exportAtOnce(outputFiles[0].text, chunk === 'base' ? ', loadLater' : ''), {
    target: compiling.target,
    minify: true,
    treeShaking: true,
    lineLimit: 160,
    legalComments: 'none',
    sourcemap: 'external',
    banner: '"use strict";',
  })
  writeFileSync(`dist/${chunk}.cjs`, `${code}//# sourceMappingURL=${chunk}.cjs.map\n`)
  writeFileSync(`dist/${chunk}.cjs.map`, map)
}

/** An ES module with the exports of a chunk. Not by import: Node.js would look for their names in the text, which takes 14 ms. */
function writeFace(name, file) {
  const lines = [
    `import { createRequire } from 'node:module'`,
    `export const { ${sources.get(file).exports.join(', ')} } = createRequire(import.meta.url)('./${chunkOfFile.get(file)}.cjs')`,
  ]
  writeFileSync(`dist/${name}.js`, `${lines.join('\n')}\n`)
}

await Promise.all([
  ...[...new Set(chunkOfFile.values())].map(buildChunk),
  // For bundlers, which could not follow the face to the chunks.
  build({
    ...bundling,
    entryPoints: [INDEX],
    outfile: 'dist/module.js',
    format: 'esm',
    banner: {
      js: `import { createRequire as requireOf } from 'node:module'; const require = requireOf(import.meta.url)`,
    },
  }),
  build({
    ...compiling,
    entryPoints: ['spec', 'bench', 'examples'].flatMap(typescriptIn),
    outdir: '.build',
    outbase: '.',
    format: 'esm',
  }),
])
const later = [...new Set(chunkOfFile.values())].filter((chunk) => !isLoadedAtOnce(chunk) && chunk !== 'internals')
const texts = later.map((chunk) => `\n//@ ${chunk}\n${readFileSync(`dist/${chunk}.cjs`, 'latin1')}`)
writeFileSync('dist/later.txt', `${texts.join('')}\n//@ \n`, 'latin1')
writeFace('index', INDEX)
writeFace('internals', INTERNALS)
copyFileSync('workers/executor-entry.cjs', 'dist/worker-executor-entry.cjs')
