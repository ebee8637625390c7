import { getLogger, Lock, logToStderr, Process, ProcessPoolExecutor } from 'manyhands'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { assert, runProgram, suite, thrownBy } from '../harness.js'

const test = suite('the log')

test('the log is written by all threads, whole, in order and once, while the main thread is blocked', async () => {
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

test('the log has a format that can be set', async () => {
  const { stderr } = await runProgram(`
    import { logToStderr } from 'manyhands'
    logToStderr(30).setFormat('%(levelname)s %(process)d: %(message)s')
    logToStderr().log(45, 'odd')
  `)
  assert.is(stderr, 'Level 45 0: odd\n')
})

test('the log refuses levels that do not exist', async () => {
  assert.instance(await thrownBy(() => logToStderr('LOUD' as never)), TypeError)
  assert.instance(await thrownBy(() => getLogger().setLevel(-1)), RangeError)
})

test('the log is off until logToStderr is called', () => {
  assert.is(getLogger().isEnabledFor('CRITICAL'), false)
})

/** All that a channel tells while `use` runs. */
async function heardOn(channels: string[], use: () => Promise<void>): Promise<any[]> {
  const heard: unknown[] = []
  const hear = (message: unknown) => void heard.push(message)
  for (const name of channels) subscribe(name, hear)
  try {
    await use()
  } finally {
    for (const name of channels) unsubscribe(name, hear)
  }
  return heard
}

test('events of processes and locks are published on diagnostics channels, each with its fields', async () => {
  const lock = new Lock()
  const process = new Process({
    target: (held: Lock) => {
      held.acquireSync()
    },
    args: [lock],
    name: 'holder',
  })
  const heard = await heardOn(['manyhands:process', 'manyhands:lock'], async () => {
    await process.start().join()
    await thrownBy(() => lock.acquire())
    await lock.recover()
  })
  const { pid } = process
  assert.equal(heard, [
    { event: 'started', name: 'holder', pid },
    { event: 'ended', name: 'holder', pid, exitcode: 0 },
    { event: 'abandoned', pid },
    { event: 'recovered' },
  ])
})

test('a worker’s death and a broken executor are published on the diagnostics channel of tasks', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  let pid: number | undefined
  const ofTasks = await heardOn(['manyhands:task'], async () => {
    pid = await executor.submit(async () => (await import('node:worker_threads')).threadId)
    await thrownBy(() => executor.submit(() => process.exit(3)))
    await executor.submit(() => 1)
  })
  const died = ofTasks.find(({ event }) => event === 'workerDied')
  assert.equal(died, { event: 'workerDied', pid, exitcode: 3 })
  await executor.shutdown()

  const initializer = () => {
    throw new RangeError('cannot begin')
  }
  const failing = new ProcessPoolExecutor({ maxWorkers: 1, initializer })
  const heard = await heardOn(['manyhands:task'], async () => {
    await thrownBy(() => failing.submit(() => 1))
    await failing.shutdown()
  })
  const broken = heard.filter(({ event }) => event === 'broken')
  assert.is(broken.length, 1)
  assert.is(typeof broken[0].message, 'string')
  assert.match(String(broken[0].cause), 'cannot begin')
})

test.run()
