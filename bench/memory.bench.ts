// How much memory do idle workers take? The resident memory of a process with two of them, and what each further one adds, beside the
// other pools of threads and bare Workers. Each measurement is a fresh process.
import { spawnSync } from 'node:child_process'
import { goal, measure, ratio, report } from './measure.js'

const ROUNDS = 7
const FEW = 2
const MANY = 6

const program = new URL('peers/idle-pool.js', import.meta.url).pathname

function megabytesWith(contender: string, workers: number): number {
  const { stdout, stderr } = spawnSync(process.execPath, [program, contender, String(workers)], { encoding: 'utf8' })
  const megabytes = Number(stdout)
  if (!megabytes) throw new Error(stderr)
  return megabytes
}

const CONTENDERS = ['manyhands', 'piscina', 'tinypool', 'workerpool', 'raw']

const processes = await measure(
  CONTENDERS.map((name) => ({ name, measure: async () => megabytesWith(name, FEW) })),
  ROUNDS,
)
report(processes, 'MB of a process with two idle workers', 'piscina')
goal('memory of a process with two idle workers, against piscina', ratio(processes, 'manyhands', 'piscina'), {
  atMost: 1.1,
})

const workers = await measure(
  CONTENDERS.map((name) => ({
    name,
    measure: async () => (megabytesWith(name, MANY) - megabytesWith(name, FEW)) / (MANY - FEW),
  })),
  ROUNDS,
)
report(workers, 'MB of a further idle worker', 'piscina')
goal('memory of a further idle worker, against piscina', ratio(workers, 'manyhands', 'piscina'), { atMost: 1.05 })
