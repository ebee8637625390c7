// Whether a value arrived as structuredClone gives it: with the same types, contents, order and identities. Not
// assert.deepStrictEqual: it tells two invalid dates apart, and ignores holes and identities.
import { assert } from '../harness.js'

export function assertSame(actual: unknown, expected: unknown): void {
  assert.is(describe(actual), describe(expected))
}

/** A value as text; an object that occurs again is the number of its first occurrence. */
function describe(root: unknown): string {
  const numbers = new Map<object, number>()
  const lines: string[] = []
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) {
      lines.push(`${typeof value} ${Object.is(value, -0) ? '-0' : typeof value === 'string' ? JSON.stringify(value) : String(value)}`) // prettier-ignore
      return
    }
    const known = numbers.get(value)
    if (known !== undefined) {
      lines.push(`again ${known}`)
      return
    }
    numbers.set(value, numbers.size)
    const { name } = (Object.getPrototypeOf(value) as { constructor: Function }).constructor
    const keys = ArrayBuffer.isView(value) ? [] : Object.keys(value)
    lines.push(name, ...keys.map((key) => JSON.stringify(key)))
    if (Array.isArray(value)) lines.push(`length ${value.length}`)
    if (value instanceof Map) for (const entry of value) entry.forEach(visit)
    if (value instanceof Set) for (const item of value) visit(item)
    if (ArrayBuffer.isView(value)) {
      lines.push(Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex'))
      if (value !== root) visit(value.buffer) // Of a Buffer in a shared pool, only its own bytes are sent.
    }
    if (value instanceof ArrayBuffer) lines.push(Buffer.from(value).toString('hex'))
    if (value instanceof Date || value instanceof RegExp) lines.push(String(value), (value as RegExp).flags ?? '')
    if (value instanceof Date) lines.push(String(value.getTime()))
    if (value instanceof Error) [value.message, value.stack, value.cause].forEach(visit)
    for (const boxed of [Number, String, Boolean, BigInt]) if (value instanceof boxed) visit(value.valueOf())
    for (const key of keys) visit((value as Record<string, unknown>)[key])
  }
  visit(root)
  return lines.join('\n')
}
