import { Manager, Process } from 'manyhands'
import { assert, suite, thrownBy } from '../harness.js'
import { managed } from './managed.js'
import { collect, giveAndEnd, Keeper } from './manager.tasks.js'

const test = suite('a function that is given to a managed object')

/** Collect garbage here and in the manager until `check` returns true. */
async function collectUntil(manager: Manager, check: () => boolean): Promise<void> {
  const keeper = manager.create(Keeper)
  while (!check()) {
    await keeper.collect()
    collect()
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

// In a function of its own, so that no frame of a test keeps the callback.
async function giveOnce(manager: Manager): Promise<WeakRef<Function>> {
  const fn = (n: number) => n + 1
  assert.is(await manager.create(Keeper).callOnce(fn, 1), 2)
  return new WeakRef(fn)
}

test('a callback is released when the call has ended and the object does not keep it', () =>
  managed(async (manager) => {
    const given = await giveOnce(manager)
    await collectUntil(manager, () => given.deref() === undefined)
  }))

test('a callback can be called as long as the object keeps it, and is released with it', () =>
  managed(async (manager) => {
    const keeper = manager.create(Keeper)
    const given = await (async () => {
      const fn = (n: number) => n * 2
      await keeper.keep(fn)
      return new WeakRef(fn)
    })()
    const dropped = await giveOnce(manager)
    await collectUntil(manager, () => dropped.deref() === undefined)
    assert.is(await keeper.callKept(21), 42)
    await keeper.keep(undefined)
    await collectUntil(manager, () => given.deref() === undefined)
  }))

test('a callback rejects in the manager when its thread has ended, and the object goes on', () =>
  managed(async (manager) => {
    const keeper = manager.create(Keeper)
    const process = new Process({ target: giveAndEnd, args: [keeper] }).start()
    await process.join()
    const error = await thrownBy(() => keeper.callKept(1))
    assert.is(error.code, 'ERR_MANYHANDS_MANAGER')
    assert.match(error.message, 'the thread that gave the callback has ended')
    assert.is(await keeper.callOnce((n) => n, 3), 3)
  }))

test('a callback that runs when its thread dies rejects in the manager', () =>
  managed(async (manager) => {
    const keeper = manager.create(Keeper)
    const process = new Process({ target: giveAndEnd, args: [keeper, true] }).start()
    await process.join()
    assert.match(await keeper.failure(), 'the thread that gave the callback has ended')
  }))

test.run()
