// The reaper's thread. See lib/process/reaper.ts.
import { parentPort } from 'node:worker_threads'
import { markEnded, type DeathWatch } from '../lib/process/reaper.js'

parentPort!.on('message', ({ threadId, control, port }: DeathWatch) => {
  port.on('close', () => markEnded(threadId, control)).on('message', () => {})
})
