// How often is the main thread woken, and how much CPU does it take, while it has nothing to do but wait for one task? For a task
// that sleeps in its worker and for one that computes, beside the other pools of threads, a raw Worker, and no task at all.
//
// Counted by the kernel, which wakes nobody: each time the main thread goes to sleep it gives up its core by itself, and is woken
// once after that. A monitor of the event loop's delay would be woken by its own timer. Linux only.
import { isMainThread, ProcessPoolExecutor } from 'manyhands'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import { Piscina } from 'piscina'
import { Tinypool } from 'tinypool'
import workerpool from 'workerpool'
import { measure, report } from './measure.js'
import { compute, sleep } from './peers/pauses.js'

const TASK_MS = 2000
/** Sending the task, and what that leaves to the event loop, is over after it. */
const SETTLE_MS = 250
const WATCH_MS = 1500
const ROUNDS = 5

const TASKS = { sleep, compute }
type TaskName = keyof typeof TASKS

interface Pool {
  name: string
  run(task: TaskName): PromiseLike<unknown>
  close(): unknown
}

const RAW = `
  const { parentPort } = require('node:worker_threads')
  const tasks = { sleep: ${String(sleep)}, compute: ${String(compute)} }
  parentPort.on('message', async (name) => parentPort.postMessage(await tasks[name](${TASK_MS})))
`

function pools(): Pool[] {
  const fileOf = (name: string) => new URL(`peers/${name}.js`, import.meta.url)
  const options = { filename: fileOf('pauses').href, minThreads: 1, maxThreads: 1 }
  const own = new ProcessPoolExecutor({ maxWorkers: 1 })
  const piscina = new Piscina(options)
  const tinypool = new Tinypool(options)
  const ofWorkerpool = workerpool.pool(fileOf('workerpool-pauses').pathname, { maxWorkers: 1, workerType: 'thread' })
  const raw = new Worker(RAW, { eval: true })
  return [
    { name: 'manyhands', run: (task) => own.submit(TASKS[task], TASK_MS), close: () => own.shutdown() },
    { name: 'piscina', run: (name) => piscina.run(TASK_MS, { name }), close: () => piscina.destroy() },
    { name: 'tinypool', run: (name) => tinypool.run(TASK_MS, { name }), close: () => tinypool.destroy() },
    { name: 'workerpool', run: (task) => ofWorkerpool.exec(task, [TASK_MS]), close: () => ofWorkerpool.terminate() },
    {
      name: 'raw Worker',
      run: (task) => {
        raw.postMessage(task)
        return once(raw, 'message')
      },
      close: () => raw.terminate(),
    },
    { name: 'no task', run: () => sleep(TASK_MS), close: () => {} },
  ]
}

/** How often the main thread has gone to sleep, and how long it has run. */
function readMainThread(): { sleeps: number; ranUs: number } {
  const folder = `/proc/self/task/${process.pid}`
  const [, sleeps] = /^voluntary_ctxt_switches:\s*(\d+)/m.exec(readFileSync(`${folder}/status`, 'latin1'))!
  const [ranNs] = readFileSync(`${folder}/schedstat`, 'latin1').split(' ')
  return { sleeps: Number(sleeps), ranUs: Number(ranNs) / 1000 }
}

/** What the main thread does in a second in the midst of a task. */
async function watch(run: () => PromiseLike<unknown>): Promise<{ wakeUps: number; cpuUs: number }> {
  const done = run()
  await sleep(SETTLE_MS)
  const [before, startMs] = [readMainThread(), performance.now()]
  await sleep(WATCH_MS)
  const [after, seconds] = [readMainThread(), (performance.now() - startMs) / 1000]
  await done
  return { wakeUps: (after.sleeps - before.sleeps) / seconds, cpuUs: (after.ranUs - before.ranUs) / seconds }
}

async function compare(all: readonly Pool[], task: TaskName): Promise<void> {
  const cpuUs = new Map(all.map(({ name }): [string, number[]] => [name, []]))
  const contenders = all.map(({ name, run }) => ({
    name,
    measure: async () => {
      const measured = await watch(() => run(task))
      cpuUs.get(name)!.push(measured.cpuUs)
      return measured.wakeUps
    },
  }))
  report(await measure(contenders, ROUNDS), `wake-ups a second, ${task}`, 'raw Worker')
  // Of the same rounds.
  const replay = all.map(({ name }) => ({ name, measure: async () => cpuUs.get(name)!.shift()! }))
  report(await measure(replay, ROUNDS), `us of CPU a second, ${task}`, 'raw Worker')
}

if (process.platform !== 'linux') console.log('This bench reads /proc, which only Linux has.')
else if (isMainThread) {
  const all = pools()
  await Promise.all(all.map(({ run }) => run('sleep'))) // Workers boot.
  for (const task of ['sleep', 'compute'] as const) await compare(all, task)
  await Promise.all(all.map(({ close }) => close()))
}
