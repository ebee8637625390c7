import { getLogger, Lock, logToStderr, Process } from 'manyhands'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { assert, runProgram, suite, thrownBy } from '../harness.js'

const test = suite('the log')

test('is written by all threads, whole and in order, while the main thread is blocked; twice asked, once written', async () => {
  const { stderr } = await runProgram(
    `
    import { getLogger, logToStderr, Process } from 'manyhands'
    logToStderr('INFO')
    logToStderr()
    const target = async () => {
      const { getLogger } = await import('manyhands')
      for (let i = 0; i < 50; i++) getLogger().warning('line %d', i)
      getLogger().debug('below the level')
    }
    const processes = ['a', 'b'].map((name) => new Process({ target, name }).start())
    const endMs = performance.now() + 400
    while (performance.now() < endMs);
    for (const process of processes) process.joinSync()
    getLogger().error('last')
  `,
    ['--no-warnings'],
  )
  const lines = stderr.trimEnd().split('\n')
  for (const name of ['a', 'b'])
    assert.equal(
      lines.filter((line) => line.startsWith(`[WARNING/${name}] `)),
      Array.from({ length: 50 }, (_, i) => `[WARNING/${name}] line ${i}`),
    )
  assert.ok(lines.some((line) => /^\[INFO\/MainProcess\] a started as thread \d+$/.test(line)))
  assert.is(lines.at(-1), '[ERROR/MainProcess] last')
  assert.not.match(stderr, 'below the level')
})

test('has a format that can be set', async () => {
  const { stderr } = await runProgram(`
    import { logToStderr } from 'manyhands'
    logToStderr(30).setFormat('%(levelname)s %(process)d: %(message)s')
    logToStderr().log(45, 'odd')
  `)
  assert.is(stderr, 'Level 45 0: odd\n')
})

test('refuses levels that there are not', async () => {
  assert.instance(await thrownBy(() => logToStderr('LOUD' as never)), TypeError)
  assert.instance(await thrownBy(() => getLogger().setLevel(-1)), RangeError)
})

test('is nothing until it is asked for', () => {
  assert.is(getLogger().isEnabledFor('CRITICAL'), false)
})

test('is published on diagnostics channels: processes and locks', async () => {
  const heard: any[] = []
  const hear = (message: unknown) => void heard.push(message)
  for (const name of ['manyhands:process', 'manyhands:lock']) subscribe(name, hear)
  const lock = new Lock()
  const process = new Process({
    target: (held: Lock) => {
      held.acquireSync()
    },
    args: [lock],
    name: 'holder',
  }).start()
  await process.join()
  await thrownBy(() => lock.acquire())
  await lock.recover()
  for (const name of ['manyhands:process', 'manyhands:lock']) unsubscribe(name, hear)
  assert.equal([...new Set(heard.map(({ event }) => event))], ['started', 'ended', 'abandoned', 'recovered'])
})

test.run()
