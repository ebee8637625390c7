import { ProcessPoolExecutor } from 'manyhands'
import { assert, runProgram, suite } from '../harness.js'
import { Gate, passGate } from './gate.js'

const test = suite('a lease that no message tells of')

test('a main thread that waits for one long task is not woken', async () => {
  const { code, stdout, stderr } = await runProgram(`
    import { performance } from 'node:perf_hooks'
    import { ProcessPoolExecutor } from 'manyhands'
    const executor = new ProcessPoolExecutor({ maxWorkers: 2 })
    const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
    const turns = () => performance.nodeTiming.uvMetricsInfo.loopCount
    const sleep = async (words) => { while (!Atomics.load(words, 0)) await new Promise((resolve) => setTimeout(resolve, 20)) }
    const compute = (words) => { while (!Atomics.load(words, 0)); }
    const among = (words, i) => i === 100 ? Atomics.wait(words, 0, 0) && i : i
    await executor.submit(() => 1)
    // The last is a slow task among short ones: those behind it are given to another worker, and then it is alone, too.
    for (const begin of [(words) => [executor.submit(sleep, words)], (words) => [executor.submit(compute, words)],
                         (words) => Array.from({ length: 300 }, (_, i) => executor.submit(among, words, i))]) {
      const words = new Int32Array(new SharedArrayBuffer(4))
      const futures = begin(words)
      // On a busy machine it takes a while until all is sent. One turn is that of the pause; a period of 64 ms would be eight.
      let quiet = false
      for (let tries = 40; tries > 0 && !quiet; tries--) {
        const before = turns()
        await pause(500)
        quiet = turns() - before < 4
      }
      console.log(quiet)
      Atomics.store(words, 0, 1)
      Atomics.notify(words, 0)
      await Promise.all(futures)
    }
  `)
  assert.equal({ code, stdout }, { code: 0, stdout: 'true\ntrue\ntrue\n' }, stderr)
})

test('a result is told though the task has left a microtask behind that never returns', async () => {
  const { code, stdout } = await runProgram(`
    import { ProcessPoolExecutor } from 'manyhands'
    const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
    console.log(await executor.submit(() => { void Promise.resolve().then(() => { for (;;); }); return 5 }))
  `)
  assert.equal({ code, stdout }, { code: 0, stdout: '5\n' })
})

test('a task in a worker that does not begin it goes to the next worker that is free', async () => {
  const [blocking, gate] = [new Gate(), new Gate()]
  const executor = new ProcessPoolExecutor({ maxWorkers: 2 })
  const leaveBlocked = (words: Int32Array): void =>
    void setImmediate(() => {
      Atomics.add(words, 0, 1)
      Atomics.notify(words, 0)
      Atomics.wait(words, 1, 0)
    })
  const other = executor.submit(passGate<number>, gate.words, 1)
  await gate.begun(1)
  await executor.submit(leaveBlocked, blocking.words)
  await blocking.begun(1)
  const futures = [2, 3, 4].map((n) => executor.submit((n: number) => n, n))
  gate.open()
  assert.equal(await Promise.all([other, ...futures]), [1, 2, 3, 4])
  blocking.open()
  await executor.shutdown()
})

test.run()
