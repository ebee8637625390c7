// What the message of a lease says: the calls of its jobs, packed so that cloning them is cheap.
import type { Transferable } from 'node:worker_threads'
import { encodeTreesApart } from '../../transport/codec/codec.js'
import { pack } from '../../transport/pack.js'
import { haveObjectsInCommon } from './shared-objects.js'
import type { Job } from './job.js'
import type { LeaseBody } from '../protocol/messages.js'

/**
 * What a worker is to do for these jobs.
 * @param transfer what is moved with the message is added to it
 * @param maxTasks how many tasks the worker may still run
 * @throws whatever keeps the message from being made. Each of several jobs must go alone then
 */
export function packLease(jobs: readonly Job[], transfer: Transferable[], maxTasks: number): LeaseBody {
  const [first] = jobs
  if (jobs.length === 1) return first!.makeBody(transfer, maxTasks)
  const targets = targetsOf(jobs)
  const lists = jobs.map(({ args }) => args!)
  const arity = first!.args!.length
  if (lists.every((args) => args.length === arity && args.every(isPrimitive)))
    return { kind: 'calls', targets, args: { value: lists.flat(), handles: false }, arity }
  // Each call has arguments of its own, as if it had been sent alone: no call sees what another has made of an object.
  const words = encodeTreesApart(lists, MAX_TREE_BYTES)
  if (words) return { kind: 'calls', targets, args: { value: words, handles: false }, arity: -1 }
  if (haveObjectsInCommon(lists)) throw new Error('two of the tasks must not have an object in common')
  const args = pack(lists, transfer)
  // What was moved with many could not be taken back and go to another worker.
  if (transfer.length > 0) throw new Error('something must be moved with one of the tasks')
  return { kind: 'calls', targets, args, arity: -1 }
}

/** Bounds the message: an object that several calls use is copied for each. */
const MAX_TREE_BYTES = 2 ** 18

const isPrimitive = (value: unknown) => typeof value !== 'object' || value === null

function targetsOf(jobs: readonly Job[]): number | number[] {
  const { number } = jobs[0]!.fn
  return jobs.every(({ fn }) => fn.number === number) ? number : jobs.map(({ fn }) => fn.number)
}
