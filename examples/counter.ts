// Nine processes count together: in a number of their own, in shared memory without protection, under its lock, and atomically.
// First in one Value, then alternately in the two counters of one Array.
import { Array as SharedArray, isMainThread, Process, task, Value, type Target } from 'manyhands'

const PROCESSES = 9
const TIMES = 50
/** Often enough to lose updates. */
const RACING_TIMES = 200_000

const countAlone = task(import.meta.url, function countAlone(total: number, times: number) {
  for (let i = 0; i < times; i++) total += 1
})

const countRacing = task(import.meta.url, function countRacing(total: Value<'i'>, times: number) {
  for (let i = 0; i < times; i++) total.value += 1
})

const countLocked = task(import.meta.url, function countLocked(total: Value<'i'>, times: number) {
  for (let i = 0; i < times; i++) {
    using _guard = total.getLock().holdSync()
    total.value += 1
  }
})

const countAtomically = task(import.meta.url, function countAtomically(total: Value<'i'>, times: number) {
  for (let i = 0; i < times; i++) total.add(1)
})

const countTurnsAlone = task(import.meta.url, function countTurnsAlone(totals: number[], times: number) {
  for (let i = 0; i < times; i++) totals[i % 2]! += 1
})

const countTurnsRacing = task(import.meta.url, function countTurnsRacing(totals: SharedArray<'i'>, times: number) {
  for (let i = 0; i < times; i++) totals.set(i % 2, totals.get(i % 2) + 1)
})

const countTurnsLocked = task(import.meta.url, function countTurnsLocked(totals: SharedArray<'i'>, times: number) {
  for (let i = 0; i < times; i++) {
    using _guard = totals.getLock().holdSync()
    totals.set(i % 2, totals.get(i % 2) + 1)
  }
})

const countTurnsAtomically = task(
  import.meta.url,
  function countTurnsAtomically(totals: SharedArray<'i'>, times: number) {
    for (let i = 0; i < times; i++) totals.add(i % 2, 1)
  },
)

async function nine<T>(target: Target<[T, number]>, shared: T, times: number): Promise<T> {
  const processes = Array.from({ length: PROCESSES }, () => new Process({ target, args: [shared, times] }).start())
  await Promise.all(processes.map((process) => process.join()))
  return shared
}

function report(how: string, total: number, times: number): void {
  const all = PROCESSES * times
  const verdict = total === all ? 'all' : total === 0 ? 'none' : `${all - total} lost`
  console.log(`  ${how.padEnd(20)} ${total} of ${all}: ${verdict}`)
}

const sum = (numbers: Iterable<number>) => [...numbers].reduce((a, b) => a + b, 0)

if (isMainThread) {
  console.log(`${PROCESSES} processes count in one Value`)
  report('a plain number', await nine(countAlone, 0, TIMES), TIMES)
  report('value += 1', (await nine(countRacing, new Value('i', 0), RACING_TIMES)).value, RACING_TIMES)
  report('value += 1, locked', (await nine(countLocked, new Value('i', 0), TIMES)).value, TIMES)
  report('value.add(1)', (await nine(countAtomically, new Value('i', 0), TIMES)).value, TIMES)

  console.log(`${PROCESSES} processes count in one Array`)
  report('a plain array', sum(await nine(countTurnsAlone, [0, 0], TIMES)), TIMES)
  report('set(i, get(i) + 1)', sum(await nine(countTurnsRacing, new SharedArray('i', 2), RACING_TIMES)), RACING_TIMES)
  report('the same, locked', sum(await nine(countTurnsLocked, new SharedArray('i', 2), TIMES)), TIMES)
  report('add(i, 1)', sum(await nine(countTurnsAtomically, new SharedArray('i', 2), TIMES)), TIMES)
}
