// The two tasks of the bench `idle`. Their sources stand alone: manyhands and the raw Worker get them as text.

/** Wait in the worker. */
export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Keep the worker's core busy. */
export const compute = (ms: number): void => {
  const endMs = performance.now() + ms
  while (performance.now() < endMs);
}
