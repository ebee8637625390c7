// How long does it take from start() to the end of join(), when the target does nothing? One process that finds a booted thread in
// reserve, and nine at once, beside a bare Worker and Python's multiprocessing (fork and spawn).
import { isMainThread, Process } from 'manyhands'
import { Worker } from 'node:worker_threads'
import { goal, measure, ratio, report, type Contender } from './measure.js'
import { nothing } from './peers/nothing.js'
import { startPython } from './python.js'

const ROUNDS = 15

const PYTHON = `
import multiprocessing, time
def nothing(): pass
def run(method, count):
    context = multiprocessing.get_context(method)
    processes = [context.Process(target=nothing) for _ in range(count)]
    start = time.perf_counter()
    for process in processes: process.start()
    for process in processes: process.join()
    return (time.perf_counter() - start) * 1000
def fork(): return run('fork', 1)
def spawn(): return run('spawn', 1)
def fork_nine(): return run('fork', 9)
def spawn_nine(): return run('spawn', 9)
`

/** Lets the reserve fill again: the bench measures starts that find a thread there. */
const refilled = () => new Promise((resolve) => setTimeout(resolve, 500))

async function processes(target: () => void, count: number): Promise<number> {
  await refilled()
  const all = Array.from({ length: count }, () => new Process({ target }))
  const start = performance.now()
  for (const one of all) one.start()
  await Promise.all(all.map((one) => one.join()))
  return performance.now() - start
}

async function workers(count: number): Promise<number> {
  const start = performance.now()
  const ends = Array.from({ length: count }, () => {
    const worker = new Worker('', { eval: true })
    return new Promise((resolve) => worker.once('exit', resolve))
  })
  await Promise.all(ends)
  return performance.now() - start
}

if (isMainThread) {
  const python = startPython(PYTHON)
  const pythons = (...names: string[]): Contender[] =>
    python ? names.map((name) => ({ name: `Python ${name}`, measure: () => python.call(name) })) : []
  const one = await measure(
    [
      { name: 'Process, a function', measure: () => processes(() => {}, 1) },
      { name: 'Process, a task of a module', measure: () => processes(nothing, 1) },
      { name: 'bare Worker', measure: () => workers(1) },
      ...pythons('fork', 'spawn'),
    ],
    ROUNDS,
  )
  report(one, 'ms', 'Python fork')
  if (python)
    for (const what of ['a function', 'a task of a module'])
      goal(`start and join of ${what}, against fork`, ratio(one, `Process, ${what}`, 'Python fork'), { atMost: 1 })
  const nine = await measure(
    [
      { name: 'nine Processes', measure: () => processes(() => {}, 9) },
      { name: 'nine bare Workers', measure: () => workers(9) },
      ...pythons('fork_nine', 'spawn_nine'),
    ],
    ROUNDS,
  )
  report(nine, 'ms', 'Python spawn_nine')
  if (python) goal('nine at once, against spawn', ratio(nine, 'nine Processes', 'Python spawn_nine'), { atMost: 0.2 })
  python?.close()
}
