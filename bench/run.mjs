// Runs the benches one after the other: all of them, or those whose names contain an argument.
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'

const wanted = process.argv.slice(2)
const benches = readdirSync('.build/bench').filter((file) => file.endsWith('.bench.js'))
for (const file of benches.toSorted()) {
  if (wanted.length > 0 && !wanted.some((part) => file.includes(part))) continue
  console.log(`\n## ${file.replace('.bench.js', '')}`)
  const { status } = spawnSync(process.execPath, [`.build/bench/${file}`], { stdio: 'inherit' })
  if (status !== 0) process.exitCode = 1
}
