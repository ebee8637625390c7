import { assert, runProgram, suite } from '../harness.js'

const test = suite('what holds the program open')

/** A program with this main part, given Process and a few targets. */
const run = (main: string) =>
  runProgram(`
    import { currentProcess, Process } from 'manyhands'
    import { once } from 'node:events'
    import { MessageChannel } from 'node:worker_threads'
    const soon = () => void setTimeout(() => console.log('child ends'), 80)
    const busy = (words) => { if (words) { words[0] = 1; Atomics.notify(words, 0) } for (;;); }
    const words = new Int32Array(new SharedArrayBuffer(4))
    const begun = async () => { while (Atomics.load(words, 0) === 0) await new Promise((r) => setTimeout(r, 2)) }
    ${main}
    console.log('main ends')`)

test('a process holds the program open until it has ended', async () => {
  const { stdout, code } = await run(`new Process({ target: soon }).start()`)
  assert.is(stdout, 'main ends\nchild ends\n')
  assert.is(code, 0)
})

test('a process in a warm thread holds the program open', async () => {
  const { stdout } = await run(`
    await new Process({ target: () => {} }).start().join()
    await new Promise((resolve) => setTimeout(resolve, 300)) // the warm thread is there
    new Process({ target: soon }).start()`)
  assert.is(stdout, 'main ends\nchild ends\n')
})

test('a daemon does not hold the program open, and ends with it', async () => {
  for (const warmUp of [
    '',
    `await new Process({ target: () => {} }).start().join(); await new Promise((r) => setTimeout(r, 300))`,
  ]) {
    const { stdout, code } = await run(`
      ${warmUp}
      new Process({ target: busy, args: [words], daemon: true }).start()
      await begun()
      const late = new Process({ target: soon, daemon: true }).start()`)
    assert.is(stdout, 'main ends\n')
    assert.is(code, 0)
  }
})

test('a daemon that is still booting does not hold the program open', async () => {
  const { stdout, code } = await run(`for (let i = 0; i < 3; i++) new Process({ target: busy, daemon: true }).start()`)
  assert.is(stdout, 'main ends\n')
  assert.is(code, 0)
})

test('a warm thread does not hold the program open', async () => {
  const begin = performance.now()
  const { stdout, code } = await run(`
    await new Process({ target: () => {} }).start().join()
    await new Promise((resolve) => setTimeout(resolve, 200))`)
  assert.is(stdout, 'main ends\n')
  assert.is(code, 0)
  assert.ok(performance.now() - begin < 20_000)
})

test('a process that ended in joinSync does not hold the program open', async () => {
  const { stdout, code } = await run(`
    const child = new Process({ target: busy, args: [words] }).start()
    child.terminate()
    child.joinSync()
    console.log(child.exitcode)`)
  assert.is(stdout, '-15\nmain ends\n')
  assert.is(code, 0)
})

test('process.exit ends all processes, and an uncaught error of a process does not end the program', async () => {
  const exit = await run(`new Process({ target: busy, args: [words] }).start(); await begun(); process.exit(5)`)
  assert.is(exit.code, 5)
  const uncaught = await run(`await new Process({ target: () => { throw new Error('of the child') } }).start().join()`)
  assert.is(uncaught.code, 0)
  assert.is(uncaught.stdout, 'main ends\n')
  assert.match(uncaught.stderr, /^Process Process-1:\nError: of the child/)
})

test.run()
