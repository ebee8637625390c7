// The only user of the global `Atomics`. Every read and write of a word that threads share goes through here, so that a
// checker can put a controller of its own in this module's place and run the shipped algorithms under any interleaving.

/** A view of shared 32-bit words. */
export type Words = Int32Array<SharedArrayBuffer>

export const load = (words: Words, index: number): number => Atomics.load(words, index)
export const store = (words: Words, index: number, value: number): number => Atomics.store(words, index, value)
export const or = (words: Words, index: number, bits: number): number => Atomics.or(words, index, bits)
export const compareExchange = (words: Words, index: number, expected: number, value: number): number =>
  Atomics.compareExchange(words, index, expected, value)

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

/** Wake whoever waits on the word. */
export const notifyAll = (words: Words, index: number): number => Atomics.notify(words, index)
