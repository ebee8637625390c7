// What console.log shows of objects that threads share, or that belong to one.
import { inspect } from 'node:util'
import { Future, InlineExecutor, Lock, Manager, Pipe, Process, Queue, RWLock, Value } from 'manyhands'
import { assert, suite } from '../harness.js'

const test = suite('console.log')

const cases: [object: object, shown: string][] = [
  [new Lock(), 'Lock {}'],
  [new RWLock().read, 'RWLockFace {}'],
  [new Queue(), 'Queue {}'],
  [Pipe()[0], 'Connection {}'],
  [new Future(), 'Future [Future pending] {}'],
  [new InlineExecutor(), 'InlineExecutor {}'],
  [new InlineExecutor().map(() => {}, []), 'HeldMap {}'],
  [new Process({ target: () => {}, name: 'child', daemon: true }), "Process { name: 'child', daemon: true }"],
  [new Value('i', 3), "Value('int32', 3)"],
]
for (const [object, shown] of cases)
  test(`shows no handle and no mark: ${shown}`, () => {
    assert.is(inspect(object), shown)
    assert.is(inspect({ in: { it: [object] } }, { depth: 1 }), '{ in: { it: [Array] } }')
    assert.ok(inspect([object]).includes(shown))
  })

test('shows what a subclass adds', () => {
  class Named extends Lock {
    title = 'mine'
  }
  assert.is(inspect(new Named()), "Named { title: 'mine' }")
  assert.is(inspect([[new Named()]], { depth: 0 }), '[ [Array] ]')
  assert.is(inspect([new Named()], { depth: 0 }), '[ [Named] ]')
})

test('shows plain objects as ever', async () => {
  await using manager = await Manager.start()
  assert.match(inspect(manager.dict()), /^Remote dict/)
  assert.not(inspect.custom in {})
})

test.run()
