// What does a fresh program wait for? The import of the package, the first result, and the end of a program that needs one result;
// and the boot of a worker that imports the package. Beside other thread pools, a bare Worker, and Python.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { goal, measure, ratio, report, type Contender } from './measure.js'

const ROUNDS = 15

const fileOf = (name: string) => new URL(name, import.meta.url).pathname

/** The time of `import()` in a fresh program. */
function importing(name: string): Contender {
  const source = `const since = performance.now(); await import('${name}'); console.log(performance.now() - since)`
  return {
    name,
    async measure() {
      const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', source], { encoding: 'utf8' })
      return Number(stdout)
    },
  }
}

/** From the start of a program until it has printed its result, or has ended. */
function program(
  name: string,
  until: 'data' | 'end',
  command = process.execPath,
  file = fileOf(`peers/cold/${name}.js`),
): Contender {
  return {
    name,
    async measure() {
      const sinceMs = performance.now()
      const child = spawn(command, [file], { stdio: ['ignore', 'pipe', 'inherit'] })
      const exited = once(child, 'exit')
      const [printed] = (await once(child.stdout, 'data')) as [Buffer]
      if (until === 'end') await exited
      const ms = performance.now() - sinceMs
      if (String(printed).trim() !== '49') throw new Error(`${name} printed ${String(printed)}`)
      await exited
      return ms
    },
  }
}

/** From `new Worker` to the first message of a worker that first imports a package. */
function booting(name: string, imports: string): Contender {
  const source = `${imports}import { parentPort } from 'node:worker_threads'; parentPort.postMessage(0)`
  const url = new URL(`data:text/javascript,${encodeURIComponent(source)}`)
  return {
    name,
    async measure() {
      const sinceMs = performance.now()
      const worker = new Worker(url)
      await once(worker, 'message')
      const ms = performance.now() - sinceMs
      await worker.terminate()
      return ms
    },
  }
}

const PEERS = ['piscina', 'tinypool', 'workerpool']

const imports = await measure(['manyhands', ...PEERS, 'node:worker_threads'].map(importing), ROUNDS)
report(imports, 'ms to import', 'piscina')
goal('import, against piscina', ratio(imports, 'manyhands', 'piscina'), { atMost: 0.7 })

const own = import.meta.resolve('manyhands')
const boots = await measure(
  [booting('bare Worker', ''), booting('Worker that imports manyhands', `import '${own}'; `)],
  ROUNDS,
)
report(boots, 'ms to boot', 'bare Worker')
goal('boot of a worker that imports manyhands, ms above a bare one', boots[1]!.median - boots[0]!.median, {
  atMost: 15,
})

for (const [until, what] of [
  ['data', 'first result of a fresh program'],
  ['end', 'a program with one result, from start to end'],
] as const) {
  const contenders = ['manyhands', 'manyhands-function', ...PEERS, 'raw'].map((name) => program(name, until))
  if (spawnSync('python3', ['--version']).status === 0)
    contenders.push(program('Python', until, 'python3', fileOf('../../bench/peers/cold/fork.py')))
  const programs = await measure(contenders, ROUNDS)
  report(programs, `ms: ${what}`, 'piscina')
  const fastest = Math.min(...programs.filter(({ name }) => PEERS.includes(name)).map(({ median }) => median))
  goal(`${what}, against the fastest pool`, programs[0]!.median / fastest, { atMost: 1.05 })
}
