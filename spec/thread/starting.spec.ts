// Threads that cannot be started, for want of file descriptors: in programs that may have few, and open them all.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { assert, suite } from '../harness.js'

const test = suite('a thread that cannot be started')

const PRELUDE = `
  import { closeSync, openSync } from 'node:fs'
  import { BrokenProcessPool, Manager, Process, ProcessPoolExecutor } from 'manyhands'
  const open = []
  /** Leave this many file descriptors. */
  const exhaust = (left = 0) => {
    try { for (;;) open.push(openSync('/dev/null')) } catch {}
    for (let i = 0; i < left; i++) closeSync(open.pop())
  }
  const recover = () => { for (const fd of open.splice(0)) closeSync(fd) }
  const pause = (ms) => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
  const settled = (futures) => Promise.allSettled(futures.map((future) => future.result()))
`

/** How many file descriptors are left: none, enough for a thread's event loop alone, and enough for some of its files. */
const LEFT = [0, 4, 8, 12]

async function runStarved(source: string): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const node = [process.execPath, '--input-type=module', '--eval', PRELUDE + source]
  const child = spawn('sh', ['-c', 'ulimit -n 96 && exec "$0" "$@"', ...node], { stdio: ['ignore', 'pipe', 'pipe'] })
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (text) => (stdout += text))
  child.stderr.on('data', (text) => (stderr += text))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, stdout, stderr }
}

test('does not keep joinSync, whose reaper it is, from seeing the end of a process', async () => {
  for (const left of LEFT) {
    const { code, stdout, stderr } = await runStarved(`
      const words = new Int32Array(new SharedArrayBuffer(4))
      const target = (words) => {
        Atomics.store(words, 0, 1)
        Atomics.notify(words, 0)
        return new Promise((resolve) => setTimeout(resolve, 300))
      }
      const child = new Process({ target, args: [words] }).start()
      Atomics.wait(words, 0, 0)
      exhaust(${left})
      child.joinSync()
      recover()
      await new Promise((resolve) => setTimeout(resolve, 50)) // The reaper's error comes.
      console.log(child.exitcode)
    `)
    assert.equal([code, stdout], [0, '0\n'], `${left} left: ${stderr}`)
  }
})

test('fails only the growth of an executor that has others, which warns once, and grows later', async () => {
  for (const left of LEFT) {
    const { code, stdout, stderr } = await runStarved(`
      const executor = new ProcessPoolExecutor({ maxWorkers: 4 })
      await executor.submit(pause, 1)
      exhaust(${left})
      for (let round = 0; round < 3; round++) {
        const results = await settled([1, 2, 3, 4, 5, 6].map(() => executor.submit(pause, 10)))
        if (results.some(({ status }) => status !== 'fulfilled')) console.log(results)
      }
      recover()
      for (const end = Date.now() + 60_000; executor.stats().workers < 4 && Date.now() < end;)
        await Promise.all([1, 2, 3, 4, 5, 6].map(() => executor.submit(pause, 50)))
      console.log(executor.stats().workers, executor.stats().failed)
      await executor.shutdown()
    `)
    assert.equal([code, stdout], [0, '4 0\n'], `${left} left: ${stderr}`)
    const warnings = stderr.match(/MANYHANDS_WORKER_NOT_STARTED/g)?.length ?? 0
    // A thread that is left enough comes up.
    assert.ok(left === 0 ? warnings === 1 : warnings <= 1, stderr)
  }
})

test('in the place of one that has died leaves the work to the others', async () => {
  const { code, stdout, stderr } = await runStarved(`
    const executor = new ProcessPoolExecutor({ maxWorkers: 2 })
    await Promise.all([1, 2].map(() => executor.submit(pause, 200)))
    const died = executor.submit(() => new Promise(() => setTimeout(() => process.exit(3), 100))).exception()
    exhaust()
    console.log((await died).exitcode)
    exhaust()
    console.log(await executor.map((n) => n, [1, 2, 3, 4], { chunksize: 1 }))
    recover()
    await executor.shutdown()
  `)
  assert.equal([code, stdout], [0, '3\n[ 1, 2, 3, 4 ]\n'], stderr)
})

test('breaks an executor that has no other, with the reason', async () => {
  const { code, stdout, stderr } = await runStarved(`
    const executor = new ProcessPoolExecutor({ maxWorkers: 4 })
    exhaust()
    const futures = [executor.submit(pause, 1), executor.submit(pause, 1)]
    const errors = await Promise.all(futures.map((future) => future.exception()))
    recover()
    for (const error of errors) console.log(error instanceof BrokenProcessPool, error.cause?.code)
    await executor.shutdown()
  `)
  assert.equal([code, stdout], [0, 'true ERR_WORKER_INIT_FAILED\ntrue ERR_WORKER_INIT_FAILED\n'], stderr)
})

test('fails what was moved to it, and nothing else', async () => {
  const { code, stdout, stderr } = await runStarved(`
    const other = new ProcessPoolExecutor({ maxWorkers: 2 })
    await Promise.all([1, 2].map(() => other.submit(pause, 200))) // Piscina is loaded with the second thread.
    await other.shutdown()
    const executor = new ProcessPoolExecutor({ maxWorkers: 2 })
    await executor.submit(pause, 1)
    const busy = executor.submit(pause, 500)
    exhaust()
    const bytes = [1, 2, 3].map((n) => new Uint8Array([n]))
    const futures = bytes.map((b) => executor.with({ transfer: [b.buffer] }).submit((x) => x[0], b))
    for (const { status, value, reason } of await settled([busy, ...futures])) console.log(status, value ?? reason?.code ?? '')
    recover()
    await executor.shutdown()
  `)
  assert.is(code, 0, stderr)
  const lines = stdout.trim().split('\n')
  assert.is(lines.length, 4)
  assert.is(lines.filter((line) => line.startsWith('fulfilled')).length, 3, stdout)
  assert.is(lines.filter((line) => line === 'rejected ERR_MANYHANDS_WORKER_DIED').length, 1, stdout)
})

test('of a process is its error, with an exit code that is not 0', async () => {
  for (const left of [0, 4]) {
    const { code, stdout, stderr } = await runStarved(`
      const process = new Process({ target: () => 1 })
      exhaust(${left})
      process.start()
      await process.join()
      recover()
      console.log(process.exitcode, process.error.code)
    `)
    assert.is(code, 0)
    assert.match(stdout, /^1 (ERR_WORKER_INIT_FAILED|EMFILE)\n$/)
    assert.match(stderr, /Process Process-1:/)
  }
})

test('of a manager rejects its start, with the reason', async () => {
  const { code, stdout } = await runStarved(`
    exhaust()
    const error = await Manager.start().then(null, (error) => error)
    recover()
    console.log(error.code, error.cause.code)
  `)
  assert.equal([code, stdout], [0, 'ERR_MANYHANDS_MANAGER ERR_WORKER_INIT_FAILED\n'])
})

test.run()
