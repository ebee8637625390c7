// Targets that a blocked thread loads: the action of a Barrier at which a thread waits by waitSync.
import { Barrier, Process, TaskNotFoundError, task, tasksFrom } from 'manyhands'
import { assert, suite, thrownBy } from '../harness.js'

const test = suite('loading a target without awaiting')
const fixture = (name: string) => new URL(`../../../spec/fixtures/${name}`, import.meta.url)

let calls = 0
const count = task(import.meta.url, function count() {
  calls++
})

/** A party of one runs the action in this thread. */
const runAction = (action: () => unknown) => new Barrier(1, { action }).waitSync()

test('a blocked thread runs a task of a module that it has imported', () => {
  const before = calls
  runAction(count)
  assert.is(calls, before + 1)
})

test('a blocked thread requires the module of an action that it has not imported', async () => {
  const action = tasksFrom<{ double(): void }>(fixture('plain.mjs')).double
  const barrier = new Barrier(1, { action })
  const process = new Process({ target: (there: Barrier) => void there.waitSync(), args: [barrier] }).start()
  await process.join()
  assert.is(process.exitcode, 0)
})

test('a blocked thread runs an export of a builtin module and of a package', () => {
  runAction(tasksFrom<typeof import('node:os')>('node:os').uptime)
  runAction(tasksFrom<typeof import('uvu')>('uvu').suite)
})

test('an action that its module does not export is not found, and its functions are named', async () => {
  const { triple } = tasksFrom<{ triple(): void }>(fixture('plain.mjs'))
  const error = await thrownBy(() => runAction(triple))
  assert.instance(error, TaskNotFoundError)
  assert.match(error.message, /plain\.mjs has no exported function named triple; it has default, double, reply/)
})

test.run()
