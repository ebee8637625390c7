import { assert, runProgram, suite } from '../harness.js'

const test = suite('a program with executors')

test('a program that forgets to shut down ends when its work is done', async () => {
  const { code, stdout, stderr } = await runProgram(`
    import { ProcessPoolExecutor } from 'manyhands'
    const executor = new ProcessPoolExecutor({ maxWorkers: 2 })
    console.log(await executor.submit((n) => n * 2, 21))
    console.log(await executor.map((n) => n * 2, [1, 2, 3]))
    new ProcessPoolExecutor()
  `)
  assert.equal({ code, stdout, stderr }, { code: 0, stdout: '42\n[ 2, 4, 6 ]\n', stderr: '' })
})

test('a program waits for all work that it submitted, after its main part has ended', async () => {
  const { code, stdout, stderr } = await runProgram(`
    import { ProcessPoolExecutor } from 'manyhands'
    const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
    const slow = async (n) => {
      await new Promise((resolve) => setTimeout(resolve, 30))
      return { n }
    }
    for (const n of [1, 2, 3]) executor.submit(slow, n).then((result) => console.log(result))
    executor.map(slow, [4, 5], { chunksize: 2 }).then((results) => console.log(results))
    console.log('main has ended')
  `)
  assert.equal(
    { code, stdout, stderr },
    { code: 0, stdout: 'main has ended\n{ n: 1 }\n{ n: 2 }\n{ n: 3 }\n[ { n: 4 }, { n: 5 } ]\n', stderr: '' },
  )
})

test('a program waits for work that follows a dead worker, and for a forced cancel', async () => {
  const { code, stdout, stderr } = await runProgram(`
    import { ProcessPoolExecutor } from 'manyhands'
    const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
    executor.submit(() => process.exit(3)).catch(({ exitcode }) => console.log('exit', exitcode))
    executor.submit(() => 'alive').then(console.log)
    const words = new Int32Array(new SharedArrayBuffer(4))
    const spinning = executor.submit((words) => { Atomics.store(words, 0, 1); for (;;); }, words)
    const poll = setInterval(() => {
      if (!Atomics.load(words, 0)) return
      clearInterval(poll)
      spinning.cancel({ force: true }).then((stopped) => console.log('stopped', stopped))
    }, 5)
  `)
  assert.equal({ code, stdout, stderr }, { code: 0, stdout: 'exit 3\nalive\nstopped true\n', stderr: '' })
})

test('process.exit ends a program amid its work', async () => {
  const { code, stdout } = await runProgram(`
    import { ProcessPoolExecutor } from 'manyhands'
    const executor = new ProcessPoolExecutor({ maxWorkers: 2 })
    const words = new Int32Array(new SharedArrayBuffer(4))
    for (let i = 0; i < 4; i++) executor.submit((words) => { Atomics.add(words, 0, 1); for (;;); }, words)
    setInterval(() => { if (Atomics.load(words, 0) === 2) process.exit(7) }, 5)
  `)
  assert.equal([code, stdout], [7, ''])
})

test('a program shows the output of its workers whole and in order, however they end', async () => {
  const { code, stdout, stderr } = await runProgram(`
    import { ProcessPoolExecutor } from 'manyhands'
    const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
    const printed = new Int32Array(new SharedArrayBuffer(4))
    const print = (name, last, printed) => {
      for (let i = 0; i < 2000; i++) console.log(name, i, 'x'.repeat(40))
      console.error(name, 'to stderr')
      if (last === 'exit') process.exit(1)
      if (last === 'throw') throw new Error('last')
      if (last === 'spin') for (Atomics.store(printed, 0, 1); ; );
    }
    for (const last of ['return', 'throw', 'exit']) await executor.submit(print, last, last, printed).exception()
    const spinning = executor.submit(print, 'spin', 'spin', printed)
    while (!Atomics.load(printed, 0)) await new Promise((resolve) => setTimeout(resolve, 2))
    await spinning.cancel({ force: true })
    await executor.shutdown()
  `)
  assert.is(code, 0)
  const lines = stdout.trim().split('\n')
  for (const name of ['return', 'throw', 'exit', 'spin']) {
    const numbers = lines.filter((line) => line.startsWith(`${name} `)).map((line) => Number(line.split(' ')[1]))
    assert.equal(numbers, Array.from({ length: 2000 }, (_, i) => i), name) // prettier-ignore
  }
  assert.is(lines.length, 8000)
  assert.equal(stderr, 'return to stderr\nthrow to stderr\nexit to stderr\nspin to stderr\n')
})

