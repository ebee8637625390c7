// Who runs what of a lease: the protocol of lib/executor/protocol/lease-slots.ts, with a death anywhere, and each of its rules broken.
import { assert, suite } from '../harness.js'
import { bundle, type Classes, type Mutant } from './bundle.js'
import { explore, type Scenario, type Thread } from './explorer.js'

const test = suite('every interleaving of a lease')

type Shared = InstanceType<Classes['SharedSlots']>

const COUNT = 3

/** Run a task, wherever: nobody may have begun it before. */
function run(task: number, thread: Thread): void {
  thread.expect(thread.read(task) === 0, `task ${task} runs twice`)
  thread.write(task, 1)
}

/** A worker: returns what it has run. */
const work = ({ slots }: Shared, thread: Thread) => {
  for (;;) {
    const task = thread.step('claim', () => slots.claim(0, COUNT)) as number
    if (task < 0) return
    run(task, thread)
    thread.step('finish', () => {
      slots.putValue(0, task, true)
      slots.finish(0, task)
    })
  }
}

/** What is finished has an outcome that can be read. */
function collect({ slots }: Shared, thread: Thread): number {
  const done = thread.step('done', () => slots.done(0)) as number
  for (let task = 0; task < done; task++) {
    thread.expect(thread.read(task) === 1, `task ${task} is done and never ran`)
    const value = thread.step(`value ${task}`, () => slots.value(0, task) ?? null)
    thread.expect(value === true, `task ${task} is done without an outcome`)
  }
  return done
}

/** The main thread: looks, takes back at any moment what was not claimed, and has it run elsewhere. */
const takeBack = (shared: Shared, thread: Thread) => {
  const seen = thread.step('claimed', () => shared.slots.claimed(0, COUNT)) as number
  collect(shared, thread)
  const claimed = thread.step('take back', () => shared.slots.takeBack(0, COUNT)) as number
  thread.expect(seen <= claimed, `${seen} had been claimed, and then ${claimed}`)
  thread.expect(collect(shared, thread) <= claimed, 'more is done than was claimed')
  for (let task = claimed; task < COUNT; task++) run(task, thread)
  thread.step('ran', () => COUNT - claimed)
}

/** Each task was run by one of the two; that at which a worker was killed, by nobody else. */
function eachOnce([worker, main]: (unknown[] | undefined)[]): boolean {
  if (!worker) return true
  const ran = worker.filter((result) => typeof result === 'number' && result >= 0)
  return new Set(ran).size === ran.length && ran.length + (main!.at(-1) as number) === COUNT
}

const scenario = (more: Partial<Scenario<Shared>>): Scenario<Shared> => ({
  name: 'a lease of 3',
  make: ({ SharedSlots }) => new SharedSlots(),
  programs: [work, takeBack],
  leavesNoTrace: false,
  end: eachOnce,
  ...more,
})

for (const kills of [0, 1])
  test(`each task runs once, claimed or taken back, with ${kills} deaths of the worker`, async () => {
    const { states, violation } = explore(await bundle(), scenario({ kills, victims: [0] }))
    console.log(`\n# a lease of 3, ${kills} deaths: ${states} states`)
    assert.is(violation, undefined)
  })

const mutants: Mutant[] = [
  {
    name: 'a task is claimed in two steps',
    file: 'lib/executor/protocol/lease-slots.ts',
    from: 'const next = add(this.#words, slot * WORDS + CLAIM, 1)',
    to: 'const next = load(this.#words, slot * WORDS + CLAIM); store(this.#words, slot * WORDS + CLAIM, next + 1)',
  },
  {
    name: 'what is left is taken back in two steps',
    file: 'lib/executor/protocol/lease-slots.ts',
    from: 'Math.min(exchange(this.#words, slot * WORDS + CLAIM, CLOSED), count)',
    to: 'Math.min(load(this.#words, slot * WORDS + CLAIM) + 0 * store(this.#words, slot * WORDS + CLAIM, CLOSED), count)',
  },
  {
    name: 'taking back only looks',
    file: 'lib/executor/protocol/lease-slots.ts',
    from: 'Math.min(exchange(this.#words, slot * WORDS + CLAIM, CLOSED), count)',
    to: 'Math.min(load(this.#words, slot * WORDS + CLAIM), count)',
  },
  {
    name: 'a closed lease looks open',
    file: 'lib/executor/protocol/lease-slots.ts',
    from: 'const CLOSED = 2 ** 30',
    to: 'const CLOSED = 0',
  },
  {
    name: 'a task counts as done as it begins',
    file: 'lib/executor/protocol/lease-slots.ts',
    from: 'return next < count ? next : -1',
    to: 'if (next < count) store(this.#words, slot * WORDS + RAN, next + 1)\n    return next < count ? next : -1',
  },
  {
    name: 'the outcome is noted after it counts',
    file: 'lib/executor/protocol/lease-slots.ts',
    from: 'poke(this.#words, slot * WORDS + TAGS + index, constant < 0 ? NUMBER : FIRST_CONSTANT + constant)',
    to: 'this.finish(slot, index); load(this.#words, slot); poke(this.#words, slot * WORDS + TAGS + index, FIRST_CONSTANT + constant)',
  },
]

let caught = 0
for (const mutant of mutants)
  test(`a mutant is caught: ${mutant.name}`, async () => {
    const { violation } = explore(await bundle({ mutant }), scenario({ kills: 1, victims: [0] }))
    assert.type(violation, 'string')
    caught++
  })

test('all mutants were given', () => {
  console.log(`\n# ${caught} mutants caught of ${mutants.length}`)
})

test.run()
