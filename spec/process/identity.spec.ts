import { activeChildren, cpuCount, currentProcess, isMainThread, parentProcess, Process, ProcessError } from 'manyhands'
import { availableParallelism } from 'node:os'
import { threadId, Worker } from 'node:worker_threads'
import { once } from 'node:events'
import { assert, runProgram, suite, thrownBy } from '../harness.js'
import { computeForEver, repliesOf, replyOf, startAndHear } from './replies.js'
import { countCalls, describeSelf, misuseSelf } from './process.tasks.js'

const test = suite('who a process is')

test('the main program is MainProcess, and has no parent', () => {
  const self = currentProcess()
  assert.is(self.name, 'MainProcess')
  assert.is(self.pid, 0)
  assert.is(self.daemon, false)
  assert.is(self.isAlive(), true)
  assert.is(self.exitcode, null)
  assert.is(self.cancelled, false)
  assert.is(self.signal.aborted, false)
  assert.is(currentProcess(), self)
  assert.is(parentProcess(), null)
  assert.is(isMainThread, true)
})

test('a process knows its name, thread and parent', async () => {
  const reply = await replyOf(describeSelf, [], { name: 'reader' })
  const { pid } = reply.self
  assert.ok(pid > 0)
  assert.equal(reply, {
    self: { name: 'reader', pid, daemon: false, exitcode: null },
    threadId: pid,
    isMainThread: false,
    parent: { name: 'MainProcess', pid: 0, isAlive: true },
  })
})

test('pid is the thread’s id, from start on', async () => {
  const process = new Process({ target: () => {} })
  assert.is(process.pid, undefined)
  process.start()
  const { pid } = process
  assert.ok(pid! > threadId)
  await process.join()
  assert.is(process.pid, pid)
})

test('default names count every child made, after the numbers of the parent', async () => {
  const { stdout } = await runProgram(`
    import { Process } from 'manyhands'
    const target = async () => {
      const { Process, currentProcess } = await import('manyhands')
      const unused = new Process({ target: () => {} })
      const child = new Process({ target: async () => {
        const { currentProcess, Process } = await import('manyhands')
        console.log(currentProcess().name, new Process({ target() {} }).name)
      } })
      console.log(unused.name, child.name)
      await child.start().join()
    }
    const names = [1, 2].map(() => new Process({ target }).name)
    new Process({ target, name: 'named' })
    const bad = await new Promise((resolve) => { try { new Process({ target: 5 }) } catch { resolve('refused') } })
    const fourth = new Process({ target })
    console.log(names, bad, fourth.name)
    await fourth.start().join()`)
  assert.is(
    stdout,
    `[ 'Process-1', 'Process-2' ] refused Process-4\nProcess-4:1 Process-4:2\nProcess-4:2 Process-4:2:1\n`,
  )
})

test('default names of the children of a named process begin with its numbers', async () => {
  const replies = await repliesOf(describeSelf, [1], { name: 'top' })
  const [top, child, named] = replies.map(({ self }) => self.name as string)
  assert.is(top, 'top')
  assert.match(child!, /^Process-\d+:1$/)
  assert.is(named, 'named')
  assert.equal(replies[1].parent, { name: 'top', pid: replies[0].self.pid, isAlive: true })
})

test('daemon is inherited, unless said otherwise', async () => {
  const { process, heard } = await startAndHear(describeSelf, [], { daemon: true })
  assert.is(process.daemon, true)
  assert.is(heard.self.daemon, true)
  await process.join()
  const replies = await repliesOf(describeSelf, [1], { daemon: true })
  assert.equal(
    replies.map(({ self }) => self.daemon),
    [true, true, false],
  )
  assert.is(new Process({ target: () => {} }).daemon, false)
})

test('a process shares nothing that is not passed to it', async () => {
  assert.equal(await Promise.all([replyOf(countCalls), replyOf(countCalls), replyOf(countCalls)]), [1, 1, 1])
  assert.is('marked' in globalThis, false)
})

test('arguments are cloned', async () => {
  const list = [1]
  await replyOf((port, given: number[]) => port.postMessage(given.push(2)), [list])
  assert.equal(list, [1])
})

test('activeChildren are the processes that run', async () => {
  assert.equal(activeChildren(), [])
  const unstarted = new Process({ target: () => {} })
  const [one, two] = await Promise.all([startAndHear(computeForEver), startAndHear(computeForEver)])
  assert.equal(new Set(activeChildren()), new Set([one.process, two.process]))
  assert.is(activeChildren().includes(unstarted), false)
  one.process.kill()
  one.process.joinSync()
  assert.equal(activeChildren(), [two.process])
  assert.is(activeChildren() === activeChildren(), false)
  two.process.kill()
  await two.process.join()
  assert.equal(activeChildren(), [])
})

test('cpuCount is how many threads can run at the same time', () => {
  assert.is(cpuCount(), availableParallelism())
})

test('a process cannot join or start itself', async () => {
  const code = 'ERR_MANYHANDS_PROCESS'
  assert.equal(await replyOf(misuseSelf), [[code, code, code], true])
  assert.instance(await thrownBy(() => currentProcess().join()), ProcessError)
  assert.match((await thrownBy(() => currentProcess().joinSync())).message, 'MainProcess cannot join itself')
})

test('a worker thread of the program’s own is a process by its thread', async () => {
  const worker = new Worker(
    `import('manyhands').then(({ currentProcess, parentProcess, Process }) => require('node:worker_threads').parentPort
      .postMessage([currentProcess().name, currentProcess().pid, parentProcess(), new Process({ target() {} }).name]))`,
    { eval: true },
  )
  const { threadId: pid } = worker
  const exited = once(worker, 'exit') // The last message and the exit may come in one turn.
  const [message] = (await once(worker, 'message')) as unknown[]
  assert.equal(message, [`Thread-${pid}`, pid, null, 'Process-1'])
  await exited
})

test.run()
