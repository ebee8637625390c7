import { assert, suite } from '../harness.js'
import { readHouse, type Rule } from './house.js'
import * as layers from './layers.js'
import * as names from './names.js'

const test = suite('the house')

const RULES = {
  'every import runs downward': layers.importsDownward,
  'no imports form a cycle': layers.importsWithoutCycle,
  'the sides of the executor do not reach each other': layers.executorSidesApart,
  'each outside thing is used by its owners only': layers.outsideThingsOwned(),
  'values of other realms are told by their brands': layers.brandsAsked,
  'index.ts imports nothing for a side effect': layers.indexOnlyExports,
  'no folder has more than 16 files': layers.foldersSmall,
  'no file has more than 300 lines': layers.filesShort(),
  'every folder with a protocol has a README': layers.foldersExplained,
  'no two top-level names of lib are alike': names.namesUnique,
  'no retired word has come back': names.retiredWordsGone,
} satisfies Record<string, Rule>

const house = await readHouse()

for (const [name, rule] of Object.entries(RULES) as [keyof typeof RULES, Rule][])
  test(`${name}, in this repository`, () => {
    const found = [...rule(house.graph, house.sources)]
    assert.is(found.map(({ path, what }) => `${path} ${what}`).join('\n'), '')
  })

// Otherwise a rule that reads nothing would hold.
test('this repository is read whole: sources, pages, imports of types, and every file that an import names', () => {
  const { graph, sources } = house
  for (const file of ['lib/sync/README.md', 'README.md', 'bench/README.md', 'workers/executor-entry.cjs'])
    assert.ok(sources.has(file), file)
  assert.ok(graph.get('lib/index.ts')!.has('lib/executor/future.ts'))
  assert.ok(graph.get('lib/process/control-block.ts')!.has('lib/task/target.ts'), 'imports of types count')
  const imported = [...graph.values()].flatMap((imports) => [...imports])
  assert.equal(
    imported.filter((file) => !graph.has(file)),
    [],
  )
})

/** What a rule finds in a made-up tree, by the imports and the texts of its files. */
function found(rule: Rule, imports: Record<string, string[]>, texts: Record<string, string> = {}): string[] {
  const graph = new Map(Object.entries(imports).map(([file, imported]) => [file, new Set(imported)]))
  return [...rule(graph, new Map(Object.entries(texts)))].map(({ path, what }) => `${path} ${what}`)
}

const foundIn = (rule: Rule, texts: Record<string, string>) => found(rule, {}, texts)

test('an import from a higher floor, or from a folder listed later on the same floor, is reported', () => {
  assert.equal(
    found(layers.importsDownward, {
      'lib/errors.ts': [],
      'lib/memory/words.ts': ['lib/errors.ts'],
      'lib/sync/lock.ts': ['lib/memory/words.ts', 'lib/process/process.ts'],
      'lib/process/process.ts': ['lib/errors.ts', 'lib/sync/lock.ts', 'lib/index.ts'],
      'lib/pool/pool.ts': ['lib/executor/executor.ts'],
      'lib/index.ts': ['workers/process.ts', 'lib/process/process.ts'],
      'workers/process.ts': ['lib/sync/lock.ts'],
    }),
    [
      'lib/sync/lock.ts imports upward: lib/process/process.ts',
      'lib/process/process.ts imports upward: lib/index.ts',
      'lib/index.ts imports upward: workers/process.ts',
    ],
  )
})

test('a file that stands on no floor is reported', () => {
  assert.equal(found(layers.importsDownward, { 'lib/misc/helpers.ts': [] }), [
    'lib/misc/helpers.ts belongs to no floor',
  ])
})

test('a cycle of imports is reported, and files that are only imported twice are not', () => {
  assert.equal(
    found(layers.importsWithoutCycle, {
      'lib/task/a.ts': ['lib/task/b.ts'],
      'lib/task/b.ts': ['lib/task/c.ts'],
      'lib/task/c.ts': ['lib/task/b.ts'],
    }),
    ['lib/task/b.ts imports itself: lib/task/b.ts -> lib/task/c.ts -> lib/task/b.ts'],
  )
  const diamond = { 'a.ts': ['b.ts', 'c.ts'], 'b.ts': ['d.ts'], 'c.ts': ['d.ts'], 'd.ts': [] }
  assert.equal(found(layers.importsWithoutCycle, diamond), [])
})

