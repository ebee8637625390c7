// What the rows of a table are like: for each place in them, what may stand there. It is learnt from some rows, and widened by one
// that does not fit. Its JSON goes with the table, so that the receiver needs to know nothing in advance.
import { types } from 'node:util'
import { isObjectPrototype, prototypeOf } from '../../base/brands.js'
import { hasOnlyItems } from './tree.js'

/** What may stand in a place. If there are several, a word tells which one does: its index. */
export type Schema = Alternative[]

export type Alternative = 'int32' | 'double' | 'text' | 'boolean' | 'undefined' | 'null' | ListSchema | RecordSchema

export interface ListSchema {
  readonly items: Schema
}

/** An object of these keys, in this order. */
export interface RecordSchema {
  readonly keys: readonly string[]
  readonly values: readonly Schema[]
}

const MAX_SCHEMA_DEPTH = 8
const MAX_RECORD_KEYS = 64
const MAX_RECORD_KEY_LENGTH = 100
const MAX_ALTERNATIVES = 8
/** Alternatives in all. Code grows with them. */
const MAX_PLACES = 256

/**
 * Whether it has a plain object's prototype, of any realm, or none, and structured clone copies it. It must be no proxy, and nothing
 * that can be enumerated is inherited.
 */
export function isRecord(object: object): boolean {
  const prototype = prototypeOf(object)
  if (prototype === null) return !types.isModuleNamespaceObject(object)
  return isObjectPrototype(prototype) && Object.keys(prototype).length === 0 && !types.isArgumentsObject(object)
}

function isInt32(value: number): boolean {
  return (value | 0) === value && (value !== 0 || 1 / value > 0)
}

/** Let the schema take one more row. @returns whether a schema can; if not, it is of no use any more */
export function widenBy(schema: Schema, row: unknown): boolean {
  return widen(schema, row, 0) && countPlaces(schema) <= MAX_PLACES
}

function widen(schema: Schema, value: unknown, depth: number): boolean {
  switch (typeof value) {
    case 'number':
      return addNumber(schema, value)
    case 'string':
      return addPrimitive(schema, 'text')
    case 'boolean':
    case 'undefined':
      return addPrimitive(schema, typeof value as 'boolean' | 'undefined')
    case 'object':
      if (value === null) return addPrimitive(schema, 'null')
      return (
        depth < MAX_SCHEMA_DEPTH &&
        (Array.isArray(value) ? widenList(schema, value, depth) : widenRecord(schema, value, depth))
      )
    default:
      return false
  }
}

function addPrimitive(schema: Schema, primitive: Alternative & string): boolean {
  return schema.includes(primitive) || schema.push(primitive) <= MAX_ALTERNATIVES
}

function addNumber(schema: Schema, value: number): boolean {
  if (schema.includes('double')) return true
  if (isInt32(value)) return addPrimitive(schema, 'int32')
  const at = schema.indexOf('int32')
  if (at < 0) return addPrimitive(schema, 'double')
  schema[at] = 'double'
  return true
}

function widenList(schema: Schema, list: readonly unknown[], depth: number): boolean {
  if (!hasOnlyItems(list)) return false
  const { items } = schema.find(isListSchema) ?? added(schema, { items: [] })
  for (let i = 0; i < list.length; i++) if (!widen(items, list[i], depth + 1)) return false
  return schema.length <= MAX_ALTERNATIVES
}

function widenRecord(schema: Schema, object: object, depth: number): boolean {
  if (types.isProxy(object) || !isRecord(object)) return false
  const keys = Object.keys(object)
  // Not: indices. An object with these is a dictionary, or `arguments`, for which the encoder does not ask.
  if (keys.length > MAX_RECORD_KEYS || keys.includes('__proto__') || /^\d/.test(keys[0] ?? '')) return false
  const values: unknown[] = []
  for (const key of keys) {
    const property = Object.getOwnPropertyDescriptor(object, key)
    if (!property || property.get || property.set || key.length > MAX_RECORD_KEY_LENGTH) return false
    values.push(property.value)
  }
  const isAlike = (one: Alternative): one is RecordSchema => isRecordSchema(one) && areAlike(one.keys, keys)
  const known = schema.find(isAlike) ?? added(schema, { keys, values: keys.map(() => []) })
  return schema.length <= MAX_ALTERNATIVES && known.values.every((place, n) => widen(place, values[n], depth + 1))
}

function added<T extends Alternative>(schema: Schema, alternative: T): T {
  schema.push(alternative)
  return alternative
}

function isListSchema(one: Alternative): one is ListSchema {
  return typeof one === 'object' && 'items' in one
}

export function isRecordSchema(one: Alternative): one is RecordSchema {
  return typeof one === 'object' && 'keys' in one
}

function areAlike(keys: readonly string[], others: readonly string[]): boolean {
  return keys.length === others.length && keys.every((key, n) => key === others[n])
}

function countPlaces(schema: Schema): number {
  let count = schema.length
  for (const one of schema) {
    if (typeof one === 'string') continue
    for (const place of 'items' in one ? [one.items] : one.values) count += countPlaces(place)
  }
  return count
}
