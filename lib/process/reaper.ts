// The reaper: a thread that sees other threads die while their parent's event loop is blocked. Of a channel, it holds one end
// and the watched thread the other; when that thread dies, in whatever way, the reaper's end closes.
//
// parent                            watched thread           reaper (workers/reaper.ts)
//   DeathWatch {threadId, port b} ---------------------------> waits for b's 'close'
//   lifeline {port a} ---------------> holds a
//                                      dies: a closes -------> markDead(threadId); store(control, ENDED, 1); notify
import { MessageChannel, type MessagePort, type Worker } from 'node:worker_threads'
import { perThread, VERSION } from '../copies.js'
import { notifyAll, store, type Words } from '../memory/atomics.js'
import { bootThread } from '../thread/boot.js'
import { markDead } from '../thread/liveness.js'
import { ENDED, type ProcessMessage } from './control-block.js'

/** A message to the reaper: a thread to watch, and the control block in which to mark its end. */
export interface DeathWatch {
  threadId: number
  control: Words
  /** Closes when the thread dies. */
  port: MessagePort
}

const reaper = perThread(`reaper of ${VERSION}`, () => ({ worker: undefined as Worker | undefined }))

/** Have a process's end marked in its control block even while this thread is blocked. Boots the reaper the first time. */
export function watchForDeath(worker: Worker, control: Words): void {
  const { port1, port2 } = new MessageChannel()
  reaper.worker ??= startReaper()
  reaper.worker.postMessage({ threadId: worker.threadId, control, port: port1 } satisfies DeathWatch, [port1])
  worker.postMessage({ kind: 'lifeline', port: port2 } satisfies ProcessMessage, [port2])
}

function startReaper(): Worker {
  // No loaders, no preloaded modules, no environment: it boots fast and runs nothing of the program's.
  const worker = bootThread('reaper', { execArgv: [], env: {} })
  worker.once('exit', () => (reaper.worker = undefined)).unref()
  worker.on('error', () => {}) // It cannot be started, for want of files, say. A blocked parent asks the system itself.
  return worker
}

/** Record that a thread's JavaScript has stopped, and wake the threads that wait for that. */
export function markEnded(threadId: number, control: Words): void {
  markDead(threadId)
  store(control, ENDED, 1)
  notifyAll(control, ENDED)
}
