// Measures contenders side by side: each round runs every contender once, so that a disturbance of the machine hits all of them.
import { appendFileSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

export interface Contender {
  name: string
  /** One measurement, in the bench's unit. */
  measure(): Promise<number>
}

export interface Measured {
  name: string
  median: number
  /** All rounds, sorted. */
  rounds: number[]
}

/** Collect the garbage of the contender before, and let the event loop finish its work, so that the next one pays for neither. */
async function settle(): Promise<void> {
  collectGarbage()
  for (let turns = 0; turns < 3; turns++) await new Promise((resolve) => setImmediate(resolve))
}

/** Measure all contenders, round by round. */
export async function measure(contenders: readonly Contender[], roundCount: number): Promise<Measured[]> {
  const rounds = contenders.map((): number[] => [])
  for (let round = 0; round < roundCount; round++) {
    // Every second round runs backwards, so that no contender always follows the same other.
    const order = [...contenders.keys()]
    for (const index of round % 2 === 0 ? order : order.toReversed()) {
      await settle()
      rounds[index]!.push(await contenders[index]!.measure())
    }
  }
  return contenders.map(({ name }, index) => {
    const sorted = rounds[index]!.toSorted((a, b) => a - b)
    return { name, median: sorted[Math.floor(sorted.length / 2)]!, rounds: sorted }
  })
}

/** Print medians, quartiles, and the ratio of each median to that of the contender called `reference`. */
export function report(measured: readonly Measured[], unit: string, reference: string): void {
  const base = measured.find(({ name }) => name === reference)
  const cells = measured.map(({ name, median, rounds }) => {
    const [low, high] = [rounds[Math.floor(rounds.length / 4)]!, rounds[Math.floor((rounds.length * 3) / 4)]!]
    const ratio = base ? `${(median / base.median).toFixed(2)} x ${reference}` : ''
    return { name, [unit]: round(median), quartiles: `${round(low)} – ${round(high)}`, ratio }
  })
  console.table(Object.fromEntries(cells.map(({ name, ...rest }) => [name, rest])))
  record({ unit, reference, measured })
}

/** The ratio of two medians. */
export function ratio(measured: readonly Measured[], name: string, reference: string): number {
  const medianOf = (wanted: string) => measured.find((one) => one.name === wanted)!.median
  return medianOf(name) / medianOf(reference)
}

/** What a figure should be. */
export interface Bound {
  atMost?: number
  atLeast?: number
}

/** Print whether a figure is what it should be. `npm run bench` ends with a table of all. */
export function goal(what: string, figure: number, { atMost, atLeast }: Bound): void {
  const met = figure <= (atMost ?? Infinity) && figure >= (atLeast ?? -Infinity)
  const bound = atMost === undefined ? `at least ${atLeast}` : `at most ${atMost}`
  console.log(`${met ? 'met   ' : 'MISSED'} ${what}: ${round(figure)}, goal ${bound}`)
  record({ goal: what, figure, bound, met })
}

/** For bench/run.mjs. */
function record(entry: object): void {
  const file = process.env.BENCH_RECORD
  if (file) appendFileSync(file, `${JSON.stringify(entry)}\n`)
}

function round(value: number): number {
  return value >= 100 ? Math.round(value) : Number(value.toPrecision(3))
}
