// What a process has from the program that starts it.
import { assert, runNode, suite } from '../harness.js'

const test = suite('what a process inherits')

const PROGRAM = `
  import { getEnvironmentData, setEnvironmentData } from 'node:worker_threads'
  import { Process, ProcessPoolExecutor, Queue } from 'manyhands'
  const queue = new Queue()
  const tell = (queue) => {
    const { getEnvironmentData } = process.getBuiltinModule('worker_threads')
    queue.putSync([process.argv.slice(2).join(), getEnvironmentData('release') ?? 'none', process.env.RELEASE ?? 'none'].join(' '))
  }
  const runProcess = async () => {
    await new Process({ target: tell, args: [queue] }).start().join()
    return await queue.get()
  }
  const booted = new Set()
  process.on('worker', (worker) => {
    worker.once('message', () => booted.add(worker)).once('exit', () => booted.delete(worker))
  })
  /** Until a warm thread has booted. All processes have ended. */
  const settle = async () => {
    while (booted.size === 0) await new Promise((resolve) => setTimeout(resolve, 5))
  }
`

async function linesOf(body: string, ...args: string[]): Promise<string[]> {
  const { stdout, stderr, code } = await runNode(['--input-type=module', '--eval', PROGRAM + body, '--', ...args])
  assert.is(stderr, '')
  assert.is(code, 0)
  return stdout.trimEnd().split('\n')
}

test('workers of all kinds have the arguments of the program', async () => {
  const lines = await linesOf(
    `console.log(await runProcess())
    await settle()
    console.log(await runProcess()) // warm
    const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
    console.log(await executor.submit(() => process.argv.slice(2).join()))
    await executor.shutdown()`,
    'program.js',
    'a',
    '--b=1',
  )
  assert.equal(lines, ['a,--b=1 none none', 'a,--b=1 none none', 'a,--b=1'])
})

test('a process has what was changed after its warm thread was booted', async () => {
  const lines = await linesOf(
    `
    await runProcess()
    await settle()
    setEnvironmentData('release', 'one')
    process.argv.splice(1, Infinity, 'program.js', 'c')
    process.env.RELEASE = 'two'
    console.log(await runProcess())
    await settle()
    setEnvironmentData('release', undefined)
    delete process.env.RELEASE
    process.argv.length = 2
    console.log(await runProcess())
    console.log(getEnvironmentData('release'))`,
    'program.js',
  )
  assert.equal(lines, ['c one two', ' none none', 'undefined'])
})

test('a started process does not keep its arguments', async () => {
  const { stdout, stderr } = await runNode([
    '--expose-gc',
    '--input-type=module',
    '--eval',
    `import { Process } from 'manyhands'
    const start = () => {
      const [args, moved] = [[{ large: 1 }], new ArrayBuffer(8)]
      const process = new Process({ target: () => {}, args: [args, moved], transfer: [moved] }).start()
      return [process, [args, args[0], moved].map((object) => new WeakRef(object))]
    }
    const [child, refs] = start()
    await child.join()
    gc()
    console.log(refs.filter((ref) => ref.deref()).length, child.exitcode)`,
  ])
  assert.is(stderr, '')
  assert.is(stdout, '0 0\n')
})

test.run()
