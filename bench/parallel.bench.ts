// What does parallelFor cost, against raw threads that each compute an equal part of the range, and for a body that does nothing? Two
// threads, or as many as `--workers` says.
import { isMainThread, ProcessPoolExecutor, task, type Schedule } from 'manyhands'
import { once } from 'node:events'
import { parentPort, Worker } from 'node:worker_threads'
import { measure, report, type Contender } from './measure.js'
import { WORKERS } from './workers.js'

const ROUNDS = 11
/** Takes one core about 400 ms. */
const LENGTH = 240_000
const EMPTY_CALLS = 200

function spin(start: number, end: number): void {
  let x = 0
  for (let index = start; index < end; index++) for (let step = 1; step < 600; step++) x += Math.sqrt(index * step)
  if (x < 0) throw new RangeError('never')
}

const spinBlock = task(import.meta.url, spin)

const nothing = task(import.meta.url, function nothing() {})

async function timed(run: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await run()
  return performance.now() - start
}

/** A raw thread: computes the part that it is sent, and replies. */
if (!isMainThread && process.argv[2] === 'raw')
  parentPort!.on('message', ([start, end]: [number, number]) => {
    spin(start, end)
    parentPort!.postMessage(null)
  })

async function compare(executor: ProcessPoolExecutor, raw: Worker[]): Promise<void> {
  const scheduled = (schedule: Schedule): Contender => ({
    name: `parallelFor, ${schedule}`,
    measure: () => timed(() => executor.parallelFor(LENGTH, spinBlock, { schedule })),
  })
  const parts = async () => {
    const answers = raw.map((worker) => once(worker, 'message'))
    for (const [part, worker] of raw.entries())
      worker.postMessage([(LENGTH / WORKERS) * part, (LENGTH / WORKERS) * (part + 1)])
    await Promise.all(answers)
  }
  const contenders: Contender[] = [
    { name: 'raw threads', measure: () => timed(parts) },
    scheduled('static'),
    scheduled('dynamic'),
    scheduled('guided'),
    { name: 'one thread', measure: () => timed(async () => spin(0, LENGTH)) },
  ]
  await measure(contenders, 2)
  report(await measure(contenders, ROUNDS), 'ms', 'raw threads')
}

/** Microseconds per call. */
async function empty(call: () => Promise<unknown>): Promise<number> {
  const ms = await timed(async () => {
    for (let i = 0; i < EMPTY_CALLS; i++) await call()
  })
  return (ms * 1000) / EMPTY_CALLS
}

if (isMainThread) {
  const executor = new ProcessPoolExecutor({ maxWorkers: WORKERS })
  const raw = Array.from({ length: WORKERS }, () => new Worker(new URL(import.meta.url), { argv: ['raw'] }))
  await Promise.all(raw.map((worker) => once(worker, 'online')))
  await compare(executor, raw)
  const echo = () => {
    const answers = raw.map((worker) => once(worker, 'message'))
    for (const worker of raw) worker.postMessage([0, 0])
    return Promise.all(answers)
  }
  report(
    await measure(
      [
        { name: 'raw messages', measure: () => empty(echo) },
        { name: 'parallelFor', measure: () => empty(() => executor.parallelFor(1000, nothing)) },
        { name: 'submit', measure: () => empty(async () => executor.submit(nothing)) },
      ],
      ROUNDS,
    ),
    'µs',
    'raw messages',
  )
  await Promise.all(raw.map((worker) => worker.terminate()))
  await executor.shutdown()
}
