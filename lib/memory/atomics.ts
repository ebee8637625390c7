// The only user of the global `Atomics`. Every read and write of a word that threads share goes through here, so that a
// checker can put a controller of its own in this module's place and run the shipped algorithms under any interleaving
// (spec/explore). One line each: they are inlined, and cost what the builtins cost.
import { availableParallelism } from 'node:os'

/** A view of shared 32-bit words. */
export type Words = Int32Array<SharedArrayBuffer>

export const load = (words: Words, index: number): number => Atomics.load(words, index)
export const store = (words: Words, index: number, value: number): number => Atomics.store(words, index, value)
export const add = (words: Words, index: number, value: number): number => Atomics.add(words, index, value)
export const or = (words: Words, index: number, bits: number): number => Atomics.or(words, index, bits)
export const exchange = (words: Words, index: number, value: number): number => Atomics.exchange(words, index, value)
export const compareExchange = (words: Words, index: number, expected: number, value: number): number =>
  Atomics.compareExchange(words, index, expected, value)

/** Read a word that no other thread writes now: its lock is held, or it is this thread's own. A tenth of a `load`. */
export const peek = (words: Words, index: number): number => words[index]!

/** Write a word that no other thread uses now. The next atomic operation publishes it. */
export const poke = (words: Words, index: number, value: number): void => {
  words[index] = value
}

/** Block until somebody notifies the word, it no longer holds `seen`, or the time is over. */
export const waitOn = (
  words: Words,
  index: number,
  seen: number,
  timeoutMs: number,
): 'ok' | 'not-equal' | 'timed-out' => Atomics.wait(words, index, seen, timeoutMs)

/** Call back once the word no longer holds `seen`: at once, or when somebody notifies it. Does not keep the thread alive. */
export function whenChanged(words: Words, index: number, seen: number, callback: () => void): void {
  const waiting = Atomics.waitAsync(words, index, seen)
  if (waiting.async) void waiting.value.then(callback)
  else callback()
}

/** Wake one of those who wait on the word, the one that has waited longest. */
export const notifyOne = (words: Words, index: number): number => Atomics.notify(words, index, 1)

/** Wake whoever waits on the word. */
export const notifyAll = (words: Words, index: number): number => Atomics.notify(words, index)

/** How often to look before sleeping: a sleep and its wake-up cost 7 µs, a hundred looks one. With one core nothing can change meanwhile. */
const LOOKS = availableParallelism() > 1 ? 100 : 0

/** Look for a moment whether the word changes, before going to sleep over it. A hint: says nothing that may be relied on. */
export function spinWhile(words: Words, index: number, seen: number): void {
  for (let looks = LOOKS; looks > 0 && words[index] === seen; looks--);
}

/** As `spinWhile`, for a time. @returns whether the word has changed: as much a hint */
export function changesWithin(words: Words, index: number, seen: number, ms: number): boolean {
  if (LOOKS === 0) return false
  const endMs = performance.now() + ms
  do {
    spinWhile(words, index, seen)
    if (words[index] !== seen) return true
  } while (performance.now() < endMs)
  return false
}

/** A view of shared integers: of numbers up to 32 bits, of bigints for 64. */
export type IntegerView<T extends number | bigint> = T extends bigint
  ? BigInt64Array<SharedArrayBuffer> | BigUint64Array<SharedArrayBuffer>
  : | Int8Array<SharedArrayBuffer>
    | Uint8Array<SharedArrayBuffer>
    | Int16Array<SharedArrayBuffer>
    | Uint16Array<SharedArrayBuffer>
    | Int32Array<SharedArrayBuffer>
    | Uint32Array<SharedArrayBuffer>

type Change = <T extends number | bigint>(view: IntegerView<T>, index: number, value: T) => T

/** The operations on elements of any width. All but `load` return what was there before. */
export const elements = Atomics as unknown as {
  load: <T extends number | bigint>(view: IntegerView<T>, index: number) => T
  /** Returns the value, unlike the others. */
  store: Change
  add: Change
  sub: Change
  and: Change
  or: Change
  xor: Change
  exchange: Change
  compareExchange: <T extends number | bigint>(view: IntegerView<T>, index: number, expected: T, value: T) => T
}
