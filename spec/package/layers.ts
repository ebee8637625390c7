// How the house is built: which folder stands on which, who alone touches an outside thing, and how large folders and files may be.
import { transformSync } from 'esbuild'
import { posix } from 'node:path'
import type { ImportGraph, Rule, Sources, Violation } from './house.js'

/**
 * From the ground up. A folder imports from itself and from every lower floor. Folders of one floor stand side by side in an
 * order: each may import also from those listed before it on its floor, and from none listed after it.
 */
const FLOORS: readonly (readonly string[])[] = [
  ['lib/copies.ts', 'lib/errors.ts', 'lib/memory/'],
  ['lib/base/', 'lib/thread/', 'lib/task/'],
  ['lib/transport/'],
  ['lib/sync/', 'lib/process/'],
  ['lib/shared/', 'lib/queue/', 'lib/pipe/', 'lib/executor/', 'lib/manager/'],
  ['lib/pool/'],
  ['lib/index.ts', 'lib/internals.ts', 'workers/'],
]

const ORDER = FLOORS.flat()

/** The floors whose folders explain a protocol, each in a README. */
const EXPLAINED = FLOORS.slice(2, 5).flat()

/** Has no protocol of its own: its bytes are read and written by lib/memory, and guarded by a lock of lib/sync. */
const NOT_EXPLAINED = 'lib/shared/'

export const importsDownward: Rule = function* (graph) {
  for (const [path, imports] of graph) {
    const place = placeOf(path)
    if (place < 0) yield { path, what: 'belongs to no floor' }
    for (const imported of imports) if (placeOf(imported) > place) yield { path, what: `imports upward: ${imported}` }
  }
}

function placeOf(file: string): number {
  return ORDER.findIndex((room) => (room.endsWith('/') ? file.startsWith(room) : file === room))
}

export const importsWithoutCycle: Rule = function* (graph) {
  const finished = new Set<string>()
  const trail: string[] = []
  function* visit(path: string): Generator<Violation> {
    if (trail.includes(path)) {
      yield { path, what: `imports itself: ${[...trail.slice(trail.indexOf(path)), path].join(' -> ')}` }
      return
    }
    if (finished.has(path)) return
    trail.push(path)
    for (const imported of graph.get(path) ?? []) yield* visit(imported)
    trail.pop()
    finished.add(path)
  }
  for (const path of graph.keys()) yield* visit(path)
}

/** The thread that submits work and the worker that runs it agree on the protocol and on nothing else. */
const MUST_NOT_REACH: Record<string, readonly string[]> = {
  'lib/executor/main/': ['lib/executor/worker/'],
  'lib/executor/worker/': ['lib/executor/main/'],
  'lib/executor/protocol/': ['lib/executor/main/', 'lib/executor/worker/'],
  'lib/executor/map/': ['lib/executor/main/', 'lib/executor/worker/', 'lib/executor/protocol/'],
  'lib/executor/range/': ['lib/executor/main/', 'lib/executor/worker/', 'lib/executor/protocol/'],
}

/** Through other files, too: a file between the two would make them one. */
export const executorSidesApart: Rule = function* (graph) {
  for (const [folder, forbidden] of Object.entries(MUST_NOT_REACH))
    for (const path of graph.keys())
      if (path.startsWith(folder))
        for (const way of waysFrom(path, graph))
          if (forbidden.some((room) => way.at(-1)!.startsWith(room)))
            yield { path, what: `must not reach ${way.at(-1)}, as in ${way.join(' -> ')}` }
}

/** The shortest way to each file that `path` imports, directly or not. */
function waysFrom(path: string, graph: ImportGraph): string[][] {
  const seen = new Set([path])
  const ways = [[path]]
  for (const way of ways)
    for (const imported of graph.get(way.at(-1)!) ?? [])
      if (!seen.has(imported)) {
        seen.add(imported)
        ways.push([...way, imported])
      }
  return ways.slice(1)
}

export interface OutsideThing {
  name: string
  owners: readonly string[]
  /** @param source as it is written; types count @param code what runs of it, by `codeIn` */
  isUsedIn(source: string, code: string): boolean
}