test('a side of the executor that reaches the other is reported, also through a file between them', () => {
  const [main, worker, map] = ['main/job.ts', 'worker/run.ts', 'map/map.ts'].map((file) => `lib/executor/${file}`)
  const [protocol, future] = ['protocol/messages.ts', 'future.ts'].map((file) => `lib/executor/${file}`)
  const good = { [main!]: [protocol!, map!], [worker!]: [protocol!, map!], [protocol!]: [map!], [map!]: [future!] }
  assert.equal(found(layers.executorSidesApart, good), [])
  for (const [from, to] of [
    [main, worker],
    [worker, main],
    [protocol, main],
    [map, worker],
    [map, protocol],
  ] as const) {
    const violations = found(layers.executorSidesApart, { ...good, [from!]: [to!] })
    assert.ok(violations.includes(`${from} must not reach ${to}, as in ${from} -> ${to}`), `${from} -> ${to}`)
  }
  assert.equal(found(layers.executorSidesApart, { [map!]: [future!], [future!]: [protocol!] }), [
    `${map} must not reach ${protocol}, as in ${map} -> ${future} -> ${protocol}`,
  ])
})

/** Ways to use each outside thing, and texts that only look like it. */
const USES: Record<string, { used: string[]; unused: string[] }> = {
  'the global Atomics': {
    used: [
      'Atomics.load(words, 0)',
      'globalThis.Atomics.wait(words, 0, 0)',
      'const { store } = Atomics',
      'run(Atomics)',
    ],
    unused: [
      '// Atomics.load',
      'log("Atomics.load")',
      'own.Atomics.load()',
      "import { load } from './atomics.js'; load()",
    ],
  },
  'the clocks, timers and promises of Node': {
    used: [
      'performance.now()',
      'globalThis.setTimeout(wake, 5)',
      'const { now } = Date',
      'new Promise(begin)',
      'value instanceof Promise',
      'process.nextTick(wake)',
      'AbortSignal.timeout(5)',
      "import { setTimeout } from 'node:timers/promises'",
      "import { performance } from 'perf_hooks'",
    ],
    unused: [
      '// setTimeout(wake, 5)',
      "import { performance, Promise } from './clock.js'; performance.now(); new Promise(begin)",
      'let settled: Promise<Date>',
      'socket.setTimeout(5)',
      'AbortSignal.any([])',
      "import { startTimer } from './timers.js'; startTimer()",
    ],
  },
  piscina: {
    used: [
      "import { Piscina } from 'piscina'",
      "import type { Piscina } from 'piscina'",
      "createRequire(url)('piscina')",
    ],
    unused: ['// as piscina does', "import { piscina } from './worker-pool.js'; piscina()"],
  },
  comlink: {
    used: ["import { expose } from 'comlink'", "await import('comlink')"],
    unused: ['// as comlink does', 'log("no comlink here")'],
  },
  '/proc': {
    used: ['read(`/proc/${id}/stat`)', "read('/proc/self/stat')"],
    unused: ['// reads /proc/self/stat', "import '../process/process.js'", "read('/processes')"],
  },
  'new Worker': {
    used: ['new Worker(entry)', 'const { Worker } = threads\nnew Worker(\n  entry,\n)', 'new threads.Worker(entry)'],
    unused: ['// new Worker(entry)', 'new WorkerHandle()', 'let worker: Worker'],
  },
  'code from strings': {
    used: ["new Function('return 1')", "Function('return 1')", "import { Script } from 'node:vm'", "eval('1')"],
    unused: ['// new Function()', 'let body: Function', 'Function.prototype.toString.call(body)', 'evaluate(1)'],
  },
}

test('each outside thing is recognized in every spelling, and nothing else is taken for it', () => {
  const isUsed = ({ isUsedIn }: layers.OutsideThing, source: string) => isUsedIn(source, layers.codeIn(source))
  for (const thing of layers.OUTSIDE_THINGS) {
    const { used, unused } = USES[thing.name]!
    for (const source of used) assert.ok(isUsed(thing, source), `${thing.name}: ${source}`)
    for (const source of unused) assert.not.ok(isUsed(thing, source), `${thing.name}: ${source}`)
  }
})

// Otherwise the rule would hold although it has become blind.
test('each outside thing is found in this repository', () => {
  const unowned = layers.OUTSIDE_THINGS.map((thing) => ({ ...thing, owners: [] }))
  const violations = [...layers.outsideThingsOwned(unowned)(house.graph, house.sources)].map(({ what }) => what)
  for (const { name } of unowned)
    assert.ok(
      violations.some((what) => what.includes(name)),
      name,
    )
})

