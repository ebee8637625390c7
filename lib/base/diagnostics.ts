// Events of the package itself, published as objects on node:diagnostics_channel and passed to the log (lib/process/logging.ts).
// It is in this low folder because locks publish, too. Without subscribers an event costs one comparison.
//
//   channel             events
//   manyhands:process   started, ended
//   manyhands:task      workerDied, broken
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

const channels: Record<'process' | 'task' | 'lock', Channel> = {
  process: channel('manyhands:process'),
  task: channel('manyhands:task'),
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