test('a program can start 20 executors, and nothing is left of them', async () => {
  const { code, stdout, stderr } = await runProgram(`
    import { ProcessPoolExecutor } from 'manyhands'
    let threads = 0
    process.on('worker', (worker) => { threads++; worker.once('exit', () => threads--) })
    const handles = () => process.getActiveResourcesInfo().filter((kind) => !/^(TTY|Pipe|FSReq)/.test(kind)).length
    const listeners = () => process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), 0)
    const { signal } = new AbortController()
    const use = async () => {
      const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
      const each = executor.with({ signal, timeout: 60_000 })
      const futures = Array.from({ length: 20 }, (_, n) => each.submit((n) => n, n))
      const waited = futures.map((future) => future.result({ timeout: 60_000 }))
      await Promise.all(futures)
      await Promise.all(waited)
      await executor.map((n) => n, [1, 2, 3], { signal, timeout: 60_000 })
      await executor.shutdown()
    }
    // Handles that were closing have closed by then.
    const nextTurns = () => new Promise((resolve) => setTimeout(resolve, 20))
    await use()
    await nextTurns()
    const before = [handles(), listeners()]
    await Promise.all(Array.from({ length: 20 }, use))
    await nextTurns()
    console.log(threads, handles() - before[0], listeners() - before[1])
  `)
  assert.equal({ code, stdout, stderr }, { code: 0, stdout: '0 0 0\n', stderr: '' })
})

test('a program can make thousands of futures, and their memory is freed', async () => {
  const { code, stdout, stderr } = await runProgram(
    `
    import { ProcessPoolExecutor } from 'manyhands'
    const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
    const controller = new AbortController()
    const call = executor.with({ signal: controller.signal, timeout: 60_000 })
    // Each future carries a kilobyte of text.
    const round = async () => {
      const refs = []
      for (let i = 0; i < 1500; i++) {
        const text = String(i).padEnd(1000, 'x')
        const future = call.submit((t) => ({ t }), text)
        if (i % 3 === 0) future.cancel()
        refs.push(new WeakRef(future))
        if (i % 100 === 0) await future.exception().catch(() => {})
      }
      await executor.submit(() => {})
      return refs
    }
    const heap = () => { gc(); return process.memoryUsage().heapUsed }
    const settle = () => new Promise((resolve) => setTimeout(resolve, 10))
    await round(); await settle()
    const before = heap()
    const refs = [...await round(), ...await round()]
    await settle()
    gc(); await settle(); gc()
    console.log(refs.filter((ref) => ref.deref()).length)
    console.log(Math.max(0, Math.round((heap() - before) / 2 ** 20)))
    await executor.shutdown()
  `,
    ['--expose-gc'],
  )
  assert.equal([code, stderr], [0, ''])
  const [alive, megabytes] = stdout.trim().split('\n').map(Number)
  // The last futures may still be on the stack, or in a register.
  assert.ok(alive! <= 10, `${alive} futures are alive`)
  assert.ok(megabytes! <= 2, `${megabytes} MiB are left`)
})

test('a broken executor is reported once, by the futures', async () => {
  const { code, stdout, stderr } = await runProgram(`
    import { ProcessPoolExecutor } from 'manyhands'
    const executor = new ProcessPoolExecutor({ maxWorkers: 2, resourceLimits: { maxOldGenerationSizeMb: 1 } })
    const { code } = await executor.submit(() => 1).exception()
    console.log(code)
  `)
  assert.equal({ code, stdout, stderr }, { code: 0, stdout: 'ERR_MANYHANDS_BROKEN_POOL\n', stderr: '' })
})

test.run()
