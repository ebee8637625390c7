// The reaper: a thread that sees other threads die while their parent's event loop is blocked. It holds one end of a channel
// whose other end the watched thread holds; when that thread dies, in whatever way, the reaper's end closes.
//
// parent                      watched thread             reaper (worker-reaper.js)
//   Watch {threadId, port b} ------------------------------> waits for b's 'close'
//   lifeline {port a} -----------> holds a
//                                  dies: a closes ---------> markDead(threadId); store(control, ENDED, 1); notify
import { MessageChannel, type MessagePort, type Worker } from 'node:worker_threads'
import { notifyAll, store, type Words } from '../memory/atomics.js'
import { bootThread } from '../thread/boot.js'
import { markDead } from '../thread/liveness.js'
import { ENDED, type ProcessMessage } from './control-block.js'

/** What the reaper is told: whom to watch, and where to tell of its end. */
export interface Watch {
  threadId: number
  control: Words
  port: MessagePort
}

let reaper: Worker | undefined

/** Have a process's end marked in its control words even while this thread is blocked. */
export function watchForDeath(worker: Worker, control: Words): void {
  const { port1, port2 } = new MessageChannel()
  reaper ??= startReaper()
  reaper.postMessage({ threadId: worker.threadId, control, port: port1 } satisfies Watch, [port1])
  worker.postMessage({ kind: 'lifeline', port: port2 } satisfies ProcessMessage, [port2])
}

function startReaper(): Worker {
  // No loaders, no preloaded modules, no environment: it boots fast and runs nothing of the program's.
  const worker = bootThread('reaper', { execArgv: [], env: {} })
  worker.once('exit', () => (reaper = undefined)).unref()
  return worker
}

/** Record that a thread's JavaScript has stopped, and wake who waits for it. */
export function markEnded(threadId: number, control: Words): void {
  markDead(threadId)
  store(control, ENDED, 1)
  notifyAll(control, ENDED)
}
