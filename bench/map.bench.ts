// How long does it take to map a million numbers, and 100,000 small objects, over a function that does nearly nothing? Beside
// Python's Pool.map with its automatic chunks, with two workers each (or `--workers`), and beside the least for numbers: a loop in one thread into a new
// array. Goals: numbers at least 7 times as fast as Python, into an array and into a Float64Array.
import { isMainThread, ProcessPoolExecutor } from 'manyhands'
import { goal, measure, ratio, report } from './measure.js'
import { startPython } from './python.js'
import { WORKERS } from './workers.js'

const NUMBERS = 1_000_000
const OBJECTS = 100_000
const ROUNDS = 9

const PYTHON = `
import multiprocessing, time
pool = None
def inc(n): return n + 1
def touch(o): return {'id': o['id'], 'name': o['name'], 'ok': True}
def run(fn, items):
    global pool
    pool = pool or multiprocessing.Pool(${WORKERS})
    start = time.perf_counter()
    pool.map(fn, items)
    return (time.perf_counter() - start) * 1000
def numbers(): return run(inc, all_numbers)
def objects(): return run(touch, all_objects)
all_numbers = list(range(${NUMBERS}))
all_objects = [{'id': i, 'name': 'item %d' % i} for i in range(${OBJECTS})]
`

if (isMainThread) {
  const executor = new ProcessPoolExecutor({ maxWorkers: WORKERS })
  const python = startPython(PYTHON)
  const inc = (n: number) => n + 1
  const touch = ({ id, name }: { id: number; name: string }) => ({ id, name, ok: true })
  const numbers = Array.from({ length: NUMBERS }, (_, n) => n)
  const packed = Float64Array.from(numbers)
  const objects = Array.from({ length: OBJECTS }, (_, id) => ({ id, name: `item ${id}` }))
  const ms = async (use: () => PromiseLike<unknown>) => {
    const startMs = performance.now()
    await use()
    return performance.now() - startMs
  }
  const iterate = async () => {
    let sum = 0
    for await (const n of executor.map(inc, numbers)) sum += n
    return sum
  }
  const pythons = (name: string) => (python ? [{ name: 'Python Pool.map', measure: () => python.call(name) }] : [])
  const ofNumbers = [
    { name: 'await map(array)', measure: () => ms(() => executor.map(inc, numbers)) },
    { name: 'await map(Float64Array)', measure: () => ms(() => executor.map(inc, packed)) },
    {
      name: 'await map(Float64Array), output float64',
      measure: () => ms(() => executor.map(inc, packed, { output: 'float64' })),
    },
    { name: 'a loop in one thread', measure: () => ms(async () => numbers.map(inc)) },
    { name: 'for await of map(array)', measure: () => ms(iterate) },
    ...pythons('numbers'),
  ]
  const ofObjects = [
    { name: 'await map(objects)', measure: () => ms(() => executor.map(touch, objects)) },
    ...pythons('objects'),
  ]
  for (const [contenders, what] of [
    [ofNumbers, `ms, ${NUMBERS} numbers`],
    [ofObjects, `ms, ${OBJECTS} objects`],
  ] as const) {
    for (const { measure } of contenders) await measure()
    const measured = await measure(contenders, ROUNDS)
    report(measured, what, 'Python Pool.map')
    if (!python) continue
    const faster = (name: string) => ratio(measured, 'Python Pool.map', name)
    for (const { name } of contenders.filter(({ name }) => name.startsWith('await map')))
      goal(`${name}, times as fast as Python`, faster(name), { atLeast: name.includes('objects') ? 2.5 : 7 })
  }
  await executor.shutdown()
  python?.close()
}
