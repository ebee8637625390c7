// Several copies of the package in one thread: two that are installed, one that is bundled with the program, and one of another
// major version.
import { build } from 'esbuild'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { assert, runNode, suite } from '../harness.js'

const test = suite('copies of the package')

const home = mkdtempSync(join(tmpdir(), 'copies-'))
process.once('exit', () => rmSync(home, { recursive: true, force: true }))
symlinkSync(join(process.cwd(), 'node_modules'), join(home, 'node_modules'))

const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }

/** Install a copy. @returns the path of its entry */
function install(name: string, asVersion = version): string {
  const folder = join(home, name)
  mkdirSync(folder)
  cpSync('package.json', join(folder, 'package.json'))
  cpSync('dist', join(folder, 'dist'), { recursive: true, filter: (path) => !path.endsWith('.map') })
  for (const file of readdirSync(join(folder, 'dist')).filter((file) => /\.c?js$/.test(file))) {
    const path = join(folder, 'dist', file)
    const code = readFileSync(path, 'utf8')
    writeFileSync(path, code.replace(`VERSION="${version}"`, `VERSION="${asVersion}"`))
  }
  return join(folder, 'dist', 'index.js')
}

const a = install('a')
const b = install('b')
const next = install('next', '99.1.2')

/** Run a module of this name. Each line that it prints is JSON. */
async function printedBy(name: string, source: string): Promise<unknown[]> {
  const path = join(home, name)
  writeFileSync(path, source)
  const { code, stdout, stderr } = await runNode([path])
  assert.is(code, 0, stderr)
  return stdout.trim().split('\n').map((line) => JSON.parse(line) as unknown) // prettier-ignore
}

const HEAD = `
  import { isMainThread } from 'node:worker_threads'
  import * as a from '${a}'
  import * as b from '${b}'
  const print = (value) => console.log(JSON.stringify(value))
`

test('objects of two copies are told apart, and come back as themselves', async () => {
  const source = `${HEAD}
    const executor = new a.ProcessPoolExecutor({ maxWorkers: 1 })
    const [mine, other] = [new a.Value('i', 1), new b.Value('i', 41)]
    print(await executor.submit((...values) => values.map(({ value }) => value), mine, other))
    print(await executor.map(({ value: { value } }) => value, [{ value: other }, { value: mine }]))
    print((await executor.submit((value) => value, other)) === other)
    await executor.shutdown()
  `
  assert.equal(await printedBy('objects.mjs', source), [[1, 41], [41, 1], true])
})

test('a copy whose executor never had an object of its own sends those of another', async () => {
  const source = `${HEAD}
    const executor = new a.ProcessPoolExecutor({ maxWorkers: 1 })
    print(await executor.submit((value) => value.add(1) + 1, new b.Value('i', 41)))
    await executor.shutdown()
  `
  assert.equal(await printedBy('only-others.mjs', source), [42])
})

test('classes take the instances of the other copy for their own, but not those of other classes', async () => {
  const source = `${HEAD}
    const made = ({ Array, Barrier, BoundedSemaphore, Condition, Event, InlineExecutor, JoinableQueue, Lock, Pipe, Pool, Process,
      ProcessPoolExecutor, Queue, RLock, RWLock, Semaphore, SimpleQueue, Struct, StructArray, Value }) => {
      const process = new Process({ target: () => {} })
      return {
        Array: new Array('i', 1), Barrier: new Barrier(1), BoundedSemaphore: new BoundedSemaphore(), Condition: new Condition(),
        Connection: Pipe()[0], Event: new Event(), Future: new InlineExecutor().submit(() => 1), InlineExecutor: new InlineExecutor(),
        JoinableQueue: new JoinableQueue(), Lock: new Lock(), Pool: new Pool(1), Process: process,
        ProcessPoolExecutor: new ProcessPoolExecutor(), Queue: new Queue(), RLock: new RLock(), RWLock: new RWLock(),
        Semaphore: new Semaphore(), SimpleQueue: new SimpleQueue(), Struct: new Struct({ x: 'i' }),
        StructArray: new StructArray({ x: 'i' }, 1), Value: new Value('i'),
      }
    }
    const parents = { BoundedSemaphore: 'Semaphore', JoinableQueue: 'Queue', SimpleQueue: 'Queue' }
    for (const [own, other] of [[a, made(b)], [b, made(a)]])
      for (const [name, object] of Object.entries(other))
        for (const asked of Object.keys(other))
          if (object instanceof own[asked] !== (asked === name || asked === parents[name])) print([name, asked])
    class MyLock extends a.Lock {}
    print([new b.Lock() instanceof MyLock, new MyLock() instanceof b.Lock, new MyLock() instanceof MyLock, null instanceof a.Lock])
    const timeout = new b.TimeoutError('late')
    print([timeout instanceof a.TimeoutError, timeout instanceof a.ManyhandsError, timeout instanceof a.LockError])
  `
  assert.equal(await printedBy('instances.mjs', source), [
    [false, true, true, false],
    [true, true, false],
  ])
})

