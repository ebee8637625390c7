// Whether a value came back as structuredClone would give it: of the same types, contents and order, and with the same
// identities. Not assert.deepStrictEqual: to that, two invalid dates differ, and holes and identities do not count.
import { assert } from '../harness.js'

export function assertSame(actual: unknown, expected: unknown): void {
  assert.is(describe(actual), describe(expected))
}

/** A value in words, each object by the number of its first occurrence. */
function describe(root: unknown): string {
  const numbers = new Map<object, number>()
  const words: string[] = []
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) {
      words.push(`${typeof value} ${Object.is(value, -0) ? '-0' : typeof value === 'string' ? JSON.stringify(value) : String(value)}`) // prettier-ignore
      return
    }
    const known = numbers.get(value)
    if (known !== undefined) {
      words.push(`again ${known}`)
      return
    }
    numbers.set(value, numbers.size)
    const { name } = (Object.getPrototypeOf(value) as { constructor: Function }).constructor
    const keys = ArrayBuffer.isView(value) ? [] : Object.keys(value)
    words.push(name, ...keys.map((key) => JSON.stringify(key)))
    if (Array.isArray(value)) words.push(`length ${value.length}`)
    if (value instanceof Map) for (const entry of value) entry.forEach(visit)
    if (value instanceof Set) for (const item of value) visit(item)
    if (ArrayBuffer.isView(value)) {
      words.push(Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex'))
      if (value !== root) visit(value.buffer) // Of what a Buffer shares with others, only its own bytes are sent.
    }
    if (value instanceof ArrayBuffer) words.push(Buffer.from(value).toString('hex'))
    if (value instanceof Date || value instanceof RegExp) words.push(String(value), (value as RegExp).flags ?? '')
    if (value instanceof Date) words.push(String(value.getTime()))
    if (value instanceof Error) [value.message, value.stack, value.cause].forEach(visit)
    for (const boxed of [Number, String, Boolean, BigInt]) if (value instanceof boxed) visit(value.valueOf())
    for (const key of keys) visit((value as Record<string, unknown>)[key])
  }
  visit(root)
  return words.join('\n')
}
