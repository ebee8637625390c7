// Worker side: the loop over a chunk of numbers in shared memory, which puts each result in the place of its item. V8 inlines a
// function in a loop that calls no other one, so each function has a loop of its own.
import { compileFunction } from 'node:vm'
import type { OwnContext } from '../../base/async-context.js'
import type { Words } from '../../memory/atomics.js'
import { STORED, type NumberCalls } from '../map/map-chunk.js'
import type { LeaseSlots } from '../protocol/lease-slots.js'

type Loop = typeof callAll

/** Compiled alone, from its source: it must not use anything but its parameters. */
function callAll(
  fn: Function,
  numbers: Float64Array,
  from: number,
  words: Words,
  itemWord: number,
  context: OwnContext,
  stored: symbol,
): unknown {
  const count = numbers.length
  for (let index = from; index < count; index++) {
    words[itemWord] = index
    const result: unknown = fn(numbers[index])
    if (typeof result !== 'number') return result
    numbers[index] = result
    if (context.changed) return stored
  }
  return stored
}

const loops = new WeakMap<Function, Loop>()

function loopOf(fn: Function): Loop {
  let loop = loops.get(fn)
  if (!loop) {
    loop = compileFunction(`return ${String(callAll)}`, [], { filename: 'manyhands:number-loop' })() as Loop
    loops.set(fn, loop)
  }
  return loop
}

/** The calls of a function for the numbers of a chunk that a worker runs. */
export class NumbersInPlace implements NumberCalls {
  readonly #fn: Function
  readonly #numbers: Float64Array
  readonly #slots: LeaseSlots
  readonly #slot: number
  readonly #context: OwnContext

  constructor(fn: Function, numbers: Float64Array, slots: LeaseSlots, slot: number, context: OwnContext) {
    this.#fn = fn
    this.#numbers = numbers
    this.#slots = slots
    this.#slot = slot
    this.#context = context
  }

  get latest(): number {
    return this.#slots.lastItem(this.#slot)
  }

  run(from: number): unknown {
    const [words, itemWord] = this.#slots.itemWord(this.#slot)
    return loopOf(this.#fn)(this.#fn, this.#numbers, from, words, itemWord, this.#context, STORED)
  }
}
