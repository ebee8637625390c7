// Runs the benches one after the other: all of them, or those whose names contain an argument. Passes flags on to them. Prints which goals they met, and
// writes all that they measured to .build/bench/results.json.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'

const RECORD = '.build/bench/record.jsonl'
const RESULTS = '.build/bench/results.json'

const wanted = process.argv.slice(2).filter((argument) => !argument.startsWith('--'))
const flags = process.argv.slice(2).filter((argument) => argument.startsWith('--'))
const files = readdirSync('.build/bench').filter((file) => file.endsWith('.bench.js'))
const benches = []
for (const file of files.toSorted()) {
  if (wanted.length > 0 && !wanted.some((part) => file.includes(part))) continue
  const name = file.replace('.bench.js', '')
  console.log(`\n## ${name}`)
  rmSync(RECORD, { force: true })
  const { status } = spawnSync(process.execPath, [`.build/bench/${file}`, ...flags], {
    stdio: 'inherit',
    env: { ...process.env, BENCH_RECORD: RECORD },
  })
  if (status !== 0) process.exitCode = 1
  const entries = existsSync(RECORD)
    ? readFileSync(RECORD, 'utf8')
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line))
    : []
  benches.push({ name, entries })
}
rmSync(RECORD, { force: true })

const goals = benches.flatMap(({ name, entries }) =>
  entries.filter(({ goal }) => goal).map(({ goal, figure, bound, met }) => ({ bench: name, goal, figure, bound, met })),
)
if (goals.length > 0) {
  console.log('\n## Goals')
  console.table(
    goals.map((row) => ({ ...row, figure: Number(row.figure.toPrecision(3)), met: row.met ? 'met' : 'MISSED' })),
  )
}
const machine = {
  node: process.version,
  cpu: cpus()[0]?.model,
  cores: cpus().length,
  platform: `${process.platform} ${process.arch}`,
}
writeFileSync(RESULTS, `${JSON.stringify({ date: new Date().toISOString(), machine, benches }, undefined, 2)}\n`)
console.log(`\nAll figures: ${RESULTS}`)
