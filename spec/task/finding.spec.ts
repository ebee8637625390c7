import { Process, ProcessPoolExecutor, task, TaskNotFoundError, tasksFrom, type Target } from 'manyhands'
import { MessageChannel } from 'node:worker_threads'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { assert, runProgram, suite, thrownBy } from '../harness.js'
import { ended, replyOf } from '../process/replies.js'
import * as tasks from './finding.tasks.js'

const test = suite('finding tasks by module and name')
const fixture = (name: string) => new URL(`../../../spec/fixtures/${name}`, import.meta.url)

interface Plain {
  limit: number
  double(n: number): number
  reply(port: unknown, value: unknown): Promise<void>
  default(port: unknown, text: string): void
}

test('a task is the function itself, and runs in the thread that calls it', () => {
  function half(n: number) {
    return n / 2
  }
  assert.is(task(import.meta.url, half), half)
  assert.is(task(import.meta.url, half)(8), 4)
  assert.is(half.name, 'half')
})

test('a worker runs its own copy of the module', async () => {
  const { port1, port2 } = new MessageChannel()
  void tasks.byUrl(port2, 'here')
  port1.close()
  const reply = await replyOf(tasks.byUrl, ['there'])
  assert.is(reply.text, 'there')
  assert.is(reply.calls, 1)
  assert.is.not(reply.threadId, 0)
})

test('the module of a task is named by import.meta, a URL object or an absolute path as well', async () => {
  assert.equal(await Promise.all([tasks.byMeta, tasks.byObject, tasks.byPath].map((target) => replyOf(target))), [
    'by import.meta',
    'by URL object',
    'by path',
  ])
})

test('an arrow function as a task has the name of its variable', async () => {
  assert.is(await replyOf(tasks.byArrow), 'an arrow with the name of its variable')
})

test('a task need not be exported', async () => {
  assert.is(await replyOf(tasks.notExported()), 'not exported')
})

test('a CommonJS module names itself by __filename in task()', async () => {
  const { reply } = createRequire(import.meta.url)(fixture('tasks.cjs').pathname) as { reply: typeof tasks.byUrl }
  assert.equal(await replyOf(reply, [5]), ['from CommonJS', 5])
})

test('a CommonJS module may require this package in a warm thread that is still importing it', async () => {
  const program = `
    import tasks from ${JSON.stringify(fixture('tasks.cjs').href)}
    import { setTimeout as pause } from 'node:timers/promises'
    import { MessageChannel } from 'node:worker_threads'
    import { Process } from 'manyhands'
    for (const ms of [0, 100, 200, 300, 400]) {
      await pause(ms)
      const { port1, port2 } = new MessageChannel()
      const process = new Process({ target: tasks.reply, args: [port2, ms], transfer: [port2] }).start()
      await process.join()
      console.log(process.exitcode)
      port1.close()
    }
  `
  const ended = await runProgram(program, ['--import', fixture('slow-index.mjs').href])
  assert.equal(ended, { code: 0, signal: null, stdout: '0\n0\n0\n0\n0\n', stderr: '' })
})

test('a module cannot have two tasks of one name', async () => {
  const defineTwin = () => task(import.meta.url, function twin() {})
  defineTwin()
  const error = await thrownBy(defineTwin)
  assert.instance(error, TypeError)
  assert.match(error.message, /finding\.spec\.js already has a task named twin/)
  task(new URL('other.js', import.meta.url), function twin() {})
})

test('task() refuses an anonymous function', async () => {
  for (const fn of [() => 1, function () {}, async () => 1]) {
    Object.defineProperty(fn, 'name', { value: '' })
    const error = await thrownBy(() => task(import.meta.url, fn))
    assert.instance(error, TypeError)
    assert.match(error.message, /a task needs a name, by which workers find it in file:.*finding\.spec\.js/)
  }
})

