// Which of the objects that a caller wants moved go with a part of the arguments: `map` sends its items in chunks, and an
// object is moved with the chunk that has it.
import type { Transferable } from 'node:worker_threads'

/** Those of `candidates` that `value` has, at any depth of plain objects, arrays, Maps, Sets and typed arrays. */
export function transferredWith(value: unknown, candidates: readonly Transferable[]): Transferable[] {
  if (candidates.length === 0) return []
  const wanted = new Set<unknown>(candidates)
  const seen = new Set<unknown>()
  const visit = (part: unknown): void => {
    if (typeof part !== 'object' || part === null || seen.has(part)) return
    seen.add(part)
    if (wanted.has(part)) return
    if (ArrayBuffer.isView(part)) visit(part.buffer)
    else if (part instanceof Map) for (const entry of part) visit(entry)
    else if (part instanceof Set) for (const item of part) visit(item)
    else for (const item of Object.values(part)) visit(item)
  }
  visit(value)
  return candidates.filter((candidate) => seen.has(candidate))
}
