// The reaper's thread: sees threads die while their parents are blocked. See lib/process/reaper.ts.
import { parentPort } from 'node:worker_threads'
import { markEnded, type Watch } from '../lib/process/reaper.js'

parentPort!.on('message', ({ threadId, control, port }: Watch) => {
  port.on('close', () => markEnded(threadId, control)).on('message', () => {})
})