test('task() refuses anything but a function', async () => {
  for (const [value, name] of [
    [undefined, 'undefined'],
    [null, 'null'],
    [{}, '{}'],
    ['f', "'f'"],
  ] as const) {
    const error = await thrownBy(() => task(import.meta.url, value as never))
    assert.instance(error, TypeError)
    assert.match(error.message, `task(module, fn): fn must be a function, not ${name}`)
  }
})

test('task() and tasksFrom() refuse what cannot name a module, a relative path with what to write instead', async () => {
  for (const module of [undefined, null, '', 5, {}]) {
    const error = await thrownBy(() => task(module as never, function f() {}))
    assert.instance(error, TypeError)
    assert.match(error.message, /a module is named by a URL, import\.meta or an absolute path, not/)
  }
  const error = await thrownBy(() => tasksFrom('./plain.mjs'))
  assert.instance(error, TypeError)
  assert.match(error.message, "new URL('./plain.mjs', import.meta.url)")
})

test('a task that its module defines in the main thread only is not found, and its other tasks are named', async () => {
  const { error, exitcode } = await ended(tasks.onlyInMain!)
  assert.instance(error, TaskNotFoundError)
  const { message, code } = error as TaskNotFoundError
  assert.is(code, 'ERR_MANYHANDS_TASK_NOT_FOUND')
  assert.match(message, /finding\.tasks\.js has no task named onlyInMain2?; it has byUrl2?, byMeta2?, .*secret/)
  assert.is(exitcode, 1)
})

test('a task that a tool has renamed in the caller is found by its place', async () => {
  type Renamed = Record<'triple' | 'square' | 'negate', Target<[number], number>>
  const { triple, square, negate } = (await import(fixture('renamed.mjs').href)) as Renamed
  assert.is(triple.name, 'triple2')
  const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  assert.equal(await Promise.all([executor.submit(triple, 2), executor.submit(negate, 2)]), [6, -2])
  assert.is(await executor.submit(square, 3), 9)
  assert.equal(await executor.map(triple, [1, 2]), [3, 6])
  await executor.shutdown()
})

test('a task is not found by its place if the name there is that of another', async () => {
  const { left, right } = (await import(fixture('reordered.mjs').href)) as Record<'left' | 'right', Target<[], string>>
  const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  const error = await executor.submit(left).exception()
  assert.instance(error, TaskNotFoundError)
  assert.match((error as Error).message, /reordered\.mjs has no task named left; it has right, other/)
  assert.is(await executor.submit(right), 'first', 'by its name')
  await executor.shutdown()
})

test('tasksFrom takes any export of a module that knows nothing of this package', async () => {
  const plain = tasksFrom<Plain>(fixture('plain.mjs'))
  assert.equal(await replyOf(plain.reply, [{ a: [1] }]), { a: [1] })
  assert.is(await replyOf(plain.default, ['abc']), 'cba')
  assert.equal(await replyOf(tasksFrom<Plain>(fixture('plain.mjs').pathname).reply, ['by path']), 'by path')
  assert.equal(await replyOf(tasksFrom<Plain>(fixture('plain.mjs').href).reply, ['by href']), 'by href')
})

test('tasksFrom gives the same task for the same name', () => {
  const plain = tasksFrom<Plain>(fixture('plain.mjs'))
  assert.is(plain.double, plain.double)
  assert.is(plain.double.name, 'double')
})

test('tasksFrom imports nothing until a task is run', async () => {
  const broken = tasksFrom<{ f(): void }>(fixture('throws.mjs'))
  assert.type(broken.f, 'function')
  assert.match((await thrownBy(() => broken.f())).message, 'no good module')
})

test('a task of tasksFrom that is called here imports the module here and returns a promise', async () => {
  const plain = tasksFrom<Plain>(fixture('plain.mjs'))
  assert.is(await plain.double(4), 8)
  const missing = plain as unknown as { triple(): unknown; limit(): unknown }
  for (const call of [missing.triple, missing.limit]) {
    const error = await thrownBy(() => call())
    assert.instance(error, TaskNotFoundError)
    assert.match(error.message, /plain\.mjs has no exported function named \w+; it has default, double, reply/)
  }
})

