// The source tree as the rules of layers.ts and names.ts see it: what imports what, and what stands in each file.
import { build } from 'esbuild'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { posix } from 'node:path'

/** TypeScript files by path, each with the paths of the files that it imports. */
export type ImportGraph = ReadonlyMap<string, ReadonlySet<string>>

/** The text of each file, by path: sources and pages. */
export type Sources = ReadonlyMap<string, string>

export interface Violation {
  /** The file or folder that breaks the rule. */
  path: string
  what: string
}

/** Finds every place where a tree breaks it. */
export type Rule = (graph: ImportGraph, sources: Sources) => Iterable<Violation>

export interface House {
  graph: ImportGraph
  sources: Sources
}

const FOLDERS = ['lib', 'workers', 'bench', 'examples', 'docs']
const PAGES = ['README.md', 'CONTRIBUTING.md']

/** The house as it stands. */
export async function readHouse(): Promise<House> {
  const files = FOLDERS.filter((folder) => existsSync(folder)).flatMap((folder) =>
    (readdirSync(folder, { recursive: true }) as string[])
      .filter((file) => /\.(ts|[cm]js|md)$/.test(file))
      .map((file) => posix.join(folder, file.replaceAll('\\', '/'))),
  )
  const sources = new Map([...files, ...PAGES].map((file) => [file, readFileSync(file, 'utf8')]))
  return { graph: await readGraph(sources), sources }
}

/** What esbuild sees, which is what runs; and what only types import, which it drops. */
async function readGraph(sources: Sources): Promise<ImportGraph> {
  const files = [...sources.keys()].filter((file) => /^(lib|workers)\/.*\.ts$/.test(file))
  const { metafile } = await build({
    entryPoints: files,
    bundle: true,
    metafile: true,
    write: false,
    outdir: 'unused',
    platform: 'node',
    format: 'esm',
    packages: 'external',
    logLevel: 'silent',
  })
  return new Map(
    files.map((file) => {
      const bundled = metafile.inputs[file]!.imports.filter(({ external }) => !external).map(({ path }) => path)
      return [file, new Set([...bundled, ...writtenImports(file, sources.get(file)!)])]
    }),
  )
}

function writtenImports(file: string, source: string): string[] {
  return [...source.matchAll(/(?:\bfrom|\bimport)[\s(]*['"](\.[^'"]+)\.js['"]/g)].map(([, path]) =>
    posix.join(posix.dirname(file), `${path}.ts`),
  )
}
