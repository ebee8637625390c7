// Waiting for the first of several: connections, and sentinels of processes. No thread can sleep on several words at once, so
// this looks at all of them again and again, with pauses that double up to a few milliseconds.
import { inspect } from 'node:util'
import { waitOn, type Words } from '../memory/atomics.js'
import { checkWaitOptions, type WaitOptions } from '../base/wait-options.js'
import { runBlockedHooks } from '../thread/while-blocked.js'

const FIRST_PAUSE_MS = 0.25
const LONGEST_PAUSE_MS = 4

const nobodysWord: Words = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT))

/** What is waited for, with how to ask whether it is ready. */
export type Checked<W> = Map<W, () => boolean>

/** @param asksFor how to ask whether an item is ready; `undefined` refuses it. @throws TypeError */
export function checkList<W>(list: Iterable<W>, asksFor: (item: W) => (() => boolean) | undefined): Checked<W> {
  if (typeof list !== 'object' || list === null || !(Symbol.iterator in list))
    throw new TypeError(`wait takes a list of connections and sentinels, not ${inspect(list)}`)
  const checked: Checked<W> = new Map()
  for (const item of list) {
    const isReady = asksFor(item)
    if (!isReady) throw new TypeError(`wait takes connections and sentinels, not ${inspect(item)}`)
    checked.set(item, isReady)
  }
  return checked
}

export async function waitForAny<W>(items: Checked<W>, options: WaitOptions | undefined): Promise<W[]> {
  const { timeoutMs, signal } = checkWaitOptions(options)
  const endMs = performance.now() + timeoutMs
  let pauseMs = FIRST_PAUSE_MS
  for (;;) {
    signal?.throwIfAborted()
    const ready = readyOf(items)
    const leftMs = endMs - performance.now()
    if (ready.length > 0 || leftMs <= 0) return ready
    pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)
    await new Promise((resolve) => setTimeout(resolve, Math.min(leftMs, pauseMs)))
  }
}

export function waitForAnySync<W>(items: Checked<W>, timeoutMs: number): W[] {
  const endMs = performance.now() + timeoutMs
  let pauseMs = FIRST_PAUSE_MS
  for (;;) {
    const ready = readyOf(items)
    const leftMs = endMs - performance.now()
    if (ready.length > 0 || leftMs <= 0) return ready
    pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)
    waitOn(nobodysWord, 0, 0, Math.min(leftMs, pauseMs))
    runBlockedHooks()
  }
}

function readyOf<W>(items: Checked<W>): W[] {
  return [...items].filter(([, isReady]) => isReady()).map(([item]) => item)
}
