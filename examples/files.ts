// Reads, hashes (SHA-256) and gzips every file under a folder: in this thread, in one worker, and in one worker per core.
//   node .build/examples/files.js [folder] [--limit MB]     default: node_modules; a limit leaves out the largest files
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { gzipSync } from 'node:zlib'
import cliProgress from 'cli-progress'
import { cpuCount, InlineExecutor, isMainThread, ProcessPoolExecutor, task, type Executor } from 'manyhands'

const MB = 1e6

const pack = task(import.meta.url, function pack(path: string) {
  const content = readFileSync(path)
  return {
    bytes: content.length,
    gzipped: gzipSync(content).length,
    sha256: createHash('sha256').update(content).digest('hex'),
  }
})

/** The files under a folder, without the largest ones if all together exceed the limit. */
function filesUnder(folder: string, limitBytes: number): string[] {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => ({ path, size: statSync(path).size }))
    .toSorted((a, b) => a.size - b.size)
  let bytes = files.reduce((sum, { size }) => sum + size, 0)
  while (bytes > limitBytes) bytes -= files.pop()!.size
  return files.map(({ path }) => path).toSorted()
}

async function packAll(paths: string[], label: string, executor: Executor): Promise<string> {
  const bar = new cliProgress.SingleBar({ format: `${label} {bar} {value}/{total} files`, clearOnComplete: true })
  const hash = createHash('sha256')
  const totals = { files: 0, bytes: 0, gzipped: 0, sha256: '' }
  const startMs = performance.now()
  bar.start(paths.length, 0)
  const results = executor.map(pack, paths, { chunksize: 8, onProgress: ({ done }) => bar.update(done) })
  for await (const { bytes, gzipped, sha256 } of results) {
    totals.files += 1
    totals.bytes += bytes
    totals.gzipped += gzipped
    hash.update(sha256)
  }
  bar.stop()
  await executor.shutdown()
  const seconds = (performance.now() - startMs) / 1000
  const speed = (totals.bytes / MB / seconds).toFixed(1)
  console.log(`${label.padEnd(12)} ${seconds.toFixed(2).padStart(7)} s ${speed.padStart(7)} MB/s`)
  return JSON.stringify({ ...totals, sha256: hash.digest('hex') })
}

if (isMainThread) {
  const { positionals, values } = parseArgs({ allowPositionals: true, options: { limit: { type: 'string' } } })
  const [folder = 'node_modules'] = positionals
  const paths = filesUnder(folder, Number(values.limit ?? Infinity) * MB)

  const sequential = await packAll(paths, 'sequential', new InlineExecutor())
  const one = await packAll(paths, '1 worker', new ProcessPoolExecutor({ maxWorkers: 1 }))
  const all = await packAll(paths, `${cpuCount()} workers`, new ProcessPoolExecutor())

  const { files, bytes, gzipped, sha256 } = JSON.parse(sequential)
  const ratio = ((100 * gzipped) / bytes).toFixed(1)
  console.log(`${files} files, ${bytes} bytes, gzipped ${gzipped} bytes (${ratio} %), SHA-256 of all ${sha256}`)
  const equal = one === sequential && all === sequential
  console.log(equal ? 'all totals are equal to the sequential ones' : `TOTALS DIFFER: ${sequential} ${one} ${all}`)
  process.exitCode = equal ? 0 : 1
}
