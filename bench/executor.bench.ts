// What does a small task cost, when 20,000 are submitted at once (5000 to the other pools), and one at a time? Beside other thread pools
// and Python's ProcessPoolExecutor, with two workers each. Goals: many at once, at most 0.04 of piscina; one at a time, at most 0.95 of
// piscina, and 1.15 of a raw port.
import { isMainThread } from 'manyhands'
import { measure, report, type Contender } from './measure.js'
import { pools, type PoolOfAdders } from './peers/pools.js'
import { rawPort } from './peers/raw-port.js'
import { startPython } from './python.js'

const PYTHON_TASKS = 2000
const ONE_BY_ONE = 1000
const ROUNDS = 5

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

if (isMainThread) {
  const all = pools()
  const raw = rawPort()
  const python = startPython(PYTHON)
  for (const [measured, name, what] of [
    [atOnce, 'at_once', 'us a task, many at once'],
    [oneByOne, 'one_by_one', 'us a task, one at a time (p50)'],
  ] as const) {
    const contenders: Contender[] = all.map((pool) => ({ name: pool.name, measure: () => measured(pool) }))
    if (name === 'one_by_one') contenders.push({ name: raw.name, measure: () => oneByOne(raw) })
    if (python) contenders.push({ name: 'Python ProcessPoolExecutor', measure: () => python.call(name) })
    for (const { measure } of contenders) await measure() // Workers boot.
    report(await measure(contenders, ROUNDS), what, 'piscina')
  }
  await Promise.all([...all, raw].map((pool) => pool.close()))
  python?.close()
}
