// Events of the package itself, published as objects on node:diagnostics_channel and passed to the log (lib/process/logging.ts).
// It is in this low folder because locks publish, too. Without subscribers an event costs one comparison.
//
//   channel             events
//   manyhands:process   started, ended
//   manyhands:task      workerDied, broken; and, which are not logged: taskStarted, taskEnded, taskFailed
//   manyhands:lock      abandoned, recovered
import { channel, type Channel } from 'node:diagnostics_channel'

/** One event. `pid` is a thread's id. */
export type PackageEvent =
  | { event: 'started'; name: string; pid: number }
  | { event: 'ended'; name: string; pid: number; exitcode: number | null }
  | { event: 'workerDied'; pid: number; exitcode: number }
  | { event: 'broken'; message: string; cause: unknown }
  | { event: 'abandoned'; pid: number }
  | { event: 'recovered' }

/**
 * An event of a task, published on `manyhands:task`. `task` names the task: `'resize' of file:///app/images.js`. `submitter` is the
 * stack of who submitted it.
 */
export type TaskEvent =
  /**
   * A worker has begun it; each attempt is told. Told within milliseconds, as soon as the submitting thread learns of it.
   * `items`: how many items of a map it stands for, otherwise 1.
   */
  | { event: 'taskStarted'; task: string; submitter: string; items: number }
  /** It is done. A chunk of a map has returned, though some of its items may have failed. */
  | {
      event: 'taskEnded'
      task: string
      submitter: string
      items: number
      outcome: 'returned' | 'failed' | 'cancelled'
    }
  /** It has failed, or an item of a map, whether or not anybody looks at the failure. `reason`: what was thrown. */
  | { event: 'taskFailed'; task: string; submitter: string; reason: unknown }

const tasks = channel('manyhands:task')
const channels: Record<'process' | 'task' | 'lock', Channel> = {
  process: channel('manyhands:process'),
  task: tasks,
  lock: channel('manyhands:lock'),
}

let log: { wants(): boolean; write(event: PackageEvent): void } | undefined

/** Log the events, too. Called by the module of the log. */
export function logEventsBy(logger: NonNullable<typeof log>): void {
  log = logger
}

/** Publish an event. @param describe makes the event; called only if there is a subscriber or the log wants it */
export function publish(about: keyof typeof channels, describe: () => PackageEvent): void {
  const { [about]: published } = channels
  const logged = log !== undefined && log.wants()
  if (!published.hasSubscribers && !logged) return
  const event = describe()
  if (logged) log!.write(event)
  published.publish(event)
}

/** Whether somebody listens for events of tasks. */
export function hasTaskSubscribers(): boolean {
  return tasks.hasSubscribers
}

export function publishTaskEvent(event: TaskEvent): void {
  tasks.publish(event)
}
