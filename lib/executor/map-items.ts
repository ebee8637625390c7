// One chunk of a map, item by item, wherever it runs.

/**
 * Call a function for each item, an item being the arguments of one call, until one fails; with `settled`, to the end.
 * @param retries how often a call that throws is made again
 * @returns a value per item, and what was thrown in place of some, by index
 */
export async function mapItems<T>(
  call: (args: readonly unknown[]) => unknown,
  items: Iterable<readonly unknown[]>,
  { settled, retries }: { settled: boolean; retries: number },
  describe: (thrown: unknown) => T,
): Promise<{ values: unknown[]; failures: [index: number, thrown: T][] }> {
  const values: unknown[] = []
  const failures: [number, T][] = []
  for (const args of items) {
    for (let left = retries; ; left--) {
      try {
        const value = call(args)
        values.push(isThenable(value) ? await value : value)
        break
      } catch (thrown) {
        if (left > 0) continue
        failures.push([values.length, describe(thrown)])
        if (!settled) return { values, failures }
        values.push(undefined)
        break
      }
    }
  }
  return { values, failures }
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    ((typeof value === 'object' && value !== null) || typeof value === 'function') &&
    typeof (value as { then?: unknown }).then === 'function'
  )
}
