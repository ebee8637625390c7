// Functions that are sent by their source may be without end: a program makes them, or a loop does. What is kept of them is bounded.
import { Manager, ProcessPoolExecutor, type Target } from 'manyhands'
import { setFlagsFromString } from 'node:v8'
import { compileFunction, runInNewContext } from 'node:vm'
import { assert, suite } from '../harness.js'

const test = suite('many functions')

const PADDING = 'x'.repeat(10_000)

/** A function of some 10 KB, that returns `n`. */
function made(n: number): Target<[], number> {
  return compileFunction(`return () => { /* ${PADDING} */ return ${n} }`)() as () => number
}

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

const usedHere = () => {
  collect()
  return process.memoryUsage().heapUsed
}

const usedThere = async () => {
  const v8 = await import('node:v8')
  const vm = await import('node:vm')
  v8.setFlagsFromString('--expose-gc')
  ;(vm.runInNewContext('gc') as () => void)()
  return v8.getHeapStatistics().used_heap_size
}

const MB = 2 ** 20

test('six thousand functions are not kept, in the caller or in the worker, and each can be used again', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  const first = Array.from({ length: 20 }, (_, n) => made(n))
  const often = made(-1)
  assert.equal(await Promise.all(first.map((fn) => executor.submit(fn))), Array.from(first.keys()))
  const [here, there] = [usedHere(), await executor.submit(usedThere)]
  for (let n = 0; n < 6000; n += 100) {
    const futures = Array.from({ length: 100 }, (_, i) => executor.submit(made(n + i)))
    assert.equal(
      await Promise.all(futures),
      Array.from({ length: 100 }, (_, i) => n + i),
    )
    assert.is(await executor.submit(often), -1)
  }
  // Kept, they would take 60 MB and more in each.
  const [grownHere, grownThere] = [usedHere() - here, (await executor.submit(usedThere)) - there]
  assert.ok(grownHere < 20 * MB, `the caller keeps ${grownHere / MB} MB`)
  assert.ok(grownThere < 30 * MB, `the worker keeps ${grownThere / MB} MB`)
  assert.equal(await Promise.all(first.map((fn) => executor.submit(fn))), Array.from(first.keys()))
  assert.equal(await executor.map(first[7]!, [0, 1]), [7, 7])
  await executor.shutdown()
})

test('a burst of more functions than a worker keeps runs, and runs again', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  const functions = Array.from({ length: 1500 }, (_, n) => compileFunction(`return () => ${n}`)() as () => number)
  for (let round = 0; round < 4; round++)
    assert.equal(await Promise.all(functions.map((fn) => executor.submit(fn))), Array.from(functions.keys()))
  await executor.shutdown()
})

test('a manager does not keep the functions that it was sent', async () => {
  const manager = await Manager.start()
  const dict = manager.dict({ n: 0 })
  const used = () => dict.update('used', usedThere as never)
  const before = await used()
  for (let n = 0; n < 3000; n++)
    await dict.update('n', compileFunction(`return (n) => { /* ${PADDING} ${n} */ return n + 1 }`)() as never)
  assert.is(await dict.get('n'), 3000)
  const grown = (await used()) - before
  assert.ok(grown < 25 * MB, `the manager keeps ${grown / MB} MB`)
  await manager.shutdown()
})

test.run()
