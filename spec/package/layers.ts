// What imports what, and whether it may: imports run downward only, without cycles.

/** From the bottom up: each may import from itself and from those before it. */
const LAYERS = [
  'lib/errors.ts',
  'lib/memory/',
  'lib/base/',
  'lib/thread/',
  'lib/task/',
  'lib/transport/',
  'lib/sync/',
  'lib/process/',
  'lib/shared/',
  'lib/queue/',
  'lib/pipe/',
  'lib/executor/',
  'lib/manager/',
  'lib/pool/',
  'lib/index.ts',
  'lib/internals.ts',
  'workers/',
]

/** Files by path, with the paths of the files that each imports. */
export type ImportGraph = ReadonlyMap<string, ReadonlySet<string>>

/** Every import that breaks the rule, in words. */
export function violations(graph: ImportGraph): string[] {
  return [...upward(graph), ...cycles(graph)]
}

function* upward(graph: ImportGraph): Generator<string> {
  for (const [file, imports] of graph) {
    const layer = layerOf(file)
    if (layer < 0) yield `${file} belongs to no layer`
    for (const imported of imports) if (layerOf(imported) > layer) yield `${file} imports upward: ${imported}`
  }
}

function layerOf(file: string): number {
  return LAYERS.findIndex((layer) => (layer.endsWith('/') ? file.startsWith(layer) : file === layer))
}

function* cycles(graph: ImportGraph): Generator<string> {
  const finished = new Set<string>()
  const path: string[] = []
  function* visit(file: string): Generator<string> {
    if (path.includes(file)) {
      yield `cycle: ${[...path.slice(path.indexOf(file)), file].join(' -> ')}`
      return
    }
    if (finished.has(file)) return
    path.push(file)
    for (const imported of graph.get(file) ?? []) yield* visit(imported)
    path.pop()
    finished.add(file)
  }
  for (const file of graph.keys()) yield* visit(file)
}
