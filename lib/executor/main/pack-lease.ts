// Which jobs make a lease, and what its message says: their calls, packed so that cloning them is cheap.
import type { Transferable } from 'node:worker_threads'
import { encodeTreesApart } from '../../transport/codec/codec.js'
import { pack } from '../../transport/shareable.js'
import { haveObjectsInCommon } from './shared-objects.js'
import { MOST_TASKS } from '../protocol/lease-slots.js'
import type { Job } from './job.js'
import type { LeaseBody } from '../protocol/messages.js'
import type { PriorityQueue } from './priority-queue.js'

/** Take the next job out of the queue, and as many of those behind it as make a lease. */
export function nextLease(queue: PriorityQueue<Job>, workers: number): Job[] {
  const most = Math.min(Math.ceil(queue.size / workers), MOST_TASKS)
  const jobs: Job[] = []
  // How much of a lease its jobs fill. A little more than 1 is 1: thirds do not add up exactly.
  let filled = 0
  for (let job; (job = queue.peek());) {
    filled += 1 / job.fn.batchSize
    if (jobs.length > 0 && (job.alone || filled > 1.001 || jobs.length >= most)) break
    jobs.push(queue.shift()!)
    if (job.alone) break
  }
  return jobs
}

/** What its jobs are, for a worker. @throws whatever keeps it from being made: then each of the jobs must go alone */
export function compose(jobs: readonly Job[], transfer: Transferable[]): LeaseBody {
  const [first] = jobs
  if (jobs.length === 1) return first!.assign(transfer)
  const targets = targetsOf(jobs)
  const lists = jobs.map(({ args }) => args!)
  const arity = first!.args!.length
  if (lists.every((args) => args.length === arity && args.every(isPrimitive)))
    return { kind: 'calls', targets, args: { value: lists.flat(), handles: false }, arity }
  // Each call has arguments of its own, as if it had been sent alone: no call sees what another has made of an object.
  const words = encodeTreesApart(lists, MOST_BYTES)
  if (words) return { kind: 'calls', targets, args: { value: words, handles: false }, arity: -1 }
  if (haveObjectsInCommon(lists)) throw new Error('two of the tasks must not have an object in common')
  const args = pack(lists, transfer)
  // What was moved with many could not be taken back and go to another worker.
  if (transfer.length > 0) throw new Error('something must be moved with one of the tasks')
  return { kind: 'calls', targets, args, arity: -1 }
}

/** Of an object that many calls have in common, there are as many copies in a message. */
const MOST_BYTES = 2 ** 18

const isPrimitive = (value: unknown) => typeof value !== 'object' || value === null

function targetsOf(jobs: readonly Job[]): number | number[] {
  const { number } = jobs[0]!.fn
  return jobs.every(({ fn }) => fn.number === number) ? number : jobs.map(({ fn }) => fn.number)
}
