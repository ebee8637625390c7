import { ALL_COMPLETED, Lock, Pipe, ProcessPoolExecutor, wait } from 'manyhands'
import { assert, suite, thrownBy } from '../harness.js'

const test = suite('wait options')

test('that do not exist are refused by name', async () => {
  const [end] = Pipe()
  for (const fn of [() => new Lock().acquire({ timeoutMs: 5 } as never), () => end.recv({ timeoutMs: 5 } as never)]) {
    const error = await thrownBy(fn)
    assert.instance(error, TypeError)
    assert.is(error.message, "wait options do not include 'timeoutMs'; they are { timeout, signal }")
  }
  end.close()
})

test('may come with others where a function has more', async () => {
  await using executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  const future = executor.submit(() => 1)
  const { done } = await wait([future], { timeout: 1e5, returnWhen: ALL_COMPLETED })
  assert.is(done.has(future), true)
  const error = await thrownBy(() => wait([future], { timeoutMs: 1 } as never))
  assert.match(error.message, "'timeoutMs'; they are { timeout, signal, returnWhen }")
})

test.run()
