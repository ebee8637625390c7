// Targets of the process specs that cannot be sent by their source.
import {
  activeChildren,
  currentProcess,
  isMainThread,
  parentProcess,
  Process,
  task,
  type CurrentProcess,
  type Task,
} from 'manyhands'
import { MessageChannel, receiveMessageOnPort, threadId, type MessagePort } from 'node:worker_threads'

const card = ({ name, pid, daemon, exitcode }: CurrentProcess) => ({ name, pid, daemon, exitcode })

/** Post the identity of a process, and of its children down to `depth`. */
export const describeSelf: Task<[MessagePort, depth?: number]> = task(
  import.meta.url,
  async function describeSelf(port, depth = 0) {
    const parent = parentProcess()!
    port.postMessage({
      self: card(currentProcess()),
      threadId,
      isMainThread,
      parent: { name: parent.name, pid: parent.pid, isAlive: parent.isAlive() },
    })
    if (depth === 0) return
    for (const given of [{}, { name: 'named', daemon: false }]) {
      const { port1, port2 } = new MessageChannel()
      const child = new Process({ target: describeSelf, args: [port2, depth - 1], transfer: [port2], ...given })
      child.start()
      if (activeChildren()[0] !== child) throw new Error('not among the active children')
      await child.join()
      if (activeChildren().length > 0) throw new Error('still among the active children')
      for (let posted; (posted = receiveMessageOnPort(port1));) port.postMessage(posted.message)
      port1.close()
    }
  },
)

let global = 0
/** Count the calls in this thread. */
export const countCalls: Task<[MessagePort]> = task(import.meta.url, function countCalls(port) {
  Object.assign(globalThis, { marked: true })
  port.postMessage(++global)
})

/** Try on itself what no process can do. */
export const misuseSelf: Task<[MessagePort]> = task(import.meta.url, async function misuseSelf(port) {
  const self = currentProcess()
  const codes: unknown[] = []
  const tries = [() => self.join(), () => self.joinSync(), () => self.start()]
  for (const attempt of tries)
    try {
      await attempt()
      codes.push('nothing')
    } catch (thrown) {
      codes.push((thrown as NodeJS.ErrnoException).code)
    }
  port.postMessage([codes, self.isAlive()])
})

/** Start a child that outlives this process's target. */
export const leaveChild: Task<[MessagePort, object]> = task(import.meta.url, function leaveChild(port, options) {
  const child = new Process({
    target: (port: MessagePort) => {
      setTimeout(() => port.postMessage('child ends'), 60)
    },
    args: [port],
    transfer: [port] as never,
    ...options,
  })
  child.start()
})

/** Wait until asked to stop, in the given way, and exit with code 3. */
export const obey: Task<[MessagePort, how: 'signal' | 'flag' | 'late signal']> = task(
  import.meta.url,
  async function obey(port, how) {
    const self = currentProcess()
    if (how === 'signal') {
      const { signal } = self
      const asked = new Promise((resolve) => signal.addEventListener('abort', resolve))
      port.postMessage([signal.aborted, self.cancelled])
      await asked
    } else {
      port.postMessage([false, self.cancelled])
      while (!self.cancelled);
    }
    const { aborted, reason } = self.signal
    port.postMessage([aborted, reason.code, self.cancelled, self.signal === self.signal])
    process.exitCode = 3
  },
)
