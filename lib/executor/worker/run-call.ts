// Worker side: runs the one call of a CallMessage. Until the function itself awaits something, nothing here does: the message, the
// call and the answer are one turn of the event loop. A function that is not loaded goes the long way, by run-lease.ts.
import { performance } from '../../base/clock.js'
import { isThenable } from '../../base/brands.js'
import { advise } from '../../task/target.js'
import type { CallMessage, LeaseAnswer, LeaseMessage } from '../protocol/messages.js'
import { brokenEnd, runLease, type LeaseWorker } from './run-lease.js'

/** @param onEnd called once, in the turn in which the call ends */
export function runCall(worker: LeaseWorker, message: CallMessage, onEnd: (answer: LeaseAnswer) => void): void {
  const { slots, slot, functions, sender, context } = worker
  const [target, ...args] = message
  const { fn, definition } = functions.get(target)
  if (!fn) return void runLease(worker, leaseOf(target, args), onEnd)
  slots.begin(slot)
  if (slots.claim(slot, 1) < 0) return onEnd({ kind: 'ended', spent: [], tasksLeft: Infinity, retires: false })
  const sinceMs = performance.now()
  const end = () => {
    worker.onTaskDone(1)
    onEnd(performance.now() - sinceMs)
  }
  const fail = (thrown: unknown) => {
    try {
      advise(definition, thrown)
      sender.sendThrown(0, thrown)
    } catch (failure) {
      return onEnd(brokenEnd(failure))
    }
    end()
  }
  const awaitResult = async (returned: PromiseLike<unknown>) => {
    try {
      sender.sendValue(0, await returned)
    } catch (thrown) {
      return fail(thrown)
    }
    end()
  }
  try {
    const returned = context.run(() => fn(...args) as unknown)
    if (isThenable(returned)) return void awaitResult(returned)
    sender.sendValue(0, returned)
  } catch (thrown) {
    return fail(thrown)
  }
  end()
}

/** The long form of the message. */
function leaseOf(target: number, args: unknown[]): LeaseMessage {
  const body: LeaseMessage['body'] = {
    kind: 'calls',
    targets: target,
    args: { value: args, handles: false },
    arity: args.length,
  }
  return { count: 1, body, definitions: [] }
}