/** What is used in one place only, so that there is one place to look at when Node or a dependency changes. */
export const OUTSIDE_THINGS: readonly OutsideThing[] = [
  {
    name: 'the global Atomics',
    owners: ['lib/memory/atomics.ts'],
    isUsedIn: (_, code) => /\bGLOBAL_Atomics\b/.test(code),
  },
  {
    name: 'the clocks, timers and promises of Node',
    owners: ['lib/base/clock.ts', 'workers/executor-entry.cjs'],
    isUsedIn: (source, code) =>
      /['"`](node:)?(timers|timers\/promises|perf_hooks)['"`]/.test(source) || /\bGLOBAL_CLOCK\b/.test(code),
  },
  {
    name: 'piscina',
    owners: ['lib/executor/main/threads/piscina-threads.ts'],
    isUsedIn: (source) => /['"`]piscina['"`]/.test(source),
  },
  {
    name: 'comlink',
    owners: ['lib/manager/rpc.ts'],
    isUsedIn: (source) => /['"`]comlink['"`]/.test(source),
  },
  {
    name: '/proc',
    owners: ['lib/thread/os-thread.ts'],
    isUsedIn: (_, code) => /['"`]\/proc\b/.test(code),
  },
  {
    name: 'new Worker',
    owners: ['lib/thread/boot.ts', 'lib/executor/main/threads/piscina-threads.ts'],
    isUsedIn: (_, code) => /\bnew (\w+\.)?Worker\b/.test(code),
  },
  {
    name: 'code from strings',
    owners: [
      'lib/transport/codec/key-sets.ts',
      'lib/transport/codec/table-encoder-code.ts',
      'lib/transport/codec/table-decoder.ts',
      'lib/task/function-source.ts',
      'lib/task/import-module.ts',
      'lib/executor/worker/number-loop.ts',
      'workers/load-later.cjs',
    ],
    isUsedIn: (source, code) =>
      /['"`](node:)?vm['"`]/.test(source) || /\bGLOBAL_Function\(|\bGLOBAL_eval\b|\._compile\(/.test(code),
  },
]

const CLASSES_OF_REALM = ['AbortSignal', 'ArrayBuffer', '\\w+Array', 'Buffer', 'DataView', 'DOMException', 'Error', '(Aggregate|Eval|Range|Reference|Syntax|Type|URI)Error', 'Map', 'Object', 'GLOBAL_CLOCK', 'RegExp', 'Set', 'SharedArrayBuffer', 'URL', 'WeakMap', 'WeakSet', 'WebAssembly\\.\\w+'] // prettier-ignore

const ASKS_REALM = new RegExp(
  String.raw`\binstanceof (${CLASSES_OF_REALM.join('|')})\b|[!=]== ?(${CLASSES_OF_REALM.join('|')})\.prototype\b|\.constructor ?[!=]==`,
)

/** Callers' values, and messages, may be of another realm, where the same class is another. */
export const brandsAsked: Rule = function* (_, sources) {
  for (const [path, source] of codeOf(sources)) {
    const [found] = ASKS_REALM.exec(codeIn(source)) ?? []
    if (found && !OF_THIS_REALM[path])
      yield { path, what: `asks ${found}, which is not so in another realm: ask ${BRANDS}` }
  }
}

/** @param things what is owned, and by whom */
export const outsideThingsOwned = (things = OUTSIDE_THINGS): Rule =>
  function* (_, sources) {
    for (const [path, source] of codeOf(sources)) {
      const code = codeIn(source)
      for (const { name, owners, isUsedIn } of things)
        if (!owners.includes(path) && isUsedIn(source, code))
          yield { path, what: `uses ${name}, which belongs to ${owners.join(' and ')}` }
    }
  }

const BRANDS = 'lib/base/brands.ts'

/** Files that may ask for classes of this realm, each with the reason why it is right in others. */
const OF_THIS_REALM: Readonly<Record<string, string>> = {
  [BRANDS]: 'falls back on brands',
  'lib/transport/walk.ts': 'falls back on brands',
  'lib/transport/codec/typed-arrays.ts': 'leaves those of other realms to V8',
}

const CLOCKS = ['performance', 'Date', 'setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'setImmediate', 'clearImmediate', 'queueMicrotask', 'Promise', 'AbortSignal.timeout', 'process.hrtime', 'process.nextTick'] // prettier-ignore

const MARKS = [
  ...['Atomics', 'Function', 'eval'].map((name) => [name, `GLOBAL_${name}`]),
  ...CLOCKS.map((name) => [name, 'GLOBAL_CLOCK']),
]

/** What runs of a source: without comments and types, uses of the globals marked. */
export function codeIn(source: string): string {
  const marked = MARKS.flatMap(([name, mark]) => [
    [name, mark],
    [`globalThis.${name}`, mark],
  ])
  const options = { loader: 'ts', target: 'node20', minifyWhitespace: true, legalComments: 'none' } as const
  return transformSync(source, { ...options, define: Object.fromEntries(marked) }).code
}

/** The files of lib and workers that run. */
function codeOf(sources: Sources): [path: string, source: string][] {
  return [...sources].filter(([path]) => /^(lib|workers)\/.*\.(ts|cjs)$/.test(path))
}

/** A class registers itself where it is exported; what only an import's side effect registers is lost when that import is. */
export const indexOnlyExports: Rule = function* (_, sources) {
  for (const [, imported] of (sources.get('lib/index.ts') ?? '').matchAll(/^import\s*['"]([^'"]+)/gm))
    yield { path: 'lib/index.ts', what: `imports ${imported} for a side effect` }
}

const MAX_FILES_IN_FOLDER = 16

export const foldersSmall: Rule = function* (_, sources) {
  const counts = new Map<string, number>()
  for (const [file] of codeOf(sources)) {
    const folder = `${posix.dirname(file)}/`
    counts.set(folder, (counts.get(folder) ?? 0) + 1)
  }
  for (const [path, count] of counts)
    if (count > MAX_FILES_IN_FOLDER) yield { path, what: `has ${count} files, at most ${MAX_FILES_IN_FOLDER}` }
}

const MAX_LINES_IN_FILE = 300

/** Files that may be longer, each with the reason why it is one idea. */
const LONG_FILES: Readonly<Record<string, string>> = {}

/** @param reasons by path, those that may be longer */
export const filesShort = (reasons = LONG_FILES): Rule =>
  function* (_, sources) {
    for (const [path, source] of codeOf(sources)) {
      const count = source.trimEnd().split('\n').length
      if (count > MAX_LINES_IN_FILE && !reasons[path])
        yield { path, what: `has ${count} lines, at most ${MAX_LINES_IN_FILE}` }
    }
    for (const path of Object.keys(reasons))
      if (!sources.has(path)) yield { path, what: 'may be long, and does not exist' }
  }

/** A picture is drawn in a code block, or is a table of states. */
export const foldersExplained: Rule = function* (_, sources) {
  for (const path of EXPLAINED) {
    if (path === NOT_EXPLAINED || ![...sources.keys()].some((file) => file.startsWith(path))) continue
    const page = sources.get(`${path}README.md`)
    if (page === undefined) yield { path, what: 'has no README.md' }
    else if (!/^(```|\|)/m.test(page)) yield { path, what: 'has a README.md without a picture' }
  }
}
