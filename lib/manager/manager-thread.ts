// The thread of a manager, as the thread that started it sees it, and how it ends. Apart from the Manager, so that one that is dropped
// can be collected: its thread ends then, once nobody has a proxy of its objects.
//
//   RUNNING ──shutdown(), or it dies──> ended
//      └──release(): the Manager was collected──> no thread has a proxy any more ──> ended
import { MessageChannel, type Worker } from 'node:worker_threads'
import { Promise } from '../base/clock.js'
import { publish } from '../base/diagnostics.js'
import { stackText, thrownText } from '../base/thrown-text.js'
import { ManagerError } from '../errors.js'
import type { Identity } from '../process/control-block.js'
import { bootThread } from '../thread/boot.js'
import { WorkerOutput } from '../thread/worker-output.js'
import { connect, type ManagerClient } from './client.js'

export class ManagerThread {
  readonly name: string
  readonly client: ManagerClient
  isShutDown = false
  hasEnded = false
  readonly #worker: Worker
  /** The error with which calls reject from its end on. */
  readonly exit: Promise<ManagerError>

  /** @throws ManagerError the thread cannot be started */
  constructor(identity: Identity) {
    const { name } = identity
    const { port1, port2 } = new MessageChannel()
    const output = new WorkerOutput()
    this.name = name
    try {
      this.#worker = bootThread('manager', {
        workerData: { identity, port: port2, output: output.there },
        transferList: [port2, output.there],
      })
    } catch (reason) {
      output.close()
      port1.close()
      throw new ManagerError(`${name} could not be started: ${(reason as Error).message}`, { cause: reason })
    }
    this.#worker.once('exit', () => output.close())
    this.exit = this.#watchExit()
    this.client = connect(this.#worker.threadId, name, port1, () => {
      // Calls reject with the cause of death: hold the event loop until the worker's 'exit' event has told it.
      if (!this.hasEnded) this.#worker.ref()
      return this.exit
    })
    this.#worker.unref()
    publish('process', () => ({ event: 'started', name, pid: this.client.manager }))
  }

  /** End it. Resolves when it has exited. */
  async shutdown(): Promise<void> {
    if (!this.isShutDown && !this.hasEnded) {
      this.#worker.ref()
      void this.#worker.terminate()
    }
    this.isShutDown = true
    await this.exit
  }

  /** No more objects are made. @returns false: it had been shut down, or has ended */
  release(): boolean {
    if (this.isShutDown || this.hasEnded || this.client.rpc.closed) return false
    this.client.rpc.notify({ kind: 'endWhenUnused' })
    return true
  }

  #watchExit(): Promise<ManagerError> {
    let cause: unknown
    const worker = this.#worker
    worker.on('error', (thrown: unknown) => {
      if (cause === undefined) process.stderr.write(`Manager ${this.name}:\n${thrownText(thrown)}\n`)
      cause ??= thrown
    })
    return new Promise((resolve) => {
      worker.once('exit', (code) => {
        this.hasEnded = true
        const { name } = this
        publish('process', () => ({ event: 'ended', name, pid: this.client.manager, exitcode: code }))
        const how = this.isShutDown ? 'was shut down' : `died with exit code ${code}`
        const reason = new ManagerError(`${name} ${how}`, { ...(cause !== undefined && { cause }) })
        stackText(reason, '') // A stack is formatted when it is first read. Until then it keeps its frames' objects, and the worker.
        resolve(reason)
      })
    })
  }
}