test('an export that is missing or no function is not found in a worker', async () => {
  const plain = tasksFrom<Record<'triple' | 'limit', () => void>>(fixture('plain.mjs'))
  for (const target of [plain.triple, plain.limit]) {
    const { error } = await ended(target)
    assert.instance(error, TaskNotFoundError)
    assert.match((error as Error).message, /has no exported function named \w+; it has default, double, reply/)
  }
})

test('tasksFrom takes a builtin module', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'manyhands-'))
  try {
    const file = join(folder, 'written')
    const fs = tasksFrom<typeof import('node:fs')>('node:fs')
    const process = await ended(fs.writeFileSync, { args: [file, 'by a builtin'] })
    assert.is(process.exitcode, 0)
    assert.is(readFileSync(file, 'utf8'), 'by a builtin')
  } finally {
    rmSync(folder, { recursive: true })
  }
  assert.is(await tasksFrom<typeof import('node:path')>('node:path').basename('/a/b'), 'b')
})

test('tasksFrom takes a package by its name', async () => {
  const { assert: refuse } = tasksFrom<{ assert: (ok: boolean, message: string) => void }>('uvu/assert')
  assert.type(refuse, 'function')
  const { unreachable } = tasksFrom<{ unreachable: (message: string) => void }>('uvu/assert')
  const { error } = await ended(unreachable, { args: ['thrown by the package'] })
  assert.match((error as Error).message, 'thrown by the package')
  const missing = await ended(tasksFrom<{ f(): void }>('no-such-package').f)
  assert.is((missing.error as NodeJS.ErrnoException).code, 'ERR_MODULE_NOT_FOUND')
})

test('what tasksFrom gives can be awaited and printed', async () => {
  const plain = tasksFrom<Plain>(fixture('plain.mjs'))
  assert.is(await Promise.resolve(plain), plain)
  assert.is(await (async () => plain)(), plain)
  assert.type(JSON.stringify({ plain }), 'string')
})

test('a module that throws ends the process with what it threw', async () => {
  const { error, exitcode } = await ended(tasksFrom<{ f(): void }>(fixture('throws.mjs')).f)
  assert.instance(error, RangeError)
  assert.is((error as NodeJS.ErrnoException).code, 'EBAD')
  assert.match((error as Error).stack!, 'throws.mjs')
  assert.is(exitcode, 1)
})

test('a syntax error in a module names the module', async () => {
  const { error, exitcode } = await ended(tasksFrom<{ f(): void }>(fixture('syntax-error.mjs')).f)
  assert.instance(error, SyntaxError)
  assert.match((error as Error).stack!, 'syntax-error.mjs')
  assert.is(exitcode, 1)
})

test('a module that does not exist ends the process with an error that names it', async () => {
  const { error } = await ended(tasksFrom<{ f(): void }>(fixture('nowhere.mjs')).f)
  assert.is((error as NodeJS.ErrnoException).code, 'ERR_MODULE_NOT_FOUND')
  assert.match((error as Error).message, 'nowhere.mjs')
})

test('a process whose module never finishes importing can be joined with a timeout, and killed', async () => {
  const process = new Process({ target: tasksFrom<{ never(): void }>(fixture('never.mjs')).never }).start()
  await process.join({ timeout: 150 })
  assert.is(process.isAlive(), true)
  process.joinSync(50)
  assert.is(process.exitcode, null)
  process.kill()
  await process.join()
  assert.is(process.exitcode, -9)
})

test('a query in the URL does not hide the tasks of the module', async () => {
  const { version } = (await import(fixture('versioned.mjs').href)) as { version: Target }
  assert.is(await replyOf(version), 'found')
})

test.run()
