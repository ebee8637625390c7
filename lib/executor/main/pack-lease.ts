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
  const plain = numbersOf(jobs) ?? primitivesOf(jobs)
  if (plain) return { kind: 'calls', targets, args: { value: plain, handles: false }, arity: first!.args!.length }
  const lists = jobs.map(({ args }) => args!)
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

/** Each call's only argument, if all have one and it is a number: cloned as bytes, and not one by one. */
function numbersOf(jobs: readonly Job[]): Float64Array | undefined {
  const numbers = new Float64Array(jobs.length)
  for (let i = 0; i < jobs.length; i++) {
    const args = jobs[i]!.args!
    if (args.length !== 1 || typeof args[0] !== 'number') return undefined
    numbers[i] = args[0]
  }
  return numbers
}

/** The arguments of all calls in one array, if there are as many of each and none is an object. */
function primitivesOf(jobs: readonly Job[]): unknown[] | undefined {
  const { length } = jobs[0]!.args!
  const values: unknown[] = []
  for (const { args } of jobs) {
    if (args!.length !== length) return undefined
    for (const value of args!) {
      if (typeof value === 'object' && value !== null) return undefined
      values.push(value)
    }
  }
  return values
}

function targetsOf(jobs: readonly Job[]): number | number[] {
  const { number } = jobs[0]!.fn
  return jobs.every(({ fn }) => fn.number === number) ? number : jobs.map(({ fn }) => fn.number)
}
