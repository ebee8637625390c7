// What does a small task cost, when 20,000 are submitted at once (5000 to the other pools), and one at a time? Beside other thread pools
// and Python's ProcessPoolExecutor, with two workers each. One at a time is measured as the system places the threads, and then with
// one core for this thread and one for all others: most of a round trip is waking a thread, which depends on where it is.
import { isMainThread } from 'manyhands'
import { execFileSync } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { goal, measure, ratio, report, type Contender } from './measure.js'
import { pools, type PoolOfAdders } from './peers/pools.js'
import { rawPort } from './peers/raw-port.js'
import { startPython } from './python.js'

const PYTHON_TASKS = 2000
const ONE_BY_ONE = 300
/** Many at once, and one at a time. */
const [ROUNDS, SHORT_ROUNDS] = [5, 21]

const PYTHON = `
import time
from concurrent.futures import ProcessPoolExecutor
pool = None
def inc(n): return n + 1
def at_once():
    global pool
    pool = pool or ProcessPoolExecutor(2)
    start = time.perf_counter()
    for future in [pool.submit(inc, n) for n in range(${PYTHON_TASKS})]: future.result()
    return (time.perf_counter() - start) * 1e6 / ${PYTHON_TASKS}
def one_by_one():
    times = []
    for n in range(${ONE_BY_ONE}):
        start = time.perf_counter()
        pool.submit(inc, n).result()
        times.append(time.perf_counter() - start)
    return sorted(times)[len(times) // 2] * 1e6
`

async function atOnce({ add, atOnce: tasks }: PoolOfAdders): Promise<number> {
  const startMs = performance.now()
  const sums = await Promise.all(Array.from({ length: tasks }, (_, n) => add(n)))
  const us = ((performance.now() - startMs) * 1000) / tasks
  if (sums.some((sum, n) => sum !== n + 1)) throw new Error('wrong sums')
  return us
}

async function oneByOne({ add }: Pick<PoolOfAdders, 'add'>): Promise<number> {
  const times: number[] = []
  for (let n = 0; n < ONE_BY_ONE; n++) {
    const startMs = performance.now()
    await add(n)
    times.push(performance.now() - startMs)
  }
  return times.toSorted((a, b) => a - b)[ONE_BY_ONE / 2]! * 1000
}

/** This thread on one core, and all others of this program on another. @returns whether the system can do that */
function pin(): boolean {
  if (process.platform !== 'linux' || availableParallelism() < 2) return false
  const on = (core: string, ...all: string[]) => execFileSync('taskset', [...all, '-pc', core, String(process.pid)])
  try {
    on('1', '-a')
    on('0')
    return true
  } catch {
    return false
  }
}

if (isMainThread) {
  const all = pools()
  const raw = rawPort()
  const python = startPython(PYTHON)
  const warmAndMeasure = async (contenders: Contender[], rounds: number) => {
    for (const { measure } of contenders) await measure() // Workers boot.
    return measure(contenders, rounds)
  }

  const together: Contender[] = all.map((pool) => ({ name: pool.name, measure: () => atOnce(pool) }))
  if (python) together.push({ name: 'Python ProcessPoolExecutor', measure: () => python.call('at_once') })
  const burst = await warmAndMeasure(together, ROUNDS)
  report(burst, 'us a task, many at once', 'piscina')
  goal('futures at once, times the rate of piscina', 1 / ratio(burst, 'manyhands', 'piscina'), { atLeast: 25 })

  const alone: Contender[] = [...all, raw].map(({ name, add }) => ({ name, measure: () => oneByOne({ add }) }))
  const withPython = python ? [{ name: 'Python ProcessPoolExecutor', measure: () => python.call('one_by_one') }] : []
  const free = await warmAndMeasure([...alone, ...withPython], SHORT_ROUNDS)
  report(free, 'us a task, one at a time (p50)', 'piscina')
  goal('one task at a time, of piscina', ratio(free, 'manyhands', 'piscina'), { atMost: 0.95 })
  goal('one task at a time, of a raw port', ratio(free, 'manyhands', raw.name), { atMost: 1.15 })
  if (pin()) {
    const pinned = await warmAndMeasure(alone, SHORT_ROUNDS)
    report(pinned, 'us a task, one at a time (p50), a core each side', 'piscina')
    goal('one task at a time, a core each side, of piscina', ratio(pinned, 'manyhands', 'piscina'), { atMost: 0.95 })
    goal('one task at a time, a core each side, of a raw port', ratio(pinned, 'manyhands', raw.name), { atMost: 1.15 })
  }
  await Promise.all([...all, raw].map((pool) => pool.close()))
  python?.close()
}
