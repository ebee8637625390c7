import { asCompleted, Future, wait } from 'manyhands'
import { assert, suite, thrownBy } from '../harness.js'

const test = suite('waiting for several futures')

test('asCompleted yields each future once, those that are done first', async () => {
  const [slow, fast] = [new Future<string>(), new Future<string>()]
  fast.setResult('fast')
  const seen: Future<string>[] = []
  for await (const future of asCompleted([slow, fast, slow])) {
    seen.push(future)
    if (future === fast) slow.setResult('slow')
  }
  assert.equal(await Promise.all(seen), ['fast', 'slow'])
  assert.is(seen[0], fast)
})

test('asCompleted says how many are unfinished when the time is over', async () => {
  const [done, other] = [new Future(), new Future()]
  done.setResult(1)
  const error = await thrownBy(async () => {
    for await (const _ of asCompleted([done, other, new Future(), done], { timeout: 20 }));
  })
  assert.is(error.code, 'ERR_MANYHANDS_TIMEOUT')
  assert.is(error.message, '2 (of 3) futures unfinished')
})

test('wait returns what is done and what is not when the time is over, without an error', async () => {
  const [done, other] = [new Future(), new Future()]
  done.setResult(1)
  const result = await wait([done, other], { timeout: 10 })
  assert.equal([...result.done], [done])
  assert.equal([...result.notDone], [other])
})

test.run()
