import { Lock, Process } from 'manyhands'
import { Worker } from 'node:worker_threads'
import { assert, runProgram, suite, thrownBy, until } from '../harness.js'

const test = suite('join before Node reports the exit')

const newWords = () => new Int32Array(new SharedArrayBuffer(8))

test('join does not wait until Node has taken the thread down', async () => {
  // Which of the two comes first is not certain where the machine is busy: some process is early.
  for (let early = false; !early;) {
    let reported = false
    const onWorker = (worker: Worker) => void worker.once('exit', () => (reported = true))
    process.once('worker', onWorker)
    const child = new Process({ target: () => {}, env: {} }).start() // Not a warm thread.
    await child.join()
    assert.is(child.exitcode, 0)
    assert.ok(child.sentinel.ready)
    process.off('worker', onWorker)
    early = !reported
  }
})

test('what the exit handlers do is done when join returns, also what one of them adds', async () => {
  const words = newWords()
  const child = new Process({
    target: (to: Int32Array) => {
      const work = () => {
        for (const endMs = performance.now() + 20; performance.now() < endMs;) Atomics.add(to, 0, 1)
      }
      process.on('exit', () => {
        work()
        process.on('exit', work) // Too late: it does not run.
        process.once('exit', () => Atomics.store(to, 1, 9))
      })
      process.on('exit', () => {
        work()
        Atomics.store(to, 1, 1)
      })
    },
    args: [words],
  }).start()
  await child.join()
  const [worked, last] = words
  assert.ok(worked! > 0)
  assert.is(last, 1)
  await new Promise((resolve) => setTimeout(resolve, 50))
  assert.is(words[0], worked, 'it goes on')
})

test('a program that has replaced process.emit, and does something after the exit handlers, is waited for', async () => {
  const words = newWords()
  for (const byExit of [false, true]) {
    const child = new Process({
      // As packages do that call back at the very end.
      target: (to: Int32Array, exits: boolean) => {
        const { emit } = process as { emit: (...args: unknown[]) => boolean }
        process.emit = ((...args: unknown[]) => {
          const result = Reflect.apply(emit, process, args)
          if (args[0] !== 'exit') return result
          for (const endMs = performance.now() + 50; performance.now() < endMs;);
          process.exitCode = 7
          Atomics.add(to, 0, 1)
          return result
        }) as typeof process.emit
        if (exits) process.exit(3)
      },
      args: [words, byExit],
    }).start()
    await child.join()
    assert.is(words[0], byExit ? 2 : 1)
    assert.is(child.exitcode, 7)
  }
})

test('a program that emits exit itself has not ended', async () => {
  const words = newWords()
  const lock = new Lock()
  const child = new Process({
    target: async (to: Int32Array, held: Lock) => {
      held.acquireSync()
      process.emit('exit', 3)
      Atomics.store(to, 0, 1)
      while (Atomics.load(to, 1) === 0) await new Promise((resolve) => setTimeout(resolve, 1))
      held.release()
    },
    args: [words, lock],
  }).start()
  await until(() => Atomics.load(words, 0) === 1)
  await child.join(50)
  assert.ok(child.isAlive())
  assert.is(child.exitcode, null)
  assert.not(child.sentinel.ready)
  assert.not(lock.tryAcquire(), 'its holder was taken for dead')
  Atomics.store(words, 1, 1)
  await child.join()
  assert.is(child.exitcode, 0)
  assert.ok(lock.tryAcquire())
})

test('a lock that an exit handler takes is abandoned when join returns, and not before', async () => {
  const lock = new Lock()
  const child = new Process({
    target: (held: Lock) => void process.once('exit', () => held.acquireSync()),
    args: [lock],
  }).start()
  await child.join()
  assert.is((await thrownBy(() => lock.tryAcquire())).code, 'ERR_MANYHANDS_OWNER_DIED')
})

test('an exit handler that throws, or exits, decides the exit code and the error', async () => {
  const { stdout, stderr } = await runProgram(`
    import { Process } from 'manyhands'
    const targets = [
      () => void process.once('exit', () => { throw new Error('thrown at the end') }),
      () => void process.once('exit', () => process.exit(5)),
      () => { process.once('exit', () => process.exit(5)); process.exit(4) },
      () => { process.once('exit', () => { process.exitCode = 6 }); process.exit(4) },
    ]
    for (const target of targets) {
      const child = new Process({ target }).start()
      await child.join()
      console.log(child.exitcode, child.error?.message)
      await new Promise((resolve) => setTimeout(resolve, 20))
      console.log(child.exitcode, child.error?.message)
    }`)
  const lines = ['1 thrown at the end', '5 undefined', '5 undefined', '6 undefined'].flatMap((line) => [line, line])
  assert.equal(stdout.trim().split('\n'), lines)
  assert.is(stderr.split('Error: thrown at the end').length, 2, 'printed once')
})

test('what a process printed last, in an exit handler, is written before join returns', async () => {
  const { stdout, code } = await runProgram(`
    import { Process } from 'manyhands'
    const chunk = 'x'.repeat(1000) + '\\n'
    for (const count of [1, 12]) {
      const child = new Process({
        target: (chunk, count) => void process.once('exit', () => { for (let i = 0; i < count; i++) process.stdout.write(chunk) }),
        args: [chunk, count],
      }).start()
      await child.join()
      process.stdout.write('joined\\n')
    }`)
  assert.is(code, 0)
  assert.equal(
    stdout.split('joined\n').map((part) => part.length),
    [1001, 12 * 1001, 0],
  )
})

test('what a preloaded module printed is written before join returns', async () => {
  const preload = `data:text/javascript,console.log('loaded '.repeat(300))`
  const { stdout } = await runProgram(
    `
    import { Process } from 'manyhands'
    const child = new Process({ target: () => {} }).start()
    await child.join()
    process.stdout.write('joined\\n')`,
    ['--import', preload],
  )
  const before = stdout.slice(0, stdout.indexOf('joined'))
  assert.is(before.split('loaded \n').length, 3, 'the main thread and the process')
})

test.run()
