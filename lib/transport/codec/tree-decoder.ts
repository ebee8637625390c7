// Decodes the words of a tree; tree.ts has the format. Decoding runs no code of the caller's, so its state can be module variables.
import { knownKeySet, readKeySet, type KeySet } from './key-sets.js'
import { decodeAscii, decodeWide } from './text.js'
import {
  ARRAY,
  ASCII,
  BIGINT,
  bigint,
  DICTIONARY,
  DOUBLE,
  double,
  halves,
  INTEGER,
  OBJECT,
  SMALL,
  SPECIAL,
  SPECIALS,
  WIDE,
} from './tree.js'

let input: Int32Array = new Int32Array(0)
let position = 0
/** The key sets that the message has described so far, by number. */
const keySetsRead: KeySet[] = []
let keySetsReadCount = 0

export function decodeTree(words: Int32Array): unknown {
  input = words
  position = 0
  keySetsReadCount = 0 // Not: set the length, which takes 90 ns.
  return nextValue()
}

function nextValue(): unknown {
  const word = input[position++]!
  const argument = word >>> 4
  switch (word & 15) {
    case SPECIAL:
      return SPECIALS[argument]
    case SMALL:
      return word >> 4
    case INTEGER:
      return input[position++]
    case DOUBLE:
      readPair()
      return double[0]
    case BIGINT:
      readPair()
      return bigint[0]
    case ASCII:
      return decodeAscii(input, skipText(argument), argument)
    case WIDE:
      return decodeWide(input, skipText(argument), argument)
    case ARRAY: {
      const items: unknown[] = []
      for (let i = 0; i < argument; i++) items.push(nextValue())
      return items
    }
    case DICTIONARY: {
      const object: Record<string, unknown> = {}
      for (let i = 0; i < argument; i++) object[nextValue() as string] = nextValue()
      return object
    }
    case OBJECT: {
      const keySet = knownKeySet(input, position, argument) ?? readKeySet(input, position)
      position += argument
      keySetsRead[keySetsReadCount++] = keySet
      return keySet.make(nextValue)
    }
    default:
      return keySetsRead[argument]!.make(nextValue)
  }
}

/** Step over the words of a text. @returns its first byte */
function skipText(byteLength: number): number {
  const start = position * 4
  position += (byteLength + 3) >> 2
  return start
}

function readPair(): void {
  halves[0] = input[position++]!
  halves[1] = input[position++]!
}
