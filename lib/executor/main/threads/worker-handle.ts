// Main side: one worker of an executor. It owns a slot and the ports to its thread for as long as that lives, and has one lease
// at a time. Piscina starts the threads and gives each its ends of the ports.
//
//   started ──lease──> busy ──its end──> idle ──lease──> busy ──> …  ──END──> the worker ends by itself
//                        └── the thread exits, in any state: the handle is closed
//
// A handle can be given a lease before it has a thread: the port keeps the message until the thread reads it.
import { MessageChannel, receiveMessageOnPort, type Transferable } from 'node:worker_threads'
import { queueMicrotask } from '../../../base/clock.js'
import { unreadable } from '../../../transport/clone-error.js'
import { encodeFailure } from '../../../transport/error-codec.js'
import {
  END,
  type CallMessage,
  type LeaseAnswer,
  type LeaseBody,
  type LeaseEnd,
  type LeaseMessage,
  type ResultMessage,
  type WorkerPorts,
  type WorkerStart,
} from '../../protocol/messages.js'
import { WorkerOutput } from '../../../thread/worker-output.js'
import type { Lease, LeaseHolder } from '../lease.js'
import { FunctionsAtWorker } from './functions-at-worker.js'

/** The ends of the ports that stay in the thread that submits work. */
interface HandlePorts extends WorkerPorts {
  output: WorkerOutput
}

export class WorkerHandle implements LeaseHolder {
  readonly slot: number
  /** The lease that the worker has. Set by the scheduler, before it sends it. */
  lease: Lease | undefined
  /** Once the worker has a thread. */
  threadId: number | undefined
  /** It is ended, or about to exit: it gets no lease. */
  isDying = false
  /** The worker has said that it can run tasks. */
  isReady = false
  /** How many tasks it may still run, once it has told. */
  tasksLeft: number | undefined
  /** When its thread was up and began its initializer, by `clock()`; `undefined`: it boots. */
  upAtMs: number | undefined
  /** When it last became idle. */
  idleSinceMs = 0
  readonly #ports: HandlePorts
  readonly #onLeaseEnd: (end: LeaseEnd) => void
  readonly #functions = new FunctionsAtWorker()

  /**
   * @param onLeaseEnd called when the lease has ended; the results of one that ended well are settled by then
   * @param onPortClose called when the thread's end of the ports is gone: the thread is about to exit
   */
  constructor(slot: number, ports: HandlePorts, onLeaseEnd: (end: LeaseEnd) => void, onPortClose: () => void) {
    this.slot = slot
    this.#ports = ports
    this.#onLeaseEnd = onLeaseEnd
    ports.leases
      .on('message', (answer: LeaseAnswer) => this.#onAnswer(answer))
      .on('messageerror', (failure) => this.#onAnswer(unreadableEnd(failure)))
      .once('close', onPortClose)
    ports.leases.unref()
  }

  /** Whether its thread has come up: from then on it runs what is the program's. */
  get isUp(): boolean {
    if (this.upAtMs === undefined) this.receiveResults()
    return this.upAtMs !== undefined
  }

  /** Send a lease. @throws whatever keeps the message from being sent; the worker knows nothing of it then */
  send(jobs: Lease['jobs'], body: LeaseBody, transfer: readonly Transferable[]): void {
    const { leases } = this.#ports
    const call = this.tasksLeft === Infinity ? callMessageOf(jobs, body, transfer) : undefined
    if (call && this.#functions.use(call[0])) leases.postMessage(call)
    else {
      const isMixed = body.kind === 'calls' && typeof body.targets !== 'number'
      const news = this.#functions.newsFor(isMixed ? new Set(jobs.map(({ fn }) => fn)) : [jobs[0]!.fn])
      leases.postMessage({ count: jobs.length, body, ...news } satisfies LeaseMessage, transfer)
      this.#functions.sent(news)
    }
    leases.ref() // A program waits for its tasks.
  }

  /** Have the worker end by itself. It gets no lease any more. */
  askToEnd(): void {
    this.#ports.leases.postMessage(END)
  }

  /** Look whether the lease has ended. For a thread that blocks, whose event loop does not tell. */
  pollLeaseEnd(): void {
    const answer = this.#receiveAnswer()
    if (answer === undefined) return
    if (typeof answer === 'number' || answer.kind === 'ended') this.#onAnswer(answer)
    else queueMicrotask(() => this.#onAnswer(answer)) // A failure is told when the thread no longer blocks.
  }

  #receiveAnswer(): LeaseAnswer | undefined {
    try {
      return receiveMessageOnPort(this.#ports.leases)?.message as LeaseAnswer | undefined
    } catch (failure) {
      return unreadableEnd(failure)
    }
  }

  #onAnswer(answer: LeaseAnswer): void {
    if (!this.lease) return // The thread has exited in the meantime.
    const end = typeof answer === 'number' ? endOfCall(this.lease.jobs[0]!.fn.number, answer) : answer
    // The port of a worker that retires holds the event loop until it has exited: jobs may wait for its slot.
    if (end.kind === 'ended' && end.retires) this.isDying = true
    else this.#ports.leases.unref()
    if (end.kind === 'ended') {
      this.tasksLeft = end.tasksLeft
      this.lease.settleFinished()
    }
    this.#onLeaseEnd(end)
  }

  /** Receive the results that were posted. Nobody listens for them: each is here when its task counts as finished. */
  receiveResults(): void {
    for (;;) {
      let received: { message: unknown } | undefined
      try {
        received = receiveMessageOnPort(this.#ports.results)
      } catch (failure) {
        // For want of stack, say.
        this.lease?.receiveUnreadable(unreadable(failure, 'result'))
        continue
      }
      if (!received) return
      const message = received.message as ResultMessage
      if (message.kind === 'result') this.lease!.receive(message.index, message.result)
      else if (message.kind === 'up') this.upAtMs = message.atMs
      else this.isReady = true
    }
  }

  /** Its thread has exited, or it will never have one. The end of its last lease may not have been heard yet. */
  close(): void {
    this.isDying = true
    const last = this.#receiveAnswer()
    if (last !== undefined) this.#onAnswer(last)
    this.receiveResults()
    this.#ports.leases.close()
    this.#ports.results.close()
    this.#ports.output.close()
  }
}

/** The short form of a lease, if it has one. */
function callMessageOf(
  jobs: Lease['jobs'],
  body: LeaseBody,
  transfer: readonly Transferable[],
): CallMessage | undefined {
  if (jobs.length > 1 || transfer.length > 0 || body.kind !== 'calls' || body.args.handles) return undefined
  return [body.targets as number, ...(body.args.value as unknown[])]
}

function endOfCall(target: number, ms: number): LeaseEnd {
  return { kind: 'ended', spent: [target, 1, ms], tasksLeft: Infinity, retires: false }
}

/** Stands for an end that cannot be read here. Only a failure is large enough for that: one nested too deeply, say. */
function unreadableEnd(failure: unknown): LeaseEnd {
  return { kind: 'broken', what: 'a worker failed with what cannot be read here', failure: encodeFailure(failure) }
}

/** The ports of a new worker: the ends that stay here, and what goes to its thread. */
export function newPorts(slot: number): { here: HandlePorts; there: WorkerStart } {
  const [leases, results, output] = [new MessageChannel(), new MessageChannel(), new WorkerOutput()]
  return {
    here: { leases: leases.port1, results: results.port1, output },
    there: { slot, leases: leases.port2, results: results.port2, output: output.there },
  }
}
