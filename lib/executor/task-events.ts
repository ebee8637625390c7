// What is told of a task: its name and its submitter in errors that are not its own, and events on `manyhands:task`.
import { hasTaskSubscribers, publishTaskEvent } from '../base/diagnostics.js'
import type { CallSite } from '../base/call-site.js'
import type { Definition } from '../task/target.js'
import { addSubmitter, framesOf } from '../transport/error-codec.js'
import type { Future } from './future.js'

/** Where a task comes from. */
export interface TaskOrigin {
  definition: Definition
  /** The caller's stack, which follows the worker's in errors. */
  callSite: CallSite
}

/** A task as errors and events name it: `'resize' of file:///app/images.js`. */
export function taskText(definition: Definition): string {
  const { name } = definition
  if (definition.kind !== 'source') return `'${name}' of ${definition.module}`
  return name && name !== 'anonymous' ? `'${name}' (sent by source)` : 'a function sent by source'
}

/** Name the task in an error that the executor raises, and end its stack with the submitter's. @param named the message names it */
export function explainWith({ definition, callSite }: TaskOrigin, error: Error, named: boolean): Error {
  if (named) error.message += `: ${taskText(definition)}`
  addSubmitter(error, callSite.stack)
  return error
}

/** A worker begins a task. @param items how many items of a map it has, or 1 */
export function tellStart(origin: TaskOrigin, items: number): void {
  if (hasTaskSubscribers()) publishTaskEvent({ event: 'taskStarted', ...aboutTask(origin), items })
}

/** A task is done. @param reasons what was thrown, by each item that failed */
export function tellEnd(origin: TaskOrigin, future: Future<any>, items: number, reasons: () => unknown[]): void {
  if (!hasTaskSubscribers()) return
  const about = aboutTask(origin)
  for (const reason of reasons()) publishTaskEvent({ event: 'taskFailed', ...about, reason })
  const outcome = future.cancelled() ? 'cancelled' : future.failed ? 'failed' : 'returned'
  publishTaskEvent({ event: 'taskEnded', ...about, items, outcome })
}

function aboutTask({ definition, callSite }: TaskOrigin): { task: string; submitter: string } {
  return { task: taskText(definition), submitter: framesOf(callSite.stack) }
}
