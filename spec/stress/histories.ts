// Histories of a bounded FIFO queue, and whether there is an order of all operations that explains one: exactly, for short ones,
// by Wing and Gong's search with the memory of what was seen that Lowe added; and by what must hold of every history in which no
// value occurs twice, for long ones (after Bouajjani, Emmi, Enea and Hamza, "On reducing linearizability to state reachability").

export type Call = (typeof CALLS)[number]
export const CALLS = ['put', 'put: full', 'get', 'get: empty', 'qsize', 'empty', 'full'] as const

/** What a thread did, between two moments of a clock that all threads share: no two moments are equal. */
export interface Operation {
  call: Call
  /** The value that was put or got; what was answered: of a truth, 0 or 1. Nothing else: 0. */
  result: number
  began: number
  ended: number
}

/**
 * The operations of each thread, in its order. One that does several things one after another (`putMany` puts each as `put`
 * does) is as many operations, all of its length.
 */
export type History = readonly (readonly Operation[])[]

/** What the queue holds after an operation; `undefined`: it cannot have come to that result. */
function step(items: readonly number[], { call, result }: Operation, maxsize: number): readonly number[] | undefined {
  const isFull = maxsize > 0 && items.length >= maxsize
  switch (call) {
    case 'put':
      return isFull ? undefined : [...items, result]
    case 'get':
      return items.length > 0 && items[0] === result ? items.slice(1) : undefined
    case 'put: full':
      return isFull ? items : undefined
    case 'get: empty':
      return items.length === 0 ? items : undefined
    case 'qsize':
      return items.length === result ? items : undefined
    case 'empty':
      return (items.length === 0) === (result === 1) ? items : undefined
    case 'full':
      return isFull === (result === 1) ? items : undefined
    default:
      return call satisfies never
  }
}

/** Whether some order of the operations, which respects that one ended before another began, is right for a queue. */
export function isLinearizable(history: History, maxsize = 0): boolean {
  const seen = new Set<string>()
  // `at`: how many of each thread's operations have taken effect.
  const search = (at: readonly number[], items: readonly number[]): boolean => {
    const key = `${at.join()} ${items.join()}`
    if (seen.has(key)) return false
    seen.add(key)
    const next = history.map((operations, thread) => operations[at[thread]!])
    const firstEnd = Math.min(...next.map((operation) => operation?.ended ?? Infinity))
    if (firstEnd === Infinity) return true
    return next.some((operation, thread) => {
      if (!operation || operation.began > firstEnd) return false
      const left = step(items, operation, maxsize)
      return left !== undefined && search(at.with(thread, at[thread]! + 1), left)
    })
  }
  return search(
    history.map(() => 0),
    [],
  )
}

interface Passage {
  put: Operation
  got: Operation
  producer: number
  consumer: number
  /** Which of its consumer's operations took it. */
  turn: number
}

/** Stands for the get of what nobody got. */
const NEVER: Operation = { call: 'get', result: 0, began: Infinity, ended: Infinity }

/**
 * What is wrong with a history in which no value was put twice; `undefined`: none of what is looked for. In n log n. What is
 * found is no order's doing; what is not found may be. Histories that end with an empty queue are looked at most closely.
 */
export function anomalyIn(history: History, maxsize = 0): string | undefined {
  const passages = new Map<number, Passage>()
  for (const [producer, operations] of history.entries())
    for (const put of operations)
      if (put.call === 'put') passages.set(put.result, { put, got: NEVER, producer, consumer: -1, turn: -1 })
  for (const [consumer, operations] of history.entries())
    for (const [turn, got] of operations.entries()) {
      if (got.call !== 'get') continue
      const passage = passages.get(got.result)
      if (!passage || got.ended < passage.put.began) return `${got.result} was got before it was put`
      if (passage.got !== NEVER) return `${got.result} was got twice`
      Object.assign(passage, { got, consumer, turn })
    }
  const all = [...passages.values()]
  return overtakingIn(all) ?? lossIn(all, history.flat()) ?? wrongSizeIn(history.flat(), maxsize)
}

const by = (key: 'began' | 'ended') => (a: Operation, b: Operation) => a[key] - b[key]

