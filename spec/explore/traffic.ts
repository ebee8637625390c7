// What operations cost on machines with many cores: how often cache lines move from core to core, and how long that takes. Runs
// programs on the shipped code (bundle.ts) in real threads, on a machine that is simulated (machine.ts).
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { bundle, type Bundle, type Classes, type Mutant } from './bundle.js'
import { directController } from './explorer.js'
import {
  COSTS,
  FUTEX_LINE,
  LINES_OF_OBJECT,
  MachineMemory,
  MAX_CORES,
  SLEEPS,
  type Core,
  type Costs,
} from './machine.js'

/** A program that all threads run, each with its part of the uses. */
export interface Program<Shared extends object> {
  make(classes: Classes): Shared
  /** @param uses of all threads together: a multiple of `threads` */
  run(shared: Shared, core: Core, threads: number, uses: number): void
}

type Holdable = Pick<InstanceType<Classes['Lock']>, 'acquireSync' | 'release'>

/** Acquire and release, with work between. */
const lockAndWork =
  (outsideNs: number): Program<Holdable>['run'] =>
  (lock, core, threads, uses) => {
    for (let i = 0; i < uses / threads; i++) {
      lock.acquireSync()
      core.work(2)
      lock.release()
      core.work(outsideNs)
    }
  }

/** Messages from the first threads to the others. A message takes some time beside the ring: to encode, to decode. */
const pass =
  (producersOf: (threads: number) => number, codecNs = 25): Program<InstanceType<Classes['Queue']>>['run'] =>
  (queue, core, threads, uses) => {
    const producers = producersOf(threads)
    const isProducer = core.threadId < producers
    const first = isProducer ? 0 : producers
    const count = isProducer ? producers : threads - producers
    for (let i = core.threadId - first; i < uses; i += count) {
      core.work(codecNs)
      if (isProducer) queue.putSync(i)
      else queue.getSync()
    }
  }

export const programs = {
  lock: { make: ({ Lock }: Classes) => new Lock(), run: lockAndWork(2) },
  'lock, 2 us of work between': { make: ({ Lock }: Classes) => new Lock(), run: lockAndWork(2000) },
  'lock, 20 us of work between': { make: ({ Lock }: Classes) => new Lock(), run: lockAndWork(20_000) },
  'permits for all': { make: ({ Semaphore }: Classes) => new Semaphore(MAX_CORES), run: lockAndWork(2) },
  read: {
    make: ({ RWLock }: Classes) => new RWLock(),
    run: ({ read }: InstanceType<Classes['RWLock']>, core: Core, threads: number, uses: number) =>
      lockAndWork(2)(read, core, threads, uses),
  },
  'queue n:1': { make: ({ Queue }: Classes) => new Queue(), run: pass((threads) => threads - 1) },
  'queue 1:n': { make: ({ Queue }: Classes) => new Queue(), run: pass(() => 1) },
  'queue n:n': { make: ({ Queue }: Classes) => new Queue(), run: pass((threads) => threads / 2) },
  'Queue(64) n:n': { make: ({ Queue }: Classes) => new Queue(64), run: pass((threads) => threads / 2) },
  'queue n:n, 2 us of work a message': {
    make: ({ Queue }: Classes) => new Queue(),
    run: pass((threads) => threads / 2, 2000),
  },
} satisfies Record<string, Program<any>>

export type ProgramName = keyof typeof programs

export interface Traffic {
  uses: number
  /** Virtual, until the last thread has ended. */
  ns: number
  transfers: number
  sleeps: number
  /** Of the time in which threads were not asleep, the part in which they waited for lines. */
  transferShare: number
  /** Transfers of each line that moved, by the number of its first word in the object; `futexes` for V8's list of sleepers. */
  lines: Record<string, number>
}

export interface Job {
  program: ProgramName
  handle: unknown[]
  text: string
  memory: MachineMemory
  threadId: number
  threads: number
  uses: number
  phase: number
  costs: Costs
}

/** What may differ from run to run. */
export interface RunOptions extends Partial<Costs> {
  /** Which thread is how far ahead of which at first. @default 0 */
  phase?: number
  mutant?: Mutant
}

const PHASES = 3

/** Threads to simulate with. They are used again: starting one takes longer than most runs. Idle ones keep no process alive. */
export class Crew {
  readonly #workers: Worker[] = []
  readonly #bundles = new Map<string, Promise<Bundle>>()

  /** @param uses of all threads together: a multiple of `threads` */
  async run(
    program: ProgramName,
    threads: number,
    uses: number,
    { mutant, phase = 0, ...costs }: RunOptions = {},
  ): Promise<Traffic> {
    while (this.#workers.length < threads)
      this.#workers.push(new Worker(new URL('./traffic-thread.js', import.meta.url)))
    const { text, load } = await this.#bundleOf(mutant)
    const shared = programs[program].make(load(directController())) as unknown as { handle: unknown[] }
    const memory = new MachineMemory()
    const all = { ...COSTS, ...costs }
    const crew = this.#workers.slice(0, threads)
    const ended = crew.map((worker) => once(worker, 'message') as Promise<[number]>)
    for (const worker of crew) worker.ref()
    for (const [threadId, worker] of crew.entries())
      worker.postMessage({
        program,
        handle: shared.handle,
        text,
        memory,
        threadId,
        threads,
        uses,
        phase,
        costs: all,
      } satisfies Job)
    const ends = (await Promise.all(ended)).map(([end]) => end)
    for (const worker of crew) worker.unref()
    return trafficOf(memory, ends, uses, all.lineBytes)
  }

  /** The middle one of some runs that differ in their phase: who meets whom when is chance. */
  async middle(program: ProgramName, threads: number, uses: number, options: RunOptions = {}): Promise<Traffic> {
    const runs: Traffic[] = []
    for (let phase = 0; phase < PHASES; phase++)
      runs.push(await this.run(program, threads, uses, { ...options, phase }))
    return runs.toSorted((a, b) => a.ns - b.ns)[(PHASES - 1) / 2]!
  }

  #bundleOf(mutant?: Mutant): Promise<Bundle> {
    const name = mutant?.name ?? ''
    let found = this.#bundles.get(name)
    if (!found) this.#bundles.set(name, (found = bundle({ fullSize: true, ...(mutant && { mutant }) })))
    return found
  }
}

function trafficOf(memory: MachineMemory, ends: number[], uses: number, lineBytes: number): Traffic {
  const lines: Record<string, number> = {}
  for (const [line, count] of memory.transfers.entries())
    if (count > 0) lines[line === FUTEX_LINE ? 'futexes' : ((line % LINES_OF_OBJECT) * lineBytes) / 4] = count
  const sum = (values: Iterable<number>) => [...values].reduce((total, value) => total + value, 0)
  return {
    uses,
    ns: Math.max(...ends),
    transfers: sum(memory.transfers),
    sleeps: memory.counts[SLEEPS]!,
    transferShare: sum(memory.transferNs) / (sum(ends) - sum(memory.asleepNs)),
    lines,
  }
}
