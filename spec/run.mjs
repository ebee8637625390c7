// Runs every *.spec.js under .build/spec, each in a process of its own and under a time limit, which uvu has not. A file that
// does not end by itself has left something running, and has failed. Arguments select files by a part of their path.
import { spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { availableParallelism } from 'node:os'

const LIMIT_MS = 400_000
const wanted = process.argv.slice(2)
const files = readdirSync('.build/spec', { recursive: true })
  .filter((file) => file.endsWith('.spec.js') && (wanted.length === 0 || wanted.some((part) => file.includes(part))))
  .toSorted()
let passed = 0
let failed = 0

async function run(file) {
  const child = spawn(process.execPath, ['--enable-source-maps', `.build/spec/${file}`], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const started = performance.now()
  let output = ''
  let late = false
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += text))
  const timer = setTimeout(() => {
    late = true
    child.kill('SIGKILL')
  }, LIMIT_MS)
  const code = await new Promise((resolve) => child.once('close', resolve))
  clearTimeout(timer)
  const total = sum(output, /Total:\s+(\d+)/g)
  const good = sum(output, /Passed:\s+(\d+)/g)
  const bad = Math.max(total - good, code === 0 && total > 0 ? 0 : 1)
  passed += good
  failed += bad
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  console.log(`${bad ? 'FAILED' : 'ok    '} ${file.replace(/\.js$/, '')}  ${good}/${total}  ${seconds} s`)
  for (const line of output.match(/^# .*$/gm) ?? []) console.log(`         ${line.slice(2)}`)
  if (bad) console.log(late ? `${output}\nnot ended after ${LIMIT_MS / 1000} s` : output)
}

function sum(text, pattern) {
  return [...text.matchAll(pattern)].reduce((total, [, count]) => total + Number(count), 0)
}

const queue = files.values()
await Promise.all(
  Array.from({ length: availableParallelism() }, async () => {
    for (const file of queue) await run(file)
  }),
)
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed > 0 || passed === 0 ? 1 : 0