test('objects of two copies work together', async () => {
  const source = `${HEAD}
    const inline = new b.InlineExecutor()
    const future = inline.submit(() => 5)
    print([(await a.wait([future])).done.has(future)])
    const lock = new b.Lock()
    const condition = new a.Condition(lock)
    await condition.acquire()
    print([lock.locked(), await condition.wait(1), new a.Value('i', 3, { lock }).getLock() === lock])
    condition.release()

    const executor = new a.ProcessPoolExecutor({ maxWorkers: 1 })
    const [here, there] = b.Pipe()
    void executor.submit((connection) => connection.send('sent'), there)
    print([(await a.Connection.wait([here])).length, await here.recv(), there.closed])

    const manager = await b.Manager.start()
    const dict = manager.dict({ key: 'kept' })
    print(await executor.submit((dict) => dict.get('key'), dict))
    print((await executor.submit((dict) => dict, dict)) === dict)
    await manager.shutdown()
    await executor.shutdown()
  `
  assert.equal(await printedBy('together.mjs', source), [[true], [true, false, true], [1, 'sent', true], 'kept', true])
})

test('a thread is one process to all copies, and finds the tasks of all', async () => {
  const source = `${HEAD}
    export const whoAmI = b.task(import.meta.url, function whoAmI() {
      const [one, other] = [a.currentProcess(), b.currentProcess()]
      return [one === other, one.name, a.parentProcess().name, b.parentProcess().pid]
    })
    if (isMainThread) {
      const executor = new a.ProcessPoolExecutor({ maxWorkers: 1 })
      const [same, name, parent, pid] = await executor.submit(whoAmI)
      print([same, name.startsWith('PoolWorker-'), parent, pid])
      await executor.shutdown()
      const processes = [a, b, a].map(({ Process }) => new Process({ target: () => {} }))
      print(processes.map(({ name }) => name))
      for (const process of processes) process.start()
      print(b.activeChildren().length)
      for (const process of processes) await process.join()
      print(a.activeChildren().length)
    }
  `
  assert.equal(await printedBy('one-process.mjs', source), [
    [true, true, 'MainProcess', 0],
    ['Process-1', 'Process-2', 'Process-3'],
    3,
    0,
  ])
})

test('an executor goes on while a lock of another copy blocks the thread', async () => {
  const source = `${HEAD}
    const executor = new b.ProcessPoolExecutor({ maxWorkers: 1, batch: false })
    const event = new a.Event()
    await executor.submit(() => 0)
    for (const last of [false, false, true]) void executor.submit((event, last) => last && event.set(), event, last)
    print(event.waitSync(20_000))
    await executor.shutdown()
  `
  assert.equal(await printedBy('blocked.mjs', source), [true])
})

test('a module that a worker of one copy imports cannot start work with the other', async () => {
  const source = `${HEAD}
    export const task = a.task(import.meta.url, function task() {})
    if (isMainThread) {
      const executor = new a.ProcessPoolExecutor({ maxWorkers: 1 })
      const error = await executor.submit(task).exception()
      print(error.cause?.code ?? error.code)
      await executor.shutdown()
    } else new b.Process({ target: () => {} }).start()
  `
  const [code] = await printedBy('unguarded.mjs', source)
  assert.is(code, 'ERR_MANYHANDS_BOOTSTRAP')
})

test('a copy that was bundled and minified with the program works with one that is installed', async () => {
  await build({
    stdin: { contents: `export * from '${join(a, '../module.js')}'`, resolveDir: home },
    outfile: join(home, 'bundled.mjs'),
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'node',
    external: ['piscina', 'comlink'],
  })
  const source = `${HEAD}
    import * as bundled from './bundled.mjs'
    const value = new bundled.Value('i', 41)
    const task = bundled.task(import.meta.url, function add(value) { return value.add(1) + 1 })
    if (isMainThread) {
      const executor = new a.ProcessPoolExecutor({ maxWorkers: 1 })
      print(await executor.submit(task, value))
      print(value instanceof b.Value)
      const error = new bundled.QueueEmpty('nothing')
      print([error instanceof a.QueueEmpty, error.name])
      await executor.shutdown()
    }
  `
  assert.equal(await printedBy('bundle.mjs', source), [42, true, [true, 'QueueEmpty']])
})

test('an object of another major version is refused, with both versions named', async () => {
  const source = `${HEAD}
    import * as next from '${next}'
    import { receiveMessageOnPort } from 'node:worker_threads'
    const lock = new next.Lock()
    const executor = new a.ProcessPoolExecutor({ maxWorkers: 1 })
    const told = ({ code, message }) => print([code, message])
    told(await executor.submit(() => 0, { lock }).exception())
    const process = new a.Process({ target: () => {}, args: [[lock]] })
    try { process.start() } catch (error) { told(error) }
    const [end] = a.Pipe()
    try { end.send(new Map([['lock', lock]])) } catch (error) { told(error) }
    try { a.attach({ lock: structuredClone(lock) }) } catch (error) { told(error) }
    print(lock instanceof a.Lock)
    await executor.shutdown()
  `
  const told = await printedBy('majors.mjs', source)
  assert.is(told.pop(), false)
  assert.is(told.length, 4)
  for (const [code, message] of told as [string, string][]) {
    assert.is(code, 'ERR_MANYHANDS_DATA_CLONE')
    assert.match(message, `a Lock of version 99 of manyhands cannot be used by version ${version}`)
  }
})

test.run()
