// The only user of the global `Atomics`. Every access to a word that threads share goes through here, so that spec/explore can
// replace this module by a controller and run the shipped algorithms under any interleaving. The functions are one line each:
// V8 inlines them, and they cost what the builtins cost.

/** A view of shared 32-bit words. */
export type Words = Int32Array<SharedArrayBuffer>

export const load = (words: Words, index: number): number => Atomics.load(words, index)
export const store = (words: Words, index: number, value: number): number => Atomics.store(words, index, value)
export const add = (words: Words, index: number, value: number): number => Atomics.add(words, index, value)
export const or = (words: Words, index: number, bits: number): number => Atomics.or(words, index, bits)
export const exchange = (words: Words, index: number, value: number): number => Atomics.exchange(words, index, value)
export const compareExchange = (words: Words, index: number, expected: number, value: number): number =>
  Atomics.compareExchange(words, index, expected, value)

/**
 * Read a word that no other thread can write now: this thread holds its lock, or owns it. Costs a tenth of a `load`. For a word
 * that others write, it is a hint.
 */
export const peek = (words: Words, index: number): number => words[index]!

/** Write a word that no other thread can use now. The next atomic operation publishes it. */
export const poke = (words: Words, index: number, value: number): void => {
  words[index] = value
}

/** Block until the word is notified or `timeoutMs` is over. Returns at once if the word does not hold `seen`. */
export const waitOn = (
  words: Words,
  index: number,
  seen: number,
  timeoutMs: number,
): 'ok' | 'not-equal' | 'timed-out' => Atomics.wait(words, index, seen, timeoutMs)

/** Call back when the word is notified; at once if it does not hold `seen`. Does not keep the thread alive. */
export function whenChanged(words: Words, index: number, seen: number, callback: () => void): void {
  const waiting = Atomics.waitAsync(words, index, seen)
  if (waiting.async) void waiting.value.then(callback)
  else callback()
}

/** Wake the waiter that has slept on the word longest. @returns how many were woken: a terminated one counts, too */
export const notifyOne = (words: Words, index: number): number => Atomics.notify(words, index, 1)

/** Wake all waiters of the word. @returns how many */
export const notifyAll = (words: Words, index: number): number => Atomics.notify(words, index)

/** A view of shared integers: numbers up to 32 bits, bigints for 64. */
export type IntegerView<T extends number | bigint> = T extends bigint
  ? BigInt64Array<SharedArrayBuffer> | BigUint64Array<SharedArrayBuffer>
  : | Int8Array<SharedArrayBuffer>
    | Uint8Array<SharedArrayBuffer>
    | Int16Array<SharedArrayBuffer>
    | Uint16Array<SharedArrayBuffer>
    | Int32Array<SharedArrayBuffer>
    | Uint32Array<SharedArrayBuffer>

type Change = <T extends number | bigint>(view: IntegerView<T>, index: number, value: T) => T

/** The operations on elements of any width. All but `load` and `store` return the previous value. */
export const elements = Atomics as unknown as {
  load: <T extends number | bigint>(view: IntegerView<T>, index: number) => T
  /** Returns the new value. */
  store: Change
  add: Change
  sub: Change
  and: Change
  or: Change
  xor: Change
  exchange: Change
  compareExchange: <T extends number | bigint>(view: IntegerView<T>, index: number, expected: T, value: T) => T
}
