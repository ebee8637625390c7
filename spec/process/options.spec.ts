import { Process } from 'manyhands'
import { MessageChannel, receiveMessageOnPort, type MessagePort } from 'node:worker_threads'
import { assert, runProgram, suite, thrownBy } from '../harness.js'
import { ended, replyOf } from './replies.js'

const test = suite('what a process is given')

const tellEnvironment = (port: MessagePort) => port.postMessage({ ...process.env })

test('the environment of a process is a copy of the parent’s', async () => {
  process.env.SPEC_A = 'a'
  const target = (port: MessagePort) => {
    port.postMessage({ ...process.env })
    process.env.SPEC_A = 'changed'
    delete process.env.PATH
  }
  const env = { ...process.env }
  assert.equal(await replyOf(target), env)
  assert.equal({ ...process.env }, env)
  delete process.env.SPEC_A
})

test('env replaces the environment', async () => {
  assert.equal(await replyOf(tellEnvironment, [], { env: { ONLY: 'this', NOT: undefined } }), { ONLY: 'this' })
  assert.equal(await replyOf(tellEnvironment, [], { env: {} }), {})
})

test('a change of the parent’s environment reaches a warm thread that was booted before', async () => {
  const { stdout } = await runProgram(`
    import { Process } from 'manyhands'
    import { threadId } from 'node:worker_threads'
    process.env.GONE = 'yes'
    process.env.CHANGED = 'before'
    let threads = 0
    process.on('worker', () => threads++)
    await new Process({ target: () => {} }).start().join()
    while (threads < 2) await new Promise((resolve) => setTimeout(resolve, 5)) // the warm thread is there
    delete process.env.GONE
    process.env.CHANGED = 'after'
    process.env.NEW = 'new'
    const child = new Process({ target: () => console.log(process.env.GONE, process.env.CHANGED, process.env.NEW) }).start()
    console.log(threads, child.pid)
    await child.join()`)
  assert.is(stdout, '2 2\nundefined after new\n')
})

test('resourceLimits bound heap and stack of a process', async () => {
  const resourceLimits = { maxOldGenerationSizeMb: 24, maxYoungGenerationSizeMb: 4, stackSizeMb: 2 }
  const target = async (port: MessagePort) => {
    const threads = await import('node:worker_threads')
    port.postMessage(threads.resourceLimits)
  }
  const limits = await replyOf(target, [], { resourceLimits })
  assert.is(limits.maxOldGenerationSizeMb, 24)
  assert.is(limits.maxYoungGenerationSizeMb, 4)
  assert.is(limits.stackSizeMb, 2)
  assert.is((await ended(() => {}, { resourceLimits: { maxOldGenerationSizeMb: undefined } })).exitcode, 0)
})

test('a thread that ends while it boots has ended for a blocked caller, too', async () => {
  const { stdout } = await runProgram(`
    import { Process } from 'manyhands'
    const env = { NODE_OPTIONS: '--import data:text/javascript,process.exit(4)' }
    const child = new Process({ target: () => {}, env }).start()
    await child.join()
    const blocked = new Process({ target: () => {}, env }).start()
    blocked.joinSync()
    console.log(child.exitcode, blocked.isAlive())`)
  assert.is(stdout, '4 false\n')
})

test('transfer moves what it names, and the rest is cloned', async () => {
  const moved = new Uint8Array([1, 2, 3])
  const kept = new Uint8Array([4, 5])
  const target = (port: MessagePort, ...views: Uint8Array[]) => port.postMessage(views.map((view) => [...view]))
  assert.equal(await replyOf(target, [moved, kept], { transfer: [moved.buffer] }), [[1, 2, 3], [4, 5]]) // prettier-ignore
  assert.is(moved.byteLength, 0)
  assert.is(kept.byteLength, 2)
})

test('transfer does not change the caller’s list', async () => {
  const transfer = [new ArrayBuffer(1)]
  const process = new Process({ target: () => {}, transfer }).start()
  assert.is(transfer.length, 1)
  await process.join()
})

test('a port that is moved works from the first message on', async () => {
  const { port1, port2 } = new MessageChannel()
  const target = (port: MessagePort, { other }: { other: MessagePort }) => {
    other.once('message', (message: unknown) => port.postMessage(message))
  }
  port1.postMessage('sent before start')
  assert.is(await replyOf(target, [{ other: port2 }], { transfer: [port2] }), 'sent before start')
  assert.is(receiveMessageOnPort(port1), undefined)
  port1.close()
})

test('an environment that Node refuses is an error of start, and starts nothing', async () => {
  const process = new Process({ target: () => {}, env: { NODE_OPTIONS: '--no-such-option' } })
  const error = await thrownBy(() => process.start())
  assert.is(error.code, 'ERR_MANYHANDS_PROCESS')
  assert.is(error.cause.code, 'ERR_WORKER_INVALID_EXEC_ARGV')
  assert.is(process.isAlive(), false)
  assert.is(process.pid, undefined)
})

test.run()
