// The queue of jobs, compared with a sorted list under generated sequences of operations.
import {
  array,
  assert as check,
  asyncProperty,
  constantFrom,
  integer,
  property,
  record,
  type Arbitrary,
} from 'fast-check'
import { PriorityQueue, type Queueable } from '#internals'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { assert, suite } from '../harness.js'

const test = suite('priority queue')

setFlagsFromString('--expose-gc')
const gc = runInNewContext('gc') as () => void

interface Item extends Queueable {
  name: number
}

let named = 0
const newItem = (priority = 0): Item => ({ priority, previous: undefined, next: undefined, name: named++ })
const namesOf = (items: Iterable<Item>) => Array.from(items, ({ name }) => name)

interface Operation {
  kind: 'push' | 'shift' | 'delete' | 'putBack'
  /** How many items, from one to many. */
  count: number
  priority: number
  /** Of the items in order: where deleting begins, and how far apart the deleted ones are. */
  at: number
  step: number
}

const operations: Arbitrary<Operation[]> = array(
  record({
    kind: constantFrom('push', 'shift', 'delete', 'putBack'),
    count: constantFrom(1, 1, 2, 5, 70, 150),
    priority: integer({ min: -1, max: 1 }),
    at: integer({ min: 0, max: 100 }),
    step: integer({ min: 1, max: 3 }),
  }),
  { maxLength: 40, size: 'max' },
)

/** The queue, and beside it the same items as a list in the order in which they are to come. */
class Compared {
  readonly queue = new PriorityQueue<Item>()
  /** Every item there ever was. */
  readonly refs: WeakRef<Item>[] = []
  expected: Item[] = []
  #shifted: Item[] = []

  do({ kind, count, priority, at, step }: Operation): void {
    if (kind === 'push') for (let n = 0; n < count; n++) this.#push(newItem(priority))
    if (kind === 'shift') this.#shifted = Array.from({ length: count }, () => this.shift()).filter((item) => !!item)
    if (kind === 'delete')
      this.#delete(this.expected.filter((_, n) => n >= at && (n - at) % step === 0).slice(0, count))
    if (kind === 'putBack') this.#putBack(this.#shifted.splice(0))
  }

  shift(): Item | undefined {
    const [expected] = this.expected.splice(0, 1)
    assert.is(this.queue.peek(), expected)
    assert.is(this.queue.shift(), expected)
    if (expected) assert.is(this.queue.delete(expected), false)
    return expected
  }

  #push(item: Item): void {
    this.refs.push(new WeakRef(item))
    this.queue.push(item)
    this.#insert(item, (other) => other.priority < item.priority)
  }

  #putBack(items: readonly Item[]): void {
    this.queue.putBack(items)
    for (const item of items.toReversed()) this.#insert(item, (other) => other.priority <= item.priority)
  }

  #insert(item: Item, isBehind: (other: Item) => boolean): void {
    const at = this.expected.findIndex(isBehind)
    this.expected.splice(at < 0 ? this.expected.length : at, 0, item)
  }

  #delete(items: readonly Item[]): void {
    for (const item of items) assert.is(this.queue.delete(item), true)
    for (const item of items) assert.is(this.queue.delete(item), false)
    this.expected = this.expected.filter((item) => !items.includes(item))
  }
}

test('gives the greater priority first and one priority in its order, whatever was deleted and put back', () => {
  check(
    property(operations, (list) => {
      const compared = new Compared()
      for (const operation of list) {
        compared.do(operation)
        assert.is(compared.queue.size, compared.expected.length)
        assert.is(compared.queue.peek(), compared.expected[0])
        assert.equal(namesOf(compared.queue), namesOf(compared.expected))
      }
      while (compared.shift());
      assert.is(compared.queue.size, 0)
    }),
    { numRuns: 1000 },
  )
})

test('takes an item again that was deleted, and gives it once, in its new place', () => {
  const queue = new PriorityQueue<Item>()
  const items = [newItem(), newItem(), newItem()]
  for (const item of items) queue.push(item)
  queue.delete(items[1]!)
  queue.push(items[1]!)
  assert.equal(namesOf(queue), namesOf([items[0]!, items[2]!, items[1]!]))
  assert.equal(
    Array.from({ length: 4 }, () => queue.shift()?.name),
    [...namesOf([items[0]!, items[2]!, items[1]!]), undefined],
  )
})

/** Do all of it in a frame of its own, which holds nothing when it has returned. */
function done(list: readonly Operation[]): Pick<Compared, 'queue' | 'refs'> {
  const compared = new Compared()
  for (const operation of list) compared.do(operation)
  return { queue: compared.queue, refs: compared.refs }
}

/** Collect garbage until no item but these is alive. More than once: code that is being compiled holds objects for a while. */
async function aliveBeside(refs: readonly WeakRef<Item>[], names: readonly number[]): Promise<number[]> {
  for (let round = 0; ; round++) {
    await new Promise((resolve) => setImmediate(resolve)) // A WeakRef holds its target for the turn in which it was made.
    gc()
    const alive = namesOf(refs.map((ref) => ref.deref()).filter((item) => item !== undefined))
    const others = alive.filter((name) => !names.includes(name))
    if (others.length === 0 || round === MAX_COLLECTIONS) return others
  }
}

const MAX_COLLECTIONS = 20

test('holds no item that has left it, neither from the front nor from the middle', async () => {
  await check(
    asyncProperty(operations, async (list) => {
      const { queue, refs } = done(list)
      assert.equal(await aliveBeside(refs, namesOf(queue)), [])
    }),
    { numRuns: 50 },
  )
})

/** How many bytes of heap a queue has more after many passed through it, beside a few that stay. */
function growth(pass: (queue: PriorityQueue<Item>, item: Item) => void): number {
  const queue = new PriorityQueue<Item>()
  for (let n = 0; n < 10; n++) queue.push(newItem())
  gc()
  const before = process.memoryUsage().heapUsed
  for (let n = 0; n < 300_000; n++) {
    const item = newItem()
    queue.push(item)
    pass(queue, item)
  }
  gc()
  const bytes = process.memoryUsage().heapUsed - before
  assert.is(queue.size, 10)
  return bytes
}

test('does not grow with the number of items that pass through it', () => {
  const MAX_BYTES = 500_000 // Eight bytes for each item would be five times that.
  assert.ok(growth((queue) => queue.shift()) < MAX_BYTES, 'shifted')
  assert.ok(growth((queue, item) => queue.delete(item)) < MAX_BYTES, 'deleted')
})

test.run()
