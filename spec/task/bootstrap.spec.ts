import { Process, tasksFrom } from 'manyhands'
import { fileURLToPath } from 'node:url'
import { assert, runNode, suite } from '../harness.js'
import { ended } from '../process/replies.js'

const test = suite('modules without if (isMainThread)')
const unguarded = fileURLToPath(new URL('../../../spec/fixtures/unguarded.mjs', import.meta.url))
const advice =
  /BootstrapError: cannot .* while this worker is still importing file:.*unguarded\.mjs: .* if \(isMainThread\)/

const count = (text: string, part: string) => text.split(part).length - 1

for (const how of ['start', 'async']) {
  test(`an unguarded module that starts a process (${how}) gets a BootstrapError in its only worker`, async () => {
    const { code, stdout, stderr } = await runNode([unguarded, how])
    assert.is(count(stdout, 'imported in the main thread'), 1)
    assert.is(count(stdout, 'imported in a worker'), 1)
    assert.is(count(stdout, 'hello'), 0)
    assert.match(stderr, /^Process Process-1:$/m)
    assert.match(stderr, advice)
    assert.is(code, 0)
  })
}

test('an unguarded module that submits work gets a BootstrapError, and no chain of workers', async () => {
  const { code, stdout, stderr } = await runNode([unguarded, 'submit'])
  assert.is(count(stdout, 'imported in the main thread'), 1)
  assert.ok(count(stdout, 'imported in a worker') <= 2, stdout)
  assert.is(count(stdout, 'hello'), 0)
  assert.match(stderr, advice)
  assert.is(code, 1)
})

test('an unguarded module that starts its process after its import is stopped at 16 nested processes', async () => {
  const later = fileURLToPath(new URL('../../../spec/fixtures/unguarded-later.mjs', import.meta.url))
  const { stderr } = await runNode([later])
  assert.is(count(stderr, 'BootstrapError: cannot start Process-1:'), 1, stderr)
  assert.match(stderr, /processes that start one another may be 16 deep; .* if \(isMainThread\)/)
})

test('an unguarded module ends its process with ERR_MANYHANDS_BOOTSTRAP', async () => {
  const { error, exitcode } = await ended(tasksFrom<{ f(): void }>(unguarded).f)
  assert.is((error as NodeJS.ErrnoException).code, 'ERR_MANYHANDS_BOOTSTRAP')
  assert.match((error as Error).message, 'cannot start Process-')
  assert.is(exitcode, 1)
})

test('a task may start processes once its module is imported', async () => {
  const target = async () => {
    const { Process } = await import('manyhands')
    const child = new Process({ target: () => {} }).start()
    await child.join()
    process.exit(child.exitcode === 0 ? 40 : 41)
  }
  const parent = new Process({ target }).start()
  await parent.join()
  assert.is(parent.exitcode, 40)
})

test.run()
