// The errors of queues, with what they tell.
import { inspect } from 'node:util'
import { OwnerDiedError, QueueEmpty, QueueFull, QueueShutDown } from '../errors.js'
import type { Losses } from './task-counts.js'

export function fullError(timeoutMs: number = Infinity, put: number = 0, of: number = 1): QueueFull {
  return new QueueFull((timeoutMs > 0 ? `no room within ${timeoutMs} ms` : 'the queue is full') + putCount(put, of))
}

/** How many of several messages were put, to be added to the text of an error. */
export const putCount = (put: number, of: number): string => (of > 1 ? `; ${put} of ${of} messages were put` : '')

export function emptyError(timeoutMs: number = Infinity): QueueEmpty {
  return new QueueEmpty(timeoutMs > 0 ? `no message within ${timeoutMs} ms` : 'the queue is empty')
}

export const shutDownError = (use: string): QueueShutDown => new QueueShutDown(`${use}: the queue is shut down`)

/** @param value the message that was read, and stays. May throw */
export function notBytesError(use: string, value: () => unknown): TypeError {
  let found = 'a value that cannot be read in this thread'
  try {
    found = inspect(value(), { depth: 0, maxStringLength: 100 })
  } catch {}
  return new TypeError(`${use}: the message is not bytes but ${found}; it stays, for get()`)
}

/** @param lost tasks written off before */
export function tooManyDone(put: number, lost: number): string {
  const some = lost > 0 ? `, of which ${lost} were lost` : ''
  return `taskDone() called more often than the ${put} tasks that were put${some}`
}

export function lostError({ lastPid }: Losses, tasks: number, threads: number): OwnerDiedError {
  const who = threads === 1 ? `thread ${lastPid}` : `${threads} threads, the last of them ${lastPid},`
  const what = `${who} ended with ${tasks} ${tasks === 1 ? 'task that is' : 'tasks that are'} not done`
  return new OwnerDiedError(`${what}; join() does not wait for them any more`, { pid: lastPid })
}
