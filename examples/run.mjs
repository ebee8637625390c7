// Runs the examples in turn, each as a program of its own under a heading. Fails if one of them fails.
//   npm start                         builds first
//   node .build/examples/urls.js      one alone, once built
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const EXAMPLES = [
  ['process', 'a process that takes three seconds'],
  ['process terminate', 'the same, terminated'],
  ['squares', 'nine processes at once, then nine workers of an executor'],
  ['urls', 'URLs loaded by four workers, reported as they complete'],
  ['counter', 'nine processes count together, with and without shared memory'],
  ['queue', 'five processes put their subtotals on a queue'],
  ['pipeline', 'a producer and three stages, with backpressure, stopped by shutdown'],
  ['pipe', 'a process counts and sends the total over its end of a Pipe'],
  ['mandelbrot', 'a picture computed into shared memory, on one core and on all'],
  ['words', 'an index of words, built by several processes in a managed dictionary and in a class of our own'],
  ['files --limit 32', 'the files of node_modules, without the largest, read, hashed and gzipped'],
]

let failed = 0
for (const [command, what] of EXAMPLES) {
  const [name, ...args] = command.split(' ')
  console.log(`\n== ${command}: ${what}`)
  const program = fileURLToPath(new URL(`../.build/examples/${name}.js`, import.meta.url))
  const { status, signal } = spawnSync(process.execPath, [program, ...args], { stdio: 'inherit' })
  if (status === 0) continue
  failed++
  console.log(`== ${command} FAILED with ${signal ?? `exit code ${status}`}`)
}
process.exitCode = failed > 0 ? 1 : 0