/** One value was put before another, and got after it. Before: its operation had ended, or its thread did it first. */
function overtakingIn(passages: readonly Passage[]): string | undefined {
  const overtaken = ({ put: { result } }: Passage, by: Passage) => `${by.put.result} overtook ${result}`
  // By the clock, both of them: of those that were put before, the one that was got last.
  const byEnd = passages.toSorted((a, b) => by('ended')(a.put, b.put))
  let ended = 0
  let last: Passage | undefined
  for (const passage of passages.toSorted((a, b) => by('began')(a.put, b.put))) {
    for (; byEnd[ended]!.put.ended < passage.put.began; ended++)
      if (!last || byEnd[ended]!.got.began > last.got.began) last = byEnd[ended]
    if (last && last.got.began > passage.got.ended) return overtaken(last, passage)
  }
  // Put by one thread: in its order, which is that of `passages`.
  const lastOf = new Map<number | string, Passage>()
  for (const passage of passages) {
    const { producer, consumer, turn, got } = passage
    const before = lastOf.get(producer)
    if (before && before.got.began > got.ended) return overtaken(before, passage)
    if (!before || before.got.began < got.began) lastOf.set(producer, passage)
    // And got by one thread.
    const pair = `${producer} ${consumer}`
    const last = lastOf.get(pair)
    if (consumer >= 0 && last && last.turn > turn) return overtaken(last, passage)
    lastOf.set(pair, passage)
  }
  // Got by one thread.
  const latest = new Map<number, Passage>()
  for (const passage of passages.filter(({ consumer }) => consumer >= 0).toSorted((a, b) => a.turn - b.turn)) {
    const before = latest.get(passage.consumer)
    if (before && before.put.began > passage.put.ended) return overtaken(passage, before)
    if (!before || before.put.began < passage.put.began) latest.set(passage.consumer, passage)
  }
  return undefined
}

const sawNothing = ({ call, result }: Operation) =>
  call === 'get: empty' || (call === 'empty' && result === 1) || (call === 'qsize' && result === 0)

/** Nothing was seen, although one value was there all the while. */
function lossIn(passages: readonly Passage[], operations: readonly Operation[]): string | undefined {
  const byEnd = passages.toSorted((a, b) => by('ended')(a.put, b.put))
  let at = 0
  let last: Passage | undefined
  for (const operation of operations.filter(sawNothing).toSorted(by('began'))) {
    for (; at < byEnd.length && byEnd[at]!.put.ended < operation.began; at++)
      if (!last || byEnd[at]!.got.began > last.got.began) last = byEnd[at]
    if (!last || last.got.began < operation.ended) continue
    const { result } = last.put
    return last.got === NEVER ? `${result} was lost` : `'${operation.call}' although ${result} was there`
  }
  return undefined
}

/** How many of the moments, which are sorted, are before that one. */
function countBefore(moments: readonly number[], moment: number): number {
  let [low, high] = [0, moments.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (moments[middle]! < moment) low = middle + 1
    else high = middle
  }
  return low
}

/** Less or more was in the queue, all the while, than was answered. */
function wrongSizeIn(operations: readonly Operation[], maxsize: number): string | undefined {
  const moments = (call: Call, key: 'began' | 'ended') =>
    operations
      .filter((operation) => operation.call === call)
      .map((operation) => operation[key])
      .toSorted((a, b) => a - b)
  const [putBegan, putEnded, gotBegan, gotEnded] = [moments('put', 'began'), moments('put', 'ended'), moments('get', 'began'), moments('get', 'ended')] // prettier-ignore
  for (const { call, result, began, ended } of operations) {
    const least = countBefore(putEnded, began) - countBefore(gotBegan, ended)
    const most = countBefore(putBegan, ended) - countBefore(gotEnded, began)
    const canBe = {
      put: maxsize === 0 || least < maxsize,
      'put: full': maxsize > 0 && most >= maxsize,
      get: true,
      'get: empty': least <= 0,
      qsize: least <= result && result <= most,
      empty: result === 1 ? least <= 0 : most > 0,
      full: maxsize > 0 ? (result === 1 ? most >= maxsize : least < maxsize) : result === 0,
    }[call]
    if (!canBe) return `'${call} ${result}' although ${Math.max(least, 0)} to ${most} of ${maxsize} were there`
  }
  return undefined
}

/**
 * Read a history that is drawn: a line for each thread, `[put 1]` where and as long as it took.
 * `[putMany 1 2]` and `[getMany 1 2]` are as many operations.
 */
export function drawn(lines: string): History {
  return lines
    .split('\n')
    .filter((line) => line.includes('['))
    .map((line) =>
      [...line.matchAll(/\[(.*?)\]/g)].flatMap(({ 0: { length }, 1: text, index }) => {
        const [, call = '', results = ''] = /^(.*?)((?: -?\d+)*) *$/.exec(text!)!
        const moments = { began: index, ended: index + length - 1 }
        return (results.trim() || '0')
          .split(' ')
          .map((result) => ({ call: call.replace('Many', '') as Call, result: Number(result), ...moments }))
      }),
    )
}

/** A history to be read by people, one line for each thread. */
export function shown(history: History): string {
  const text = ({ call, result, began, ended }: Operation) => `${began}-${ended} ${call} ${result}`
  return history.map((operations, thread) => `${thread}: ${operations.map(text).join(', ')}`).join('\n')
}
