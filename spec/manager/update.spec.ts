import { Process, task } from 'manyhands'
import { assert, suite, thrownBy } from '../harness.js'
import { managed } from './managed.js'
import { slowly, updateThenDie } from './manager.tasks.js'

const test = suite('update')

test('update takes asynchronous tasks and functions, one at a time', () =>
  managed(async (manager) => {
    const dict = manager.dict({ n: 0 })
    const list = manager.list([0])
    const made = await Promise.all([1, 2, 3].map(() => dict.update('n', slowly, 1)))
    assert.equal(made, [1, 2, 3])
    const added = async (n: number, more: number) => {
      await new Promise((resolve) => setImmediate(resolve))
      return n + more
    }
    assert.equal(await Promise.all([list.update(0, added, 5), list.update(0, added, 6)]), [5, 11])
  }))

test('other calls wait while update runs', () =>
  managed(async (manager) => {
    const dict = manager.dict({ n: 1 })
    const updated = dict.update('n', slowly, 1)
    const [, after] = [dict.set('n', 10), dict.get('n')]
    assert.is(await updated, 2)
    assert.is(await after, 10)
  }))

test('an update that fails leaves the value as it was, and the object usable', () =>
  managed(async (manager) => {
    const dict = manager.dict<string, any>({ n: 1 })
    const list = manager.list([1])
    const space = manager.namespace({ n: 1 })
    for (const fn of [fails, failsLater]) {
      for (const call of [() => dict.update('n', fn), () => list.update(0, fn), () => space.update('n', fn)]) {
        const error = await thrownBy(call)
        assert.instance(error, RangeError)
        assert.is(error.message, 'too much')
      }
    }
    assert.instance(await thrownBy(() => dict.update('new', fails)), RangeError)
    assert.equal(await dict.entries(), [['n', 1]])
    assert.equal(await list.slice(), [1])
    assert.is(await (() => space.n)(), 1)
    assert.is(await dict.update('n', slowly, 1), 2)
  }))

test('an update whose caller dies runs to its end', () =>
  managed(async (manager) => {
    const dict = manager.dict<string, any>({ n: 1 })
    const process = new Process({ target: updateThenDie, args: [dict] }).start()
    await process.join()
    // This thread's call may come before: the order in which the manager reads its ports is not the order of sending.
    let n: number
    do n = await dict.get('n')
    while (n === 1)
    assert.is(n, 2)
  }))

const fails = task(import.meta.url, function fails(): never {
  throw new RangeError('too much')
})

const failsLater = task(import.meta.url, async function failsLater(): Promise<never> {
  await new Promise((resolve) => setImmediate(resolve))
  throw new RangeError('too much')
})

test.run()
