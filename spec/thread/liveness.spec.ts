import { Process } from 'manyhands'
import { isDead } from '#internals'
import { once } from 'node:events'
import { Worker, type MessagePort } from 'node:worker_threads'
import { assert, suite } from '../harness.js'
import { computeForEver, replyOf, startAndHear } from '../process/replies.js'

const test = suite('who is dead')

test('a running thread is not dead', async () => {
  const { process } = await startAndHear(computeForEver)
  assert.is(isDead(0), false)
  assert.is(isDead(process.pid!), false)
  process.kill()
  assert.is(isDead(process.pid!), false)
  await process.join()
  assert.is(isDead(process.pid!), true)
})

test('a process is dead as soon as joinSync has returned, and other threads see that, too', async () => {
  const process = new Process({ target: () => {} }).start()
  process.joinSync()
  assert.is(isDead(process.pid!), true)
  const target = async (port: MessagePort, pid: number) => {
    const { currentProcess, parentProcess } = await import('manyhands')
    const internals = await import('#internals')
    port.postMessage([internals.isDead(pid), internals.isDead(currentProcess().pid), parentProcess()!.isAlive()])
  }
  assert.equal(await replyOf(target, [process.pid]), [true, false, true])
})

test('a worker thread that the program started itself is seen to die', async () => {
  const worker = new Worker('', { eval: true })
  const { threadId } = worker
  await once(worker, 'exit')
  assert.is(isDead(threadId), true)
})

test.run()
