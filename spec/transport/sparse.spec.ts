// An array with 2^31 holes goes wherever a value goes in a moment: nothing counts through the holes.
import { InlineExecutor, Manager, Pipe, Process, ProcessPoolExecutor, Queue, Value } from 'manyhands'
import { assert, suite, thrownBy } from '../harness.js'

const test = suite('an array with 2^31 holes')

/** Counting through the holes takes minutes. */
const LIMIT_MS = 20_000

const HOLES = 2 ** 31

function sparse(inside: object = {}): unknown[] {
  const array: unknown[] = []
  array[5] = inside
  array[HOLES] = 7
  return array
}

function assertSparse(array: unknown): void {
  assert.equal(Object.keys(array as unknown[]), ['5', String(HOLES)])
  assert.is((array as unknown[]).length, HOLES + 1)
}

const lengthOf = (array: unknown[]) => array.length
const isSound = (array: unknown[]) => {
  if (array.length !== 2 ** 31 + 1) throw new Error(`it has the length ${array.length}`)
}
const makeOne = () => {
  const array: unknown[] = []
  array[5] = {}
  array[2 ** 31] = 7
  return array
}
const throwOne = () => {
  const array: unknown[] = []
  array[5] = {}
  array[2 ** 31] = 7
  throw Object.assign(new Error('with one'), { array })
}

const ways: [name: string, go: () => Promise<void> | void][] = [
  [
    'through a Connection, with and without a shareable',
    () => {
      const [near, far] = Pipe()
      for (const inside of [{}, new Value('i'), Pipe()[0]]) {
        near.send([sparse(inside)])
        assertSparse(far.recvSync()[0])
      }
      near.close()
      far.close()
    },
  ],
  [
    'through a Queue',
    async () => {
      const queue = new Queue()
      queue.putSync(sparse())
      assertSparse(queue.getSync())
      queue.putSync({ map: new Map([[1, sparse()]]), list: [[1, 2], sparse()] })
      assertSparse((queue.getSync() as { list: unknown[] }).list[1])
      await queue.putMany([sparse(), sparse()])
      for (const array of await queue.getMany(2)) assertSparse(array)
    },
  ],
  [
    'to a task and back',
    async () => {
      const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
      assert.is(await executor.submit(lengthOf, sparse()), HOLES + 1)
      assert.is(await executor.submit(lengthOf, sparse(new Value('i'))), HOLES + 1)
      assert.is(await executor.with({ transfer: [] }).submit(lengthOf, sparse()), HOLES + 1)
      assert.equal(await executor.map(lengthOf, [sparse(), sparse()]), [HOLES + 1, HOLES + 1])
      assertSparse(await executor.submit(makeOne))
      assertSparse((await thrownBy(() => executor.submit(throwOne).result())).array)
      await executor.shutdown()
    },
  ],
  ['to a task in the same thread', async () => assertSparse(await new InlineExecutor().submit(makeOne))],
  [
    'to a process',
    async () => {
      const process = new Process({ target: isSound, args: [sparse()] }).start()
      await process.join()
      assert.is(process.exitcode, 0)
    },
  ],
  [
    'to a manager and back',
    async () => {
      const manager = await Manager.start()
      const dict = manager.dict<string, unknown>()
      await dict.set('sparse', sparse())
      assertSparse(await dict.get('sparse'))
      await manager.shutdown()
    },
  ],
  [
    'and is refused with its path, where something in it cannot go',
    async () => {
      const [near, far] = Pipe()
      const array = sparse(() => {})
      assert.is((await thrownBy(() => near.send(array))).path, 'value[5]')
      assert.is((await thrownBy(() => new Queue().putSync(array))).path, 'value[5]')
      near.close()
      far.close()
    },
  ],
]

for (const [name, go] of ways)
  test(`goes ${name}`, async () => {
    const startMs = performance.now()
    await go()
    assert.ok(performance.now() - startMs < LIMIT_MS, 'it took as long as counting through the holes')
  })

test.run()
