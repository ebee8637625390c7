// How do the lock, its relatives and the queue scale to 4, 16 and 64 cores? Not measured: simulated, on the shipped code and a model of
// cache lines (spec/explore/machine.ts). The figures are the same on every computer. docs/design/costs.md explains them.
import { Crew, programs, type ProgramName, type Traffic } from '../spec/explore/traffic.js'

/** Queues need longer runs than locks: their threads sleep and wake first. */
const usesOf = (program: string) => (isLong(program) ? 102_400 : program.startsWith('lock') ? 1024 : 4096)
/** Each thread has to get a token first, and then keeps it: one long run. */
const isLong = (program: string) => program === 'permits for all' || program === 'read'

const crew = new Crew()
const twoSockets = { coresPerSocket: 32 }
const linePairs = { lineBytes: 128 }

async function table(title: string, names: ProgramName[], threadCounts: number[], options = {}): Promise<void> {
  const rows: Record<string, object> = {}
  for (const name of names)
    for (const threads of threadCounts)
      rows[`${name}, ${threads} threads`] = row(
        await crew[isLong(name) ? 'run' : 'middle'](name, threads, usesOf(name), options),
      )
  console.log(`\n${title}`)
  console.table(rows)
}

function row({ uses, ns, transfers, sleeps, transferShare, lines }: Traffic) {
  const perUse = (count: number) => Number((count / uses).toFixed(2))
  const byPlace = new Map<string, number>()
  for (const [word, count] of Object.entries(lines)) {
    const place = Number(word) >= 256 ? '256 on' : word
    byPlace.set(place, (byPlace.get(place) ?? 0) + count)
  }
  const places = [...byPlace].toSorted(([, a], [, b]) => b - a).filter(([, count]) => perUse(count) >= 0.05)
  return {
    'ns a use': Number((ns / uses).toPrecision(3)),
    'million a second': Number(((uses / ns) * 1e3).toPrecision(3)),
    transfers: perUse(transfers),
    '% of time': Math.round(100 * transferShare),
    sleeps: perUse(sleeps),
    'by first word of the line': places.map(([place, count]) => `${place}: ${perUse(count)}`).join(', '),
  }
}

const names = Object.keys(programs) as ProgramName[]
await table('One socket', names, [2, 4, 16, 64])
await table('Two sockets of 32 cores', ['lock', 'queue n:n'], [64], twoSockets)
await table('Lines that travel in pairs', ['lock', 'queue n:n'], [16, 64], linePairs)