test('an outside thing that is used by a file which does not own it is reported', () => {
  for (const { name, owners } of layers.OUTSIDE_THINGS) {
    const texts = Object.fromEntries(owners.map((owner) => [owner, USES[name]!.used[0]!]))
    assert.equal(foundIn(layers.outsideThingsOwned(), texts), [])
    const [violation, ...others] = foundIn(layers.outsideThingsOwned(), {
      ...texts,
      'workers/other.ts': USES[name]!.used[0]!,
    })
    assert.ok(violation?.startsWith(`workers/other.ts uses ${name}`), violation)
    assert.equal(others, [])
  }
})

test('a question that only values of this realm answer is reported, and one about an own class is not', () => {
  const asked = (code: string) => foundIn(layers.brandsAsked, { 'lib/pipe/a.ts': code })
  for (const code of [
    'value instanceof Map',
    'value instanceof Uint8Array',
    'thrown instanceof RangeError',
    'value instanceof RegExp',
    'value instanceof Promise',
    'value instanceof WebAssembly.Module',
    'Object.getPrototypeOf(value) === Object.prototype',
    'value.constructor === Own',
  ])
    assert.is(asked(code).length, 1, code)
  for (const code of [
    'value instanceof Connection',
    'thrown instanceof TimeoutError',
    'types.isMap(value)',
    '// value instanceof Map',
    'Object.hasOwn(Object.prototype, name)',
    "import { Map } from './map.js'; let map: Map",
  ])
    assert.equal(asked(code), [], code)
})

test('an import for a side effect is reported in index.ts', () => {
  const texts = { 'lib/index.ts': "import './task/action.js'\nexport { Lock } from './sync/lock.js'\n" }
  assert.equal(foundIn(layers.indexOnlyExports, texts), ['lib/index.ts imports ./task/action.js for a side effect'])
  assert.equal(foundIn(layers.indexOnlyExports, { 'lib/index.ts': "export { Lock } from './sync/lock.js'\n" }), [])
})

test('a folder of 17 files is reported, one of 16 and a README is not', () => {
  const files = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, n) => [`lib/sync/${n}.ts`, '']))
  assert.equal(foundIn(layers.foldersSmall, { ...files(16), 'lib/sync/README.md': '', 'lib/sync/sub/16.ts': '' }), [])
  assert.equal(foundIn(layers.foldersSmall, files(17)), ['lib/sync/ has 17 files, at most 16'])
})

test('a file of 301 lines is reported unless it is listed with a reason, and so is a list that names no file', () => {
  const texts = { 'lib/a.ts': 'line\n'.repeat(300), 'lib/b.ts': 'line\n'.repeat(301), 'lib/c.md': 'line\n'.repeat(301) }
  assert.equal(foundIn(layers.filesShort({}), texts), ['lib/b.ts has 301 lines, at most 300'])
  assert.equal(foundIn(layers.filesShort({ 'lib/b.ts': 'one protocol' }), texts), [])
  assert.equal(foundIn(layers.filesShort({ 'lib/b.ts': 'one protocol', 'lib/d.ts': 'gone' }), texts), [
    'lib/d.ts may be long, and does not exist',
  ])
})

test('a folder with a protocol is reported when it has no README, and when that has no picture', () => {
  const folders = ['lib/memory/', 'lib/task/', 'lib/transport/', 'lib/process/', 'lib/shared/', 'lib/queue/', 'lib/manager/', 'lib/pool/'] // prettier-ignore
  const texts = Object.fromEntries(folders.map((folder) => [`${folder}file.ts`, '']))
  const explained = ['lib/transport/', 'lib/process/', 'lib/queue/', 'lib/manager/']
  assert.equal(
    foundIn(layers.foldersExplained, texts),
    explained.map((folder) => `${folder} has no README.md`),
  )
  const queue = (page: string) =>
    foundIn(layers.foldersExplained, { 'lib/queue/ring.ts': '', 'lib/queue/README.md': page })
  assert.equal(queue('# Queue\n'), ['lib/queue/ has a README.md without a picture'])
  for (const picture of ['```\nput -> get\n```\n', '| from | to |\n']) assert.equal(queue(`# Queue\n\n${picture}`), [])
})

test.run()
