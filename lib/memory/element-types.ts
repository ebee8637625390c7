// Type codes: the type of an element in shared memory, after Python's array and ctypes.
//
// code   name      bytes   JavaScript          view
//  b B   (u)int8     1     number              Int8Array, Uint8Array
//  h H   (u)int16    2     number              Int16Array, Uint16Array
//  i I   (u)int32    4     number              Int32Array, Uint32Array
//  l L   (u)int64    8     bigint              BigInt64Array, BigUint64Array
//  q Q   (u)int64    8     bigint              BigInt64Array, BigUint64Array
//  f     float32     4     number              Float32Array
//  d     float64     8     number              Float64Array
//  c     char        2     string of one unit  Uint16Array
//  ?     bool        1     boolean             Uint8Array
import { inspect } from 'node:util'

const LETTERS = {
  b: 'int8',
  B: 'uint8',
  h: 'int16',
  H: 'uint16',
  i: 'int32',
  I: 'uint32',
  l: 'int64',
  L: 'uint64',
  q: 'int64',
  Q: 'uint64',
  f: 'float32',
  d: 'float64',
  c: 'char',
  '?': 'bool',
} as const

type Letter = keyof typeof LETTERS
export type TypeName = (typeof LETTERS)[Letter]

/** The type of an element: a letter as in Python, or a name such as `int32`. */
export type TypeCode = Letter | TypeName

type NameOf<C extends TypeCode> = C extends Letter ? (typeof LETTERS)[C] : C

/** An element of that type in JavaScript: a number, bigint, boolean or string. */
export type ElementOf<C extends TypeCode> =
  NameOf<C> extends 'int64' | 'uint64'
    ? bigint
    : NameOf<C> extends 'bool'
      ? boolean
      : NameOf<C> extends 'char'
        ? string
        : number

export interface Views {
  int8: Int8Array<SharedArrayBuffer>
  uint8: Uint8Array<SharedArrayBuffer>
  int16: Int16Array<SharedArrayBuffer>
  uint16: Uint16Array<SharedArrayBuffer>
  int32: Int32Array<SharedArrayBuffer>
  uint32: Uint32Array<SharedArrayBuffer>
  int64: BigInt64Array<SharedArrayBuffer>
  uint64: BigUint64Array<SharedArrayBuffer>
  float32: Float32Array<SharedArrayBuffer>
  float64: Float64Array<SharedArrayBuffer>
  char: Uint16Array<SharedArrayBuffer>
  bool: Uint8Array<SharedArrayBuffer>
}

/** The plain typed array over elements of that type. */
export type ViewOf<C extends TypeCode> = Views[NameOf<C>]

const ELEMENT_BYTES: Record<TypeName, number> = {
  int8: 1,
  uint8: 1,
  int16: 2,
  uint16: 2,
  int32: 4,
  uint32: 4,
  int64: 8,
  uint64: 8,
  float32: 4,
  float64: 8,
  char: 2,
  bool: 1,
}

/** The name of a code's type. @throws TypeError an unknown code */
export function typeNameOf(code: unknown): TypeName {
  if (typeof code === 'string') {
    if (Object.hasOwn(LETTERS, code)) return LETTERS[code as Letter]
    if (Object.hasOwn(ELEMENT_BYTES, code)) return code as TypeName
  }
  const known = [...Object.keys(LETTERS), ...Object.keys(ELEMENT_BYTES)].join(' ')
  throw new TypeError(`${inspect(code)} is not a type code; the type codes are ${known}`)
}

/** Size of an element in bytes, which is its alignment as well. */
export function bytesOf(name: TypeName): number {
  return ELEMENT_BYTES[name]
}
