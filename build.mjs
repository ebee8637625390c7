// Bundles lib and workers into dist with code splitting, so that a worker's entry and a user's `import 'manyhands'` in that worker
// share one copy of every module (one task registry, one current process). All output lies in one folder, because a chunk looks for
// the worker entries beside itself. Specs, benches and examples are compiled file by file into .build, each to its own place, because
// they start themselves and one another by file name.
import { build } from 'esbuild'
import { copyFileSync, readdirSync, readFileSync, rmSync } from 'node:fs'

const { dependencies, version } = JSON.parse(readFileSync('package.json', 'utf8'))
const common = { platform: 'node', format: 'esm', target: 'node20', sourcemap: true, logLevel: 'warning' }
const typescriptIn = (folder) =>
  readdirSync(folder, { recursive: true })
    .filter((file) => file.endsWith('.ts') && !file.startsWith('fixtures'))
    .map((file) => `${folder}/${file}`)

for (const folder of ['dist', '.build']) rmSync(folder, { recursive: true, force: true })

await Promise.all([
  build({
    ...common,
    entryPoints: [
      'lib/index.ts',
      'lib/internals.ts',
      ...typescriptIn('workers').map((path) => ({ in: path, out: path.slice(0, -'.ts'.length).replace('s/', '-') })),
    ],
    outdir: 'dist',
    bundle: true,
    splitting: true,
    external: Object.keys(dependencies),
    define: { PACKAGE_VERSION: JSON.stringify(version) },
  }),
  build({
    ...common,
    entryPoints: ['spec', 'bench', 'examples'].flatMap(typescriptIn),
    outdir: '.build',
    outbase: '.',
  }),
])
copyFileSync('workers/executor-entry.cjs', 'dist/worker-executor-entry.cjs')
