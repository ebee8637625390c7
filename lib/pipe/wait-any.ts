// Waiting for the first of several: connections, and sentinels of processes. No thread can sleep on several words at once, so this
// looks at all of them again and again, with pauses that double up to a few milliseconds.
import { inspect } from 'node:util'
import { performance, Promise, setTimeout } from '../base/clock.js'
import { afterTurn } from '../base/loop-turn.js'
import { checkWaitOptions, type WaitOptions } from '../base/wait-options.js'
import { waitOn, type Words } from '../memory/atomics.js'
import { runBlockedHooks } from '../thread/while-blocked.js'

const MIN_PAUSE_MS = 0.5
const MAX_PAUSE_MS = 4

/** Nobody changes it: a thread that waits on it pauses. */
const pauseWord: Words = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT))

/** What is waited for, each with the question whether it is ready. */
export type Watched<W> = Map<W, () => boolean>

/** @param readinessOf the question whether an item is ready; `undefined` refuses the item. @throws TypeError */
export function checkWatched<W>(list: Iterable<W>, readinessOf: (item: W) => (() => boolean) | undefined): Watched<W> {
  if (typeof list !== 'object' || list === null || !(Symbol.iterator in list))
    throw new TypeError(`wait takes a list of connections and sentinels, not ${inspect(list)}`)
  const watched: Watched<W> = new Map()
  for (const item of list) {
    const isReady = readinessOf(item)
    if (!isReady) throw new TypeError(`wait takes connections and sentinels, not ${inspect(item)}`)
    watched.set(item, isReady)
  }
  return watched
}

/** Look until something is ready or the time is over. Yields how long to pause, returns what is ready. */
function* look<W>(watched: Watched<W>, timeoutMs: number): Generator<number, W[]> {
  const endMs = performance.now() + timeoutMs
  for (let pauseMs = MIN_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, MAX_PAUSE_MS)) {
    const ready = [...watched].filter(([, isReady]) => isReady()).map(([item]) => item)
    const leftMs = endMs - performance.now()
    if (ready.length > 0 || leftMs <= 0) return ready
    yield Math.min(leftMs, pauseMs)
  }
}

export async function waitForAny<W>(watched: Watched<W>, options: WaitOptions | undefined): Promise<W[]> {
  const { timeoutMs, signal } = checkWaitOptions(options)
  const looking = look(watched, timeoutMs)
  for (let paused = false; ; paused = true) {
    signal?.throwIfAborted()
    const { done, value } = looking.next()
    if (done) return paused ? value : afterTurn(value)
    await new Promise((resolve) => setTimeout(resolve, value))
  }
}

export function waitForAnySync<W>(watched: Watched<W>, timeoutMs: number): W[] {
  const looking = look(watched, timeoutMs)
  for (;;) {
    const { done, value } = looking.next()
    if (done) return value
    waitOn(pauseWord, 0, 0, value)
    runBlockedHooks()
  }
}
